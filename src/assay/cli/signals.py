"""`assay signals`: what is raised, how often; and computed again over history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from assay.app.connect import connect
from assay.app.requests import BackfillRequest, SignalsRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import count_text, new_table, out, print_json, printable, progress_bars
from assay.records import SignalCount, SignalTable

signals_app = typer.Typer(help="Signals: list them with how often they were raised, or compute them again.")


@signals_app.callback(invoke_without_command=True)
def signals(
    context: typer.Context,
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """List every signal: code, name, severity, and on how many conversations and logs it was raised.

    Of the last seven days that have logs, where no range is given."""
    if context.invoked_subcommand is not None:
        return
    request = SignalsRequest(range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "signals") as project:
        table = project.signals(request)
    if json:
        print_json(table)
        return
    show_signals(table)


@signals_app.command()
def backfill(
    names: Annotated[
        list[str] | None, typer.Argument(help="Signals to compute.", show_default="all of them")
    ] = None,
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Compute signals again over history, newest day first: after a new one was defined, or an old changed.

    Logs whose texts have expired keep what they have. Broken off, it can be run again."""
    request = BackfillRequest(names=tuple(names or ()), range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "signals") as project, progress_bars() as progress:
        report = project.backfill(request, progress)
    if json:
        print_json(report)
        return
    out.print(
        f"{count_text(report.logs, 'log')} of {count_text(report.days, 'day')} looked at, "
        f"{report.changed:,} changed"
    )
    for fault in report.faults:
        out.print(f"signal {fault.name} failed on {fault.logs:,}: {printable(fault.detail)}", soft_wrap=True)


def show_signals(table: SignalTable) -> None:
    """A line a signal, those that were never raised last."""
    logs = (
        f"{count_text(table.conversations, 'conversation')}, {count_text(table.interactions, 'interaction')}"
    )
    out.print(
        f"{logs}, {table.window.start:%Y-%m-%d %H:%M} to {table.window.end:%Y-%m-%d %H:%M}",
        soft_wrap=True,
    )
    shown = new_table("signal", "code", "severity", "conversations", "share")
    raised = [row for row in table.rows if row.conversations]
    for row in raised:
        shown.add_row(
            Text(row.signal.name),
            row.signal.code if not row.signal.code.startswith("T-") else "own",
            row.signal.severity,
            f"{row.conversations:,}",
            f"{row.conversations / table.conversations:.1%}",
        )
    out.print(shown)
    never = [row.signal.name for row in table.rows if not row.conversations]
    if never:
        out.print(f"never raised: {', '.join(never)}", soft_wrap=True)
    for row in table.rows:
        _show_fault(row)


def _show_fault(row: SignalCount) -> None:
    if row.fault is not None:
        out.print(
            f"signal {row.signal.name} failed on {row.fault.logs:,} logs, which carry no such signal: "
            f"{printable(row.fault.detail)}",
            soft_wrap=True,
        )
