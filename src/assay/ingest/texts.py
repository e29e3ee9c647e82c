"""Columns of values become columns of text, without a loop over what is ordinary."""

from __future__ import annotations

from functools import reduce
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

from assay.ingest.values import plain_text
from assay.ingest.wire import nested_text

Column: TypeAlias = Any  # an Arrow array: pyarrow's stubs have a class for each kind, and no way between
pc: Any = pyarrow.compute

_FEW = 48
_PLAIN_REAL = 1e10  # from here on Arrow writes reals another way


class Ambiguous(Exception):
    """A value of more than one type: the last counts, and columns don't tell which that is."""


def texts(value: Column) -> Column:
    """AnyValues as text: the strings, and the others put where there is none.

    Raises Ambiguous, and DecodeError where a list or a map is none."""
    columns = {one.name: value.field(i) for i, one in enumerate(value.type)}
    strings = columns.pop("string_value")
    members = {name: column for name, column in columns.items() if _is_given(column)}
    if not members:
        return utf8(pc.fill_null(strings, b"") if strings.null_count else strings)
    is_other = pc.is_null(strings)
    others = {name: column.filter(is_other) for name, column in members.items()}
    given = sum(pc.count(_presence(column)).as_py() for column in members.values())
    has_one = reduce(pc.or_, (pc.is_valid(_presence(column)) for column in others.values()))
    if given != pc.sum(has_one).as_py():
        raise Ambiguous
    return utf8(pc.replace_with_mask(strings, is_other, _others(others).cast(pa.binary())))


def utf8(raw: Column) -> Column:
    """Bytes as text, what is invalid as U+FFFD."""
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        bad = _invalid(raw, 0)
    where = pc.is_in(numbers(len(raw)), value_set=pa.array([i for i, _ in bad], pa.int64()))
    fixed = pc.replace_with_mask(raw, where, pa.array([text for _, text in bad], pa.binary()))
    return fixed.cast(pa.string())


def hexed(raw: Column) -> Column:
    """Bytes as lower hex."""
    offsets = offsets_of(raw)
    first, last = offsets[0].as_py(), offsets[-1].as_py()
    digits = memoryview(raw.buffers()[2] or b"")[first:last].hex().encode()
    doubled = pc.multiply(pc.subtract(offsets, first), 2).cast(pa.int32())
    return pa.Array.from_buffers(pa.string(), len(raw), [None, doubled.buffers()[1], pa.py_buffer(digits)])


def offsets_of(column: Column) -> Column:
    """Where the elements of texts, bytes or lists begin, and where the last ends."""
    return pa.Array.from_buffers(
        pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset
    )


def numbers(count: int) -> Column:
    """From 0 up."""
    return pa.arange(0, count)  # type: ignore[attr-defined]  # younger than its stubs


def _is_given(column: Column) -> bool:
    """Whether any value has this member."""
    if pa.types.is_list(column.type):
        return len(column.values) > 0
    return bool(column.null_count < len(column))


def _presence(column: Column) -> Column:
    """A member, null where a value has it not. Of lists and maps there may be any number of pieces."""
    if not pa.types.is_list(column.type):
        return column
    pieces = pc.list_value_length(column)
    return pc.if_else(pc.greater(pieces, 0), pieces, pa.scalar(None, pa.int32()))


def _others(members: dict[str, Column]) -> Column:
    """The text of values that are no strings; one that is nothing is empty."""
    ways = {"int_value": _wholes, "bool_value": _truths, "double_value": _reals}
    found = [ways[name](column) for name, column in members.items() if name in ways]
    text = pc.coalesce(*found) if found else pa.nulls(len(next(iter(members.values()))), pa.string())
    if not text.null_count:
        return text
    rare = pc.is_null(text)
    left = {name: column.filter(rare).to_pylist() for name, column in members.items()}
    rows = [_rare_text(dict(zip(left, row, strict=True))) for row in zip(*left.values(), strict=True)]
    return pc.replace_with_mask(text, rare, pa.array(rows, pa.string()))


def _rare_text(members: dict[str, Any]) -> str:
    if pieces := members.get("array_value"):
        return nested_text("array_value", pieces)
    if pieces := members.get("kvlist_value"):
        return nested_text("kvlist_value", pieces)
    real = members.get("double_value")
    return plain_text(members.get("bytes_value") if real is None else real)


def _wholes(values: Column) -> Column:
    return values.cast(pa.string())


def _truths(values: Column) -> Column:
    return pc.if_else(values, "true", "false")


def _reals(values: Column) -> Column:
    """Reals of ordinary size as text; null for the others."""
    plain = pc.less(pc.abs(values), _PLAIN_REAL)
    return pc.if_else(plain, pc.add(values, 0.0).cast(pa.string()), pa.scalar(None, pa.string()))


def _invalid(raw: Column, begin: int) -> list[tuple[int, bytes]]:
    """The elements that are no UTF-8: where they stand, and how they read repaired."""
    if len(raw) <= _FEW:
        repaired = (
            (i, one, one.decode("utf-8", "replace").encode()) for i, one in enumerate(raw.to_pylist()) if one
        )
        return [(begin + i, text) for i, one, text in repaired if text != one]
    try:
        raw.cast(pa.string())
    except pa.ArrowInvalid:
        half = len(raw) // 2
        return [*_invalid(raw[:half], begin), *_invalid(raw[half:], begin + half)]
    return []
