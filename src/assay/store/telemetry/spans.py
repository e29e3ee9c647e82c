"""Spans in and out, as OpenTelemetry delivered them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.mapping import HASH, RICHNESS

MAX_SPANS = 10_000


def insert_spans(t: Telemetry, rows: pa.Table) -> None:
    """Append spans (columns of `otel_traces`), durably. Repeating it, in any order, changes nothing."""
    t.insert("otel_traces", rows)


def insert_records(t: Telemetry, rows: pa.Table) -> None:
    """Append log records (columns of `otel_logs`), durably."""
    t.insert("otel_logs", rows)


def locate_spans(t: Telemetry, span_ids: Sequence[str]) -> dict[str, str]:
    """The trace of each of these spans that is there."""
    found = t.query(
        "SELECT SpanId, min(TraceId) AS trace FROM otel_traces "
        "PREWHERE SpanId IN {span_ids:Array(String)} GROUP BY SpanId",
        {"span_ids": list(span_ids)},
    )
    return {row["SpanId"]: row["trace"] for row in found.to_pylist()}


def read_spans(t: Telemetry, trace_ids: Sequence[str], *, limit: int = MAX_SPANS) -> pa.Table:
    """The spans of these traces in time order, each once, in its richest version; at most `limit`."""
    return t.query(
        f"""
        SELECT * FROM (
            SELECT * FROM otel_traces
            PREWHERE TraceId IN {{trace_ids:Array(String)}}
            WHERE toDate(Timestamp) IN (
                SELECT day FROM interactions WHERE trace_id IN {{trace_ids:Array(String)}}
            )
            ORDER BY {RICHNESS} DESC, {HASH} DESC
            LIMIT 1 BY TraceId, SpanId
        )
        ORDER BY Timestamp, TraceId, SpanId
        LIMIT {{limit:UInt64}}
        """,
        {"trace_ids": list(trace_ids), "limit": limit},
    )


def last_trace(t: Telemetry, conversation_id: str) -> str:
    """The newest interaction of a conversation; empty where none is known."""
    found = t.query(
        """
        SELECT trace_id FROM interactions_final
        WHERE trace_id IN (
            SELECT trace_id FROM interactions WHERE has(conversation_ids, {conversation_id:String})
        ) AND conversation_id = {conversation_id:String}
        ORDER BY started DESC, trace_id LIMIT 1
        """,
        {"conversation_id": conversation_id},
    )
    return "" if not found.num_rows else str(found["trace_id"][0].as_py())


def trace_of_span(t: Telemetry, span_id: str) -> str:
    """The trace of a span of the last 30 days; empty where none is known."""
    found = t.query(
        "SELECT TraceId FROM otel_traces WHERE SpanId = {span_id:String} "
        "AND Timestamp > now() - INTERVAL 30 DAY LIMIT 1",
        {"span_id": span_id},
    )
    return "" if not found.num_rows else str(found["TraceId"][0].as_py())
