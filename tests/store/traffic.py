"""Spans made by hand, and captured ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits, Payload
from assay.store.telemetry.connection import Telemetry

START = datetime(2026, 3, 4, 12, tzinfo=UTC)
Span = dict[str, Any]


def span(
    span_id: str,
    parent: str = "",
    *,
    trace: str = "t1",
    at: float = 0.0,
    seconds: float = 1.0,
    name: str = "work",
    status: str = "Unset",
    message: str = "",
    resource: Mapping[str, str] | None = None,
    events: Iterable[tuple[str, Mapping[str, str]]] = (),
    **attributes: str,
) -> Span:
    """One row of `otel_traces`; a double underscore in an attribute's name stands for a dot."""
    begun = START + timedelta(seconds=at)
    happened = list(events)
    return {
        "Timestamp": begun,
        "TraceId": trace,
        "SpanId": span_id,
        "ParentSpanId": parent,
        "TraceState": "",
        "SpanName": name,
        "SpanKind": "Internal",
        "ServiceName": "shop",
        "ResourceAttributes": list((resource or {"service.name": "shop"}).items()),
        "ScopeName": "test",
        "ScopeVersion": "",
        "SpanAttributes": [(key.replace("__", "."), value) for key, value in attributes.items()],
        "Duration": int(seconds * 1e9),
        "StatusCode": status,
        "StatusMessage": message,
        "Events.Timestamp": [begun for _ in happened],
        "Events.Name": [event for event, _ in happened],
        "Events.Attributes": [list(fields.items()) for _, fields in happened],
        "Links.TraceId": [],
        "Links.SpanId": [],
        "Links.TraceState": [],
        "Links.Attributes": [],
    }


def table(spans: Iterable[Span]) -> pa.Table:
    return pa.Table.from_pylist(list(spans), schema=SPAN_SCHEMA)


def interaction(t: Telemetry, *spans: Span) -> dict[str, Any]:
    """What the store makes of the spans of one trace."""
    t.insert("otel_traces", table(spans))
    rows = interactions(t)
    assert len(rows) == 1
    return rows[0]


def interactions(t: Telemetry) -> list[dict[str, Any]]:
    """Every interaction, but for when it was last written."""
    rows: list[dict[str, Any]] = t.query("SELECT * FROM interactions_final ORDER BY trace_id").to_pylist()
    return [{name: value for name, value in row.items() if name != "touched"} for row in rows]


def captured(shared: Path, client: str) -> pa.Table:
    """The spans that a real client sent, in its order."""
    bodies = sorted((shared / "otlp" / "raw" / client).glob("*_traces.pb"))
    payloads = [
        Payload(kind="traces", body=path.read_bytes(), content_type="application/x-protobuf", received_ns=1)
        for path in bodies
    ]
    return decode_traces(payloads, Limits()).spans
