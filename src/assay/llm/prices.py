"""What requests cost: by the team's prices, else by the table that is shipped (`prices.toml`)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import ConfigError
from assay.llm.base import ChatRequest
from assay.records import Price

Prices = Mapping[str, tuple[float, float]]
"""For each model: US dollars per million input tokens and per million output tokens."""

_TEMPLATE_TOKENS = 200
_DATED = re.compile(r"([-@:](20[0-9]{2}.*|[0-9]{4}|latest))?")
_KEYS = {"model": str, "input": (int, float), "output": (int, float), "cached": (int, float), "since": date}


class Cost(NamedTuple):
    """`usd` is 0 where the model's price is not `known`: callers say so rather than guess."""

    usd: float
    known: bool


class PricesOn(Prices):
    """The prices of one day. A model's own price, or that of its name without the date at its end."""

    def __init__(self, prices: Sequence[Price], day: date) -> None:
        self._prices = [price for price in ordered(prices) if price.since <= day]

    def __getitem__(self, model: str) -> tuple[float, float]:
        for price in self._prices:
            if model.startswith(price.model) and _DATED.fullmatch(model, len(price.model)):
                return price.input, price.output
        raise KeyError(model)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(price.model for price in self._prices))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def ordered(prices: Sequence[Price]) -> list[Price]:
    """In the order in which they are looked through: longer names first, of one name those given first,
    and of one source the newest. The first that fits counts."""
    newest = sorted(prices, key=lambda price: price.since, reverse=True)
    return sorted(newest, key=lambda price: len(price.model), reverse=True)


def merged(*sources: Sequence[Price]) -> tuple[Price, ...]:
    """The prices of several sources: what an earlier one says of a model, a later one does not."""
    found: list[Price] = []
    for source in sources:
        known = {price.model for price in found}
        found += [price for price in source if price.model not in known]
    return tuple(found)


def shipped_prices() -> tuple[Price, ...]:
    """The table that comes with assay."""
    text = (files("assay.llm") / "prices.toml").read_text(encoding="utf-8")
    return _read(text, "assay/llm/prices.toml")


def read_prices(path: Path) -> tuple[Price, ...]:
    """A team's table, in the form of the shipped one. Raises ConfigError with file and entry."""
    try:
        return _read(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} (project.prices) can't be read: {error}") from None


def _read(text: str, name: str) -> tuple[Price, ...]:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is no TOML: {error}") from None
    entries = tree.get("price", [])
    if set(tree) - {"price"} or not isinstance(entries, list):
        raise ConfigError(f"{name}: it may hold nothing but [[price]] entries")
    return tuple(_price(entry, f"{name}, entry {number}") for number, entry in enumerate(entries, 1))


def _price(entry: dict[str, Any], where: str) -> Price:
    if unknown := set(entry) - set(_KEYS):
        raise ConfigError(f"{where}: no key `{min(unknown)}`; there are {', '.join(_KEYS)}")
    if missing := {"model", "input", "output"} - set(entry):
        raise ConfigError(f"{where}: `{min(missing)}` is missing")
    for key, value in entry.items():
        kind: Any = _KEYS[key]
        negative = isinstance(value, int | float) and not 0 <= value < 1e6
        if not isinstance(value, kind) or isinstance(value, bool) or negative or value == "":
            raise ConfigError(
                f"{where}: {key} = {value!r}; give a name, dollars per million tokens, or a date"
            )
    return Price(**entry)


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
