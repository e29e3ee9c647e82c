"""What is known of a metric without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records.log import Unit

MetricKind = Literal["code", "judge", "human"]
Goal = Literal["high", "low"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """`version` changes whenever the metric could score differently. `goal` tells which end of
    [0, 1] is good; a log fails where the value lies on the other side of 0.5.

    `simulated` marks scores that stand in for a real judge; pages say so.
    """

    name: str
    version: str
    kind: MetricKind
    unit: Unit
    goal: Goal = "high"
    target: str = ""
    simulated: bool = False

    def fails(self, value: float) -> bool:
        """Whether a score of `value` is a failure."""
        return value < 0.5 if self.goal == "high" else value >= 0.5
