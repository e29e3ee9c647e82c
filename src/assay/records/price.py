"""What a model costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens of a model, from a day on (UTC).

    `cached` is for input tokens that were read from the provider's cache; where it is None they cost
    what others do. Reasoning tokens are output."""

    model: str
    input: float
    output: float
    cached: float | None = None
    since: date = date.min
