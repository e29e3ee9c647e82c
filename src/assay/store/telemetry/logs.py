"""Logs as people and metrics read them: counted, listed, and one in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from assay.errors import CallerError
from assay.query import Condition
from assay.records import ConversationPage, Log, LogRow, Turn, TurnRow, Unit, Window
from assay.store.telemetry.condition import Where, compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import LISTED, LOG_ROW, TURN, log_of, log_row, summed, turn_of, utc
from assay.store.telemetry.scope import LOGS, bind_scope
from assay.store.telemetry.slices import FIRST_ROWS, asks_index, cost_ns, slices, versions

IDS: Final = 1_000
"""Ids bound in one statement: a server takes fields of limited size only."""

Words = Mapping[str, Sequence[str]]

_BY_KEY: Final = "SETTINGS optimize_move_to_prewhere_if_final = 1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS: Final = (
    "SELECT min(started) AS first, max(started) AS last, count() AS logs FROM signals FINAL "
    "WHERE toDate(started) = {day:Date}"
)

HEAVY_NS: Final = 300.0
"""A condition that takes longer than this on a row reads texts: its search begins with fewer rows."""


class Listed(NamedTuple):
    """One page of a list; `next` is the `after` of the following page, if there is one. Where a budget
    was spent before the page was full, `searched_to` is how far back the search has come."""

    rows: tuple[LogRow, ...]
    next: str | None
    searched_to: datetime | None


class Tally(NamedTuple):
    """How many logs, of those that began at `since` or later; of all, where that is None."""

    logs: int
    since: datetime | None


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
    return tally_logs(t, unit, window, condition, words=words, now=now).logs


def tally_logs(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
    now: datetime | None = None,
    budget_ms: float | None = None,
) -> Tally:
    """The same, within about `budget_ms`: the newest logs are counted first, back to `since`."""
    found, spent_ms, most_ns = 0, 0.0, cost_ns(condition)
    if condition is None or budget_ms is None or _size(t, window) * most_ns / 1e6 <= budget_ms:
        return Tally(_count(t, unit, window, condition, words, now), None)
    first_rows = int(budget_ms * 1e6 / most_ns / 4)
    for part in slices(_sizes(t), window, first_rows):
        if spent_ms and spent_ms + part.rows * most_ns / 1e6 > budget_ms:
            return Tally(found, part.window.end)
        found += _count(t, unit, part.window, condition, words, now)
        spent_ms += part.rows * most_ns / 1e6
    return Tally(found, None)


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
    budget_ms: float | None = None,
) -> Listed:
    """Logs that the condition holds of, newest first; `after` is where the page before ended.

    Only as much of the window is read as fills the page. With a budget the search may also end before
    that: then `next` is where it goes on, and `searched_to` the time back to which it has come."""
    params: dict[str, Any] = {}
    beyond = ""
    if after:
        params = _read_cursor(after)
        beyond = "AND (started, log_id) < ({after_started:DateTime64(6, 'UTC')}, {after_id:String})"
        beside = timedelta(microseconds=1 if params["after_id"] else 0)
        window = _until(window, params["after_started"] + beside)
    found: list[tuple[datetime, str]] = []
    spent_ms, most_ns = 0.0, cost_ns(condition)
    first_rows = max(FIRST_ROWS, 4 * limit) if most_ns < HEAVY_NS else FIRST_ROWS // 2
    if asks_index(condition):
        first_rows = 8 * FIRST_ROWS
    if budget_ms is not None:
        first_rows = max(1, min(first_rows, int(budget_ms * 1e6 / most_ns / 2)))
    for part in slices(_sizes(t), window, first_rows):
        if budget_ms is not None and spent_ms + part.rows * most_ns / 1e6 > budget_ms and spent_ms:
            stopped = part.window.end
            rows = _rows_of(t, unit, found)
            return Listed(rows, f"{_micros(stopped)}.", stopped)
        where = _compile(condition, unit, part.window, words, now)
        bound = Where("", params | where.params | {"limit": limit + 1 - len(found)})
        sql = (
            f"SELECT log_id, started FROM {LOGS} AND {where.sql} {beyond} "
            "ORDER BY started DESC, log_id DESC LIMIT {limit:UInt32}"
        )
        found += [(utc(row["started"]), row["log_id"]) for row in _select(t, sql, unit, part.window, bound)]
        spent_ms += part.rows * most_ns / 1e6
        if len(found) > limit:
            break
    rows = _rows_of(t, unit, found[:limit])
    more = len(found) > limit and limit > 0
    return Listed(rows, f"{_micros(found[limit - 1][0])}.{found[limit - 1][1]}" if more else None, None)


def data_window(t: Telemetry) -> Window | None:
    """From the first to the last settled log, of either unit; None where there is none.

    Only the outermost days are read; more where all of their rows were taken back."""
    days = sorted(_sizes(t))
    ends = []
    for end, order in (("first", days), ("last", list(reversed(days)))):
        for day in order:
            (row,) = t.query(_ENDS, {"day": day}).to_pylist()
            if row["logs"]:
                ends.append(utc(row[end]))
                break
    return Window(start=ends[0], end=ends[1] + timedelta(microseconds=1)) if ends else None


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
    facts = _facts_of(t, "conversation", [conversation_id]).get(conversation_id)
    own = _members(t, facts) if facts else {}
    rows = _interactions_of(t, conversation_id, list(own), f"{TURN}, touched" if facts else "*")
    if not rows and facts is None:
        return None
    turns = [TurnRow(turn=turn_of(row), facts=own.get(row["trace_id"])) for row in rows]
    here = {row["trace_id"] for row in rows}
    missing = facts is not None and facts.turns > len(rows)
    expired = [_bare(fact) for key, fact in own.items() if missing and key not in here]
    return ConversationPage(
        conversation_id=conversation_id,
        settled=facts is not None and (not rows or bool(expired) or _is_current(t, facts, rows)),
        facts=facts or summed("conversation", conversation_id, rows),
        turns=tuple(sorted((*turns, *expired), key=lambda row: (row.turn.started, row.turn.interaction_id))),
        expired=len(expired),
    )


def _members(t: Telemetry, facts: LogRow) -> dict[str, LogRow]:
    """The settled interactions of a conversation: they lie in its time."""
    sql = (
        f"SELECT {LOG_ROW} FROM signals FINAL WHERE unit = 'interaction' AND conversation_id = {{id:String}} "
        "AND started >= {first:DateTime64(6, 'UTC')} AND started <= {last:DateTime64(6, 'UTC')}"
    )
    params = {"id": facts.conversation_id, "first": facts.started, "last": max(facts.started, facts.ended)}
    return {row["log_id"]: log_row(row) for row in t.query(sql, params).to_pylist()}


def _bare(fact: LogRow) -> TurnRow:
    """A turn of which only facts are left."""
    turn = Turn(interaction_id=fact.log_id, started=fact.started, ended=fact.ended, input="", output="")
    return TurnRow(turn=turn, facts=fact)


def _sizes(t: Telemetry) -> dict[date, int]:
    """About how many rows each day has."""
    return {day: version.rows for day, version in versions(t)["signals"].items()}


def _size(t: Telemetry, window: Window) -> int:
    first, last = window.start.astimezone(UTC).date(), window.end.astimezone(UTC).date()
    return sum(rows for day, rows in _sizes(t).items() if first <= day <= last)


def _until(window: Window, moment: datetime) -> Window:
    """The window up to the moment."""
    end = min(window.end, max(moment, window.start))
    return Window(start=window.start, end=end)


def _compile(
    condition: Condition | None, unit: Unit, window: Window, words: Words | None, now: datetime | None
) -> Where:
    return compile_condition(condition, words=words, now=now, within=window, unit=unit)


def _count(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None,
    words: Words | None,
    now: datetime | None,
) -> int:
    where = _compile(condition, unit, window, words, now)
    found = _select(t, f"SELECT count() AS logs FROM {LOGS} AND {where.sql}", unit, window, where)
    return int(found[0]["logs"])


def _rows_of(t: Telemetry, unit: Unit, found: Sequence[tuple[datetime, str]]) -> tuple[LogRow, ...]:
    """These logs in full and in this order, read by their key."""
    if not found:
        return ()
    sql = (
        f"SELECT {LISTED} FROM signals FINAL WHERE unit = {{unit:String}} "
        "AND started IN {times:Array(DateTime64(6, 'UTC'))} AND log_id IN {ids:Array(String)} "
        f"ORDER BY started DESC, log_id DESC {_BY_KEY}"
    )
    params = {"unit": unit, "times": [time for time, _ in found], "ids": [log_id for _, log_id in found]}
    return tuple(log_row(row) for row in t.query(sql, params).to_pylist())


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
    places = {key: key for key in facts}
    if unit == "conversation":
        sql = (
            "SELECT log_id, conversation_id FROM signals FINAL WHERE unit = 'interaction' "
            "AND started >= {first:DateTime64(6, 'UTC')} AND started <= {last:DateTime64(6, 'UTC')} "
            "AND conversation_id IN {ids:Array(String)}"
        )
        first = min(fact.started for fact in facts.values())
        last = max(fact.ended for fact in facts.values())
        found = t.query(sql, {"ids": list(facts), "first": first, "last": last}).to_pylist()
        places = {row["log_id"]: row["conversation_id"] for row in found}
    sql = f"SELECT {TURN} FROM interactions_final WHERE trace_id IN {{ids:Array(String)}} {_BY_KEY}"
    rows = [row for ids in _batches(places) for row in t.query(sql, {"ids": ids}).to_pylist()]
    for row in sorted(rows, key=lambda row: (row["started"], row["trace_id"])):
        turns[places[row["trace_id"]]].append(turn_of(row))
    return turns


def _interactions_of(
    t: Telemetry, conversation_id: str, members: list[str], columns: str
) -> list[dict[str, Any]]:
    """The interactions that name the conversation, or name none and were joined to it. Columns that are
    not asked for cost nothing."""
    traces = (
        "SELECT trace_id FROM interactions WHERE has(conversation_ids, {id:String}) "
        "UNION DISTINCT SELECT trace_id FROM interactions WHERE trace_id = {id:String} "
        "UNION DISTINCT SELECT arrayJoin({members:Array(String)})"
    )
    sql = (
        f"SELECT * FROM (SELECT {columns} FROM interactions_final "
        f"WHERE trace_id GLOBAL IN ({traces})) WHERE conversation_id = {{id:String}} "
        "OR (conversation_id = trace_id AND has({members:Array(String)}, trace_id)) "
        f"ORDER BY started, trace_id {_BY_KEY}"
    )
    return t.query(near(t.topology, sql), {"id": conversation_id, "members": members}).to_pylist()


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


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _read_cursor(after: str) -> dict[str, Any]:
    micros, _, log_id = after.partition(".")
    try:
        return {"after_started": _EPOCH + timedelta(microseconds=int(micros)), "after_id": log_id}
    except (ValueError, OverflowError):
        raise CallerError(f"{after!r} is no place in a list: use the `next` of the page before") from None
