"""What a request cost, by the prices that the team configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from assay.llm.base import ChatRequest

Prices = Mapping[str, tuple[float, float]]
"""For each model: US dollars per million input tokens and per million output tokens."""

_SCHEMA_TOKENS = 200


class Cost(NamedTuple):
    """`usd` is 0 where the model's price is not `known`: callers say so rather than guess."""

    usd: float
    known: bool


def cost_usd(prices: Prices, model: str, input_tokens: int, output_tokens: int) -> Cost:
    """The price of that many tokens of the model."""
    if model not in prices:
        return Cost(0.0, False)
    per_input, per_output = prices[model]
    return Cost((input_tokens * per_input + output_tokens * per_output) / 1e6, True)


def most_usd(prices: Prices, request: ChatRequest) -> Cost:
    """The most the request is likely to cost: to be set aside before it is sent.

    A token is taken to hold two bytes (English has four, so this is about twice the price of its
    input), and the reply to use all the tokens it may."""
    written = len(request.system.encode("utf-8", "replace")) + len(request.user.encode("utf-8", "replace"))
    return cost_usd(prices, request.model, written // 2 + _SCHEMA_TOKENS, request.max_tokens)
