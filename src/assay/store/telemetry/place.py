"""Which conversation every trace belongs to, and which of them are to be settled: a run's plan.

Traces that name a conversation belong to it. Those that name none are conversations of their own;
where a rule joins them by their user, all of one user and service with less than `gap_s` between them
are one, named after its first trace. Whatever was touched before `upto` is in `signals`, so a pass
looks at what came since, and from there at the conversations which that is about, by key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import NEVER, near

IDLE: Final = 4_294_967_293
OPEN: Final = 4_294_967_294
TALKS: Final = 4_294_967_295
"""Buckets of `settling` that hold no work: keys that are idle, those that are not, and the ids of
conversations that the run is about."""

COLUMNS: Final = "run, bucket, trace_id, conversation_id, touched, first_day, last_day"
SETTINGS: Final = (
    "SETTINGS max_partitions_per_insert_block = 0, optimize_move_to_prewhere_if_final = 1, "
    "max_bytes_before_external_sort = 200000000, compile_expressions = 0"
)
TOUCHED: Final = "touched >= {upto:DateTime64(3, 'UTC')}"
CHOSEN: Final = f"SELECT trace_id FROM settling WHERE run = {{run:String}} AND bucket = {IDLE}"
WANTED: Final = f"SELECT conversation_id FROM settling WHERE run = {{run:String}} AND bucket = {TALKS}"


class Bucket(NamedTuple):
    """A step of a run: its traces and conversations, and the days on which they lie. Of `removed` traces
    only facts are left."""

    number: int
    traces: int
    talks: int
    first_day: date
    last_day: date
    removed: int


class Plan(NamedTuple):
    """What is to be done, and what must wait: conversations that are not idle, by the oldest touch."""

    buckets: list[Bucket]
    waiting: int
    oldest: datetime | None


def plan(
    t: Telemetry,
    run: str,
    *,
    upto: datetime,
    recent: datetime,
    idle_before: int,
    ended: Sequence[str],
    gap_s: float | None,
    size: int,
) -> Plan:
    """Write the run's work down. `gap_s` None joins no traces by their user."""
    params: dict[str, Any] = {
        "run": run,
        "upto": upto,
        "recent": recent,
        "idle_before": idle_before,
        "ended": list(ended),
        "size": size,
        "by_user": int(gap_s is not None),
        "gap_us": int((gap_s or 0.0) * 1e6),
    }
    _write(t, _touched(), params)
    (state,) = t.query(near(t.topology, _WAITING), params).to_pylist()
    oldest = state["oldest"].astimezone(UTC) if state["waiting"] else None
    if not state["idle"]:
        return Plan([], state["waiting"], oldest)
    _write(t, _talks(gap_s is not None), params)
    (span,) = t.query(near(t.topology, _SPAN), params).to_pylist()
    _write(t, _work(), params | {"first": span["first"], "last": span["last"]})
    return Plan(_buckets(t, run), state["waiting"], oldest)


def plan_again(
    t: Telemetry, run: str, talks: Sequence[str], *, first: datetime, last: datetime, number: int, size: int
) -> list[Bucket]:
    """Write down that these conversations, which lie between two moments, are settled once more as they
    are, in buckets from this number on. Those in which something is going on wait for that."""
    params = {"run": run, "talks": list(talks), "first": first, "last": last, "number": number, "size": size}
    _write(t, _AGAIN, params)
    return _buckets(t, run, since=number)


def _buckets(t: Telemetry, run: str, *, since: int = 0) -> list[Bucket]:
    rows = t.query(
        "SELECT bucket, count() AS traces, uniqExact(conversation_id) AS talks, min(first_day) AS first, "
        "max(last_day) AS last, "
        f"countIf(touched = {NEVER}) AS removed FROM settling "
        f"WHERE run = {{run:String}} AND bucket < {IDLE} AND bucket >= {{since:UInt32}} "
        "GROUP BY bucket ORDER BY bucket",
        {"run": run, "since": since},
    )
    return [
        Bucket(row["bucket"], row["traces"], row["talks"], row["first"], row["last"], row["removed"])
        for row in rows.to_pylist()
    ]


def _write(t: Telemetry, select: str, params: dict[str, Any]) -> None:
    t.command(f"INSERT INTO settling ({COLUMNS}) {near(t.topology, select)} {SETTINGS}", params)


