"""Everything that is kept, read out day by day as Arrow batches, so that memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, get_args

import pyarrow as pa

from assay.query import Condition
from assay.records import Log, Turn, Unit, Window
from assay.store.telemetry.condition import EARLIEST, Where, compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.logs import Words, read_logs
from assay.store.telemetry.scope import LOGS, bind_scope

Kind = Literal[
    "spans", "records", "interactions", "conversations", "signals", "selections", "scores", "labels"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

BATCH: Final = 500
"""Conversations that are put together at once."""

FLAT: Final = "SETTINGS max_block_size = 8192, max_threads = 2"


class Exported(NamedTuple):
    """The columns, and the rows as they come."""

    schema: pa.Schema
    batches: Generator[pa.RecordBatch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows of a kind stand. `key` is what a filter's logs are matched by: a trace, or a log of the
    filter's unit. `days` reads the days that may have rows, where the time itself is costly to read."""

    table: str
    time: str
    key: str
    select: str = "*"
    where: str = "1"
    days: str = ""


SOURCES: Final[Mapping[str, Source]] = {
    "spans": Source(table="otel_traces", time="Timestamp", key="TraceId"),
    "records": Source(table="otel_logs", time="Timestamp", key="TraceId"),
    "interactions": Source(
        table="interactions_final",
        time="started",
        key="trace_id",
        where=(
            "trace_id GLOBAL IN (SELECT trace_id FROM interactions "
            "WHERE day >= toDate32({begin:DateTime64(6, 'UTC')}, 'UTC') - 1 "
            "AND day <= toDate32({stop:DateTime64(6, 'UTC')}, 'UTC') + 1)"
        ),
        days=(
            "SELECT DISTINCT toDate32(day) + arrayJoin([-1, 0, 1]) AS day FROM interactions "
            "WHERE traced = 1 ORDER BY day"
        ),
    ),
    "signals": Source(
        table="signals FINAL",
        time="started",
        key="log_id",
        select="* EXCEPT (is_deleted)",
        where="unit = {unit:String} AND is_deleted = 0",
    ),
    "selections": Source(
        table="selections FINAL", time="started", key="log_id", where="unit = {unit:String}"
    ),
    "scores": Source(
        table="scores FINAL", time="started", key="log_id", where="kind != 'human' AND unit = {unit:String}"
    ),
    "labels": Source(
        table="scores FINAL", time="started", key="log_id", where="kind = 'human' AND unit = {unit:String}"
    ),
}
BY_TRACE: Final = ("spans", "records", "interactions")

_COLUMNS: Final[list[pa.Field[Any]]] = [
    pa.field("id", pa.string()),
    pa.field("timestamp", pa.timestamp("us", "UTC")),
    pa.field("messages", pa.string()),
    pa.field("context", pa.list_(pa.string())),
    pa.field("user_id", pa.string()),
    pa.field("service", pa.string()),
    pa.field("environment", pa.string()),
    pa.field("version", pa.string()),
    pa.field("model", pa.string()),
    pa.field("meta", pa.string()),
    pa.field("turns", pa.int64()),
    pa.field("errors", pa.int64()),
    pa.field("latency_ms", pa.float64()),
    pa.field("input_tokens", pa.int64()),
    pa.field("output_tokens", pa.int64()),
    pa.field("cost_usd", pa.float64()),
    pa.field("signals", pa.list_(pa.string())),
]
CONVERSATION: Final = pa.schema(_COLUMNS)
"""The columns that an import reads, then facts that it computes anew."""


def export(
    t: Telemetry,
    kind: Kind,
    unit: Unit = "conversation",
    window: Window | None = None,
    condition: Condition | None = None,
    *,
    words: Words | None = None,
    now: datetime | None = None,
) -> Exported:
    """All rows of a kind whose time lies in the window, in order of days; with a condition those of the
    settled logs that it holds of. Conversations are those that are settled."""
    where = None if condition is None else compile_condition(condition, words=words, now=now)
    if kind == "conversations":
        return Exported(CONVERSATION, _conversations(t, window, where))
    source = SOURCES[kind]
    rows = (
        f"SELECT {source.select} FROM {source.table} WHERE {source.where} "
        f"AND {source.time} >= {{begin:DateTime64(6, 'UTC')}} "
        f"AND {source.time} < {{stop:DateTime64(6, 'UTC')}}"
    )
    if where is not None:
        rows += f" AND {source.key} GLOBAL IN ({_matching(kind in BY_TRACE, unit, where)})"
    sql = near(t.topology, rows)
    none = _bound(source, unit, Window.of_day(date(2000, 1, 1)), where)
    schema = t.query(f"SELECT * FROM ({sql}) LIMIT 0", none).schema
    return Exported(schema, _rows(t, sql, source, unit, window, where))


