"""Anything that is kept, as rows that stream: out of the store, over HTTP, into a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from io import IOBase
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from assay.app.parts import Parts
from assay.app.requests import ExportRequest
from assay.errors import CallerError, StoreError
from assay.query import And, Condition, Field, InList, suggest
from assay.records import Progress, Window, no_progress
from assay.store.telemetry.export import KINDS, Exported, export

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
ROWS = 50_000
"""Rows of a row group, about: less makes files large, more takes memory."""


class Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


def read_out(parts: Parts, request: ExportRequest) -> Exported:
    """The rows. Raises CallerError for a kind that there is not, FilterError."""
    if request.kind not in KINDS:
        raise CallerError(f"no rows `{request.kind}`; {suggest(request.kind, KINDS)}")
    given = request.range
    window = None
    if given.since or given.until:
        start, end = given.since or FIRST, given.until or LAST
        if end < start:
            raise CallerError(
                f"the range ends ({end:%Y-%m-%d %H:%M}) before it starts ({start:%Y-%m-%d %H:%M})"
            )
        window = Window(start=start, end=end)
    return export(
        parts.telemetry,
        request.kind,
        request.unit,
        window,
        _condition(parts, request),
        words=parts.words,
        now=parts.clock(),
    )


def _condition(parts: Parts, request: ExportRequest) -> Condition | None:
    """What the filter says, and that the log is one of those that are named."""
    asked = parts.parse(request.filter)
    if not request.log_ids:
        return asked
    named = InList(subject=Field(name="log_id"), values=request.log_ids)
    return named if asked is None else And(parts=(asked, named))


def write_rows(exported: Exported, form: str, sink: BinaryIO) -> Generator[int]:
    """Write the rows in a form; after each step how many are written, so that they can be passed on.

    Raises CallerError for a form that there is not."""
    if form not in FORMS:
        raise CallerError(f"no form `{form}`; {suggest(form, FORMS)}")
    writer, rows = FORMS[form](sink, exported.schema), 0
    with closing(exported.batches):
        for batch in exported.batches:
            writer.write_batch(batch)
            rows += batch.num_rows
            yield rows
    writer.close()
    yield rows


def write_file(exported: Exported, path: Path, progress: Progress = no_progress) -> int:
    """Write the rows to a file, in the form that its ending says; how many. A file that breaks off is
    removed.

    Raises CallerError for an ending that is not known, StoreError where the disk is full."""
    if path.suffix.removeprefix(".") not in FORMS:
        raise CallerError(f"{path}: the file's name ends in {', '.join(f'.{form}' for form in FORMS)}")
    rows, unfinished = 0, path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as sink:
            for rows in write_rows(exported, path.suffix.removeprefix("."), sink):
                progress(f"export {path.name}", rows, None)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


class _Arrow:
    """An Arrow stream."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pa.ipc.new_stream(pa.PythonFile(cast("IOBase", sink), mode="w"), schema)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Parquet:
    """Row groups of some size, of batches that are as the store gives them."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd")
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []

    def write_batch(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        size = sum(waiting.nbytes for waiting in self._waiting)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROWS or size >= 64 * 2**20:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting.clear()


class _Lines:
    """One JSON object a line."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._sink = sink

    def write_batch(self, batch: pa.RecordBatch) -> None:
        for row in plain_rows(batch):
            self._sink.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def close(self) -> None:
        self._sink.flush()


class _Csv:
    """Columns that hold lists or maps are JSON text in their cells."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._schema = pa.schema(
            [
                pa.field(field.name, pa.string() if pa.types.is_nested(field.type) else field.type)
                for field in schema
            ]
        )
        self._writer = pa_csv.CSVWriter(sink, self._schema)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        nested = [field.name for field in batch.schema if pa.types.is_nested(field.type)]
        told: dict[str, list[str]] = {name: [] for name in nested}
        for row in plain_rows(batch.select(nested)) if nested else ():
            for name in nested:
                told[name].append(json.dumps(row[name], ensure_ascii=False))
        arrays = [
            pa.array(told[field.name], pa.string()) if field.name in told else batch.column(field.name)
            for field in self._schema
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


FORMS: Mapping[str, Callable[[BinaryIO, pa.Schema], Writer]] = {
    "parquet": _Parquet,
    "jsonl": _Lines,
    "csv": _Csv,
    "arrow": _Arrow,
}


def plain_rows(batch: pa.RecordBatch) -> Iterator[dict[str, object]]:
    """Rows as JSON has them: maps as objects, times as ISO 8601, bytes as text."""
    maps = {field.name for field in batch.schema if pa.types.is_map(field.type)}
    for row in batch.to_pylist():
        yield {name: _plain(dict(value) if name in maps and value else value) for name, value in row.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
