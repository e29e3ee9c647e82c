"""The same spans, whichever way they come; the SDK's own exporters against a server that is busy; a bomb."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.scenarios.otlp import HEADERS, request, trace_id, turn
from tests.scenarios.project import SETTINGS, Project, Server
from tests.web.door import FakeDoor
from tests.web.fake import FakePages

from assay.errors import AssayError, PayloadError
from assay.records import Arrival, Received
from assay.web.rpc import RpcServer
from assay.web.serve import serve_in_thread
from assay.web.site import create_web

pytestmark = pytest.mark.slow

MB = 2**20
JSON = "application/json"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"), SETTINGS)


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[Server]:
    with project.serving() as running:
        yield running


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """OTLP's own JSON: ids are hexadecimal there."""
    tree = MessageToDict(message, use_integers_for_enums=True)
    spans = [span for spans in message.resource_spans for scope in spans.scope_spans for span in scope.spans]
    listed = [span for one in tree["resourceSpans"] for scope in one["scopeSpans"] for span in scope["spans"]]
    for span, written in zip(spans, listed, strict=True):
        written["traceId"], written["spanId"] = span.trace_id.hex(), span.span_id.hex()
        written["parentSpanId"] = span.parent_span_id.hex()
    return json.dumps(tree).encode()


def test_every_transport_gives_the_same(project: Project, server: Server) -> None:
    def http(message: ExportTraceServiceRequest, **more: str) -> None:
        headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in more.items()}}
        body = as_json(message) if "json" in headers["content-type"] else message.SerializeToString()
        if "content-encoding" in headers:
            body = gzip.compress(body)
        assert server.http.post("/v1/traces", content=body, headers=headers).status_code == 200

    def rpc(message: ExportTraceServiceRequest, compression: grpc.Compression) -> None:
        with grpc.insecure_channel(server.grpc) as channel:
            channel.unary_unary(EXPORT)(message.SerializeToString(), compression=compression, timeout=30)

    ways: list[Callable[[ExportTraceServiceRequest], object]] = [
        http,
        lambda message: http(message, content_encoding="gzip"),
        lambda message: http(message, content_type=JSON),
        lambda message: http(
            message, content_type="application/json; charset=utf-8", content_encoding="gzip"
        ),
        lambda message: rpc(message, grpc.Compression.NoCompression),
        lambda message: rpc(message, grpc.Compression.Gzip),
    ]
    for number, send in enumerate(ways, 1):
        send(request(turn(number, talk="same", tools=2)))
    project.run("sample")
    rows = {row["log_id"]: row for row in project.json("logs", "--unit", "interaction")["rows"]}
    assert rows.keys() == {trace_id(number) for number in range(1, len(ways) + 1)}
    for row in rows.values():
        for differing in ("log_id", "started", "ended", "similarity", "signals"):
            row.pop(differing, None)
    first, *others = rows.values()
    assert others == [first] * (len(ways) - 1)
    status = server.http.get("/api/ingest").json()
    assert {one["name"]: one["requests"] for one in status["transports"]} == {"http": 4, "grpc": 2}


def test_a_bomb_is_refused_and_costs_little_memory(server: Server) -> None:
    bomb = gzip.compress(bytes(80 * MB), compresslevel=9)
    before = peak_kb(server)
    for path in ("/v1/traces", "/v1/logs"):
        headers = {**HEADERS, "content-encoding": "gzip"}
        assert server.http.post(path, content=bomb, headers=headers).status_code == 413
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(80 * MB), compression=grpc.Compression.Gzip, timeout=60)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak_kb(server) - before < 150 * 1024


def peak_kb(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


class Busy(FakeDoor):
    """Sends senders away twice, then takes what they have."""

    def take(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> None:
        if len(self.refusals) < 2:
            raise PayloadError("256 MB wait to be stored: send again in a few seconds", http_status=503)
        super().take(arrival, answer)


def spans() -> tuple[ReadableSpan, ...]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("test").start_as_current_span("chat"):
        pass
    return tuple(kept.get_finished_spans())


def test_exporters_come_back_to_a_busy_server() -> None:
    pages, sent = FakePages(), spans()
    pages.door = Busy()
    serving = serve_in_thread(create_web(pages, warm=False, rng=SoonRandom()))
    http = HttpExporter(endpoint=f"{serving.address}/v1/traces", timeout=60)
    assert http.export(sent) is SpanExportResult.SUCCESS
    http.shutdown()  # type: ignore[no-untyped-call]
    serving.stop()
    assert len(pages.door.arrivals) == 1
    door: FakeDoor = Busy()
    server = RpcServer(lambda: door, rng=SoonRandom())
    rpc = GrpcExporter(endpoint=server.start("127.0.0.1", 0), insecure=True, timeout=60)
    assert rpc.export(sent) is SpanExportResult.SUCCESS
    rpc.shutdown()
    server.stop()
    assert [one.kind for one in door.arrivals] == ["traces"]
    message = ExportTraceServiceRequest.FromString(door.arrivals[0].body)
    assert message.resource_spans[0].scope_spans[0].spans[0].name == "chat"


class SoonRandom(random.Random):
    """Sends everybody back as soon as it can be."""

    def randint(self, a: int, b: int) -> int:
        return a


def test_settings_of_the_port(tmp_path: Path, server: Server) -> None:
    taken = server.grpc.rpartition(":")[2]
    refused = Project(tmp_path / "a", f"[server]\ngrpc_port = {taken}\n").run(
        "serve", "--port", "0", code=None
    )
    assert refused.code == 3
    assert "grpc_port" in refused.err
    with Project(tmp_path / "b", "[server]\ngrpc_port = -1\n").serving() as other:
        assert other.grpc == "off"
