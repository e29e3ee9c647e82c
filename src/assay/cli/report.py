"""`assay report`: how are we doing overall, and where should we focus?"""

from __future__ import annotations

import shlex
from datetime import UTC, date, datetime, timedelta

from rich.text import Text

from assay.app.connect import connect
from assay.app.requests import ReportRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import new_table, out, print_json, printable
from assay.estimates.wording import (
    basis_text,
    describe_estimate,
    estimate_text,
    interval_text,
    percent,
    value_text,
)
from assay.records import Accounting, FocusRow, MetricInfo, MetricReport, Report, Window

BAR = 32
MOST_DISTINCT = 10
MOST_OTHERS = 5
VOICES = {"judge": "the judge", "code": "the check", "human": "a person"}


def report(since: Since = "", until: Until = "", config: Config = None, json: Json = False) -> None:
    """Print the report: the newest 14 days, or the range asked for."""
    request = ReportRequest(range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "report") as project:
        answer = project.report(request)
    if json:
        print_json(answer)
    else:
        show_report(answer)


def show_report(report: Report) -> None:
    """The report as text."""
    totals = report.totals
    out.print(Text(f"{printable(report.project)}, {_days(report.window)}", style="bold"))
    out.print(f"  {totals.conversations:,} conversations, {totals.interactions:,} interactions")
    out.print(
        f"  {totals.judged:,} judged, {totals.labelled:,} labelled by people; "
        f"evaluation cost ${totals.cost_usd:,.2f}"
    )
    if not totals.conversations:
        out.print(
            "no settled conversation in this range: `assay import FILE`, or send spans to `assay serve`"
        )
        return
    for metric in report.metrics:
        _show_metric(metric)
    for note in report.notes:
        out.print(f"note: {note}", markup=False, soft_wrap=True)


def _days(window: Window) -> str:
    """The first and the last day that are in it: "09 Nov to 22 Nov 2025 (UTC)"."""
    first, last = window.start.date(), _last_day(window)
    if first == last:
        return f"{last:%d %b %Y} (UTC)"
    return f"{first:%d %b}{'' if first.year == last.year else f' {first:%Y}'} to {last:%d %b %Y} (UTC)"


def _last_day(window: Window) -> date:
    return max(window.start, window.end - timedelta(microseconds=1)).date()


def _show_metric(metric: MetricReport) -> None:
    out.print()
    out.print("How are we doing overall?", style="bold")
    for line in describe_estimate(metric.overall):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    if metric.latest is not None:
        latest = metric.latest.estimate
        out.print(
            f"  newest day, {metric.latest.day:%a %d %b}: {estimate_text(latest)}; {basis_text(latest)}",
            markup=False,
            soft_wrap=True,
        )
    _show_trend(metric)
    out.print(f"  the books: {_books(metric.accounting)}", soft_wrap=True)
    out.print(f"  evaluation cost: ${metric.cost_usd:,.2f}")
    _show_focus(metric)


def _books(books: Accounting) -> str:
    """7,000 seen = 5,219 not sampled + 1,781 scored: the fates that some log has."""
    fates = {
        "filtered": books.filtered,
        "not sampled": books.not_sampled,
        "over budget": books.over_budget,
        "failed": books.failed,
        "skipped": books.skipped,
        "pending": books.pending,
        "scored": books.scored,
    }
    terms = [f"{count:,} {fate}" for fate, count in fates.items() if count]
    return f"{books.seen:,} seen {'=' if books.balanced else '≠'} {' + '.join(terms) or '0'}"


def _show_trend(metric: MetricReport) -> None:
    """A line a day, its interval drawn on one scale."""
    known = [day for day in metric.trend if day.estimate.known]
    if len(metric.trend) < 2 or not known:
        return
    low = min(day.estimate.low or 0.0 for day in known)
    high = max(day.estimate.high or 0.0 for day in known)
    scale = (BAR - 1) / max(high - low, 1e-9)
    out.print(f"  by day, from {percent(low, 0)} to {percent(high, 0)}:")
    for day in metric.trend:
        estimate = day.estimate
        if estimate.value is None or estimate.low is None or estimate.high is None:
            out.print(f"    {day.day:%a %d %b}  {estimate_text(estimate)}", markup=False, soft_wrap=True)
            continue
        left, mark, right = (round((x - low) * scale) for x in (estimate.low, estimate.value, estimate.high))
        bar = " " * left + "─" * (mark - left) + "●" + "─" * (right - mark)
        text = f"    {day.day:%a %d %b}  {bar:<{BAR}}  {value_text(estimate):>6} ({interval_text(estimate)})"
        out.print(text, markup=False, soft_wrap=True)


def _show_focus(metric: MetricReport) -> None:
    rows = [row for row in metric.focus if row.failure.known]
    distinct = [row for row in rows if row.distinct][:MOST_DISTINCT]
    others = [row for row in rows if not row.distinct][:MOST_OTHERS]
    if not rows:
        return
    out.print()
    out.print("Where should we focus?", style="bold")
    out.print(f"  a failure: {_failure(metric.info)}; share: of all failures", markup=False, soft_wrap=True)
    _show_rows("failures concentrate here", distinct)
    _show_rows("no clear difference from the rest", others)
    first = (distinct or others)[0].failing_filter
    out.print("\n  the failures behind the first line:")
    out.print(f"    assay logs {shlex.quote(printable(first))}", markup=False, soft_wrap=True)


def _show_rows(heading: str, rows: list[FocusRow]) -> None:
    if not rows:
        return
    out.print(f"\n  {heading}:")
    table = new_table("where", "failing", "elsewhere", "logs", "share")
    for row in rows:
        table.add_row(*_cells(row))
    out.print(table)


def _cells(row: FocusRow) -> tuple[Text | str, ...]:
    share = "" if row.share_of_failures is None else percent(row.share_of_failures, 0)
    return (
        Text(printable(row.filter)),
        estimate_text(row.failure),
        value_text(row.rest),
        f"{row.logs:,}",
        share,
    )


def _failure(info: MetricInfo) -> str:
    """What a failure of this metric is, in few words: its verdict and the number behind it."""
    verdict = f"not {info.name}" if info.goal == "high" else info.name
    return f"{verdict}, says {VOICES[info.kind]}"
