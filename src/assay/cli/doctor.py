"""`assay doctor`: is everything well, and what is to be done where it is not?"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import ExamineRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import out, print_json, printable
from assay.config import Settings, find_config, load_settings
from assay.errors import AssayError
from assay.records import Check

UNWELL = 3
"""The exit code where a check fails: that of what is wrong with an installation."""


def doctor(
    span: Annotated[
        bool, typer.Option(help="Send a test span through the receiver, and remove it again.")
    ] = True,
    config: Config = None,
    json: Json = False,
) -> None:
    """Examine the installation, the stores, clocks, the disk, and the way of a span to its row.

    The exit code is 3 where a check fails; warnings leave it at 0."""
    checks = _examine(config, span)
    if json:
        print_json(checks)
    else:
        for check in checks:
            _show(check)
    if any(check.verdict == "fail" for check in checks):
        raise typer.Exit(UNWELL)


def _examine(config: Path | None, span: bool) -> list[Check]:
    from assay.app.doctor import look_outside

    try:
        settings: Settings = load_settings(find_config(config, Path.cwd()))
    except AssayError as error:
        return [Check(name="configuration", verdict="fail", found=str(error))]
    checks = list(look_outside(settings))
    try:
        checks += _inside(config, span)
    except AssayError as error:
        checks.append(Check(name="project", verdict="fail", found=str(error)))
    return checks


def _inside(config: Path | None, span: bool) -> tuple[Check, ...]:
    from assay.app.doctor import write_probe

    with connect(config, "doctor") as project:
        trace_id = secrets.token_hex(16) if span else ""
        if trace_id:
            project.receive(write_probe(trace_id), "application/json", "")
        return project.examine(ExamineRequest(asked_at=datetime.now(UTC), trace_id=trace_id))


def _show(check: Check) -> None:
    out.print(
        f"{check.verdict:<5}{printable(check.name)}: {printable(check.found)}", markup=False, soft_wrap=True
    )
    if check.advice:
        out.print(f"     {printable(check.advice)}", markup=False, soft_wrap=True)
