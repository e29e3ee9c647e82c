"""The answers: estimates and the report, read from the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Final

from assay.app import tallies
from assay.app.keeping import first_day_with_texts
from assay.app.parts import Parts
from assay.app.requests import EstimateRequest, Span
from assay.errors import CallerError
from assay.estimates.metric import estimate_metric
from assay.estimates.report import Population, build_report, metric_report
from assay.query import (
    And,
    Compare,
    Condition,
    Contains,
    Field,
    HasScore,
    InList,
    IsKnown,
    Mentions,
    Says,
    ScoreIs,
    Selected,
    walk,
)
from assay.records import Estimate, MetricInfo, MetricReport, Report, Totals, Window
from assay.records.window import FIRST, LAST
from assay.store.telemetry import ledger
from assay.store.telemetry.slices import LONG

DAYS = 14
SCORED_ALONE: Final = (
    "the filter asks for scores, labels or what was drawn: logs without them are not counted"
)
TEXTS_REMOVED: Final = "texts before {day} were removed: the filter can't find them there"


def estimate(parts: Parts, info: MetricInfo, window: Window, request: EstimateRequest) -> Estimate:
    """The metric's rate over the window's logs of which the request's condition holds."""
    found = _ledger(parts, info, window, condition=request.where)
    made = estimate_metric(
        found.rows,
        found.seen,
        info,
        decided=sum(found.decided_by_day.values()),
        level=request.level,
        target_width=request.target_width,
    )
    if not made.known or made.reason:
        return made
    asked, covered = parts.parse(request.where), parts.parse(parts.policy_of(info).where)
    if _asks_for_scores(asked):
        return replace(made, reason=SCORED_ALONE)
    first = first_day_with_texts(parts)
    cut = first is not None and window.start.astimezone(UTC).date() < first
    if cut and (_reads_texts(asked) or _reads_texts(covered)):
        return replace(made, reason=TEXTS_REMOVED.format(day=first))
    return made


def _asks_for_scores(condition: Condition | None) -> bool:
    """Whether it is known only of evaluated logs who is in the group, so that nobody knows how many are."""
    return condition is not None and any(
        isinstance(part, ScoreIs | HasScore | Selected) for part in walk(condition)
    )


def _reads_texts(condition: Condition | None) -> bool:
    return condition is not None and any(
        isinstance(part.subject, Field) and part.subject.name in LONG
        for part in walk(condition)
        if isinstance(part, Contains | Says | Mentions | Compare | InList | IsKnown)
    )


def report(parts: Parts, window: Window) -> Report:
    """How are we doing overall, and where should we focus?"""
    interactions, conversations, first, last = tallies.totals(parts, window)
    known = parts.infos()
    infos = {name: info for name, info in known.items() if parts.is_drawn(info)}
    notes = [
        f"{info.name}: no policy draws {info.unit}s, so there is no estimate; add one to assay.toml"
        for name, info in known.items()
        if name not in infos
    ]
    covered = {name: (info.unit, parts.policy_of(info).where) for name, info in infos.items()}
    population = {part: tallies.population(parts, *part, window) for part in set(covered.values())}
    metrics = [_metric_report(parts, info, window, population[covered[name]]) for name, info in infos.items()]
    totals = Totals(
        interactions=interactions,
        conversations=conversations,
        judged=max((metric.overall.n_judged for metric in metrics), default=0),
        labelled=max((metric.overall.n_labelled for metric in metrics), default=0),
        cost_usd=sum(metric.cost_usd for metric in metrics),
        first=first,
        last=last,
    )
    return build_report(parts.project, window, parts.clock(), totals, metrics, notes=notes)


def default_window(parts: Parts) -> Window:
    """The last 14 UTC days up to the newest log, or to today where there is none, or one from the
    future: a sender's clock that is wrong must not hide the others."""
    whole, now = tallies.data_window(parts), parts.clock()
    newest = min(whole.end - timedelta(microseconds=1), now) if whole else now
    last = Window.of_day(newest.date())
    return Window(start=last.start - timedelta(days=DAYS - 1), end=last.end)


def asked_window(parts: Parts, span: Span, *, whole: bool = False) -> Window:
    """The asked range, as far as there are logs on a side that is not said; without one, everything
    (`whole`) or the last 14 days that have logs. Raises CallerError where it ends before it starts, or
    lies beyond all times that logs have."""
    for time in (span.since, span.until):
        if time is not None and not FIRST <= time <= LAST:
            raise CallerError(f"{time.date()} is out of reach; use a time from 1970 to 2199")
    every = tallies.data_window(parts)
    usual = default_window(parts) if every is None or not whole else every
    start, end = span.since or usual.start, span.until or usual.end
    if span.since and not span.until:
        end = max(usual.end, start)
    if span.until and not span.since:
        start = min(every.start if every else usual.start, end)
    if end < start:
        raise CallerError(
            f"the range ends ({end:%Y-%m-%d %H:%M}) before it starts ({start:%Y-%m-%d %H:%M}); swap the two"
        )
    return Window(start=start, end=end)


def _metric_report(parts: Parts, info: MetricInfo, window: Window, population: Population) -> MetricReport:
    found = _ledger(parts, info, window, columns=("signals", *population.slices))
    return metric_report(
        info,
        found.rows,
        seen_by_day=found.seen_by_day,
        decided_by_day=found.decided_by_day,
        population=population,
        accounting=tallies.books(parts, info, window),
        cost_usd=tallies.spend(parts, info.name, window),
    )


def _ledger(
    parts: Parts, info: MetricInfo, window: Window, *, condition: str = "", columns: tuple[str, ...] = ()
) -> ledger.Ledger:
    """What the metric's policy covers of the logs that the condition holds of."""
    policy = parts.policy_of(info)
    covered = [part for part in (parts.parse(policy.where), parts.parse(condition)) if part is not None]
    both = And(parts=tuple(covered)) if len(covered) > 1 else next(iter(covered), None)
    return tallies.read_ledger(parts, info, window, both, columns)
