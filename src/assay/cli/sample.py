"""`assay sample`: decide on every log, with a recorded probability."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import SampleRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import new_table, out, print_json, progress_bars
from assay.records import SampleReport


def sample(
    policy: Annotated[str, typer.Option(help="One policy.", show_default="all of them")] = "",
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Decide which logs are judged and which go to people. Decided once, never drawn again."""
    request = SampleRequest(policy=policy, range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "sample") as project, progress_bars() as progress:
        reports = project.sample(request, progress)
    if json:
        print_json(reports)
        return
    for report in reports:
        show_sample(report)


def show_sample(report: SampleReport) -> None:
    """What a policy has decided so far, by stratum."""
    out.print(
        f"policy {report.policy} (version {report.policy_version}), "
        f"{report.unit}s: {report.decided:,} new decisions",
        markup=False,
        soft_wrap=True,
    )
    table = new_table("stratum", "logs", "for the judge", "of those for people")
    for row in report.strata:
        table.add_row(row.stratum, f"{row.logs:,}", f"{row.judge:,}", f"{row.label:,}")
    out.print(table)