def _touched() -> str:
    """What was touched, by every key that it may belong to, with whether the key is idle by what came.

    A log can't have ended after it was delivered: a clock that runs ahead must not keep it open."""
    recent = (
        "SELECT trace_id, max(touched) AS at, groupUniqArrayArray(conversation_ids) AS ids, "
        "max(arrayMax(facts.values.end_ns)) AS end_ns, "
        "arrayFilter(x -> x != '', groupUniqArrayArray(facts.values.user_id)) AS users, "
        "groupUniqArrayArray(facts.values.service) AS services, min(day) AS first, max(day) AS last "
        f"FROM interactions WHERE {TOUCHED} GROUP BY trace_id"
    )
    by_user = f"arrayFlatten(arrayMap(u -> arrayMap(s -> {user_key('s', 'u')}, services), users))"
    keys = f"multiIf(notEmpty(ids), ids, {{by_user:UInt8}} AND notEmpty(users), {by_user}, [trace_id])"
    keyed = (
        "SELECT trace_id, at, first, last, key, least(intDiv(end_ns, 1000), "
        "toUnixTimestamp64Micro(toDateTime64(at, 6, 'UTC'))) AS end_us, "
        f"has({{ended:Array(String)}}, trace_id) AS over FROM ({recent}) ARRAY JOIN {keys} AS key"
    )
    return (
        "SELECT {run:String}, if(max(end_us) OVER (PARTITION BY key) <= {idle_before:Int64} "
        f"OR max(over) OVER (PARTITION BY key), {IDLE}, {OPEN}), trace_id, key, at, first, last "
        f"FROM ({keyed})"
    )


def user_key(service: str, user: str) -> str:
    return f"concat('\\0', {service}, '\\0', {user})"


_KNOWN_LATELY: Final = (
    "SELECT log_id, computed_at FROM signals FINAL WHERE unit = 'interaction' "
    "AND computed_at >= {upto:DateTime64(6, 'UTC')} AND toDate(started) GLOBAL IN ("
    f"SELECT arrayJoin([first_day, last_day]) FROM settling WHERE run = {{run:String}} AND bucket = {OPEN})"
)
_WAITING: Final = (
    "SELECT uniqExactIf(conversation_id, waits) AS waiting, minIf(touched, waits) AS oldest, "
    f"countIf(bucket = {IDLE}) AS idle FROM ("
    f"SELECT bucket, conversation_id, touched, bucket = {OPEN} AND (known.log_id = '' "
    "OR touched >= toDateTime64(known.computed_at, 3, 'UTC')) AS waits FROM ("
    f"SELECT * FROM settling WHERE run = {{run:String}} AND bucket IN ({IDLE}, {OPEN})) AS touched_now "
    f"LEFT ANY JOIN ({_KNOWN_LATELY}) AS known ON known.log_id = touched_now.trace_id)"
)
_SPAN: Final = (
    "SELECT min(started) AS first, max(ended) AS last FROM signals FINAL "
    f"WHERE unit = 'conversation' AND log_id GLOBAL IN ({WANTED})"
)


def _talks(by_user: bool) -> str:
    """The conversations that the run is about: those of the idle keys, those that their traces were in
    before, and those of the same users beside them."""
    before = (
        "SELECT conversation_id FROM signals FINAL WHERE unit = 'interaction' "
        f"AND log_id GLOBAL IN ({CHOSEN}) "
        f"AND toDate(started) GLOBAL IN (SELECT day FROM interactions WHERE trace_id GLOBAL IN ({CHOSEN}))"
    )
    named = f"SELECT conversation_id FROM settling WHERE run = {{run:String}} AND bucket = {IDLE}"
    every = f"{named} UNION DISTINCT SELECT trace_id FROM ({CHOSEN}) UNION DISTINCT {before}"
    if by_user:
        every += f" UNION DISTINCT {_beside()}"
    nothing = "toDateTime64(0, 3, 'UTC'), toDate(0), toDate(0)"
    return f"SELECT {{run:String}}, {TALKS}, '', conversation_id, {nothing} FROM ({every})"


