"""`assay backup FOLDER` and `assay restore COPY FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import BackupRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import out, print_json, printable, progress_bars
from assay.records import BackupReport


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Copy the whole project, as it is now, while it is in use.

    Through a running server the copy is written on the server's machine."""
    with connect(config, "backup") as project, progress_bars() as progress:
        report = project.backup(BackupRequest(path=str(folder.absolute())), progress)
    _show(report, "copied to", json)


def restore(
    copy: Annotated[Path, typer.Argument(help="A folder that `assay backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Where the project is to be; it has none yet.")],
    json: Json = False,
) -> None:
    """Make a project from a copy. Every file is checked before the first is written."""
    from assay.app.backup import restore as restore_copy

    with progress_bars() as progress:
        report = restore_copy(copy, folder, progress)
    _show(report, "restored to", json)


def _show(report: BackupReport, done: str, json: bool) -> None:
    if json:
        print_json(report)
        return
    out.print(
        f"{done} {printable(report.path)}, as of {report.made_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{report.files:,} files, {report.bytes:,} bytes",
        soft_wrap=True,
        markup=False,
    )
    for table in report.tables:
        if table.rows:
            out.print(f"  {printable(table.name)}: {table.rows:,} rows", markup=False)
    for note in report.notes:
        out.print(f"  note: {printable(note)}", soft_wrap=True, markup=False)
