"""What a cell of an imported file says: a text, a time, a mark, a list of texts, attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from assay.errors import FileError
from assay.ingest.values import float_text

_LATEST = datetime(2262, 1, 1, tzinfo=UTC)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_YES, _NO = ("true", "yes", "y", "pass"), ("false", "no", "n", "fail")
_ATTRIBUTES, _ATTRIBUTE_CHARS = 32, 200


def text_of(cell: object) -> str:
    """Text as it is, nothing as "", anything else as JSON."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return float_text(cell)
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)


def time_ns_of(cell: object, row: int, column: str) -> int | None:
    """Nanoseconds since 1970 from ISO 8601, an epoch in s, ms, us or ns, or a date; naive is UTC."""
    if cell is None or cell == "" or cell == 0:
        return None
    moment = _moment(cell)
    if moment is None or not _FIRST < moment < _LATEST:
        raise FileError(
            f"row {row} column `{column}`: {str(cell)[:60]!r} is no time from 1970 on; "
            "give ISO 8601 (2026-05-04T10:30:00Z) or seconds since 1970",
            row=row,
            column=column,
        )
    passed = moment - _FIRST
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1000


def _moment(cell: object) -> datetime | None:
    try:
        if isinstance(cell, str):
            cell = _number(cell) or datetime.fromisoformat(cell.strip())
        if isinstance(cell, datetime):
            return cell.replace(tzinfo=UTC) if cell.tzinfo is None else cell.astimezone(UTC)
        if isinstance(cell, date):
            return datetime.combine(cell, time(), UTC)
        if isinstance(cell, int | float):
            unit = next((unit for unit in (1, 1e3, 1e6) if abs(cell) < 1e11 * unit), 1e9)
            return datetime.fromtimestamp(cell / unit, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def mark_of(cell: object, row: int, column: str) -> float | None:
    """A label or score in [0, 1]; None where there is none. Raises FileError for anything else."""
    if cell is None:
        return None
    if isinstance(cell, str):
        word = cell.strip().lower()
        if not word or word in _YES or word in _NO:
            return None if not word else float(word in _YES)
        value = _number(word)
    else:
        value = float(cell) if isinstance(cell, int | float) else None
    if value is not None and value != value and not isinstance(cell, str):
        return None  # NaN: how tables without nulls write "none"
    if value is not None and 0 <= value <= 1:
        return value
    what = (
        f"{str(cell)[:60]!r} is outside [0, 1]" if value is not None else f"{str(cell)[:60]!r} is no number"
    )
    raise FileError(
        f"row {row} column `{column}`: {what}; give 0 to 1, true or false, or leave it empty "
        "(a scale of 1 to 5 becomes (x - 1) / 4)",
        row=row,
        column=column,
    )


def documents_of(cell: object) -> list[str]:
    """Retrieved documents: a text, a list of texts or of objects with their text, or JSON of it."""
    if isinstance(cell, str) and cell.lstrip()[:1] == "[":
        cell = _json(cell, list, cell)
    found = cell if isinstance(cell, list) else [cell]
    return [text for one in found if (text := _document(one))]


def _document(one: object) -> str:
    if isinstance(one, dict):
        named = next((one[key] for key in ("content", "text", "page_content") if one.get(key)), one)
        return text_of(named)
    return text_of(one)


def attributes_of(cell: object) -> tuple[dict[str, str], bool]:
    """The short scalar entries of a JSON object, at most 32, and whether it was one."""
    if cell is None or cell == "":
        return {}, True
    entries = _json(cell, dict, None) if isinstance(cell, str) else cell
    if not isinstance(entries, Mapping):
        return {}, False
    found: dict[str, str] = {}
    for key, value in entries.items():
        if isinstance(value, str | bool | int | float) and len(found) < _ATTRIBUTES:
            text = text_of(value)
            if 0 < len(text) <= _ATTRIBUTE_CHARS and len(str(key)) <= _ATTRIBUTE_CHARS:
                found[str(key)] = text
    return found, True


def _json(text: str, kind: type, otherwise: Any) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
    return value if isinstance(value, kind) else otherwise
