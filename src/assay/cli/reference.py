"""The commands' reference page, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEAD = """# Commands

Generated from `src/assay/cli` (`python -m assay.cli.reference`); a test keeps the two alike.
Every command that reads a project takes the nearest `assay.toml`, or the one that `--config` names,
and talks to the project's running server where there is one. `--json` prints one JSON document.

Exit codes: 0 done, 2 the input must be changed, 3 the installation or its configuration, 4 a service
that assay calls failed, 5 the team's own code, 130 interrupted.
"""


def commands_page() -> str:
    """The page as Markdown: a section a command."""
    from typer.main import get_command

    from assay.cli.commands import app

    group: Any = get_command(app)
    return "\n".join([HEAD, *(_section(name, command) for name, command in _all(group))])


def _all(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its whole name; of a group its own first, then those inside."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _all(command, f"{before}{name} ")


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join(["assay", name, *(_usage(argument) for argument in arguments)])
    rows = [f"## `{usage}`\n", f"{command.help.strip()}\n"]
    if arguments or options:
        rows += ["| argument or option | what | default |", "|---|---|---|"]
    rows += [_row(_usage(p), p) for p in arguments]
    rows += [_row(", ".join((*p.opts, *p.secondary_opts)), p) for p in options]
    return "\n".join([*rows, ""])


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name or "").strip("[]").upper().removesuffix("...")
    dots = "..." if argument.nargs == -1 else ""
    return f"{name}{dots}" if argument.required else f"[{name}{dots}]"


def _row(name: str, parameter: Any) -> str:
    shown = parameter.show_default
    if isinstance(shown, str):
        default = shown
    elif shown is False or parameter.default in (None, "", False) or parameter.required:
        default = ""
    else:
        default = f"`{parameter.default}`"
    text = (parameter.help or "").replace("|", "\\|")
    return f"| `{name}` | {text} | {default} |"


if __name__ == "__main__":
    print(commands_page())