def _beside() -> str:
    """Conversations of users that came again, with an interaction not further from it than the gap."""
    came = (
        "SELECT trace_id, user_id, started, ended FROM interactions_final "
        f"WHERE trace_id GLOBAL IN ({CHOSEN}) AND user_id != '' AND conversation_id = trace_id"
    )
    gap = "toIntervalMicrosecond({gap_us:Int64})"
    settled = (
        "SELECT user_id, conversation_id, started, ended FROM signals FINAL WHERE unit = 'interaction' "
        f"AND started >= (SELECT min(started) FROM ({came})) - {gap} - toIntervalDay(1) "
        f"AND started <= (SELECT max(ended) FROM ({came})) + {gap} "
        f"AND user_id GLOBAL IN (SELECT user_id FROM ({came}))"
    )
    return (
        f"SELECT settled.conversation_id AS conversation_id FROM ({settled}) AS settled "
        f"INNER JOIN ({came}) AS came ON came.user_id = settled.user_id "
        f"WHERE settled.started <= came.ended + {gap} AND settled.ended >= came.started - {gap}"
    )


def _work() -> str:
    """Every trace of each conversation that is not computed, or that has changed since.

    Traces that retention has removed stay a part of theirs: their facts count, and `touched` is 0. The
    days are also those of the conversation's row as it was, so that it is found where it has moved."""
    settled = (
        "FROM signals FINAL WHERE unit = 'interaction' "
        "AND started >= {first:DateTime64(6, 'UTC')} AND started <= {last:DateTime64(6, 'UTC')} "
        f"AND conversation_id GLOBAL IN ({WANTED})"
    )
    old = f"SELECT log_id {settled}"
    members = f"{CHOSEN} UNION DISTINCT {old}"
    traces = (
        "SELECT trace_id, min(day) AS first_day, max(day) AS last_day, max(touched) AS last_touched, "
        "groupUniqArrayArray(conversation_ids) AS ids "
        f"FROM interactions WHERE trace_id GLOBAL IN ({members}) GROUP BY trace_id HAVING max(traced) = 1"
    )
    unclear = (
        "SELECT trace_id FROM interactions "
        f"WHERE trace_id GLOBAL IN ({members}) GROUP BY trace_id "
        "HAVING length(groupUniqArrayArray(conversation_ids) AS ids) > 1 OR ({by_user:UInt8} AND empty(ids))"
    )
    told = f"SELECT * FROM ({_sessions(unclear)})"
    placed = (
        "SELECT trace_id, first_day, last_day, last_touched, told.joined AS joined, "
        "multiIf(told.talk != '', told.talk, length(ids) = 1, ids[1], trace_id) AS talk "
        f"FROM ({traces}) AS traces LEFT ANY JOIN ({told}) AS told USING (trace_id)"
    )
    removed = (
        "SELECT log_id AS trace_id, toDate(started) AS first_day, toDate(started) AS last_day, "
        f"{NEVER} AS last_touched, 0 AS joined, conversation_id AS talk "
        f"{settled} AND log_id GLOBAL NOT IN ("
        f"SELECT trace_id FROM interactions WHERE trace_id GLOBAL IN ({old}))"
    )
    every = f"SELECT * FROM ({placed}) UNION ALL SELECT * FROM ({removed})"
    grouped = (
        "SELECT talk, groupArray((trace_id, first_day, last_day, last_touched)) AS members, "
        "min(first_day) AS begun, max(last_touched) AS changed, count() AS size, max(joined) AS joined "
        f"FROM ({every}) GROUP BY talk HAVING changed > {NEVER}"
    )
    known = (
        "SELECT log_id, started, turns, computed_at FROM signals FINAL "
        f"WHERE unit = 'conversation' AND log_id GLOBAL IN ({WANTED})"
    )
    todo = (
        "SELECT talk, members, begun, changed, talks.size AS size, "
        f"if(known.log_id = '', begun, toDate(known.started)) AS was FROM ({grouped}) AS talks "
        f"LEFT ANY JOIN ({known}) AS known ON known.log_id = talks.talk "
        f"WHERE (joined OR talk GLOBAL IN ({WANTED})) "
        "AND (known.log_id = '' OR changed >= toDateTime64(known.computed_at, 3, 'UTC') "
        f"OR turns != talks.size OR talk GLOBAL IN ({_grown()}))"
    )
    return (
        "SELECT {run:String}, toUInt32(intDiv(running - 1, {size:UInt32})), member.1, talk, "
        f"if(member.4 > {NEVER}, changed, member.4), least(member.2, was), member.3 "
        "FROM (SELECT talk, members, changed, was, "
        "sum(size) OVER (ORDER BY begun, talk ROWS UNBOUNDED PRECEDING) AS running "
        f"FROM ({todo})) ARRAY JOIN members AS member"
    )


