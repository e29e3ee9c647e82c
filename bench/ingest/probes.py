"""A6: what a server does with traffic that is unusual, broken or hostile."""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from bench.ingest.load import as_json, parse
from bench.ingest.system import PROTOBUF, System
from bench.tree import Watch
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

MIB: Final = 2**20
WAIT_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A request, and what should come of it: the status, and how many of its trace's spans are stored;
    `rejected` as the answer counts them."""

    name: str
    bodies: tuple[bytes, ...]
    status: int = 200
    stored: int | None = None
    rejected: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/v1/traces"
    growth_mb: float | None = None
    typed_error: bool = False
    trace: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened, in words, and whether that was right."""

    text: str
    passed: bool


def run_probes(system: System) -> dict[str, Outcome]:
    """Each probe once, all on one server."""
    found: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as name, system.serving(Path(name)) as server:
        for probe in probes():
            with Watch(server.pid, every_s=0.02) as before:
                time.sleep(0.05)
            with Watch(server.pid, every_s=0.02) as watch:
                answers = [_post(server.port, probe, body, system.headers) for body in probe.bodies]
            growth_mb = watch.rss_mb - before.rss_mb
            status, content_type, content = answers[-1]
            held = None if probe.stored is None else _count(system, server.port, probe)
            found[probe.name] = _judge(probe, status, content_type, content, held, growth_mb)
    return found


def probes() -> list[Probe]:
    """The probes of the OTLP rules and of what clients really do."""
    listed: list[Probe] = []

    def add(name: str, *bodies: bytes, trace: int, **more: object) -> None:
        listed.append(Probe(name=name, bodies=bodies, trace=_trace_id(trace), **more))  # type: ignore[arg-type]

    plain = [_request(_spans(number)).SerializeToString() for number in range(10)]
    add("protobuf", plain[1], trace=1, stored=3)
    add("gzip", gzip.compress(plain[2]), trace=2, stored=3, headers={"Content-Encoding": "gzip"})
    add("the same batch twice", plain[3], plain[3], trace=3, stored=3)
    late = _spans(4)
    add("root in a later request", _raw(late[1:]), _raw(late[:1]), trace=4, stored=3)
    add("OTLP/JSON", as_json(plain[5]), trace=5, stored=3, headers={"Content-Type": "application/json"})
    charset = {"Content-Type": f"{PROTOBUF}; charset=utf-8"}
    add("content type with a charset", plain[6], trace=6, stored=3, headers=charset)
    add("empty request", b"", trace=0)
    add("garbage", b"\xff\x13garbage" * 8, trace=0, status=400)
    add("truncated", plain[7][:-20], trace=0, status=400)
    add("error body is a Status", b"\xff\x13garbage" * 8, trace=0, status=400, typed_error=True)
    spoilt = _raw(_spans(8)).replace(b"span 2", b"span \xff")
    add("one of 3 with bad UTF-8", spoilt, trace=8, stored=3, rejected=0)
    nameless = _spans(9)
    nameless[2].trace_id = b""
    add("one of 3 without a trace id", _raw(nameless), trace=9, stored=2, rejected=1)
    bomb = gzip.compress(_raw([*_spans(10), *(_huge(10, n) for n in range(20))]), 1)
    add(
        "80 MB in 0.4 MB of gzip",
        bomb,
        trace=0,
        status=413,
        growth_mb=150,
        headers={"Content-Encoding": "gzip"},
    )
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "hello"
    metrics.resource_metrics.add().scope_metrics.add().metrics.add().name = "hello"
    add("/v1/logs", logs.SerializeToString(), trace=0, path="/v1/logs")
    add("/v1/metrics", metrics.SerializeToString(), trace=0, path="/v1/metrics")
    zero = _spans(11)
    for span in zero:
        span.start_time_unix_nano = span.end_time_unix_nano = 0
    add("times of zero", _raw(zero), trace=11, stored=3)
    backwards = _spans(12)
    backwards[1].end_time_unix_nano = backwards[1].start_time_unix_nano - 10**9
    add("a span that ends before it starts", _raw(backwards), trace=12, stored=3)
    twice = _spans(13)
    twice[1].attributes.add(key="k").value.string_value = "1"
    twice[1].attributes.add(key="k").value.string_value = "2"
    twice[1].attributes.add(key="nan").value.double_value = float("nan")
    add("a key twice, and NaN", _raw(twice), trace=13, stored=3)
    large = _spans(14)
    large[1].attributes.add(key="input.value").value.string_value = "x" * 1_000_000
    add("an attribute of 1 MB", _raw(large), trace=14, stored=3)
    nul = _spans(15)
    nul[1].attributes.add(key="input.value").value.string_value = "a\0b 😀"
    add("NUL and an emoji", _raw(nul), trace=15, stored=3)
    typed = _spans(16)
    entry = typed[1].attributes.add(key="gen_ai.input.messages").value.array_value.values.add()
    entry.kvlist_value.values.add(key="role").value.string_value = "user"
    typed[1].attributes.add(key="bytes").value.bytes_value = b"\xff\x00"
    typed[1].attributes.add(key="empty")
    add("structured and empty values", _raw(typed), trace=16, stored=3)
    add("no root at all", _raw(_spans(17)[1:]), trace=17, stored=2)
    future = _spans(18)
    for span in future:
        span.start_time_unix_nano = span.end_time_unix_nano = 2**63 + 5
    add("times in the year 2262", _raw(future), trace=18, status=200)
    return listed


