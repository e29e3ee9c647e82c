"""`assay estimate METRIC`: one number with its doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import EstimateRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import out, print_json
from assay.estimates.wording import describe_estimate


def estimate(
    metric: Annotated[str, typer.Argument(help="The metric's name.")],
    where: Annotated[str, typer.Option(help="Only logs of which this holds, in the filter language.")] = "",
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="How sure the interval is.")] = 0.95,
    target_width: Annotated[
        float | None, typer.Option(min=0.001, max=1, help="Say how many labels an interval this wide needs.")
    ] = None,
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """The metric's rate, corrected by the human labels, with its interval."""
    request = EstimateRequest(
        metric=metric,
        range=to_span(since, until, datetime.now(UTC)),
        where=where,
        level=level,
        target_width=target_width,
    )
    with connect(config, "estimate") as project:
        answer = project.estimate(request)
    if json:
        print_json(answer)
        return
    for line in describe_estimate(answer):
        out.print(line, soft_wrap=True, markup=False)
