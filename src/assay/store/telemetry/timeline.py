"""The spans of traces as a timeline: what each was, how long it took, what it cost in tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from assay.records import SpanDetail, SpanEvent
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.mapping import HASH, RICHNESS
from assay.store.telemetry.rows import utc

_HERE: Final = (
    "FROM otel_traces PREWHERE TraceId IN {ids:Array(String)} WHERE toDate(Timestamp) IN "
    "(SELECT day FROM interactions WHERE trace_id IN {ids:Array(String)})"
)
"""The spans of these traces, on the days that they have any."""


def read_lines(t: Telemetry, trace_ids: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """What is known of each span of these traces, in time order, at most `limit` of a trace: trace_id,
    span_id, parent_id, name, kind, start_ns, end_ns, error, message, model, service, tokens_in, tokens_out
    (None where it names none), and how many its trace has (`among`).

    Nothing but a name is read from `otel_traces`, and that only where spans are kept."""
    facts = (
        "SELECT trace_id, length(facts) AS among, arrayJoin(arraySlice(arraySort(x -> "
        "(x.2.start_ns <= 0, x.2.start_ns, x.1), arrayZip(mapKeys(facts), mapValues(facts))), 1, "
        "{limit:UInt32})) AS pair FROM interactions FINAL WHERE trace_id IN {ids:Array(String)}"
    )
    names = (
        f"SELECT TraceId AS trace_id, SpanId AS span_id, argMax(SpanName, Duration) AS name {_HERE} "
        "GROUP BY TraceId, SpanId"
    )
    columns = ("parent_id", "kind", "start_ns", "end_ns", "error", "message", "model", "service")
    told = ", ".join(f"tupleElement(pair.2, '{name}') AS {name}" for name in columns)
    tokens = ", ".join(f"toUInt64OrNull(tupleElement(pair.2, '{name}')) AS {name}" for name in TOKENS)
    sql = (
        "SELECT lines.*, names.name AS name FROM ("
        f"SELECT trace_id, among, pair.1 AS span_id, {told}, {tokens} FROM ({facts})) AS lines "
        f"LEFT JOIN ({names}) AS names USING (trace_id, span_id) "
        "ORDER BY trace_id, start_ns <= 0, start_ns, end_ns DESC, span_id"
    )
    return t.query(sql, {"ids": list(trace_ids), "limit": limit}).to_pylist()


TOKENS: Final = ("tokens_in", "tokens_out")


def read_span(t: Telemetry, trace_id: str, span_id: str) -> SpanDetail | None:
    """One span whole, in its richest version; None where it is not kept."""
    rows = t.query(
        f"SELECT * {_HERE} AND SpanId = {{span:String}} ORDER BY {RICHNESS} DESC, {HASH} DESC LIMIT 1",
        {"ids": [trace_id], "span": span_id},
    ).to_pylist()
    return _detail(rows[0]) if rows else None


def _detail(row: Mapping[str, Any]) -> SpanDetail:
    started = utc(row["Timestamp"])
    times, names, given = row["Events.Timestamp"], row["Events.Name"], row["Events.Attributes"]
    return SpanDetail(
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        parent_id=row["ParentSpanId"],
        name=row["SpanName"],
        service=row["ServiceName"],
        scope=row["ScopeName"],
        started=started,
        duration_ms=row["Duration"] / 1e6,
        status=row["StatusCode"],
        message=row["StatusMessage"],
        attributes=dict(row["SpanAttributes"]),
        resource=dict(row["ResourceAttributes"]),
        events=tuple(
            SpanEvent(
                name=name,
                offset_ms=(utc(at) - started).total_seconds() * 1000,
                attributes=dict(attributes),
            )
            for at, name, attributes in zip(times, names, given, strict=True)
        ),
        links=tuple(row["Links.TraceId"]),
    )
