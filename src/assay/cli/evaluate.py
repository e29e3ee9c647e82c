"""`assay evaluate`: score what is selected and not yet scored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import EvaluateRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import new_table, out, print_json, printable, progress_bars
from assay.records import RunReport


def evaluate(
    metric: Annotated[
        list[str] | None, typer.Argument(help="Metrics by name.", show_default="every code and judge metric")
    ] = None,
    since: Since = "",
    until: Until = "",
    retry_failed: Annotated[bool, typer.Option(help="Also try again what failed before.")] = False,
    budget_usd: Annotated[
        float | None, typer.Option(min=0, help="The most to spend.", show_default="the configuration's")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many logs a metric.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Score the selected logs. Stopped or out of money, it goes on where it was when run again."""
    request = EvaluateRequest(
        metrics=tuple(metric or ()),
        range=to_span(since, until, datetime.now(UTC)),
        retry_failed=retry_failed,
        budget_usd=budget_usd,
        limit=limit,
    )
    with connect(config, "evaluate") as project, progress_bars() as progress:
        reports = project.evaluate(request, progress)
    if json:
        print_json(reports)
    else:
        show_runs(reports)


def show_runs(reports: tuple[RunReport, ...]) -> None:
    """What each run did, and below the table what its numbers do not say."""
    table = new_table("metric", "to do", "scored", "failed", "skipped", "left", "cost", "seconds")
    for run in reports:
        table.add_row(
            printable(run.metric),
            *(f"{n:,}" for n in (run.todo, run.scored, run.failed, run.skipped, run.over_budget)),
            f"${run.cost_usd:,.2f}",
            f"{run.seconds:,.1f}",
        )
    out.print(table)
    for run in reports:
        for line in _remarks(run):
            out.print(f"  {run.metric}: {printable(line)}", markup=False, soft_wrap=True)


def _remarks(run: RunReport) -> list[str]:
    """What the numbers do not say: why logs failed, what is left, and the run's own notes."""
    lines = [f"{count:,} failed: {reason}" for reason, count in _most_first(run.failures)]
    if run.over_budget:
        lines.append(f"{run.over_budget:,} left: the budget is spent; the next run goes on there")
    return [*lines, *run.notes]


def _most_first(failures: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(failures.items(), key=lambda item: (-item[1], item[0]))
