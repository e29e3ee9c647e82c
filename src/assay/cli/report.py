"""`assay report`: how are we doing overall, and where should we focus?"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby

from rich.table import Table
from rich.text import Text

from assay.app.connect import connect
from assay.app.requests import ReportRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import out, print_json, printable
from assay.estimates.wording import (
    basis_text,
    describe_estimate,
    estimate_text,
    interval_text,
    percent,
    value_text,
)
from assay.records import FocusRow, MetricInfo, MetricReport, Report

BAR = 40
MOST_ROWS = 10


def report(since: Since = "", until: Until = "", config: Config = None, json: Json = False) -> None:
    """Print the report: the newest 14 days, or the range asked for."""
    with connect(config, "report") as project:
        answer = project.report(ReportRequest(range=to_span(since, until, datetime.now(UTC))))
    if json:
        print_json(answer)
    else:
        show_report(answer)


def show_report(report: Report) -> None:
    """The report as text."""
    totals = report.totals
    out.rule(
        Text(f"{printable(report.project)}: {report.window.start:%d %b} to {report.window.end:%d %b %Y}, UTC")
    )
    out.print(
        f"{totals.conversations:,} conversations, {totals.interactions:,} interactions; "
        f"{totals.judged:,} judged, {totals.labelled:,} labelled; evaluation cost ${totals.cost_usd:,.2f}"
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
    books = metric.accounting
    out.print(
        f"  books: {books.seen:,} seen = {books.not_sampled:,} not sampled + {books.scored:,} scored + "
        f"{books.failed:,} failed + {books.skipped:,} skipped + {books.pending:,} pending + "
        f"{books.over_budget:,} over budget + {books.filtered:,} filtered; cost ${metric.cost_usd:,.2f}",
        soft_wrap=True,
    )
    _show_focus(metric)


def _show_trend(metric: MetricReport) -> None:
    """A line a day, its interval drawn on one scale."""
    known = [day for day in metric.trend if day.estimate.known]
    if not known:
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
    rows = [row for row in metric.focus if row.failure.known][:MOST_ROWS]
    if not rows:
        return
    out.print()
    out.print(f"Where should we focus? ({_failure(metric.info)})", style="bold", markup=False)
    for distinct, group in groupby(rows, key=lambda row: row.distinct):
        table = Table(
            title="failures concentrate here" if distinct else "no clear difference from the rest",
            title_justify="left",
            title_style="italic",
        )
        for column in ("where", "failing here", "elsewhere", "logs", "judged", "of all failures"):
            table.add_column(column, justify="left" if column == "where" else "right")
        for row in group:
            table.add_row(*_cells(row))
        out.print(table)
    first = rows[0].failing_filter
    out.print(f"  the logs behind a line: assay logs '{printable(first)}'", markup=False, soft_wrap=True)


def _cells(row: FocusRow) -> tuple[Text | str, ...]:
    share = "" if row.share_of_failures is None else percent(row.share_of_failures, 0)
    return (
        Text(printable(row.filter)),
        estimate_text(row.failure),
        value_text(row.rest),
        f"{row.logs:,}",
        f"{row.judged:,}",
        share,
    )


def _failure(info: MetricInfo) -> str:
    """What a failure of this metric is: its target, or its name."""
    return info.target or (f"not {info.name}" if info.goal == "high" else info.name)
