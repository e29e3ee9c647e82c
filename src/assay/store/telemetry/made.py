"""Signals that are functions of the team's: their names are added to rows that stand already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.records import Unit
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import COLUMNS, near

Names = Callable[[pa.RecordBatch], "pa.Array[Any]"]
"""From a batch of facts to a list of names for each row. It never raises."""

Made = Mapping[Unit, Names]


def add_made(t: Telemetry, unit: Unit, made: Made, rows: str, params: Mapping[str, Any]) -> int:
    """Add what is made of these rows of `signals`, which keep their version: the later row prevails.

    How many rows got a name."""
    if unit not in made:
        return 0
    found = t.query(near(t.topology, f"SELECT {COLUMNS} FROM ({rows})"), params)
    added = 0
    for batch in found.to_batches():
        names = made[unit](batch.drop_columns(["signals", "computed_at", "is_deleted"]))
        some = pc.greater(pc.list_value_length(names), pa.scalar(0))
        raised = pa.table(batch.filter(some)) if batch.num_rows else None
        if raised is None or raised.num_rows == 0:
            continue
        t.insert("signals", with_names(raised, names.filter(some)))
        added += raised.num_rows
    return added


def with_names(rows: pa.Table, names: pa.Array[Any]) -> pa.Table:
    """The rows with these names among their signals, each once and in order."""
    pairs: Any = zip(rows["signals"].to_pylist(), names.to_pylist(), strict=True)
    every = [sorted({*old, *new}) for old, new in pairs]
    joined = pa.array(every, pa.list_(pa.string()))
    return rows.set_column(rows.schema.get_field_index("signals"), "signals", joined)
