"""How the logs of a filter divide: over time, and by the values of facts. One reading for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa

from assay.query import Condition, Field
from assay.records import Unit, Window
from assay.store.telemetry.condition import compile_condition, compile_subject
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import LOGS, bind_scope

DAY_MINUTES: Final = 1_440
Buckets = Mapping[str, Sequence[tuple[str, Condition]]]
"""By facet, names for groups of logs and what holds of them; the first that holds is a log's own."""


@dataclass(frozen=True, slots=True)
class DayFacets:
    """One UTC day: its logs and those with an error by step of time, and its logs by facet and value.

    `signals` counts each signal of a log; a log without a value of a fact counts under the empty one."""

    steps: dict[datetime, tuple[int, int]] = field(default_factory=dict)
    values: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def logs(self) -> int:
        return sum(logs for logs, _ in self.steps.values())


def facets_by_day(
    t: Telemetry,
    unit: Unit,
    window: Window,
    fields: Sequence[str],
    buckets: Buckets,
    condition: Condition | None = None,
    *,
    signals: bool = True,
    step_minutes: int = 60,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> dict[date, DayFacets]:
    """How the window's logs of which the condition holds divide, by the UTC day on which they began.

    `step_minutes` divides a day, or is one."""
    where = compile_condition(condition, words=words, now=now, within=window, unit=unit)
    params: dict[str, Any] = bind_scope(unit, window) | where.params
    columns = {name: compile_subject(Field(name=name)).sql for name in fields}
    for number, (name, groups) in enumerate(buckets.items()):
        cases = []
        for place, (value, holds) in enumerate(groups):
            made = compile_condition(
                holds, words=words, now=now, prefix=f"b{number}_{place}_", within=window, unit=unit
            )
            params |= made.params | {f"v{number}_{place}": value}
            cases.append(f"{made.sql}, {{v{number}_{place}:String}}")
        columns[name] = f"multiIf({', '.join(cases)}, '')"
    read = ", ".join(f"{sql} AS k{number}" for number, sql in enumerate(columns.values()))
    every = [f"k{number}" for number in range(len(columns))] + (["signals"] if signals else [])
    # Alone of all sets of keys, that of time has none of the others: their bits are all set there.
    sql = (
        f"SELECT toDate(started) AS day, at, {''.join(f'{key}, ' for key in every)}"
        f"grouping(at{''.join(f', {key}' for key in every)}) AS left_out, "
        "count() AS logs, countIf(errors > 0) AS failed FROM "
        f"(SELECT started, errors, {_step(step_minutes)} AS at{', ' if read else ''}{read}"
        f"{', signals' if signals else ''} FROM {LOGS} AND {where.sql}) "
        f"GROUP BY GROUPING SETS ((day, at){''.join(f', (day, {key})' for key in every)})"
    )
    return _collect(
        t.query(near(t.topology, sql), params), every, [*columns, *(["signals"] if signals else [])]
    )


def _step(minutes: int) -> str:
    if minutes == DAY_MINUTES:
        return "toDateTime(toStartOfDay(started), 'UTC')"
    return f"toStartOfInterval(toDateTime(started, 'UTC'), INTERVAL {int(minutes)} MINUTE)"


def _collect(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> dict[date, DayFacets]:
    """Each row is of one set of keys. `grouping` sets the bit of every key that is not in it, the first
    key's the highest."""
    found: dict[date, DayFacets] = {}
    of_time = (1 << len(keys)) - 1
    every = (1 << (len(keys) + 1)) - 1
    of_key = {every ^ (1 << (len(keys) - 1 - place)): place for place in range(len(keys))}
    cells: list[list[Any]] = [table[key].to_pylist() for key in keys]
    columns = ("day", "at", "left_out", "logs", "failed")
    rows: Any = zip(*(table[name].to_pylist() for name in columns), strict=True)
    for row, (day, at, left_out, logs, failed) in enumerate(rows):
        of_day = found.setdefault(day, DayFacets())
        if left_out == of_time:
            start = utc(at) if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
            of_day.steps[start] = (logs, failed)
            continue
        place = of_key[left_out]
        counts = of_day.values.setdefault(names[place], Counter())
        cell = cells[place][row]
        for value in cell if isinstance(cell, list) else (cell,):
            counts[value] += logs
    return found
