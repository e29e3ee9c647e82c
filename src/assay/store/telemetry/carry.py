"""What can't be mapped again is carried over: interactions of which the spans or log records are gone.

The Collector's tables may keep less long than assay does. What a trace's spans said on a day is carried
where those spans are gone; what was told of it elsewhere, where a whole day of a source is. A column whose
type has changed is converted, tuples by the names of their fields.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from assay.errors import StoreError
from assay.records import Progress
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import FEEDING
from assay.store.telemetry.schema import Table, local_name

SPANS: Final = "otel_traces"
RECORDS: Final = "otel_logs"
FACTS: Final = "facts"
TOLD: Final = "told"
_KEYS: Final = ("trace_id", "day")
_HERE: Final = "day = {day:Date}"
_SPANLESS: Final = (
    f"{_HERE} AND notEmpty({FACTS}) AND trace_id GLOBAL NOT IN "
    f"(SELECT TraceId FROM {SPANS} WHERE toDate(Timestamp) = {{day:Date}})"
)


def carry_over(t: Telemetry, old: Table, new: Table, progress: Progress) -> None:
    """Put into the new table what only the old one knows. Doing it again changes nothing.

    Raises `StoreError`, before anything is written, where the old table's columns can't be converted."""
    columns = _shared(t, old, new)
    held = {source: _days(t, source, "toDate(Timestamp)") for source in (SPANS, RECORDS)}
    days = sorted(_days(t, old.name, "day"), reverse=True)
    spanless = {day: count for day in days if FACTS in columns and (count := _count(t, old, day))}
    _check_types(t, old, new, columns, spanless)
    for number, day in enumerate(days):
        progress("carrying over", number, len(days))
        params = {"day": day.isoformat()}
        if day in spanless:
            names = ", ".join(name for name in columns if name != TOLD)
            gone = f"SELECT {names} FROM {old.name} WHERE {_SPANLESS}"
            t.command(f"INSERT INTO {new.name} ({names}) {gone} {FEEDING}", params)
        if TOLD in columns and not all(day in there for there in held.values()):
            t.command(_told(old, new, columns), params)


def _told(old: Table, new: Table, columns: tuple[str, ...]) -> str:
    """What was told, but for what the new table was told, too, be it of another trace."""
    names = [name for name in columns if name in (*_KEYS, "touched", "conversation_ids")]
    listed = ", ".join(names)
    entries = (
        f"SELECT {listed}, key, value FROM {old.name} "
        f"ARRAY JOIN mapKeys({TOLD}) AS key, mapValues({TOLD}) AS value WHERE {_HERE}"
    )
    known = f"SELECT arrayJoin(mapKeys({TOLD})) FROM {new.name} WHERE {_HERE}"
    return (
        f"INSERT INTO {new.name} ({listed}, {TOLD}) SELECT {listed}, map(key, value) "
        f"FROM ({entries}) WHERE key GLOBAL NOT IN ({known}) {FEEDING}"
    )


def _shared(t: Telemetry, old: Table, new: Table) -> tuple[str, ...]:
    """The columns that both tables have."""
    there = _types(t, old)
    return tuple(name for name in _types(t, new) if name in there)


def _types(t: Telemetry, table: Table) -> dict[str, str]:
    """The columns and the types of what they hold."""
    rows = t.query(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() "
        "AND table = {table:String} ORDER BY position",
        {"table": local_name(table.name, t.topology)},
    ).to_pylist()
    return {row["name"]: row["type"] for row in rows}


def _days(t: Telemetry, table: str, day: str) -> set[date]:
    rows = t.query(f"SELECT toDate32({day}) AS day FROM {table} GROUP BY day").to_pylist()
    return {row["day"] for row in rows}


def _count(t: Telemetry, old: Table, day: date) -> int:
    (row,) = t.query(
        f"SELECT uniqExact(trace_id) AS n FROM {old.name} WHERE {_SPANLESS}", {"day": day.isoformat()}
    ).to_pylist()
    return int(row["n"])


def _check_types(
    t: Telemetry, old: Table, new: Table, columns: tuple[str, ...], spanless: dict[date, int]
) -> None:
    if not spanless:
        return
    before, after = _types(t, old), _types(t, new)
    for name in columns:
        if before[name] == after[name]:
            continue
        try:
            t.query(f"SELECT CAST({name} AS {_plain(after[name])}) AS x FROM {old.name} WHERE 0")
        except StoreError as error:
            raise StoreError(
                f"{sum(spanless.values()):,} interactions of {len(spanless):,} days "
                f"({min(spanless)} to {max(spanless)}) have no spans any more, and their {name} can't be "
                f"carried into the new table: nothing was changed. Go on with the version of assay that "
                f"made them, or let go of each such day: ALTER TABLE {old.name} DROP PARTITION 'DAY'"
            ) from error


def _plain(kind: str) -> str:
    """The type that a SimpleAggregateFunction wraps."""
    return kind.partition(", ")[2].removesuffix(")") if kind.startswith("SimpleAggregateFunction(") else kind
