"""An export of another product, read once from its start to its end; bad rows are left out alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from assay.errors import FileError
from assay.ingest.exports.basket import Basket, OpinionMark
from assay.ingest.exports.shapes import SHAPES
from assay.ingest.options import ImportOptions
from assay.ingest.plan import BYTES_AT_ONCE, MARK_SCHEMA, SPANS_AT_ONCE, Batch, Rejected
from assay.ingest.rows import RowFile
from assay.records import MetricKind, Unit

_ROWS_AT_ONCE = 5_000
_SHOWN = 12


@dataclass(slots=True, kw_only=True)
class ExportPlan:
    """Rows of a product's export as spans and log records."""

    file: str
    identity: str
    format: str
    rows: RowFile
    options: ImportOptions
    unit: Unit = "interaction"
    _columns: set[str] = field(default_factory=set)
    _unscaled: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int | None:
        return self.rows.rows

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """What comes after the first `after` rows, in order."""
        for basket, rows, rejected in self._baskets(after):
            spans, records = basket.tables()
            yield Batch(rows=rows, spans=spans, records=records, rejected=tuple(rejected))

    def marks(self) -> Iterator[tuple[MetricKind, pa.Table]]:
        """The opinions that were asked for as labels: people's are labels, a judge's are scores."""
        if not self.options.labels:
            return
        self._unscaled.clear()
        for basket, _, _ in self._baskets(0):
            for kind, marks in basket.marks.items():
                yield kind, marks_table(marks)
            for name, count in basket.unscaled.items():
                self._unscaled[name] = self._unscaled.get(name, 0) + count

    def _baskets(self, after: int) -> Iterator[tuple[Basket, int, list[Rejected]]]:
        take = SHAPES[self.format].take
        basket = Basket(self.options.labels, self.options.service)
        rejected: list[Rejected] = []
        read, waiting = 0, 0
        for row in self.rows.read(None):
            read = row.number
            if read <= after:
                continue
            waiting += 1
            self._columns.update(name for name, cell in row.cells.items() if cell or cell == 0)
            try:
                if row.problem is not None:
                    raise row.problem
                take(row, basket)
            except FileError as error:
                rejected.append(Rejected(read, str(error), row.cells))
            except RecursionError:
                rejected.append(Rejected(read, f"row {read} is nested too deeply", None))
            is_full = basket.size >= SPANS_AT_ONCE or basket.weight_bytes >= BYTES_AT_ONCE
            if is_full or waiting >= _ROWS_AT_ONCE:
                yield basket, read, rejected
                basket, rejected, waiting = Basket(self.options.labels, self.options.service), [], 0
        if waiting:
            yield basket, read, rejected

    def notes(self) -> tuple[str, ...]:
        """What people should know, once the file is read."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        unknown = sorted(
            one for one in SHAPES[self.format].unknown(self._columns) if not one.startswith("__index_level_")
        )
        if unknown:
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            yield f"columns left out: {', '.join(f'`{one}`' for one in unknown[:_SHOWN])}{more}"
        for name, count in self._unscaled.items():
            yield (
                f"{count:,} values of {name} are no number from 0 to 1: kept as evaluations, not as labels"
            )


def marks_table(marks: Sequence[OpinionMark]) -> pa.Table:
    columns = list(zip(*marks, strict=True)) or [()] * len(MARK_SCHEMA)
    arrays = [pa.array(values, one.type) for values, one in zip(columns, MARK_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=MARK_SCHEMA)
