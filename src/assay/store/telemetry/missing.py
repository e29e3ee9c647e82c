"""Logs that something remembers and that are not there: between the steps they were lost.

A trace that has arrived must have a row of facts once settling has passed it by, a turn its conversation,
a decision or score the log that it is about. What is looked for first is looked for near its time; what
is not found there is looked for everywhere, since conversations may be long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from assay.records import Unit
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.logs import started_of
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import BY_DAY, NEAR
from assay.store.telemetry.slices import versions

_IN: Final = "started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}"
_THERE: Final = f"SELECT log_id FROM signals FINAL WHERE {NEAR}"
_TOLD: Final = (
    "SELECT log_id, min(started) AS at FROM ("
    "SELECT log_id, started FROM selections FINAL "
    f"WHERE policy = {{policy:String}} AND unit = {{unit:String}} AND {_IN} "
    "UNION ALL SELECT log_id, started FROM scores FINAL "
    f"WHERE metric = {{metric:String}} AND unit = {{unit:String}} AND {_IN}"
    f") WHERE log_id GLOBAL NOT IN ({_THERE}) GROUP BY log_id"
)
_TURNS: Final = (
    "SELECT conversation_id AS log_id, min(started) AS at FROM signals FINAL "
    f"WHERE unit = 'interaction' AND {_IN} AND conversation_id GLOBAL NOT IN ({_THERE}) "
    "GROUP BY conversation_id"
)
_STARTS: Final = "arrayFilter(x -> x > 0, facts.values.start_ns)"
_BEGAN: Final = f"fromUnixTimestamp64Micro(intDiv(min(arrayMin({_STARTS})), 1000), 'UTC')"
_ARRIVED: Final = (
    "day >= toDate({near_start:DateTime64(6, 'UTC')}) AND day <= toDate({near_end:DateTime64(6, 'UTC')})"
)
_PASSED: Final = (
    "SELECT trace_id AS log_id, {began} AS at, max(touched) AS last, "
    "groupUniqArrayArray(conversation_ids) AS ids FROM interactions "
    f"WHERE {_ARRIVED} AND trace_id GLOBAL NOT IN (SELECT log_id FROM signals FINAL "
    "WHERE unit = 'interaction' AND started >= {near_start:DateTime64(6, 'UTC')} "
    "AND started < {near_end:DateTime64(6, 'UTC')}) GROUP BY trace_id "
    "HAVING max(traced) = 1 AND max(length(facts)) > 0 AND last < {upto:DateTime64(3, 'UTC')} "
    "AND at >= {start:DateTime64(6, 'UTC')} AND at < {end:DateTime64(6, 'UTC')}"
).replace("{began}", _BEGAN)
_TAKEN_BACK: Final = (
    "SELECT DISTINCT log_id FROM signals WHERE unit = {unit:String} AND is_deleted = 1 "
    "AND log_id IN {ids:Array(String)}"
)
"""A conversation whose turns turned out to belong to another one leaves such a row."""


def missing_by_hour(t: Telemetry, params: Mapping[str, Any], upto: datetime) -> Counter[datetime]:
    """How many logs are missing, by the hour in which they began. `params` are those of a question;
    everything that was touched before `upto` is settled."""
    found = _missing(t, {**params, "upto": upto.astimezone(UTC)})
    inside = (at for at in found.values() if params["start"] <= at < params["end"])
    return Counter(at.replace(minute=0, second=0, microsecond=0) for at in inside)


def _missing(t: Telemetry, params: dict[str, Any]) -> dict[str, datetime]:
    unit: Unit = params["unit"]
    days = versions(t)["signals"]  # of a day whose facts have outlived their time, nothing is missing
    told = {key: at for key, at in _read(t, _TOLD, params).items() if at.date() in days}
    told = _absent(t, unit, told)
    missing = {log_id: at for log_id, at in told.items() if log_id not in _taken_back(t, unit, told)}
    if unit == "conversation":
        missing |= _absent(t, unit, _read(t, _TURNS, params))
    return _unsettled(t, unit, params) | missing


def _read(t: Telemetry, sql: str, params: dict[str, Any]) -> dict[str, datetime]:
    rows = t.query(near(t.topology, f"{sql} {BY_DAY}"), params).to_pylist()
    return {row["log_id"]: utc(row["at"]) for row in rows}


def _absent(t: Telemetry, unit: Unit, found: dict[str, datetime]) -> dict[str, datetime]:
    known = started_of(t, unit, found) if found else {}
    return {log_id: at for log_id, at in found.items() if log_id not in known}


def _taken_back(t: Telemetry, unit: Unit, found: dict[str, datetime]) -> set[str]:
    if not found:
        return set()
    rows = t.query(_TAKEN_BACK, {"unit": unit, "ids": list(found)}).to_pylist()
    return {row["log_id"] for row in rows}


def _unsettled(t: Telemetry, unit: Unit, params: dict[str, Any]) -> dict[str, datetime]:
    """Traces that settling has passed by; as conversations, those that they name."""
    rows = t.query(near(t.topology, f"{_PASSED} {BY_DAY}"), params).to_pylist()
    absent = _absent(t, "interaction", {row["log_id"]: utc(row["at"]) for row in rows})
    if unit == "interaction":
        return absent
    talks: dict[str, datetime] = {}
    for row in rows:
        if row["log_id"] in absent:
            talk = row["ids"][0] if row["ids"] else row["log_id"]
            talks[talk] = min(absent[row["log_id"]], talks.get(talk, absent[row["log_id"]]))
    return _absent(t, unit, talks)


_LOST_FACTS: Final = (
    "SELECT trace_id FROM interactions WHERE trace_id GLOBAL NOT IN "
    "(SELECT log_id FROM signals FINAL WHERE unit = 'interaction') "
    "GROUP BY trace_id HAVING max(traced) = 1 AND max(length(facts)) > 0 "
    "AND max(touched) < {upto:DateTime64(3, 'UTC')} "
    "UNION DISTINCT SELECT log_id AS trace_id FROM signals FINAL WHERE unit = 'interaction' "
    "AND conversation_id GLOBAL NOT IN (SELECT log_id FROM signals FINAL WHERE unit = 'conversation')"
)


def touch_missing(t: Telemetry, upto: datetime) -> bool:
    """Have the facts computed again of all traces that have none, or whose conversation has none, though
    settling has passed them by; whether there are any."""
    params = {"upto": upto.astimezone(UTC)}
    found = t.query(near(t.topology, f"SELECT 1 AS one FROM ({_LOST_FACTS}) LIMIT 1"), params)
    if not found.num_rows:
        return False
    touched = (
        "INSERT INTO interactions (trace_id, day, touched) SELECT trace_id, day, now64(3, 'UTC') "
        f"FROM interactions WHERE trace_id GLOBAL IN ({_LOST_FACTS}) GROUP BY trace_id, day"
    )
    t.command(f"{touched} SETTINGS max_partitions_per_insert_block = 0", params)
    return True
