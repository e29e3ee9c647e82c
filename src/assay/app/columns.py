"""What a list can show of each log: facts by their names in filters, and `attr["key"]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from assay.errors import FilterError, UnknownName
from assay.query import FIELDS, Attribute, Compare, parse, suggest
from assay.records import LogRow

_KEPT: Final = frozenset(field.name for field in fields(LogRow)) | {"tokens"}
NAMES: Final = tuple(name for name in FIELDS if name in _KEPT)
"""The facts that a row of a list has."""


def value_of(row: LogRow, name: str) -> str | float | datetime | None:
    """The fact, or the attribute in `attr["key"]`; None where it is not known."""
    key = key_of(name)
    if key is not None:
        return row.attributes.get(key)
    if name == "tokens":
        return row.input_tokens + row.output_tokens
    found: str | float | datetime | None = getattr(row, name)
    return found


def key_of(name: str) -> str | None:
    """The key in `attr["key"]`; None of what is no attribute."""
    try:
        told = parse(f'{name} = ""') if name.startswith("attr[") else None
    except FilterError:
        return None
    subject = told.subject if isinstance(told, Compare) else None
    return subject.key if isinstance(subject, Attribute) else None


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once. Raises UnknownName for what no row has."""
    for name in names:
        if name not in NAMES and key_of(name) is None:
            raise UnknownName(f"no column `{name}`; {suggest(name, NAMES)}")
    return tuple(dict.fromkeys(names))
