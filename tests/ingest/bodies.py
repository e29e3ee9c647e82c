"""Request bodies made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assay.ingest.columns import LOG_SCHEMA, SPAN_SCHEMA
from assay.ingest.otlp import DecodedRecords, DecodedSpans, decode_logs, decode_traces
from assay.ingest.payload import Kind, Limits, Payload

PROTOBUF, JSON = "application/x-protobuf", "application/json"
ALWAYS, NEVER = 0, 2**63
"""From how many bytes on requests are read as columns."""

START_NS, END_NS, RECEIVED_NS = 1_700_000_000 * 10**9, 1_700_000_001 * 10**9, 1_770_000_000 * 10**9 + 7


def payload(
    body: bytes, content_type: str = PROTOBUF, encoding: str = "", *, kind: Kind = "traces"
) -> Payload:
    return Payload(
        kind=kind,
        body=body,
        content_type=content_type,
        content_encoding=encoding,
        received_ns=RECEIVED_NS,
    )


def spans_of(body: bytes, content_type: str = PROTOBUF, encoding: str = "", **limits: int) -> DecodedSpans:
    """Read as columns and item by item, which must agree."""
    sent = [payload(body, content_type, encoding)]
    decoded = decode_traces(sent, Limits(**limits), columns_from=ALWAYS)
    _agree(decoded.spans, decode_traces(sent, Limits(**limits), columns_from=NEVER).spans, SPAN_SCHEMA)
    return decoded


def records_of(body: bytes, content_type: str = PROTOBUF, **limits: int) -> DecodedRecords:
    """Read as columns and item by item, which must agree."""
    sent = [payload(body, content_type, kind="logs")]
    decoded = decode_logs(sent, Limits(**limits), columns_from=ALWAYS)
    _agree(decoded.records, decode_logs(sent, Limits(**limits), columns_from=NEVER).records, LOG_SCHEMA)
    return decoded


def _agree(columns: pa.Table, items: pa.Table, schema: pa.Schema) -> None:
    columns.validate(full=True)
    assert columns.schema == schema
    assert columns.equals(items)


def request(count: int = 1, change: Callable[[Any], None] | None = None) -> Any:
    """A request of good spans, the second changed."""
    export = ExportTraceServiceRequest()
    group = export.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "tracer", "1.2"
    for i in range(count):
        span = scope.spans.add(trace_id=bytes([1] * 16), span_id=bytes([i + 1] * 8), name=f"span {i}", kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = START_NS, END_NS
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
        if change is not None and i == min(1, count - 1):
            change(span)
    return export


def span_row(change: Callable[[Any], None]) -> dict[str, Any]:
    """The row of one changed span."""
    row: dict[str, Any] = spans_of(request(1, change).SerializeToString()).spans.to_pylist()[0]
    return row | {"SpanAttributes": dict(row["SpanAttributes"])}


def json_text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def json_span(number: int) -> dict[str, Any]:
    return {
        "traceId": "AB" * 16,
        "spanId": f"{number:02x}" * 8,
        "name": "n",
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": 1_700_000_000_000_000_007,
        "status": {"code": "STATUS_CODE_ERROR"},
        "unknownField": [{}],
        "attributes": [
            {"key": "i", "value": {"intValue": "12"}},
            {"key": "j", "value": {"intValue": 13}},
            {"key": "d", "value": {"doubleValue": "NaN"}},
            {"key": "a", "value": {"arrayValue": {"values": [{"boolValue": False}, {"doubleValue": 1.0}]}}},
            {"key": "b", "value": {"bytesValue": "AP8="}},
            {"key": "none", "value": {}},
        ],
        "events": None,
    }


def json_request(spans: list[dict[str, Any]]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
