"""`assay sample`: decide on every log, with a recorded probability; or show what would be drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import PlanRequest, SampleRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import new_table, out, print_json, progress_bars
from assay.records import SamplePlan, SampleReport


def sample(
    policy: Annotated[str, typer.Option(help="One policy.", show_default="all of them")] = "",
    since: Since = "",
    until: Until = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Decide nothing: show what would be drawn of a day like the last, or like those of the "
            "range, what it would cost and how much it would tell.",
        ),
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Decide which logs are judged and which go to people. Decided once, never drawn again."""
    span = to_span(since, until, datetime.now(UTC))
    if dry_run:
        _plan(PlanRequest(policy=policy, range=span), config, json)
        return
    request = SampleRequest(policy=policy, range=span)
    with connect(config, "sample") as project, progress_bars() as progress:
        reports = project.sample(request, progress)
    if json:
        print_json(reports)
        return
    for report in reports:
        show_sample(report)


def show_sample(report: SampleReport) -> None:
    """What a policy has decided so far, by stratum."""
    more = f", {report.additions:,} of them additions" if report.additions else ""
    out.print(
        f"policy {report.policy} (version {report.policy_version}), "
        f"{report.unit}s: {report.decided:,} new decisions{more}",
        markup=False,
        soft_wrap=True,
    )
    table = new_table("stratum", "logs", "for the judge", "of those for people")
    for row in report.strata:
        table.add_row(row.stratum, f"{row.logs:,}", f"{row.judge:,}", f"{row.label:,}")
    out.print(table)


def _plan(request: PlanRequest, config: Config, json: bool) -> None:
    with connect(config, "sample") as project, progress_bars() as progress:
        plans = project.plan(request, progress)
    if json:
        print_json(plans)
        return
    for plan in plans:
        show_plan(plan)


def show_plan(plan: SamplePlan) -> None:
    """What a policy would draw of a day, what that costs and what it tells."""
    out.print(
        f"policy {plan.policy} (version {plan.policy_version}), {plan.unit}s: a day like {_days(plan)}, "
        f"{plan.logs:,.0f} logs; nothing is decided",
        markup=False,
        soft_wrap=True,
    )
    if plan.days:
        table = new_table("stratum", "logs", "for the judge", "failing", "for people", "judging", "labels")
        for row in plan.groups:
            table.add_row(
                row.group,
                f"{row.logs:,.0f}",
                f"{row.judge:,.1f}",
                f"{row.failures:,.1f}",
                f"{row.label:,.1f}",
                _usd(row.judge_usd),
                _usd(row.label_usd),
            )
        table.add_row(
            "all",
            f"{plan.logs:,.0f}",
            f"{plan.judge:,.1f}",
            f"{plan.failures:,.1f}",
            f"{plan.label:,.1f}",
            _usd(plan.judge_usd),
            _usd(plan.label_usd),
        )
        out.print(table)
    for line in plan_lines(plan):
        out.print(line, markup=False, soft_wrap=True)


def plan_lines(plan: SamplePlan) -> list[str]:
    """What the table does not say, in sentences."""
    lines = []
    if plan.uniform_failures > 0:
        times = plan.failures / plan.uniform_failures
        lines.append(
            f"failures found: {plan.failures:,.1f} expected, {times:.1f} times as many as a uniform sample "
            f"of the same size"
        )
    if plan.width is not None:
        width = plan.width
        lines.append(
            f"{width.metric}: about {100 * width.rate:.1f} % fail; a day's sample would say "
            f"{100 * width.low:.1f} to {100 * width.high:.1f} %, {100 * width.width:.1f} points wide "
            f"(uniform: {100 * width.uniform_width:.1f}; design effect {width.effect:.2f})"
        )
    each = [f"{one.metric} ${one.usd_each:.4f}" for one in plan.metrics if one.usd_each is not None]
    if each:
        lines.append(f"a score costs: {', '.join(each)}")
    return [*lines, *(f"note: {note}" for note in plan.notes)]


def _days(plan: SamplePlan) -> str:
    if plan.first is None or plan.last is None:
        return "none"
    if plan.days == 1:
        return f"{plan.first}"
    return f"the {plan.days} from {plan.first} to {plan.last}"


def _usd(cost: float | None) -> str:
    return "?" if cost is None else f"${cost:,.2f}"