def _again() -> str:
    """What is written down of conversations that are settled once more."""
    members = (
        "SELECT log_id, conversation_id, toDate(started) AS day FROM signals FINAL "
        "WHERE unit = 'interaction' AND started >= {first:DateTime64(6, 'UTC')} "
        "AND started <= {last:DateTime64(6, 'UTC')} AND conversation_id IN {talks:Array(String)} "
        "AND conversation_id GLOBAL NOT IN ("
        f"SELECT conversation_id FROM settling WHERE run = {{run:String}} AND bucket = {OPEN})"
    )
    traces = (
        "SELECT trace_id, min(day) AS first_day, max(day) AS last_day, max(touched) AS last_touched "
        f"FROM interactions WHERE trace_id GLOBAL IN (SELECT log_id FROM ({members})) GROUP BY trace_id"
    )
    known = "traces.trace_id != ''"
    member = (
        f"(members.log_id, if({known}, traces.first_day, members.day), "
        f"if({known}, traces.last_day, members.day), traces.last_touched)"
    )
    grouped = (
        f"SELECT members.conversation_id AS talk, groupArray({member}) AS members_of, "
        "min(members.day) AS begun "
        f"FROM ({members}) AS members LEFT ANY JOIN ({traces}) AS traces "
        "ON traces.trace_id = members.log_id GROUP BY talk HAVING max(traces.last_touched) > 0"
    )
    return (
        "SELECT {run:String}, toUInt32({number:UInt32} + intDiv(running - 1, {size:UInt32})), "
        "member.1, talk, member.4, member.2, member.3 FROM (SELECT talk, members_of, "
        "sum(length(members_of)) OVER (ORDER BY begun, talk ROWS UNBOUNDED PRECEDING) AS running "
        f"FROM ({grouped})) ARRAY JOIN members_of AS member"
    )


_AGAIN: Final = _again()


def _sessions(traces: str) -> str:
    """The conversation of these traces, by what each says first, else by user and gap: trace_id, talk,
    joined. The order of arrival plays no part: a session is named after its first trace."""
    rows = (
        "SELECT trace_id, conversation_id, user_id, service, started, ended, "
        "{by_user:UInt8} AND conversation_id = trace_id AND user_id != '' AS joined "
        f"FROM interactions_final WHERE trace_id GLOBAL IN ({traces})"
    )
    same = "PARTITION BY joined, service, user_id ORDER BY started, trace_id"
    parted = (
        "SELECT *, joined AND toUnixTimestamp64Micro(started) - ifNull(max(toUnixTimestamp64Micro(ended)) "
        f"OVER ({same} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) <= {{gap_us:Int64}} AS goes_on "
        f"FROM ({rows})"
    )
    numbered = f"SELECT *, sum(NOT goes_on) OVER ({same} ROWS UNBOUNDED PRECEDING) AS session FROM ({parted})"
    whole = "PARTITION BY joined, service, user_id, session ORDER BY started, trace_id"
    first = f"first_value(trace_id) OVER ({whole})"
    return f"SELECT trace_id, if(joined, {first}, conversation_id) AS talk, joined FROM ({numbered})"


def _grown() -> str:
    """Conversations computed lately, with another number of spans than was counted then."""
    touched = "SELECT trace_id FROM interactions WHERE touched >= {recent:DateTime64(3, 'UTC')}"
    days = "SELECT day FROM interactions WHERE touched >= {recent:DateTime64(3, 'UTC')}"
    counted = (
        "SELECT trace_id, uniqExactArray(mapKeys(facts)) AS arrived FROM interactions "
        f"WHERE trace_id GLOBAL IN ({touched}) GROUP BY trace_id"
    )
    known = (
        "SELECT log_id, conversation_id, spans FROM signals FINAL WHERE unit = 'interaction' "
        f"AND log_id GLOBAL IN ({touched}) AND toDate(started) GLOBAL IN ({days})"
    )
    return (
        f"SELECT known.conversation_id FROM ({known}) AS known "
        f"INNER JOIN ({counted}) AS counted ON counted.trace_id = known.log_id "
        "WHERE spans != arrived"
    )