def _judge(
    probe: Probe, status: int, content_type: str, content: bytes, held: int | None, growth_mb: float
) -> Outcome:
    said, right = [str(status) if status else "no answer"], status == probe.status
    if held is not None:
        said.append(f"{held} stored")
        right &= held == probe.stored
    if probe.rejected is not None and status == 200:
        told = _rejected(content, content_type)
        said.append(f"{told} told as rejected" if told else "nothing said")
        right &= told == probe.rejected
    if probe.typed_error:
        said.append(content_type.partition(";")[0] or "no type")
        right &= content_type.startswith(PROTOBUF)
    if probe.growth_mb is not None:
        said.append(f"+{growth_mb:.0f} MB")
        right &= growth_mb < probe.growth_mb
    return Outcome(text=", ".join(said), passed=right)


def _count(system: System, port: int, probe: Probe) -> int:
    """Spans of the probe's trace, once they are as many as they should be or time has run out."""
    until, held = time.monotonic() + WAIT_S, 0
    while time.monotonic() < until:
        held = system.trace_spans(port, probe.trace.hex())
        if held == probe.stored:
            break
        time.sleep(0.3)
    return held


def _post(port: int, probe: Probe, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    link = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        link.request("POST", probe.path, body, {**headers, **probe.headers})
        answer = link.getresponse()
        return answer.status, answer.getheader("content-type", ""), answer.read()
    except (OSError, HTTPException):
        return 0, "", b""
    finally:
        link.close()


def _rejected(content: bytes, content_type: str) -> int:
    if not content_type.startswith(PROTOBUF):
        return -1
    count: int = ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans
    return count


def _trace_id(number: int) -> bytes:
    return (0xABCD0000 + number).to_bytes(16, "big") if number else b""


def _spans(number: int) -> list[Span]:
    """A root, a model call and a tool of an hour ago."""
    begun_ns = int(time.time() - 3600) * 10**9
    made = []
    for place, kind in enumerate(("AGENT", "LLM", "TOOL")):
        span = Span(
            trace_id=_trace_id(number) or b"\1" * 16,
            span_id=(number * 100 + place + 1).to_bytes(8, "big"),
            parent_span_id=b"" if place == 0 else (number * 100 + 1).to_bytes(8, "big"),
            name=f"span {place}",
            start_time_unix_nano=begun_ns + place,
            end_time_unix_nano=begun_ns + 10**9,
        )
        span.attributes.add(key="openinference.span.kind").value.string_value = kind
        made.append(span)
    return made


def _huge(number: int, place: int) -> Span:
    span = _spans(number)[1]
    span.span_id = (number * 100 + 50 + place).to_bytes(8, "big")
    span.attributes.add(key="input.value").value.string_value = "x" * 4 * MIB
    return span


def _request(spans: list[Span]) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "probe"
    group.scope_spans.add().spans.extend(spans)
    return made


def _raw(spans: list[Span]) -> bytes:
    body: bytes = _request(spans).SerializeToString()
    assert parse(body).resource_spans
    return body
