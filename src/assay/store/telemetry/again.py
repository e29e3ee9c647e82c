"""Rows of which some may stand in the store already: after a crash, or an insert that broke half-way.

A row is known by its ids, its time and a checksum of what it says, which the store and this process
compute alike. What stands there is left out, and its traces go through the mapping once more, since
a crash may have come between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import feed_again

RowTable = Literal["otel_traces", "otel_logs"]
_IDS = 2_000
_GAP = "\x1f"
_THESE = (
    "TraceId IN {ids:Array(String)} AND Timestamp >= fromUnixTimestamp64Nano({first:Int64}) "
    "AND Timestamp <= fromUnixTimestamp64Nano({last:Int64})"
)


class _Words(NamedTuple):
    """Which columns make the checksum: texts, and maps of which all values count."""

    texts: tuple[str, ...]
    maps: tuple[str, ...]


_WORDS: dict[RowTable, _Words] = {
    "otel_traces": _Words(
        ("ParentSpanId", "SpanName", "ServiceName", "StatusCode", "StatusMessage"),
        ("SpanAttributes", "ResourceAttributes"),
    ),
    "otel_logs": _Words(("SeverityText", "ServiceName", "Body"), ("LogAttributes", "ResourceAttributes")),
}


def insert_again(t: Telemetry, table: RowTable, rows: pa.Table, given: pa.Table | None = None) -> int:
    """Append the rows that do not stand there yet, durably; returns how many those were. `given` are
    the same rows in another form in which they may have been stored: with other ids."""
    if not rows.num_rows:
        return 0
    forms = [rows] if given is None else [rows, given]
    standing = {mark for form in forms for mark in _standing(t, table, form)}
    marks = zip(*(_marks(table, form) for form in forms), strict=True)
    fresh = pa.array([standing.isdisjoint(row) for row in marks], pa.bool_())
    missing = rows.filter(fresh)
    t.insert(table, missing)
    if missing.num_rows < rows.num_rows:
        for found in (form.filter(pc.invert(fresh)) for form in forms):
            for ids in _slices(_traces(found)):
                feed_again(t, _THESE, {"ids": ids, **_range(found)})
    return int(missing.num_rows)


def _marks(table: RowTable, rows: pa.Table) -> list[tuple[str, str, int, int]]:
    """Each row's ids, time and checksum."""
    words = _WORDS[table]
    parts = [_text(rows[name]) for name in words.texts]
    parts += [_values(rows[name]) for name in words.maps]
    join: Callable[..., Any] = pc.binary_join_element_wise
    said = join(*parts, _GAP)
    at = rows["Timestamp"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    sums = [crc32(text.as_buffer() if text.is_valid else b"") for text in said]
    columns: list[list[Any]] = [rows["TraceId"].to_pylist(), rows["SpanId"].to_pylist(), at.to_pylist()]
    return list(zip(*columns, sums, strict=True))


def _text(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    fill: Callable[[Any, str], Any] = pc.fill_null
    text: pa.ChunkedArray[Any] = fill(column.cast(pa.string()), "")
    return text


def _values(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """All values of each map in one text."""
    join: Callable[[Any, str], Any] = pc.binary_join
    joined = []
    for chunk in column.chunks:
        lists: Any = chunk.cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
        values = pc.fill_null(pc.struct_field(lists.values, "value"), "")
        joined.append(join(pa.ListArray.from_arrays(lists.offsets, values), _GAP))
    return pa.chunked_array(joined, pa.string())


def _standing(t: Telemetry, table: RowTable, rows: pa.Table) -> set[tuple[str, str, int, int]]:
    """The marks of the rows of these traces, in this range of time, that the store has."""
    words = _WORDS[table]
    parts = [f"toString({name})" for name in words.texts]
    parts += [f"arrayStringConcat(mapValues({name}), char(31))" for name in words.maps]
    said = ", char(31), ".join(parts)
    found: set[tuple[str, str, int, int]] = set()
    for ids in _slices(_traces(rows)):
        there = t.query(
            f"""
            SELECT TraceId, SpanId, toUnixTimestamp64Nano(Timestamp) AS at, CRC32(concat({said})) AS mark
            FROM {table} WHERE {_THESE}
            """,
            {"ids": ids, **_range(rows)},
        )
        columns = (there[name].to_pylist() for name in ("TraceId", "SpanId", "at", "mark"))
        found.update(zip(*columns, strict=True))
    return found


def _range(rows: pa.Table) -> dict[str, int]:
    at = rows["Timestamp"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    ends: Any = pc.min_max(at)
    return {"first": ends["min"].as_py(), "last": ends["max"].as_py()}


def _traces(rows: pa.Table) -> list[str]:
    return [text for text in pc.unique(rows["TraceId"]).to_pylist() if text is not None]


def _slices(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[start : start + _IDS]) for start in range(0, len(ids), _IDS)]
