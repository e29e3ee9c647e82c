"""The report: how are we doing overall, and where should we focus?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from assay.records.estimate import Estimate
from assay.records.log import Unit
from assay.records.metric import MetricInfo
from assay.records.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over the window. `cost_usd` is what evaluation cost, not the application."""

    interactions: int
    conversations: int
    judged: int
    labelled: int
    cost_usd: float
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEstimate:
    """One day's estimate of one metric."""

    day: date
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusRow:
    """A signal or a slice where failures concentrate.

    `filter` opens the logs behind it in the filter language; `failure` is the failure rate inside
    (its interval says how far to trust it), `rest` that outside; `share_of_failures` how much of all
    failures would be found here; `distinct` whether it stands out after control for looking at
    many groups (Benjamini-Hochberg at 10 %).
    """

    kind: Literal["signal", "slice"]
    name: str
    filter: str
    failing_filter: str
    meaning: str
    logs: int
    share: float
    judged: int
    failing: int
    failure: Estimate
    rest: Estimate
    share_of_failures: float | None
    distinct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """seen = filtered + not_sampled + over_budget + failed + skipped + pending + scored.

    `seen` counts every log that anything remembers, a fate only those of which the evidence is there."""

    metric: str
    metric_version: str
    seen: int
    filtered: int
    not_sampled: int
    over_budget: int
    failed: int
    skipped: int
    pending: int
    scored: int

    @property
    def lost(self) -> int:
        """Logs that were seen and have no fate; below 0 where some have more than one."""
        told = self.filtered + self.not_sampled + self.over_budget + self.failed + self.skipped
        return self.seen - told - self.pending - self.scored

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost in silence."""
        return self.lost == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAccounting:
    """seen = filtered + not_sampled + pending + drawn: what a policy did with the logs.

    `pending` are not decided yet; of the drawn, `people` went to people too, and `added` were drawn by
    what became known of them later."""

    policy: str
    unit: Unit
    seen: int
    filtered: int
    not_sampled: int
    pending: int
    drawn: int
    people: int
    added: int

    @property
    def lost(self) -> int:
        """Logs that were seen and have no fate; below 0 where some have more than one."""
        return self.seen - self.filtered - self.not_sampled - self.pending - self.drawn

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost in silence."""
        return self.lost == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricReport:
    """One metric over the window: the whole, the newest day, the trend, the focus, the books."""

    info: MetricInfo
    overall: Estimate
    latest: DayEstimate | None
    trend: tuple[DayEstimate, ...]
    focus: tuple[FocusRow, ...]
    accounting: Accounting
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The first page. `metrics` in the order of the configuration: the first is the headline."""

    project: str
    window: Window
    made_at: datetime
    totals: Totals
    metrics: tuple[MetricReport, ...]
    notes: tuple[str, ...] = ()
