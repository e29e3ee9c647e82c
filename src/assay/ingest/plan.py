"""What an import brings, a batch at a time, whatever the file was."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.records import MetricKind, Unit

_MARK_TYPES: dict[str, pa.DataType] = {
    "metric": pa.string(),
    "log_id": pa.string(),
    "value": pa.float64(),
    "rater": pa.string(),
    "comment": pa.string(),
}
MARK_SCHEMA = pa.schema(_MARK_TYPES)

MARKS_AT_ONCE = 5_000
SPANS_AT_ONCE = 2_000
BYTES_AT_ONCE = 8 * 2**20


def texts_in(column: pa.ChunkedArray[Any]) -> list[str]:
    """The different texts of a column, in the order of their first."""
    return [str(one) for one in column.unique().to_pylist() if one]


class Traces:
    """Counts traces; of each, 8 bytes are kept."""

    def __init__(self) -> None:
        self._seen = array("Q")

    def add(self, spans: pa.Table) -> None:
        self._seen.extend(int(one[:16], 16) ^ int(one[16:], 16) for one in texts_in(spans["TraceId"]))

    def count(self) -> int:
        return int(str(pc.count_distinct(pa.array(self._seen, pa.uint64()))))


class Rejected(NamedTuple):
    """A row that was left out, why, and what it held."""

    row: int
    reason: str
    cells: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows' spans and log records in the store's own columns. `rows` counts from the file's start
    to the batch's end."""

    rows: int
    spans: pa.Table = field(default_factory=SPAN_SCHEMA.empty_table)
    records: pa.Table = field(default_factory=LOG_SCHEMA.empty_table)
    rejected: tuple[Rejected, ...] = ()


class Plan(Protocol):
    """A file that can be imported. `total` is its number of rows, where that is known."""

    @property
    def file(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def format(self) -> str: ...

    @property
    def unit(self) -> Unit: ...

    @property
    def total(self) -> int | None: ...

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """What comes after the first `after` rows, in order."""
        ...

    def marks(self) -> Iterator[tuple[MetricKind, pa.Table]]:
        """Labels (`human`) and scores (`judge`) for all of the file, in tables of MARK_SCHEMA."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What people should know, once the file is read."""
        ...
