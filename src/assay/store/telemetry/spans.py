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
