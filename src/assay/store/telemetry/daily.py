"""What the overview counts, by UTC day: a day that does not change need not be counted again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from assay.errors import FilterError
from assay.query import Compare, Condition, parse
from assay.records import Unit, Window
from assay.store.telemetry.condition import Where, compile_condition, compile_subject
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import LOGS, bind_scope

Words = Mapping[str, Sequence[str]]
Slices = Mapping[str, Mapping[str, int] | None]
"""By field, the logs of each of its values; None where it has too many values to divide logs by."""


class Counts(NamedTuple):
    """How many logs there are, and when the first and the last of them began."""

    interactions: int
    conversations: int
    first: datetime | None
    last: datetime | None


def totals_by_day(t: Telemetry, window: Window) -> dict[date, Counts]:
    """How many settled logs of each unit began on each day of the window, and when."""
    units: tuple[Unit, ...] = ("interaction", "conversation")
    sql = (
        "SELECT toDate(started) AS day, count() AS logs, min(started) AS first, max(started) AS last "
        f"FROM {LOGS} GROUP BY day"
    )
    found: dict[date, Counts] = {}
    for unit in units:
        for row in _select(t, sql, unit, window):
            known = found.get(row["day"], Counts(0, 0, None, None))
            first, last = utc(row["first"]), utc(row["last"])
            found[row["day"]] = Counts(
                interactions=row["logs"] if unit == "interaction" else known.interactions,
                conversations=row["logs"] if unit == "conversation" else known.conversations,
                first=min(known.first or first, first),
                last=max(known.last or last, last),
            )
    return found


def signals_by_day(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
) -> dict[date, dict[str, int]]:
    """How many logs each signal is raised on, of those the condition holds of, by day."""
    where = compile_condition(condition, words=words)
    sql = (
        f"SELECT toDate(started) AS day, signal, count() AS logs FROM "
        f"(SELECT started, signals FROM {LOGS} AND {where.sql}) "
        "ARRAY JOIN signals AS signal GROUP BY day, signal ORDER BY day, signal"
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in _select(t, sql, unit, window, where):
        found[row["day"]][row["signal"]] = row["logs"]
    return found


def keys_by_day(t: Telemetry, unit: Unit, window: Window) -> dict[date, dict[str, int]]:
    """The keys of attributes, with how many logs have them, by day."""
    sql = (
        f"SELECT day, key, count() AS logs FROM (SELECT toDate(started) AS day, mapKeys(attributes) AS keys "
        f"FROM {LOGS}) ARRAY JOIN keys AS key GROUP BY day, key ORDER BY day, key"
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in _select(t, sql, unit, window):
        found[row["day"]][row["key"]] = row["logs"]
    return found


def slices_by_day(
    t: Telemetry,
    unit: Unit,
    window: Window,
    fields: Sequence[str],
    most: int,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
) -> dict[date, Slices]:
    """How the logs the condition holds of divide by each field or `attr["x"]`, by day; empty values are
    left out. A day on which a field has more than `most` values is not counted by it."""
    where = compile_condition(condition, words=words)
    values = [_value(field, f"f{number}_") for number, field in enumerate(fields)]
    params = dict(where.params)
    for value in values:
        params |= value.params
    distinct = "".join(
        f", uniqUpToIf({most})({value.sql}, {value.sql} != '') AS n{number}"
        for number, value in enumerate(values)
    )
    rows = _select(
        t,
        f"SELECT toDate(started) AS day{distinct} FROM {LOGS} AND {where.sql} GROUP BY day",
        unit,
        window,
        Where("", params),
    )
    few = {
        row["day"]: {field for number, field in enumerate(fields) if row[f"n{number}"] <= most}
        for row in rows
    }
    counted = [number for number, field in enumerate(fields) if any(field in known for known in few.values())]
    if not counted:
        return {day: dict.fromkeys(fields) for day in few}
    for number in counted:
        params[f"days{number}"] = [day for day, known in few.items() if fields[number] in known]
    maps = "".join(
        f", sumMapIf(map({values[number].sql}, toUInt64(1)), {values[number].sql} != '' "
        f"AND has({{days{number}:Array(Date)}}, toDate(started))) AS m{number}"
        for number in counted
    )
    sql = f"SELECT toDate(started) AS day{maps} FROM {LOGS} AND {where.sql} GROUP BY day"
    found: dict[date, Slices] = {}
    for row in _select(t, sql, unit, window, Where("", params)):
        known = few.get(row["day"], set())
        found[row["day"]] = {
            field: dict(row[f"m{number}"]) if field in known else None for number, field in enumerate(fields)
        }
    return found


def _value(field: str, prefix: str) -> Where:
    subject = parse(f'{field} = ""')
    if not isinstance(subject, Compare):
        raise FilterError(f"{field!r} is no field to divide logs by")
    value = compile_subject(subject.subject, prefix=prefix)
    return Where(f"toString({value.sql})", value.params)


def _select(
    t: Telemetry, sql: str, unit: Unit, window: Window, where: Where | None = None
) -> list[dict[str, Any]]:
    bound = bind_scope(unit, window) | (where.params if where else {})
    return t.query(near(t.topology, sql), bound).to_pylist()
