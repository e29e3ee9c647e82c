"""Files of rows: JSONL, CSV and Parquet, each read a few rows at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import msgspec
import pyarrow as pa
from pyarrow import parquet

from assay.errors import FileError

_ROWS_AT_ONCE = 500
_LONGEST_CELL = 2**30


class Row(NamedTuple):
    """`number` counts from 1: records of a CSV (without the header) or Parquet file, lines of a JSONL one."""

    number: int
    cells: dict[str, Any]


class RowFile(NamedTuple):
    """A file that can be read from its start as often as is needed."""

    path: Path
    columns: tuple[str, ...]
    read: Callable[[Collection[str]], Iterator[Row]]
    """The rows with at least these columns."""


def open_rows(path: Path) -> RowFile:
    """The file by its ending. Raises FileError where it is missing, unreadable or of another kind."""
    kinds: dict[str, Callable[[Path], RowFile]] = {
        ".jsonl": _open_jsonl,
        ".ndjson": _open_jsonl,
        ".csv": _open_csv,
        ".tsv": _open_csv,
        ".parquet": _open_parquet,
    }
    opened = kinds.get(path.suffix.lower())
    if opened is None:
        hint = " (one JSON list: `jq -c '.[]' FILE > FILE.jsonl`)" if path.suffix.lower() == ".json" else ""
        raise FileError(f"{path} is no file that can be imported: give .jsonl, .csv or .parquet{hint}")
    try:
        return opened(path)
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror or error}") from None


def nearest(name: str, names: Collection[str]) -> str:
    """What to say when `name` is none of `names`: the nearest, or all of them."""
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(f'`{one}`' for one in close)}?"
    return f"there are {', '.join(f'`{one}`' for one in names)}" if names else "there are none"


def _open_jsonl(path: Path) -> RowFile:
    def read(columns: Collection[str]) -> Iterator[Row]:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield Row(number, _json_object(path, number, text))

    columns: dict[str, None] = {}
    for row in read(()):
        columns.update(dict.fromkeys(row.cells))
    return RowFile(path, tuple(columns), read)


def _json_object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:  # invalid UTF-8, half a surrogate pair, NaN: read what can be read
            value = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise FileError(
                f"{path} line {number} is no JSON ({error}): each line must be one whole JSON object",
                row=number,
            ) from None
    if not isinstance(value, dict):
        raise FileError(f"{path} line {number} is {type(value).__name__}, not a JSON object", row=number)
    return value


def _open_csv(path: Path) -> RowFile:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","

    def read(columns: Collection[str]) -> Iterator[Row]:
        with _text(path) as file:
            records = csv.reader(file, delimiter=delimiter, strict=True)
            number = -1
            header: list[str] = []
            try:
                for number, cells in enumerate(records):
                    if number == 0:
                        header = _header(path, cells)
                    elif len(cells) == len(header):
                        yield Row(number, dict(zip(header, cells, strict=True)))
                    elif cells:
                        raise FileError(
                            f"{path} row {number} has {len(cells)} cells and the header {len(header)}: "
                            "quote text that holds commas, quotes or line breaks",
                            row=number,
                        )
            except csv.Error as error:
                raise FileError(f"{path} row {number + 1} is no CSV: {error}", row=number + 1) from None

    with _text(path) as file:
        header = _header(path, next(csv.reader(file, delimiter=delimiter), []))
    return RowFile(path, tuple(header), read)


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    # Python's reader stops at cells of 128 kB; a conversation may be longer. The limit is the
    # process's, so it is put back.
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield file
    finally:
        csv.field_size_limit(limit)


def _header(path: Path, names: list[str]) -> list[str]:
    stripped = [name.strip() for name in names]
    twice = next((name for name in stripped if stripped.count(name) > 1), None)
    if not any(stripped):
        raise FileError(f"{path} has no header: its first row must name the columns")
    if twice is not None:
        raise FileError(f"{path} has two columns named `{twice}`: rename one", column=twice)
    return stripped


def _open_parquet(path: Path) -> RowFile:
    try:
        names = tuple(parquet.read_schema(path).names)
    except pa.ArrowException as error:
        raise FileError(f"{path} is no readable Parquet file: {error}") from None

    def read(columns: Collection[str]) -> Iterator[Row]:
        number = 0
        wanted = [name for name in names if name in columns]
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                    for cells in _microseconds(batch).to_pylist():
                        number += 1
                        yield Row(number, cells)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{path} is damaged after row {number}: {error}", row=number + 1) from None

    return RowFile(path, names, read)


def _microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times with nanoseconds have no place in Python's datetime."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type):
            cut = batch.column(place).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(place, field.name, cut)
    return batch
