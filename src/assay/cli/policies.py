"""`assay policies`: which policies decide, and those kept beside assay.toml. `assay priorities`."""

from __future__ import annotations

import json as json_text
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from assay.app.connect import connect
from assay.app.requests import (
    PoliciesRequest,
    PrioritiesRequest,
    RemovePolicyRequest,
    SavePolicyRequest,
)
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import new_table, out, print_json, printable
from assay.errors import CallerError, UnknownName
from assay.query import suggest
from assay.records import PolicyInfo, Unit

policies = typer.Typer(no_args_is_help=False, help="List, keep and forget policies.")


@policies.callback(invoke_without_command=True)
def list_policies(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """List every policy: those of assay.toml, then those that were saved."""
    if context.invoked_subcommand is not None:
        return
    with connect(config, "policies") as project:
        found = project.policies(PoliciesRequest())
    if json:
        print_json(found)
        return
    for one in found:
        since = f", saved {one.saved_at:%Y-%m-%d %H:%M}" if one.saved_at else ", of assay.toml"
        version = f"version {one.version}" if one.version else "decides nothing"
        out.print(f"{printable(one.name)}  {one.unit}s, {version}{since}", markup=False, soft_wrap=True)
        if one.problem:
            out.print(f"    {printable(one.problem)}", markup=False, soft_wrap=True)


@policies.command()
def show(
    name: Annotated[str, typer.Argument(help="The policy's name.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Print a policy as the table that it is, or would be, in assay.toml."""
    with connect(config, "policies") as project:
        found = project.policies(PoliciesRequest())
    chosen = [one for one in found if one.name == name]
    if not chosen:
        raise UnknownName(f"no policy `{name}`; {suggest(name, {one.name for one in found})}")
    if json:
        print_json(chosen[0])
    else:
        out.print(to_toml(chosen[0]), markup=False, soft_wrap=True, end="")


@policies.command()
def save(
    name: Annotated[str, typer.Argument(help="The policy's name.")],
    where: Annotated[str, typer.Option(help="Only logs of which this holds, in the filter language.")] = "",
    unit: Annotated[str, typer.Option(help="conversation or interaction.")] = "conversation",
    size: Annotated[int | None, typer.Option(min=1, help="Expected number drawn a day.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Or the probability of being drawn.")
    ] = None,
    label_size: Annotated[
        int | None, typer.Option(min=1, help="Of those, expected number a day for people.")
    ] = None,
    label_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Or the probability of going to people.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with the policy's keys, alone or as [policies.NAME].", show_default=False
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also where one of this name is saved.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Keep a policy beside those of assay.toml. A running server goes by it at once."""
    draws = {"size": size, "rate": rate, "label_size": label_size, "label_rate": label_rate}
    given: dict[str, Any] = {key: value for key, value in draws.items() if value is not None}
    if where:
        given["where"] = where
    if unit != "conversation":
        given["unit"] = unit
    if file is not None:
        if given:
            raise CallerError(f"--file says all of the policy: leave out {', '.join(given)}")
        given = read_policy(file, name)
    with connect(config, "policies") as project:
        made = project.save_policy(SavePolicyRequest(name=name, settings=given, replace=replace))
    if json:
        print_json(made)
        return
    out.print(f"kept {printable(made.name)}, version {made.version}", markup=False, soft_wrap=True)
    out.print(f"next: `assay sample --policy {made.name}`, or let the server decide", soft_wrap=True)


@policies.command()
def remove(
    name: Annotated[str, typer.Argument(help="The policy's name.")],
    config: Config = None,
) -> None:
    """Forget a saved policy. What it has decided stays, and carries its estimates."""
    with connect(config, "policies") as project:
        project.remove_policy(RemovePolicyRequest(name=name))
    out.print(f"{printable(name)} decides nothing from now on", markup=False, soft_wrap=True)


def priorities(
    unit: Annotated[str, typer.Option(help="conversation or interaction.")] = "conversation",
    since: Since = "",
    until: Until = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """The rules of priority, and how many logs have each level."""
    if unit not in ("conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    request = PrioritiesRequest(unit=cast("Unit", unit), range=to_span(since, until, datetime.now(UTC)))
    with connect(config, "priorities") as project:
        found = project.priorities(request)
    if json:
        print_json(found)
        return
    table = new_table("priority", f"{unit}s")
    for one in found:
        table.add_row(one.level, f"{one.logs:,}")
    out.print(table)
    for one in found:
        for rule in one.rules:
            out.print(f"{one.level}: {printable(rule)}", markup=False, soft_wrap=True)


def read_policy(path: Path, name: str) -> dict[str, Any]:
    """What the file says of the policy. Raises CallerError where it is no TOML, or has it not."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CallerError(f"{path} can't be read: {error}") from error
    if "policies" not in tree:
        return tree
    if name not in tree["policies"]:
        raise CallerError(f"{path} has no [policies.{name}]; {suggest(name, tree['policies'])}")
    found: dict[str, Any] = tree["policies"][name]
    return found


def to_toml(policy: PolicyInfo) -> str:
    """The policy as a table of assay.toml."""
    lines = [f"{key} = {_value(value)}" for key, value in policy.settings.items() if value is not None]
    return "\n".join([f"[policies.{policy.name}]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_value(one)}" for key, one in value.items() if one is not None)
        return f"{{ {inside} }}"
    if isinstance(value, (list, tuple)):
        if any(isinstance(one, Mapping) for one in value):
            return "[\n" + "".join(f"  {_value(one)},\n" for one in value) + "]"
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, str) and '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    # Strings, numbers and truths are written alike in JSON and TOML; DEL alone is not escaped by JSON.
    return json_text.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
