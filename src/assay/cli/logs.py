"""`assay logs FILTER`: the logs that a filter holds of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, cast

import typer
from rich.text import Text

from assay.app.connect import connect
from assay.app.requests import LogsRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import count_text, out, print_json, printable
from assay.errors import CallerError
from assay.records import LogRow, Unit


def logs(
    filter: Annotated[
        str, typer.Argument(help="Like: signal.refusal and cost_usd > 0.05", show_default=False)
    ] = "",
    unit: Annotated[str, typer.Option(help="conversation or interaction.")] = "conversation",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """List logs, newest first."""
    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    request = LogsRequest(
        unit=cast("Unit", unit),
        filter=filter,
        limit=limit,
        range=to_span(since, until, datetime.now(UTC)),
    )
    with connect(config, "logs") as project:
        page = project.logs(request)
    if json:
        print_json(page)
        return
    found = count_text(page.total, unit)
    out.print(f"{found}, the newest:" if page.total > len(page.rows) else found)
    for row in page.rows:
        show_log(row)


def show_log(row: LogRow) -> None:
    """Two lines: what a person copies or compares, and what was asked, cut to the terminal's width."""
    turns = count_text(row.turns, "turn")
    signals = f"  {', '.join(row.signals)}" if row.signals else ""
    out.print(
        f"{row.started:%Y-%m-%d %H:%M}  {printable(row.log_id)}  {turns}{signals}",
        markup=False,
        soft_wrap=True,
    )
    out.print(Text(f"    {printable(row.input)}"), no_wrap=True, overflow="ellipsis")
