"""What fuzzing starts from: requests that hold one of everything, and captured ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fuzz.laws import Body

START_NS = 1_750_000_000_000_000_000


def made() -> list[Body]:
    """One request of each kind, in protobuf and JSON."""
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    for group, scopes in ((traces.resource_spans.add(), "spans"), (logs.resource_logs.add(), "logs")):
        group.resource.attributes.add(key="service.name").value.string_value = "shop"
        group.schema_url = "https://schema"
        scope = group.scope_spans.add() if scopes == "spans" else group.scope_logs.add()
        scope.scope.name, scope.scope.version, scope.schema_url = "tracer", "1.2", "s"
        scope.scope.attributes.add(key="k").value.bool_value = True
        for i in range(3):
            _fill(scope.spans.add() if scopes == "spans" else scope.log_records.add(), i)
    return [
        Body("traces", traces.SerializeToString(), is_json=False),
        Body("logs", logs.SerializeToString(), is_json=False),
        Body("traces", _json(traces), is_json=True),
        Body("logs", _json(logs), is_json=True),
    ]


def captured(shared: Path) -> list[Body]:
    """The requests of real clients and the edge cases, where they are at hand."""
    found = []
    for path in sorted(shared.glob("otlp/raw/*/*.pb")) + sorted(shared.glob("otlp/edge/*.bin")):
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        if len(raw) < 60_000:
            found.append(Body("logs" if "_logs" in path.name else "traces", raw, is_json=False))
    texts = [path for path in sorted(shared.glob("otlp/*.json")) if path.stat().st_size < 60_000]
    return found + [
        Body("logs" if ".logs." in path.name else "traces", path.read_bytes(), is_json=True)
        for path in texts
        if path.name != "summary.json"
    ]


def _fill(item: Any, i: int) -> None:
    item.trace_id, item.span_id = bytes([1] * 16), bytes([i + 1] * 8)
    _values(item.attributes)
    if not hasattr(item, "events"):
        item.time_unix_nano, item.severity_number, item.event_name = START_NS + i, 9, "gen_ai.choice"
        item.body.kvlist_value.values.add(key="content").value.string_value = "hé"
        return
    item.parent_span_id, item.name, item.kind, item.trace_state = bytes([9] * 8), f"span {i}", 3, "a=b"
    item.start_time_unix_nano, item.end_time_unix_nano = START_NS, START_NS + 10**9
    item.status.code, item.status.message = 2, "no"
    _values(item.events.add(name="exception", time_unix_nano=START_NS + 5).attributes)
    _values(item.links.add(trace_id=bytes([7] * 16), span_id=bytes([8] * 8), trace_state="s").attributes)


def _values(attributes: Any) -> None:
    attributes.add(key="text").value.string_value = "grüße " * 25
    attributes.add(key="whole").value.int_value = -7
    attributes.add(key="real").value.double_value = 0.25
    attributes.add(key="truth").value.bool_value = False
    attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    attributes.add(key="none")
    values = attributes.add(key="list").value.array_value.values
    values.add().string_value = "a"
    values.add().kvlist_value.values.add(key="n").value.double_value = float("inf")


def _json(request: Any) -> bytes:
    """As OTLP has it: ids in hex where protobuf's own JSON has base64."""

    def fixed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: fixed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [fixed(one) for one in value]
        return (
            "0a" * (16 if key == "traceId" else 8) if key in ("traceId", "spanId", "parentSpanId") else value
        )

    return json.dumps(fixed(MessageToDict(request))).encode()
