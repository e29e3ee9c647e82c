"""`assay label FILE`: what people said of logs, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from assay.errors import FileError
from assay.ingest.cells import mark_of, text_of
from assay.ingest.options import resolve_columns
from assay.ingest.rows import nearest, open_rows

_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"id": ("log_id", "conversation_id"), "value": ("label",), "rater": (), "comment": ()}
)
_TYPES: dict[str, pa.DataType] = {
    "log_id": pa.string(),
    "value": pa.float64(),
    "rater": pa.string(),
    "comment": pa.string(),
}
LABEL_SCHEMA = pa.schema(_TYPES)


class LabelFile(NamedTuple):
    """`labels` with the columns of LABEL_SCHEMA; `empty` rows said nothing."""

    labels: pa.Table
    rows: int
    empty: int


def read_labels(path: Path, columns: Mapping[str, str] = MappingProxyType({})) -> LabelFile:
    """Labels of a JSONL, CSV or Parquet file: a log's id, a value in [0, 1] or true/false (column
    `value` or `label`), and perhaps `rater` and `comment`; `columns` maps these names to the
    file's. An empty value is no label. Raises FileError with the row and column.
    """
    file = open_rows(path)
    found = resolve_columns(file, columns, _COLUMNS)
    for name in ("id", "value"):
        if name not in found:
            raise FileError(
                f"{path} has no column `{name}`; {nearest(name, file.columns)}. "
                f"Say which: --column {name}=COLUMN",
                column=name,
            )
    texts: dict[str, list[str]] = {"log_id": [], "rater": [], "comment": []}
    values: list[float] = []
    first: dict[tuple[str, str], int] = {}
    rows = 0
    for row in file.read(found.values()):
        rows += 1
        if row.problem is not None:
            raise row.problem
        value = mark_of(row.cells.get(found["value"]), row.number, found["value"])
        if value is None:
            continue
        log_id = text_of(row.cells.get(found["id"])).strip()
        if not log_id:
            raise FileError(
                f"row {row.number} has a label and no `{found['id']}`", row=row.number, column=found["id"]
            )
        rater, comment = (
            text_of(row.cells.get(found[name])) if name in found else "" for name in ("rater", "comment")
        )
        earlier = first.setdefault((log_id, rater), row.number)
        if earlier != row.number:
            who = f" by {rater!r}" if rater else ""
            raise FileError(
                f"rows {earlier} and {row.number} both label {log_id[:80]!r}{who}: keep one, "
                "or say who labelled in a column `rater`",
                row=row.number,
                column=found["id"],
            )
        values.append(value)
        for name, text in (("log_id", log_id), ("rater", rater), ("comment", comment)):
            texts[name].append(text)
    table = pa.Table.from_pydict({"value": values, **texts}, schema=LABEL_SCHEMA)
    return LabelFile(table, rows, rows - len(values))
