"""Signals that are a team's own SQL or functions: their names are added to rows that stand already.

Logs are hostile and either may fail on them: that is noted and stops nothing, and the facts are not in reach
of what a team has written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import StoreError, StoreFull, StoreUnreachable
from assay.query import Condition
from assay.records import Signal, Unit
from assay.store.telemetry.condition import Where
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import COLUMNS, near
from assay.store.telemetry.own import brief

PARTS: Final = 16
"""Where SQL fails on some log, the rows are asked again in so many parts: only that log's goes without."""

SECONDS: Final = 60
"""How long a team's SQL may take over the rows of a step."""

_SETTINGS: Final = (
    f"SETTINGS max_execution_time = {SECONDS}, optimize_move_to_prewhere_if_final = 1, "
    "query_plan_filter_push_down = 0, query_plan_merge_filters = 0, max_partitions_per_insert_block = 0"
)
"""What was written is asked of the rows in question only: of no other that is read on the way to them."""


class Named(NamedTuple):
    """A list of names for each row, and the signals that went wrong: of them nothing is known."""

    names: pa.Array[Any]
    failed: frozenset[str] = frozenset()


Names = Callable[[pa.RecordBatch], Named]
"""From a batch of facts to the names of each row. It never raises."""

Made = Mapping[Unit, Names]

Fault = Callable[[str, Exception, int], None]
"""Takes note that a signal went wrong, how, and on how many logs."""


def no_fault(name: str, error: Exception, logs: int) -> None:
    """Take no note."""


def own_sql(signals: Sequence[tuple[Signal, Condition | None]], unit: Unit) -> tuple[Signal, ...]:
    """The unit's signals that are SQL."""
    return tuple(signal for signal, _ in signals if signal.sql and signal.unit == unit)


def beside(signals: Sequence[Signal], rows: str) -> Where:
    """The rows with a column `own`: which of these signals their facts raise.

    The SQL stands in a SELECT of its own that takes the rows as they are: it can't rename their columns."""
    names = [
        f"if(ifNull(toBool({one.sql}), false), {{own{number}:String}}, '')"
        for number, one in enumerate(signals)
    ]
    own = f"arrayFilter(name -> name != '', CAST([{', '.join(names)}], 'Array(String)'))"
    params = {f"own{number}": one.name for number, one in enumerate(signals)}
    return Where(f"SELECT *, {own} AS own FROM ({rows})", params)


def add_sql(
    t: Telemetry, signals: Sequence[Signal], rows: str, params: Mapping[str, Any], fault: Fault
) -> None:
    """Add what SQL makes of these rows of `signals`, which keep their version: the later row prevails."""
    if not signals:
        return
    try:
        _add_own(t, signals, rows, params)
    except (StoreFull, StoreUnreachable):
        raise
    except StoreError as error:
        if len(signals) > 1:
            for one in signals:
                add_sql(t, (one,), rows, params, fault)
        else:
            _add_by_parts(t, signals[0], rows, params, error, fault)


def _add_by_parts(
    t: Telemetry, signal: Signal, rows: str, params: Mapping[str, Any], error: StoreError, fault: Fault
) -> None:
    some = f"SELECT * FROM ({rows}) WHERE modulo(cityHash64(log_id), {PARTS}) = {{own_part:UInt8}}"
    failed = 0
    for part in range(PARTS):
        of_part = {**params, "own_part": part}
        try:
            _add_own(t, (signal,), some, of_part)
        except (StoreFull, StoreUnreachable):
            raise
        except StoreError as latest:
            error = latest
            count = near(t.topology, f"SELECT count() AS logs FROM ({some})")
            failed += t.query(count, of_part).to_pylist()[0]["logs"]
    fault(signal.name, StoreError(brief(str(error))), failed)


def _add_own(t: Telemetry, signals: Sequence[Signal], rows: str, params: Mapping[str, Any]) -> None:
    asked = beside(signals, rows)
    columns = COLUMNS.replace(" signals,", " arraySort(arrayDistinct(arrayConcat(signals, own))),")
    select = f"SELECT {columns} FROM ({asked.sql}) WHERE notEmpty(own)"
    sql = f"INSERT INTO signals ({COLUMNS}) {near(t.topology, select)} {_SETTINGS}"
    t.command(sql, {**params, **asked.params})


def add_made(t: Telemetry, unit: Unit, made: Made, rows: str, params: Mapping[str, Any]) -> None:
    """Add what functions make of these rows of `signals`, which keep their version as well."""
    if unit not in made:
        return
    found = t.query(near(t.topology, f"SELECT {COLUMNS} FROM ({rows})"), params)
    for batch in found.to_batches():
        _write(t, batch, made[unit](batch.drop_columns(["signals", "computed_at", "is_deleted"])).names)


def _write(t: Telemetry, batch: pa.RecordBatch, names: pa.Array[Any]) -> None:
    """The rows that got a name, once more."""
    some = pc.greater(pc.list_value_length(names), pa.scalar(0))
    raised = pa.table(batch.filter(some)) if batch.num_rows else None
    if raised is not None and raised.num_rows:
        t.insert("signals", with_names(raised, names.filter(some)))


def with_names(rows: pa.Table, names: pa.Array[Any]) -> pa.Table:
    """The rows with these names among their signals, each once and in order."""
    pairs: Any = zip(rows["signals"].to_pylist(), names.to_pylist(), strict=True)
    every = [sorted({*old, *new}) for old, new in pairs]
    joined = pa.array(every, pa.list_(pa.string()))
    return rows.set_column(rows.schema.get_field_index("signals"), "signals", joined)
