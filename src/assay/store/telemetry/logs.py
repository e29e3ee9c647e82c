"""Logs as people and metrics read them: lists, counts, and whole logs with their turns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from assay.errors import CallerError, UnknownName
from assay.query import Condition
from assay.records import Log, LogRow, ToolCall, Turn, Unit, Window
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import LOGS, bind_scope

SLICED: Final = frozenset({"service", "environment", "version", "model"})
ATTRIBUTE: Final = re.compile(r'attr\["(.*)"\]', re.DOTALL)
FACTS: Final = (
    "unit, log_id, conversation_id, started, ended, turns, service, environment, version, user_id, model, "
    "latency_ms, input_tokens, output_tokens, cost_usd, llm_calls, tool_calls, tool_errors, errors, "
    "feedback, arrayMap(name -> toString(name), signals) AS signals, "
    "CAST(attributes, 'Map(String, String)') AS attributes"
)
PREVIEW: Final = "leftUTF8(input, 300) AS input, leftUTF8(output, 300) AS output"
MAX_TURNS: Final = 1_000


class LogList(NamedTuple):
    """Rows, newest first, and the `after` that asks for those behind them (None: there are none)."""

    rows: tuple[LogRow, ...]
    next: str | None


def data_window(t: Telemetry) -> Window | None:
    """From the first to just past the last log; None where there is none."""
    (row,) = t.query(
        "SELECT count() AS n, min(started) AS first, max(started) AS last FROM signals FINAL"
    ).to_pylist()
    if not row["n"]:
        return None
    return Window(start=_utc(row["first"]), end=_utc(row["last"]) + timedelta(microseconds=1))


def totals(t: Telemetry, window: Window) -> tuple[int, int, datetime | None, datetime | None]:
    """Interactions, conversations, and when the first and the last of them started."""
    (row,) = t.query(
        "SELECT countIf(unit = 'interaction') AS interactions, countIf(unit = 'conversation') AS talks, "
        "min(started) AS first, max(started) AS last FROM signals FINAL "
        "WHERE started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}",
        bind_scope("conversation", window),
    ).to_pylist()
    if not row["interactions"] + row["talks"]:
        return 0, 0, None, None
    return row["interactions"], row["talks"], _utc(row["first"]), _utc(row["last"])


def count_logs(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> int:
    """How many logs the condition holds of."""
    where = compile_condition(condition, words=words, now=now)
    rows = t.query(
        f"SELECT count() AS n FROM {LOGS} AND {where.sql}", bind_scope(unit, window) | where.params
    )
    return int(rows["n"][0].as_py())


def list_logs(
    t: Telemetry,
    unit: Unit,
    window: Window,
    condition: Condition | None = None,
    *,
    limit: int = 50,
    after: str | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> LogList:
    """Logs that the condition holds of, newest first; texts are cut to previews.

    `after` is what the page before gave as `next`. Raises CallerError where it is not."""
    where = compile_condition(condition, words=words, now=now)
    params = bind_scope(unit, window) | where.params | {"limit": limit + 1}
    behind = ""
    if after:
        params |= _read_key(after)
        behind = "AND (started, log_id) < (fromUnixTimestamp64Micro({at:Int64}, 'UTC'), {id:String}) "
    # the keys first: texts are read for the rows that are shown, not for all that match
    keys = t.query(
        f"SELECT log_id, started FROM {LOGS} AND {where.sql} {behind}"
        "ORDER BY started DESC, log_id DESC LIMIT {limit:UInt32}",
        params,
    ).to_pylist()
    shown = keys[:limit]
    rows = fact_rows(t, unit, [row["log_id"] for row in shown], _around(shown))
    more = len(keys) > limit
    return LogList(tuple(rows), _write_key(shown[-1]) if more else None)


def fact_rows(
    t: Telemetry, unit: Unit, log_ids: Sequence[str], window: Window | None, *, whole: bool = False
) -> list[LogRow]:
    """The facts of these logs in this order, of those there are; `whole` with their texts uncut."""
    if not log_ids or window is None:
        return []
    rows = t.query(
        f"SELECT {FACTS}, {'input, output' if whole else PREVIEW} FROM {LOGS} "
        "AND log_id IN {ids:Array(String)}",
        bind_scope(unit, window) | {"ids": list(log_ids)},
    ).to_pylist()
    found = {row["log_id"]: _log_row(row) for row in rows}
    return [found[log_id] for log_id in log_ids if log_id in found]


def started_of(t: Telemetry, unit: Unit, log_ids: Sequence[str]) -> dict[str, datetime]:
    """When each of these logs started, of those that have their facts."""
    if not log_ids:
        return {}
    rows = t.query(
        "SELECT log_id, started FROM signals FINAL WHERE unit = {unit:String} "
        "AND log_id IN {ids:Array(String)}",
        {"unit": unit, "ids": list(log_ids)},
    ).to_pylist()
    return {row["log_id"]: _utc(row["started"]) for row in rows}


def read_logs(t: Telemetry, unit: Unit, log_ids: Sequence[str]) -> list[Log]:
    """These logs whole, with their turns, in this order, of those that have their facts."""
    started = started_of(t, unit, log_ids)
    window = _spanning(list(started.values()))
    facts = fact_rows(t, unit, log_ids, window, whole=True)
    if unit == "interaction":
        turns = {row.log_id: [row.log_id] for row in facts}
    else:
        turns = turns_of(t, [row.log_id for row in facts], facts)
    told = read_turns(t, [trace for traces in turns.values() for trace in traces])
    return [
        _log(row, tuple(told[trace] for trace in turns.get(row.log_id, ()) if trace in told)) for row in facts
    ]


def turns_of(
    t: Telemetry, conversation_ids: Sequence[str], facts: Sequence[LogRow] = ()
) -> dict[str, list[str]]:
    """The interactions of each of these conversations, in order of time."""
    if not conversation_ids:
        return {}
    window = _spanning([time for row in facts for time in (row.started, row.ended)])
    near = "AND started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')} "
    rows = t.query(
        "SELECT conversation_id, log_id FROM signals FINAL WHERE unit = 'interaction' "
        f"{near if window else ''}AND conversation_id IN {{ids:Array(String)}} ORDER BY started, log_id",
        (bind_scope("interaction", window) if window else {}) | {"ids": list(conversation_ids)},
    ).to_pylist()
    turns: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        turns[row["conversation_id"]].append(row["log_id"])
    return turns


def unsettled_turns(t: Telemetry, conversation_id: str) -> list[str]:
    """The interactions of a conversation straight from the spans, settled or not."""
    rows = t.query(
        "SELECT trace_id FROM interactions_final WHERE trace_id IN ("
        "SELECT trace_id FROM interactions WHERE has(conversation_ids, {id:String}) OR trace_id = {id:String}"
        f") AND conversation_id = {{id:String}} ORDER BY started, trace_id LIMIT {MAX_TURNS}",
        {"id": conversation_id},
    )
    return [str(trace_id) for trace_id in rows["trace_id"].to_pylist()]


def read_turns(t: Telemetry, trace_ids: Sequence[str]) -> dict[str, Turn]:
    """What was asked, done and answered in each of these interactions."""
    if not trace_ids:
        return {}
    rows = t.query(
        "SELECT trace_id, started, ended, input, output, error, tools, context FROM interactions_final "
        "WHERE trace_id IN {ids:Array(String)}",
        {"ids": list(trace_ids)},
    ).to_pylist()
    return {
        row["trace_id"]: Turn(
            interaction_id=row["trace_id"],
            started=_utc(row["started"]),
            ended=_utc(row["ended"]),
            input=row["input"],
            output=row["output"],
            tool_calls=tuple(
                ToolCall(
                    name=tool["name"],
                    arguments=tool["arguments"],
                    result=tool["result"],
                    error=bool(tool["error"]),
                )
                for tool in row["tools"]
            ),
            context=tuple(row["context"]),
            error=row["error"],
        )
        for row in rows
    }


def signal_counts(t: Telemetry, unit: Unit, window: Window) -> dict[str, int]:
    """How many logs raise each signal."""
    rows = t.query(
        f"SELECT toString(arrayJoin(signals)) AS name, count() AS n FROM {LOGS} GROUP BY name ORDER BY name",
        bind_scope(unit, window),
    ).to_pylist()
    return {row["name"]: row["n"] for row in rows}


def slice_counts(
    t: Telemetry, unit: Unit, window: Window, field: str, top: int = 20
) -> list[tuple[str, int]]:
    """The commonest values of a field (service, environment, version, model, `attr["key"]`), empty
    ones left out. Raises UnknownName for another field."""
    params: dict[str, Any] = bind_scope(unit, window) | {"top": top}
    if found := ATTRIBUTE.fullmatch(field):
        expression, params["key"] = "attributes[{key:String}]", found[1]
    elif field in SLICED:
        expression = f"toString({field})"
    else:
        raise UnknownName(
            f'no field `{field}` to slice by; there are {", ".join(sorted(SLICED))}, attr["key"]'
        )
    rows = t.query(
        f"SELECT {expression} AS value, count() AS n FROM {LOGS} GROUP BY value HAVING value != '' "
        "ORDER BY n DESC, value LIMIT {top:UInt32}",
        params,
    ).to_pylist()
    return [(row["value"], row["n"]) for row in rows]


def attribute_keys(t: Telemetry, unit: Unit, window: Window, most_values: int = 30) -> list[str]:
    """The attributes that divide the logs into a few groups, the commonest first."""
    rows = t.query(
        "SELECT toString(pair.1) AS key, count() AS n, uniq(pair.2) AS kinds FROM ("
        f"SELECT arrayJoin(CAST(attributes, 'Array(Tuple(String, String))')) AS pair FROM {LOGS}"
        ") GROUP BY key HAVING kinds BETWEEN 2 AND {most:UInt32} ORDER BY n DESC, key",
        bind_scope(unit, window) | {"most": most_values},
    ).to_pylist()
    return [row["key"] for row in rows]


def _log(row: LogRow, turns: tuple[Turn, ...]) -> Log:
    return Log(
        unit=row.unit,
        log_id=row.log_id,
        conversation_id=row.conversation_id,
        started=row.started,
        ended=row.ended,
        input=row.input,
        output=row.output,
        turns=turns,
        user_id=row.user_id,
        service=row.service,
        environment=row.environment,
        version=row.version,
        model=row.model,
        latency_ms=row.latency_ms,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        errors=row.errors,
        signals=row.signals,
        attributes=row.attributes,
    )


def _log_row(row: dict[str, Any]) -> LogRow:
    times = {"started": _utc(row["started"]), "ended": _utc(row["ended"])}
    made = {"signals": tuple(row["signals"]), "attributes": dict(row["attributes"])}
    return LogRow(**{**row, **times, **made})


def _around(rows: Sequence[Mapping[str, Any]]) -> Window | None:
    return _spanning([_utc(row["started"]) for row in rows])


def _spanning(times: Sequence[datetime]) -> Window | None:
    """The window from the first to just past the last of these times."""
    return Window(start=min(times), end=max(times) + timedelta(microseconds=1)) if times else None


def _write_key(row: Mapping[str, Any]) -> str:
    micros = (_utc(row["started"]) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}:{row['log_id']}"


def _read_key(text: str) -> dict[str, Any]:
    micros, colon, log_id = text.partition(":")
    if not colon or not re.fullmatch(r"-?\d{1,18}", micros):
        raise CallerError(f"after={text[:40]!r} is none that a page gave as `next`")
    return {"at": int(micros), "id": log_id}


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