def _rows(
    t: Telemetry, sql: str, source: Source, unit: Unit, window: Window | None, where: Where | None
) -> Generator[pa.RecordBatch]:
    for day in _days(t, source, unit, window):
        yield from t.stream(f"{sql} {FLAT}", _bound(source, unit, day, where))


def _bound(source: Source, unit: Unit, day: Window, where: Where | None) -> dict[str, Any]:
    """A log may begin long before what belongs to it: it goes on for days, or is thought of later."""
    first = day.start - timedelta(days=1) if source.key == "log_id" else EARLIEST
    wider = Window(start=first, end=day.end + timedelta(days=1))
    return {
        **bind_scope(unit, wider),
        **(where.params if where else {}),
        "begin": day.start,
        "stop": day.end,
    }


def _matching(traces: bool, unit: Unit, where: Where) -> str:
    """The logs that the condition holds of; for rows of traces the traces of these."""
    logs = f"SELECT log_id FROM {LOGS} AND {where.sql}"
    if not traces or unit == "interaction":
        return logs
    return (
        f"SELECT log_id FROM signals FINAL WHERE unit = 'interaction' AND conversation_id GLOBAL IN ({logs})"
    )


def _days(t: Telemetry, source: Source, unit: Unit, window: Window | None) -> list[Window]:
    """The days of the window that have rows, cut to it."""
    every = source.days or (
        f"SELECT DISTINCT toDate32({source.time}, 'UTC') AS day FROM {source.table} "
        f"WHERE {source.where} ORDER BY day"
    )
    rows = t.query(every, {"unit": unit})
    days = [Window.of_day(row["day"]) for row in rows.to_pylist()]
    if window is None:
        return days
    cut = [(max(day.start, window.start), min(day.end, window.end)) for day in days]
    return [Window(start=start, end=end) for start, end in cut if start < end]


def _conversations(t: Telemetry, window: Window | None, where: Where | None) -> Generator[pa.RecordBatch]:
    """One row a conversation, as a file that can be imported."""
    condition = f"AND {where.sql}" if where else ""
    sql = near(t.topology, f"SELECT log_id FROM {LOGS} {condition} ORDER BY started, log_id")
    for day in _days(t, SOURCES["signals"], "conversation", window):
        params = {**bind_scope("conversation", day), **(where.params if where else {})}
        ids = [row["log_id"] for row in t.query(sql, params).to_pylist()]
        for start in range(0, len(ids), BATCH):
            logs = read_logs(t, "conversation", ids[start : start + BATCH])
            yield pa.RecordBatch.from_pylist([_row(log) for log in logs], schema=CONVERSATION)


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    """What was said and called in a turn, as an import reads it."""
    began, ended = (at.astimezone(UTC).isoformat() for at in (turn.started, turn.ended))
    if turn.input:
        yield {"role": "user", "content": turn.input, "ts": began}
    for number, call in enumerate(turn.tool_calls):
        key = f"{turn.interaction_id}-{number}"
        asked = {"id": key, "name": call.name, "arguments": call.arguments}
        yield {"role": "assistant", "content": "", "tool_calls": [asked], "ts": began}
        answer = {"role": "tool", "tool_call_id": key, "name": call.name, "content": call.result, "ts": began}
        yield answer | ({"is_error": True} if call.error else {})
    if turn.output:
        yield {"role": "assistant", "content": turn.output, "ts": ended}


def _row(log: Log) -> dict[str, Any]:
    return {
        "id": log.log_id,
        "timestamp": log.started,
        "messages": json.dumps([one for turn in log.turns for one in _messages(turn)], ensure_ascii=False),
        "context": list(log.turns[-1].context) if log.turns else [],
        "user_id": log.user_id,
        "service": log.service,
        "environment": log.environment,
        "version": log.version,
        "model": log.model,
        "meta": json.dumps(dict(log.attributes), ensure_ascii=False),
        "turns": len(log.turns),
        "errors": log.errors,
        "latency_ms": log.latency_ms,
        "input_tokens": log.input_tokens,
        "output_tokens": log.output_tokens,
        "cost_usd": log.cost_usd,
        "signals": list(log.signals),
    }
