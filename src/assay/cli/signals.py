"""`assay signals`: what is raised, how often; and computed again over history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import BackfillRequest, SignalsRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import count_text, new_table, out, print_json, printable, progress_bars
from assay.records import BackfillReport, SignalFault, SignalTable

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
    """Compute signals again over history: after a new one was defined, or an old one changed.

    From the newest day back. Logs whose texts have expired keep what they have."""
    request = BackfillRequest(names=tuple(names or ()), range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "signals") as project, progress_bars() as progress:
        report = project.backfill(request, progress)
    if json:
        print_json(report)
        return
    show_backfill(report)


def show_signals(table: SignalTable) -> None:
    """A line a signal, those that were never raised last."""
    logs = (
        f"{count_text(table.conversations, 'conversation')}, {count_text(table.interactions, 'interaction')}"
    )
    window = f"{table.window.start:%Y-%m-%d %H:%M} to {table.window.end:%Y-%m-%d %H:%M}"
    out.print(f"{logs}, begun from {window}", soft_wrap=True)
    shown = new_table("signal", "code", "severity", "conversations", "share")
    for row in table.rows:
        if row.conversations:
            shown.add_row(
                row.signal.name,
                "own" if row.signal.code.startswith("T-") else row.signal.code,
                row.signal.severity,
                f"{row.conversations:,}",
                f"{row.conversations / table.conversations:.1%}",
            )
    out.print(shown)
    never = [row.signal.name for row in table.rows if not row.conversations]
    if never:
        out.print(f"never raised: {', '.join(never)}", soft_wrap=True)
    for row in table.rows:
        if row.fault is not None:
            _show_fault(row.fault)


def show_backfill(report: BackfillReport) -> None:
    """What was looked at, what changed, and which functions failed."""
    looked = f"{count_text(report.logs, 'log')} of {count_text(report.days, 'day')} looked at"
    out.print(f"{looked}, {report.changed:,} changed")
    for fault in report.faults:
        _show_fault(fault)


def _show_fault(fault: SignalFault) -> None:
    logs = f"{count_text(fault.logs, 'log')}, which carry no such signal"
    out.print(f"signal {fault.name} failed on {logs}: {printable(fault.detail)}", soft_wrap=True)
