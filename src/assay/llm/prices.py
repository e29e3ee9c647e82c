"""What a request cost, by the prices that the team configured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from assay.llm.base import ChatRequest

Prices = Mapping[str, tuple[float, float]]
"""For each model: US dollars per million input tokens and per million output tokens."""

_TEMPLATE_TOKENS = 200


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
    """The most that one try of the request can cost: to be set aside before it is sent.

    No token is shorter than a byte, so this bound holds for every script and tokenizer (for English
    it is about four times the price of the input); the reply may use all the tokens it is allowed."""
    texts = [request.system, request.user, json.dumps(request.schema or "")]
    written = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return cost_usd(prices, request.model, written + _TEMPLATE_TOKENS, request.max_tokens)
