"""`assay embed` and `assay neighbours`: what requests mean, and which mean much the same."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.requests import EmbedRequest, NeighboursRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import out, print_json, printable, progress_bars
from assay.errors import CallerError
from assay.records import Unit


def embed(
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many logs, the newest first.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Give a vector to every request that has none. A running server does it by itself, bit by bit."""
    with connect(config, "embed") as project, progress_bars() as progress:
        report = project.embed(EmbedRequest(limit=limit), progress)
    if json:
        print_json(report)
    elif not report.model:
        out.print("embeddings are off: see [embeddings] in assay.toml", markup=False)
    else:
        rest = "; there are more" if report.waiting else ""
        out.print(f"{report.embedded:,} logs embedded by {report.model}{rest}", markup=False, soft_wrap=True)


def neighbours(
    log_id: Annotated[str, typer.Argument(help="A conversation's or an interaction's id.")],
    unit: Annotated[str, typer.Option(help="conversation or interaction.")] = "conversation",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 8,
    config: Config = None,
    json: Json = False,
) -> None:
    """The logs whose requests mean much the same as this one's, nearest first."""
    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    request = NeighboursRequest(log_id=log_id, unit=cast("Unit", unit), limit=limit)
    with connect(config, "neighbours") as project:
        found = project.neighbours(request)
    if json:
        print_json(found)
        return
    if not found.rows:
        out.print(found.reason, markup=False, soft_wrap=True)
        return
    for row in found.rows:
        alike = f", {row.alike:,} alike" if row.alike > 1 else ""
        out.print(f"{row.similarity:.2f}  {printable(row.log.log_id)}{alike}", markup=False, soft_wrap=True)
        text = " ".join(row.log.input[:400].split())[:160]
        out.print(f"      {printable(text)}", markup=False, soft_wrap=True)
        if row.log.signals:
            out.print(f"      {', '.join(row.log.signals)}", markup=False, soft_wrap=True)
