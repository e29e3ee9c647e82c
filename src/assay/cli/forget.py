"""`assay forget` and `assay retain`: what is deleted because somebody asked, and because of its age."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.app.connect import connect
from assay.app.requests import ForgetRequest, RetainRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import count_text, out, print_json, printable, progress_bars
from assay.records import ForgetReport, Removed

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]


def forget(
    user: Annotated[str, typer.Option("--user", help="The user's id.", show_default=False)] = "",
    conversation: Annotated[
        str, typer.Option("--conversation", help="Or the id of one conversation.", show_default=False)
    ] = "",
    dry_run: DryRun = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Delete everything that is kept of a user, and count again. Leaves with 1 if something remained."""
    request = ForgetRequest(user=user, conversation=conversation, dry_run=dry_run)
    with connect(config, "forget") as project, progress_bars() as progress:
        report = project.forget(request, progress)
    if json:
        print_json(report)
    else:
        _show(report)
    if not dry_run and not report.verified:
        raise typer.Exit(1)


def retain(dry_run: DryRun = False, config: Config = None, json: Json = False) -> None:
    """Delete what is older than `[retention]` keeps. A server does so by itself, once an hour."""
    with connect(config, "retain") as project, progress_bars() as progress:
        report = project.retain(RetainRequest(dry_run=dry_run), progress)
    if json:
        print_json(report)
        return
    if not report.removed:
        out.print("nothing is older than what is kept")
    for removed in report.removed:
        out.print(_removed(removed, dry_run), markup=False, soft_wrap=True)


def _show(report: ForgetReport) -> None:
    whom = f"user {report.user}" if report.user else f"conversation {report.conversation}"
    interactions = count_text(report.interactions, "interaction")
    of = f"{interactions}, {count_text(report.conversations, 'conversation')}"
    verb = "would be deleted" if report.dry_run else "deleted"
    out.print(f"{printable(whom)}: {of} {verb}", markup=False, soft_wrap=True)
    if report.shared:
        shared = count_text(report.shared, "conversation")
        out.print(f"  of {shared} with other users in, their own part alone", markup=False, soft_wrap=True)
    for table in report.tables:
        left = "" if report.dry_run else f", {table.after:,} left"
        out.print(f"  {table.table:14} {count_text(table.before, 'row')}{left}", markup=False)
    if not report.dry_run:
        at = f"{report.finished_at:%Y-%m-%d %H:%M:%S} UTC"
        if report.verified:
            out.print(f"verified {at}: nothing is left", markup=False)
        else:
            files = f"; {count_text(report.old_files, 'old file')} wait to be removed" * bool(
                report.old_files
            )
            out.print(f"NOT verified {at}{files}: run it again in a while", markup=False, soft_wrap=True)
    for note in report.notes:
        out.print(f"  note: {printable(note)}", markup=False, soft_wrap=True)


def _removed(removed: Removed, dry_run: bool) -> str:
    verb = "would go" if dry_run else "gone"
    what = "rows" if removed.what == "rows" else "rows' texts"
    days = f"{removed.first:%Y-%m-%d} to {removed.last:%Y-%m-%d}"
    return (
        f"{removed.table:14} {removed.rows:,} {what} of {count_text(removed.days, 'day')} {verb} ({days}, "
        f"{removed.bytes / 1e6:.1f} MB)"
    )
