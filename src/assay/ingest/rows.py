"""Files of rows: JSONL, JSON, CSV and Parquet, each read a few rows at a time."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import msgspec
import pyarrow as pa
from pyarrow import parquet

from assay.errors import FileError
from assay.ingest.sources import Source, local_source

_ROWS_AT_ONCE = 500
_LONGEST_CELL = 2**30
_CHUNK = 2**20
_LONGEST_VALUE = 2**28
_GROUPS = ("data", "observations", "runs", "spans", "traces", "scores", "items")
"""Names under which one JSON object may hold the rows."""


class Row(NamedTuple):
    """`number` counts from 1: records of a CSV (without the header) or Parquet file, lines of a JSONL one,
    values of a JSON one. A row that can't be read has no cells and says why in `problem`."""

    number: int
    cells: dict[str, Any]
    problem: FileError | None = None


class RowFile(NamedTuple):
    """A file that can be read from its start as often as is needed. `rows`: how many, where that is known."""

    name: str
    columns: tuple[str, ...]
    rows: int | None
    read: Callable[[Collection[str] | None], Iterator[Row]]
    """The rows with at least these columns; with all of them for None."""


def open_rows(place: Source | Path, *, sniff: int | None = None) -> RowFile:
    """The file by its ending. `sniff`: how many rows tell its columns; all of them for None.

    Raises FileError where it is missing, unreadable or of another kind.
    """
    source = local_source(place) if isinstance(place, Path) else place
    if source.kind == "parquet":
        return _open_parquet(source)
    if source.kind in ("csv", "tsv"):
        return _open_csv(source)
    if source.kind == "otlp":
        raise FileError(f"{source.name} holds OTLP, not rows")
    read: Callable[[], Iterator[Row]] = partial(_values if source.kind == "json" else _lines, source)
    columns: dict[str, None] = {}
    problem: FileError | None = None
    for row in islice(read(), sniff):
        columns.update(dict.fromkeys(row.cells))
        problem = problem or row.problem
    if problem is not None and not columns:
        raise problem
    return RowFile(source.name, tuple(columns), None, lambda _: read())


