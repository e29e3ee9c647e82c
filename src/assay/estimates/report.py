"""The parts of the first page, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from assay.estimates.focus import find_focus
from assay.estimates.metric import estimate_metric
from assay.estimates.trend import estimate_days
from assay.records import Accounting, MetricInfo, MetricReport, Report, Totals, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Counts over *all* logs of one unit in the window, evaluated or not.

    `slices` maps a field of the filter language (`version`, `attr["topic"]`) to its values and counts,
    `meanings` a signal's name to what it says.
    """

    signals: Mapping[str, int] = field(default_factory=dict)
    slices: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)


def metric_report(
    info: MetricInfo,
    ledger_rows: pa.Table,
    *,
    seen_by_day: Mapping[date, int],
    population: Population,
    accounting: Accounting,
    cost_usd: float,
    decided_by_day: Mapping[date, int] | None = None,
    level: float = 0.95,
) -> MetricReport:
    """One metric over the window. The ledger carries `signals` and the columns of `population.slices`.

    `seen_by_day` counts the logs that the metric's policy covers, `decided_by_day` those that it has decided.
    """
    seen = sum(seen_by_day.values())
    decided = seen if decided_by_day is None else sum(decided_by_day.values())
    trend = estimate_days(ledger_rows, seen_by_day, info, decided_by_day=decided_by_day, level=level)
    return MetricReport(
        info=info,
        overall=estimate_metric(ledger_rows, seen, info, decided=decided, level=level),
        latest=trend[-1] if trend else None,
        trend=trend,
        focus=find_focus(
            ledger_rows,
            seen,
            info,
            signal_counts=population.signals,
            slice_counts=population.slices,
            meanings=population.meanings,
            decided=decided,
            level=level,
        ),
        accounting=accounting,
        cost_usd=cost_usd,
    )


def build_report(
    project: str,
    window: Window,
    made_at: datetime,
    totals: Totals,
    metrics: Sequence[MetricReport],
    *,
    notes: Sequence[str] = (),
) -> Report:
    """The report, with a note for each number that must not be taken at its face."""
    return Report(
        project=project,
        window=window,
        made_at=made_at,
        totals=totals,
        metrics=tuple(metrics),
        notes=(*notes, *(note for metric in metrics for note in _notes(metric))),
    )


def _notes(metric: MetricReport) -> list[str]:
    books, name = metric.accounting, metric.info.name
    notes = []
    if metric.overall.simulated:
        notes.append(f"{name}: scores or labels are simulated")
    if not books.balanced:
        notes.append(f"{name}: the books do not balance: {books.seen:,} logs seen")
    if books.pending:
        notes.append(f"{name}: {books.pending:,} logs still wait to be drawn or scored")
    if books.failed:
        notes.append(f"{name}: {books.failed:,} logs could not be scored")
    raw = metric.overall.raw
    if raw is not None and raw.known and raw.reason:
        notes.append(f"{name}: {raw.reason}; where failures concentrate is its word alone")
    return notes
