"""What fuzzing starts from: requests that hold one of everything, and captured ones."""

from __future__ import annotations

import gzip
from pathlib import Path

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