def nearest(name: str, names: Collection[str]) -> str:
    """What to say when `name` is none of `names`: the nearest, or all of them."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(f'`{one}`' for one in close)}?"
    return f"there are {', '.join(f'`{one}`' for one in names)}" if names else "there are none"


def lines_of(source: Source) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1, without a byte order mark."""
    with _opened(source) as lines:
        for number, line in enumerate(lines, 1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if text.strip():
                yield number, text


def _lines(source: Source) -> Iterator[Row]:
    for number, line in lines_of(source):
        try:
            yield Row(number, _json_object(source.name, "line", number, line))
        except FileError as error:
            yield Row(number, {}, error)


def _json_object(name: str, what: str, number: int, text: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:  # invalid UTF-8, half a surrogate pair, NaN: read what can be read
            value = json.loads(text.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise FileError(
                f"{name} {what} {number} is no JSON ({error}): each line must be one whole JSON object",
                row=number,
            ) from None
    return _object(name, what, number, value)


def _object(name: str, what: str, number: int, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FileError(f"{name} {what} {number} is {type(value).__name__}, not a JSON object", row=number)
    return value


def _values(source: Source) -> Iterator[Row]:
    """The objects of a JSON file: one, several after another, a list of them, or a list inside one."""
    for number, value in enumerate(_unfolded(json_values(source)), 1):
        try:
            yield Row(number, _object(source.name, "value", number, value))
        except FileError as error:
            yield Row(number, {}, error)


def _unfolded(values: Iterator[object]) -> Iterator[object]:
    for value in values:
        group = _group(value) if isinstance(value, dict) else None
        if group is None:
            yield value
        else:
            yield from group


def _group(value: dict[str, Any]) -> list[Any] | None:
    """The rows that an object holds beside little else."""
    groups: list[list[Any]] = [value[key] for key in _GROUPS if isinstance(value.get(key), list)]
    if len(groups) == 1 and len(value) <= 2 and all(isinstance(one, dict) for one in groups[0]):
        return groups[0]
    return None


def json_values(source: Source) -> Iterator[Any]:
    """The values of a JSON text, those of a list one by one; a few at a time in memory.

    Raises FileError where the text is no JSON."""
    decoder, text, seen = json.JSONDecoder(), "", 0
    in_list = False
    with _opened(source) as stream:
        pieces = _texts(stream)
        text = next(pieces, "").removeprefix("\ufeff")
        while True:
            text = text.lstrip(" \t\r\n,") if in_list or seen else text.lstrip()
            if not text:
                text = next(pieces, "")
                if not text:
                    return
                continue
            if text[0] == "[" and not in_list and not seen:
                in_list, text = True, text[1:]
                continue
            if text[0] == "]" and in_list:
                in_list, text = False, text[1:]
                continue
            try:
                value, end = decoder.raw_decode(text)
            except (ValueError, RecursionError) as error:
                text = _longer(source, text, pieces, error, seen)
                continue
            if end == len(text) and not isinstance(value, dict | list | str):
                text += next(pieces, " ")  # a number may go on
                continue
            yield value
            seen, text = seen + 1, text[end:]


def _texts(stream: BinaryIO) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := stream.read(_CHUNK):
        if text := decoder.decode(chunk):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest


def _longer(source: Source, text: str, pieces: Iterator[str], error: Exception, seen: int) -> str:
    """At least twice as much of the text: perhaps the value goes on."""
    parts, size = [text], len(text)
    while size < 2 * len(text) and (more := next(pieces, "")):
        parts.append(more)
        size += len(more)
    if len(parts) == 1 or size > _LONGEST_VALUE:
        raise FileError(f"{source.name} is no JSON after {seen:,} values: {error}", row=seen + 1)
    return "".join(parts)


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    """Its bytes; what is wrong with them while they are read is said with the file's name."""
    try:
        with source.open() as stream:
            yield stream
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{source.name} can't be read to its end: {error}") from None


def _open_csv(source: Source) -> RowFile:
    delimiter = "\t" if source.kind == "tsv" else ","

    def read(columns: Collection[str] | None) -> Iterator[Row]:
        with _text(source) as file:
            records = csv.reader(file, delimiter=delimiter, strict=True)
            number = -1
            header: list[str] = []
            try:
                for number, cells in enumerate(records):
                    if number == 0:
                        header = _header(source.name, cells)
                    elif len(cells) == len(header):
                        yield Row(number, dict(zip(header, cells, strict=True)))
                    elif cells:
                        yield Row(number, {}, _ragged(source.name, number, len(cells), len(header)))
            except csv.Error as error:
                raise FileError(
                    f"{source.name} row {number + 1} is no CSV: {error}", row=number + 1
                ) from None

    with _text(source) as file:
        header = _header(source.name, next(csv.reader(file, delimiter=delimiter), []))
    return RowFile(source.name, tuple(header), None, read)


def _ragged(name: str, number: int, cells: int, columns: int) -> FileError:
    return FileError(
        f"{name} row {number} has {cells} cells and the header {columns}: "
        "quote text that holds commas, quotes or line breaks",
        row=number,
    )


@contextmanager
def _text(source: Source) -> Iterator[TextIO]:
    # Python's reader stops at cells of 128 kB; a conversation may be longer. The limit is the
    # process's, so it is put back.
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        with (
            _opened(source) as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as file,
        ):
            yield file
    finally:
        csv.field_size_limit(limit)


def _header(name: str, names: list[str]) -> list[str]:
    stripped = [one.strip() for one in names]
    twice = next((one for one in stripped if one and stripped.count(one) > 1), None)
    if not any(stripped):
        raise FileError(f"{name} has no header: its first row must name the columns")
    if twice is not None:
        raise FileError(f"{name} has two columns named `{twice}`: rename one", column=twice)
    return stripped


def _open_parquet(source: Source) -> RowFile:
    try:
        with source.open_whole() as raw, parquet.ParquetFile(raw) as file:
            names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{source.name} is no readable Parquet file: {error}") from None

    def read(columns: Collection[str] | None) -> Iterator[Row]:
        number = 0
        wanted = [name for name in names if columns is None or name in columns]
        try:
            with source.open_whole() as raw, parquet.ParquetFile(raw, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                    for cells in _microseconds(batch).to_pylist(maps_as_pydicts="lossy"):
                        number += 1
                        yield Row(number, cells)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{source.name} is damaged after row {number}: {error}", row=number + 1) from None

    return RowFile(source.name, names, rows, read)


def _microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times with nanoseconds have no place in Python's datetime."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type):
            cut = batch.column(place).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(place, field.name, cut)
    return batch
