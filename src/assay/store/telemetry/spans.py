"""Spans in and out, as OpenTelemetry delivered them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.mapping import HASH, RICHNESS

MAX_SPANS = 10_000
IDS = 4_000
"""Ids bound in one statement: a server takes fields of limited size only."""


def insert_spans(t: Telemetry, rows: pa.Table) -> None:
    """Append spans (columns of `otel_traces`), durably. Repeating it, in any order, changes nothing."""
    t.insert("otel_traces", rows)


def insert_records(t: Telemetry, rows: pa.Table) -> None:
    """Append log records (columns of `otel_logs`), durably."""
    t.insert("otel_logs", rows)


def locate_spans(t: Telemetry, span_ids: Sequence[str]) -> dict[str, str]:
    """The trace of each of these spans that is there."""
    return _traces_of(t, span_ids, "")


def locate_recent(t: Telemetry, span_ids: Sequence[str]) -> dict[str, str]:
    """The same for spans of the last 30 days: nothing finds a span by its id but to look at all."""
    return _traces_of(t, span_ids, "WHERE Timestamp > now() - INTERVAL 30 DAY ")


def _traces_of(t: Telemetry, span_ids: Sequence[str], when: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(span_ids), IDS):
        rows = t.query(
            "SELECT SpanId, min(TraceId) AS trace FROM otel_traces "
            f"PREWHERE SpanId IN {{span_ids:Array(String)}} {when}GROUP BY SpanId",
            {"span_ids": list(span_ids[start : start + IDS])},
        )
        found |= {row["SpanId"]: row["trace"] for row in rows.to_pylist()}
    return found


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
