"""The settings' reference page, from the settings themselves."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from assay.config.settings import Settings

HEAD = """# Settings

Everything that `assay.toml` may say. Generated from `src/assay/config/settings.py`
(`python -m assay.config.reference`); a test keeps the two alike. Unknown keys are errors.
Five environment variables override the file: `ASSAY_TELEMETRY`, `ASSAY_STATE`, `ASSAY_HOST`,
`ASSAY_PORT`, `ASSAY_GRPC_PORT`.
"""


def settings_page() -> str:
    """The page as Markdown: a table a section."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        if field.exclude:
            continue
        section, heading = _section(name, field)
        if section is not None:
            parts.append(_table(heading, section))
    parts.append(
        "## `[words]`\n\nWord lists of your own: a name and its phrases, for `field mentions @name` in "
        "filters. With the name of a built-in list it takes its place; `NAME.LANGUAGE` adds to it. A phrase "
        "has at most 300 characters.\n\n"
        '```toml\n[words]\nlegal = ["my lawyer", "sue you", "court"]\n'
        '"refusal.fr" = ["je ne peux pas", "je refuse"]\n```\n'
    )
    return "\n".join(parts)


def _section(name: str, field: FieldInfo) -> tuple[type[BaseModel] | None, str]:
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, f"`[{name}]`"
    arguments = get_args(kind)
    if get_origin(kind) is dict and isinstance(arguments[1], type) and issubclass(arguments[1], BaseModel):
        return arguments[1], f"`[{name}.NAME]`"
    if get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel):
        return arguments[0], f"`[[{name}]]`"
    return None, ""


def _table(heading: str, section: type[BaseModel]) -> str:
    rows = [f"## {heading}\n", "| key | default | what |", "|---|---|---|"]
    nested: list[str] = []
    for key, field in section.model_fields.items():
        rows.append(f"| `{key}` | {_default(field)} | {_cell(field)} |")
        inner = [a for a in get_args(field.annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        nested += [_table(f"each of `{key}`", kind).replace("## ", "### ", 1) for kind in inner]
    return "\n".join([*rows, "", *nested])


def _cell(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return ""
    default: Any = field.get_default(call_default_factory=False)
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ("", ()):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    print(settings_page())
