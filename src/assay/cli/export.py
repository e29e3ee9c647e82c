"""`assay export KIND FILTER -o FILE`: anything that is kept, as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.requests import ExportRequest
from assay.cli.options import Config, Since, Until, to_span
from assay.cli.terminal import count_text, out, progress_bars
from assay.errors import CallerError
from assay.records import Unit


def export(
    kind: Annotated[
        str,
        typer.Argument(
            help="spans, records, interactions, conversations, signals, selections, scores or labels.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file: .parquet, .jsonl, .csv or .arrow.")
    ],
    filter: Annotated[
        str,
        typer.Argument(
            help="Of logs of which this holds: signal.refusal and cost_usd > 0.05", show_default=False
        ),
    ] = "",
    unit: Annotated[
        str, typer.Option(help="conversation or interaction: what the filter, or the rows, are about.")
    ] = "conversation",
    since: Since = "",
    until: Until = "",
    config: Config = None,
) -> None:
    """Write rows to a file while they are read: memory stays small, however many there are."""
    from assay.app.export import write_file

    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    request = ExportRequest(
        kind=kind, unit=cast("Unit", unit), filter=filter, range=to_span(since, until, datetime.now(UTC))
    )
    with connect(config, "export") as project, progress_bars() as progress:
        rows = write_file(project.export(request), output, progress)
    out.print(f"{output}: {count_text(rows, 'row')}", soft_wrap=True, markup=False)
