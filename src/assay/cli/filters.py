"""`assay filters`: filters that have a name."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.requests import FiltersRequest, RemoveFilterRequest, SaveFilterRequest
from assay.cli.options import Config, Json
from assay.cli.terminal import out, print_json, printable
from assay.errors import CallerError
from assay.records import Unit

filters = typer.Typer(no_args_is_help=False, help="List, save and forget filters.")


@filters.callback(invoke_without_command=True)
def list_filters(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """List every saved filter. `saved.NAME` asks for one, in any filter."""
    if context.invoked_subcommand is not None:
        return
    with connect(config, "filters") as project:
        found = project.filters(FiltersRequest())
    if json:
        print_json(found)
        return
    if not found:
        out.print("no saved filters; `assay filters save NAME FILTER` makes one", soft_wrap=True)
    for one in found:
        out.print(f"{one.name}  {one.unit}s: {printable(one.text)}", markup=False, soft_wrap=True)
        if one.wrong:
            out.print(f"    {printable(one.wrong)}", markup=False, soft_wrap=True)


@filters.command()
def save(
    name: Annotated[str, typer.Argument(help="What `saved.NAME` shall ask for.")],
    filter: Annotated[str, typer.Argument(help="Like: signal.refusal and cost_usd > 0.05")],
    unit: Annotated[
        str, typer.Option(help="What it is about: conversation or interaction.")
    ] = "conversation",
    config: Config = None,
    json: Json = False,
) -> None:
    """Give a filter a name; it takes the place of one that has the name already."""
    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    request = SaveFilterRequest(name=name, filter=filter, unit=cast("Unit", unit))
    with connect(config, "filters") as project:
        made = project.save_filter(request)
    if json:
        print_json(made)
    else:
        out.print(f"saved.{made.name} is {printable(made.text)}", markup=False, soft_wrap=True)


@filters.command()
def remove(
    name: Annotated[str, typer.Argument(help="The filter's name.")],
    config: Config = None,
) -> None:
    """Forget a saved filter, unless another one asks for it."""
    with connect(config, "filters") as project:
        project.remove_filter(RemoveFilterRequest(name=name))
    out.print(f"saved.{name} is forgotten", markup=False, soft_wrap=True)
