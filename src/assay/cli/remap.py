"""`assay remap`: the present mapping, applied to history."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import RemapRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import new_table, out, print_json, progress_bars


def remap(
    again: Annotated[
        bool, typer.Option("--again", help="Also where the present mapping made everything already.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Map all spans and log records anew, as this version of assay does, and settle again what changes.

    Receiving, pages and commands go on meanwhile. Broken off, it goes on where it was."""
    with connect(config, "remap") as project, progress_bars() as progress:
        report = project.remap(RemapRequest(again=again), progress)
    if json:
        print_json(report)
        return
    if not report.days:
        out.print("everything was mapped as this version maps it; nothing was done")
        return
    table = new_table("day", "interactions", "changed")
    for day in report.days:
        table.add_row(f"{day.day}", f"{day.interactions:,}", f"{day.changed:,}")
    out.print(table)
    out.print(
        f"{report.changed:,} of {report.interactions:,} interactions changed, "
        f"{report.conversations:,} conversations settled again",
        soft_wrap=True,
    )
