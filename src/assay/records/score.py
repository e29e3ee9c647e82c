"""What a metric said about a log: a score, a failure or a skip, never a silent zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fate = Literal["scored", "failed", "skipped", "over_budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`value` in [0, 1]; a yes/no metric gives 0 or 1. `category` where the metric has classes."""

    value: float
    category: str = ""
    explanation: str = ""
    cost_usd: float = 0.0
    latency_ms: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score must lie in [0, 1], got {self.value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The metric could not be computed: `reason` is a short stable code, `detail` says more."""

    reason: str
    detail: str = ""
    cost_usd: float = 0.0
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """The metric does not apply to this log (no retrieved context, say)."""

    reason: str
    detail: str = ""


Outcome = Score | Failure | Skip
