"""Logs as people and metrics read them: counted, listed, divided, and one in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from assay.errors import CallerError, FilterError
from assay.query import Compare, Condition, parse
from assay.records import ConversationPage, Log, LogRow, Turn, TurnRow, Unit, Window
from assay.store.telemetry.condition import Where, compile_condition, compile_subject
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import LOG_ROW, TURN, log_of, log_row, summed, turn_of, utc
from assay.store.telemetry.scope import LOGS, bind_scope

IDS: Final = 1_000
"""Ids bound in one statement: a server takes fields of limited size only."""

Words = Mapping[str, Sequence[str]]

_BY_KEY: Final = "SETTINGS optimize_move_to_prewhere_if_final = 1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Listed(NamedTuple):
    """One page of a list; `next` is the `after` of the following page, if there is one."""

    rows: tuple[LogRow, ...]
    next: str | None


class Counts(NamedTuple):
    """How many logs a window has, and when the first and the last of them began."""

    interactions: int
    conversations: int
    first: datetime | None
    last: datetime | None


def count_logs(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
    now: datetime | None = None,
) -> int:
    """How many settled logs of the window the condition holds of."""
    where = compile_condition(condition, words=words, now=now)
    found = _select(t, f"SELECT count() AS logs FROM {LOGS} AND {where.sql}", unit, window, where)
    return int(found[0]["logs"])


def list_logs(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    limit: int = 50,
    after: str | None = None,
    words: Words | None = None,
    now: datetime | None = None,
) -> Listed:
    """Logs that the condition holds of, newest first; `after` is where the page before ended."""
    where = compile_condition(condition, words=words, now=now)
    params, beyond = dict(where.params), ""
    if after:
        params |= _read_cursor(after)
        beyond = "AND (started, log_id) < ({after_started:DateTime64(6, 'UTC')}, {after_id:String})"
    page = (
        f"SELECT log_id FROM {LOGS} AND {where.sql} {beyond} "
        "ORDER BY started DESC, log_id DESC LIMIT {limit:UInt32}"
    )
    sql = f"SELECT {LOG_ROW} FROM {LOGS} AND log_id GLOBAL IN ({page}) ORDER BY started DESC, log_id DESC"
    params["limit"] = limit + 1
    rows = [log_row(row) for row in _select(t, f"{sql} {_BY_KEY}", unit, window, Where("", params))]
    more = len(rows) > limit
    return Listed(tuple(rows[:limit]), _cursor(rows[limit - 1]) if more and limit else None)


def histogram(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
    now: datetime | None = None,
) -> pa.Table:
    """Settled logs by UTC day: `day`, `logs`; days without any are left out."""
    where = compile_condition(condition, words=words, now=now)
    sql = (
        f"SELECT toDate32(started, 'UTC') AS day, count() AS logs FROM {LOGS} AND {where.sql} "
        "GROUP BY day ORDER BY day"
    )
    return t.query(near(t.topology, sql), bind_scope(unit, window) | where.params)


def data_window(t: Telemetry) -> Window | None:
    """From the first to the last settled log, of either unit; None where there is none."""
    sql = "SELECT min(started) AS first, max(started) AS last, count() AS logs FROM signals FINAL"
    (row,) = t.query(sql).to_pylist()
    if not row["logs"]:
        return None
    return Window(start=utc(row["first"]), end=utc(row["last"]) + timedelta(microseconds=1))


def totals(t: Telemetry, window: Window) -> Counts:
    """How many settled logs of each unit the window has."""
    sql = "SELECT count() AS logs, min(started) AS first, max(started) AS last FROM " + LOGS
    (of_interactions,) = _select(t, sql, "interaction", window)
    (of_conversations,) = _select(t, sql, "conversation", window)
    known = [row for row in (of_interactions, of_conversations) if row["logs"]]
    return Counts(
        interactions=of_interactions["logs"],
        conversations=of_conversations["logs"],
        first=min((utc(row["first"]) for row in known), default=None),
        last=max((utc(row["last"]) for row in known), default=None),
    )


def signal_counts(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
) -> dict[str, int]:
    """How many logs of the window, of those the condition holds of, each signal is raised on, most first."""
    where = compile_condition(condition, words=words)
    sql = (
        f"SELECT signal, count() AS logs FROM (SELECT signals FROM {LOGS} AND {where.sql}) "
        "ARRAY JOIN signals AS signal GROUP BY signal ORDER BY logs DESC, signal"
    )
    return {row["signal"]: row["logs"] for row in _select(t, sql, unit, window, where)}


def slice_counts(
    t: Telemetry,
    unit: Unit,
    window: Window,
    field: str,
    top: int = 20,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
) -> list[tuple[str, int]]:
    """The most frequent values of a text field or of `attr["x"]`, with their logs, of those the condition
    holds of; empty ones left out."""
    where = compile_condition(condition, words=words)
    subject = parse(f'{field} = ""')
    if not isinstance(subject, Compare):
        raise FilterError(f"{field!r} is no field to divide logs by")
    value = compile_subject(subject.subject)
    sql = (
        f"SELECT toString({value.sql}) AS value, count() AS logs FROM {LOGS} AND {where.sql} AND value != '' "
        "GROUP BY value ORDER BY logs DESC, value LIMIT {top:UInt32}"
    )
    rows = _select(t, sql, unit, window, Where("", value.params | where.params | {"top": top}))
    return [(row["value"], row["logs"]) for row in rows]


def attribute_keys(t: Telemetry, unit: Unit, window: Window) -> list[str]:
    """The keys of attributes in the window, the most frequent first."""
    sql = (
        f"SELECT key, count() AS logs FROM (SELECT mapKeys(attributes) AS keys FROM {LOGS}) "
        "ARRAY JOIN keys AS key GROUP BY key ORDER BY logs DESC, key"
    )
    return [row["key"] for row in _select(t, sql, unit, window)]


def started_of(t: Telemetry, unit: Unit, log_ids: Iterable[str]) -> dict[str, datetime]:
    """When each of these logs began; those that are not settled are missing."""
    sql = (
        "SELECT log_id, started FROM signals FINAL "
        f"WHERE unit = {{unit:String}} AND log_id IN {{ids:Array(String)}} {_BY_KEY}"
    )
    found: dict[str, datetime] = {}
    for ids in _batches(log_ids):
        rows = t.query(sql, {"unit": unit, "ids": ids}).to_pylist()
        found |= {row["log_id"]: utc(row["started"]) for row in rows}
    return found


def read_logs(t: Telemetry, unit: Unit, log_ids: Iterable[str]) -> list[Log]:
    """These logs in full and in this order; those that are not settled are left out."""
    logs = []
    for ids in _batches(log_ids):
        facts = _facts_of(t, unit, ids)
        turns = _turns_of(t, unit, facts)
        logs += [log_of(facts[key], turns[key]) for key in ids if key in facts]
    return logs


def conversation_detail(t: Telemetry, conversation_id: str) -> ConversationPage | None:
    """A conversation, settled or not, with every turn and its facts; None where there is none.

    Scores and selections are empty: they are asked for where they are kept."""
    rows = _interactions_of(t, conversation_id)
    if not rows:
        return None
    facts = _facts_of(t, "conversation", [conversation_id]).get(conversation_id)
    own = _facts_of(t, "interaction", [row["trace_id"] for row in rows])
    return ConversationPage(
        conversation_id=conversation_id,
        settled=facts is not None and _is_current(t, facts, rows),
        facts=facts or summed("conversation", conversation_id, rows),
        turns=tuple(TurnRow(turn=turn_of(row), facts=own.get(row["trace_id"])) for row in rows),
    )


def _select(
    t: Telemetry, sql: str, unit: Unit, window: Window, where: Where | None = None
) -> list[dict[str, Any]]:
    bound = bind_scope(unit, window) | (where.params if where else {})
    return t.query(near(t.topology, sql), bound).to_pylist()


def _facts_of(t: Telemetry, unit: Unit, ids: Sequence[str]) -> dict[str, LogRow]:
    sql = (
        f"SELECT {LOG_ROW} FROM signals FINAL "
        f"WHERE unit = {{unit:String}} AND log_id IN {{ids:Array(String)}} {_BY_KEY}"
    )
    found: dict[str, LogRow] = {}
    for batch in _batches(ids):
        rows = t.query(sql, {"unit": unit, "ids": batch}).to_pylist()
        found |= {row["log_id"]: log_row(row) for row in rows}
    return found


def _turns_of(t: Telemetry, unit: Unit, facts: Mapping[str, LogRow]) -> Mapping[str, list[Turn]]:
    """The turns of each log in time order. Conversations' interactions lie within their days."""
    turns: dict[str, list[Turn]] = defaultdict(list)
    if not facts:
        return turns
    params: dict[str, Any] = {"ids": list(facts)}
    traces, key = "{ids:Array(String)}", "trace_id"
    if unit == "conversation":
        key = "conversation_id"
        params |= {
            "first": min(fact.started for fact in facts.values()),
            "last": max(fact.ended for fact in facts.values()),
        }
        traces = (
            "(SELECT log_id FROM signals FINAL WHERE unit = 'interaction' "
            "AND started >= {first:DateTime64(6, 'UTC')} AND started <= {last:DateTime64(6, 'UTC')} "
            "AND conversation_id IN {ids:Array(String)})"
        )
    sql = (
        f"SELECT {TURN} FROM interactions_final WHERE trace_id GLOBAL IN {traces} "
        f"ORDER BY started, trace_id {_BY_KEY}"
    )
    for row in t.query(near(t.topology, sql), params).to_pylist():
        turns[row[key]].append(turn_of(row))
    return turns


