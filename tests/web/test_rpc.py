"""OTLP over gRPC: the same door, and a sender always learns whether to send again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.web.door import FakeDoor

from assay.errors import ConfigError, PayloadError, StoreFull
from assay.ingest.inflate import inflate
from assay.records import Received
from assay.web.rpc import SERVICES, RpcServer

Call = Callable[..., bytes]
TRACES, LOGS, METRICS = SERVICES


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def call(door: FakeDoor) -> Iterator[Call]:
    server = RpcServer(lambda: door, rng=random.Random(1), most_request_bytes=10_000)
    address = server.start("127.0.0.1", 0)
    with grpc.insecure_channel(address) as channel:

        def export(body: bytes, service: str = TRACES, **options: Any) -> bytes:
            answer: bytes = channel.unary_unary(f"/{service}/Export")(body, timeout=30, **options)
            return answer

        yield export
    server.stop(0)


def test_the_message_reaches_the_door_as_it_came(call: Call, door: FakeDoor) -> None:
    for service in (TRACES, LOGS, METRICS):
        assert call(b"spans", service, metadata=[("x-scope-orgid", "1")]) == b""
    assert [(one.kind, one.transport, one.body) for one in door.arrivals] == [
        ("traces", "grpc", b"spans"),
        ("logs", "grpc", b"spans"),
        ("metrics", "grpc", b"spans"),
    ]
    assert door.arrivals[0].agent.startswith("grpc-python")
    assert door.arrivals[0].content_type == "application/x-protobuf"


@pytest.mark.parametrize(
    ("compression", "encoding"),
    [(grpc.Compression.Gzip, "gzip"), (grpc.Compression.Deflate, "deflate")],
)
def test_what_is_packed_is_unpacked_within_a_bound(
    call: Call, door: FakeDoor, compression: grpc.Compression, encoding: str
) -> None:
    """By the one who knows the bound: the library would unpack a small message to any size."""
    for size in (1, 9_000, 5_000_000):
        call(b"\x0a" * size, compression=compression)
    assert [one.content_encoding for one in door.arrivals] == ["", encoding, encoding]  # one byte grows
    unpacked = [inflate(one.body, one.content_encoding, 9_000) for one in door.arrivals[:2]]
    assert unpacked == [b"\x0a", b"\x0a" * 9_000]
    with pytest.raises(PayloadError, match="after decompression"):
        inflate(door.arrivals[2].body, encoding, 4_999_999)


def test_a_message_over_the_bound_is_refused(call: Call, door: FakeDoor) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(b"x" * 10_001)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert door.arrivals == []


def test_rejected_spans_are_reported(call: Call, door: FakeDoor) -> None:
    door.answered = Received(accepted=1, rejected=2, reasons=("no trace id",))
    answer = ExportTraceServiceResponse.FromString(call(b"x"))
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (2, "no trace id")
    logs = ExportLogsServiceResponse.FromString(call(b"x", LOGS))
    assert logs.partial_success.rejected_log_records == 2


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (PayloadError("cut off"), grpc.StatusCode.INVALID_ARGUMENT, False),
        (PayloadError("too large", http_status=413), grpc.StatusCode.RESOURCE_EXHAUSTED, False),
        (PayloadError("busy", http_status=503), grpc.StatusCode.UNAVAILABLE, True),
        (StoreFull("200 MB are left"), grpc.StatusCode.UNAVAILABLE, True),
        (ValueError("a bug, with a secret"), grpc.StatusCode.INTERNAL, False),
    ],
)
def test_each_error_has_its_code(
    call: Call, door: FakeDoor, error: Exception, code: grpc.StatusCode, again: bool
) -> None:
    door.error = error
    with pytest.raises(grpc.RpcError) as told:
        call(b"x")
    assert told.value.code() == code
    assert "secret" not in told.value.details()
    details = dict(told.value.trailing_metadata()).get("grpc-status-details-bin")
    assert (b"type.googleapis.com/google.rpc.RetryInfo" in (details or b"")) == again
    assert len(door.refusals) == 1


def test_a_fault_while_writing_is_answered(call: Call, door: FakeDoor) -> None:
    door.late = StoreFull("200 MB are left")
    with pytest.raises(grpc.RpcError) as told:
        call(b"x")
    assert told.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_port_that_is_taken(call: Call) -> None:
    first = RpcServer(FakeDoor, rng=random.Random(1))
    port = int(first.start("127.0.0.1", 0).rpartition(":")[2])
    second = RpcServer(FakeDoor, rng=random.Random(1))
    with pytest.raises(ConfigError, match="grpc_port"):
        second.start("127.0.0.1", port)
    first.stop(0)
    second.stop(0)
