"""What a policy would draw, cost and tell, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from assay.records.log import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedGroup:
    """One stratum or part a day, as expected: its `logs` (those to which it gives the highest chance), how
    many of them are drawn for the judge and for people, and how many of the `judge`'s fail."""

    group: str
    logs: float
    judge: float
    label: float
    failures: float
    judge_usd: float | None
    label_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMetric:
    """What one score of a metric costs, by past scores; None where there is none to go by."""

    metric: str
    usd_each: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWidth:
    """The interval of a metric's failure rate that one day's sample is expected to give.

    `rate` is the expected rate. `effect`: the variance over that of a uniform sample of the same size:
    above 1 the policy finds more than it measures. `uniform_width` is that sample's interval.
    """

    metric: str
    rate: float
    low: float
    high: float
    effect: float
    uniform_width: float

    @property
    def width(self) -> float:
        """High minus low."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlan:
    """What a policy would draw of a day like those from `first` to `last`, on average over the `days` that
    have logs. `uniform_failures`: how many failures a uniform sample of the same size would find."""

    policy: str
    policy_version: str
    unit: Unit
    first: date | None
    last: date | None
    days: int
    logs: float
    groups: tuple[PlannedGroup, ...]
    judge: float
    label: float
    failures: float
    uniform_failures: float
    judge_usd: float | None
    label_usd: float | None
    metrics: tuple[PlannedMetric, ...]
    width: PlannedWidth | None
    notes: tuple[str, ...] = ()