def _interactions_of(t: Telemetry, conversation_id: str) -> list[dict[str, Any]]:
    traces = (
        "SELECT trace_id FROM interactions WHERE has(conversation_ids, {id:String}) "
        "UNION DISTINCT SELECT trace_id FROM interactions WHERE trace_id = {id:String}"
    )
    sql = (
        "SELECT * FROM (SELECT * FROM interactions_final "
        f"WHERE trace_id GLOBAL IN ({traces})) WHERE conversation_id = {{id:String}} "
        f"ORDER BY started, trace_id {_BY_KEY}"
    )
    return t.query(near(t.topology, sql), {"id": conversation_id}).to_pylist()


def _is_current(t: Telemetry, facts: LogRow, rows: Sequence[Mapping[str, Any]]) -> bool:
    sql = (
        "SELECT computed_at FROM signals FINAL "
        f"WHERE unit = 'conversation' AND log_id = {{id:String}} {_BY_KEY}"
    )
    (row,) = t.query(sql, {"id": facts.log_id}).to_pylist()
    touched = max(utc(row["touched"]) for row in rows)
    return len(rows) == facts.turns and touched <= utc(row["computed_at"])


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    every = list(dict.fromkeys(ids))
    for start in range(0, len(every), IDS):
        yield every[start : start + IDS]


def _cursor(row: LogRow) -> str:
    return f"{(row.started - _EPOCH) // timedelta(microseconds=1)}.{row.log_id}"


def _read_cursor(after: str) -> dict[str, Any]:
    micros, _, log_id = after.partition(".")
    try:
        return {"after_started": _EPOCH + timedelta(microseconds=int(micros)), "after_id": log_id}
    except (ValueError, OverflowError):
        raise CallerError(f"{after!r} is no place in a list: use the `next` of the page before") from None
