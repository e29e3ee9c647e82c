"""`assay picks`: logs that somebody chose to be reviewed, beside those that were drawn."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.requests import Picked, PickRequest, PicksRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import count_text, out, print_json, printable
from assay.errors import CallerError, UnknownName
from assay.records import Unit

picks = typer.Typer(no_args_is_help=False, help="List, add and take back logs picked for review.")

Ids = Annotated[list[str], typer.Argument(help="Ids of logs, as `assay logs` shows them.")]
OfUnit = Annotated[str, typer.Option(help="conversation or interaction.")]


@picks.callback(invoke_without_command=True)
def list_picks(
    context: typer.Context, unit: OfUnit = "conversation", config: Config = None, json: Json = False
) -> None:
    """List what is picked, the first one first. `assay label METRIC --picked --todo FILE` writes it out."""
    if context.invoked_subcommand is not None:
        return
    of = _unit(unit)
    with connect(config, "picks") as project:
        found = project.picks(PicksRequest(unit=of))
    if json:
        print_json(found)
        return
    if not found:
        out.print(f"no {of}s are picked; `assay picks add ID` picks one", soft_wrap=True)
    for one in found:
        note = f"  {printable(' '.join(one.note.split()))}" if one.note else ""
        out.print(
            f"{one.picked_at:%Y-%m-%d %H:%M}  {printable(one.log_id)}{note}", markup=False, soft_wrap=True
        )


@picks.command()
def add(
    ids: Ids,
    unit: OfUnit = "conversation",
    note: Annotated[str, typer.Option(help="Why: it stands beside them in the list.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Put logs beside those that are drawn for people: what is said of them enters no estimate."""
    request = PickRequest(log_ids=tuple(ids), unit=_unit(unit), note=note)
    with connect(config, "picks") as project:
        done = project.pick(request)
    if done.unknown == len(dict.fromkeys(ids)):
        raise UnknownName(f"no settled {unit} has {'that id' if done.unknown == 1 else 'any of those ids'}")
    _say(done, unit, "added to review", json)


@picks.command()
def remove(ids: Ids, unit: OfUnit = "conversation", config: Config = None, json: Json = False) -> None:
    """Take logs back that were picked; labels that they have stay."""
    request = PickRequest(log_ids=tuple(ids), unit=_unit(unit), remove=True)
    with connect(config, "picks") as project:
        done = project.pick(request)
    _say(done, unit, "taken back", json)


def _say(done: Picked, unit: str, deed: str, json: bool) -> None:
    if json:
        print_json(done)
        return
    left = f"; {done.unknown:,} left out: not settled, or not here" if done.unknown else ""
    out.print(f"{count_text(done.changed, unit)} {deed}, {done.waiting:,} picked now{left}", soft_wrap=True)


def _unit(unit: str) -> Unit:
    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    return cast("Unit", unit)
