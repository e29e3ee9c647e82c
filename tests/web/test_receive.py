"""A sender always learns whether its spans are kept, and whether to send them again."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.testclient import TestClient
from tests.web.door import FakeDoor
from tests.web.fake import FakePages

from assay.errors import AssayError, PayloadError, StoreFull, StoreHeld, StoreUnreachable
from assay.records import Arrival, Received
from assay.web.site import create_web

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}


def test_the_body_reaches_the_application_as_it_came(client: TestClient, pages: FakePages) -> None:
    body = gzip.compress(b"spans")
    response = client.post("/v1/traces", content=body, headers={**PROTOBUF, "Content-Encoding": "gzip"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-protobuf"
    assert response.content == b""
    (arrival,) = pages.door.arrivals
    assert (arrival.kind, arrival.transport) == ("traces", "http")
    assert (arrival.body, arrival.content_type, arrival.content_encoding) == (
        body,
        "application/x-protobuf",
        "gzip",
    )
    assert arrival.agent == "testclient"


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    ("path", "kind", "transport"),
    [
        ("/v1/logs", "logs", "http"),
        ("/v1/metrics", "metrics", "http"),
        ("/api/public/otel/v1/traces", "traces", "langfuse"),
    ],
)
def test_each_path_has_its_kind(
    client: TestClient, pages: FakePages, path: str, kind: str, transport: str, quick: bool
) -> None:
    pages.door.quick = quick
    assert client.post(path, content=b"x", headers=PROTOBUF).content == b""
    assert [(one.kind, one.transport) for one in pages.door.arrivals] == [(kind, transport)]
    assert client.get(path).status_code == 405


def test_rejected_spans_are_reported(client: TestClient, pages: FakePages) -> None:
    pages.door.answered = Received(accepted=1, rejected=2, reasons=("no trace id", "too large"))
    reply = client.post("/v1/traces", content=b"x", headers=PROTOBUF)
    answer = ExportTraceServiceResponse.FromString(reply.content)
    assert answer.partial_success.rejected_spans == 2
    assert answer.partial_success.error_message == "no trace id; too large"
    as_json = client.post("/v1/traces", content=b"{}", headers=JSON)
    assert as_json.headers["content-type"].startswith("application/json")
    assert as_json.json()["partialSuccess"]["rejectedSpans"] == "2"
    logs = client.post("/v1/logs", content=b"{}", headers=JSON).json()
    assert logs["partialSuccess"]["rejectedLogRecords"] == "2"


def test_a_fault_while_writing_is_answered(client: TestClient, pages: FakePages) -> None:
    pages.door.late = StoreFull("200 MB are left")
    reply = client.post("/v1/traces", content=b"x", headers=PROTOBUF)
    assert reply.status_code == 503
    assert 1 <= int(reply.headers["Retry-After"]) <= 5
    assert pages.door.refusals == [(503, "http")]


@pytest.mark.parametrize(
    ("error", "status", "again"),
    [
        (PayloadError("cut off"), 400, False),
        (PayloadError("text/plain", http_status=415), 415, False),
        (PayloadError("busy", http_status=503), 503, True),
        (StoreFull("200 MB are left"), 503, True),
        (StoreUnreachable("no answer"), 503, True),
        (StoreHeld("held"), 503, True),
        (OSError(28, "No space left on device"), 503, True),
        (TimeoutError(), 503, True),
        (MemoryError(), 503, True),
        (ValueError("a bug, with a secret"), 500, False),
    ],
)
def test_each_error_has_its_status(
    client: TestClient, pages: FakePages, error: Exception, status: int, again: bool
) -> None:
    pages.door.error = error
    for headers in (PROTOBUF, JSON):
        reply = client.post("/v1/traces", content=b"x", headers=headers)
        assert reply.status_code == status
        assert ("Retry-After" in reply.headers) == again
        if again:
            assert 1 <= int(reply.headers["Retry-After"]) <= 5
        assert b"secret" not in reply.content
    if isinstance(error, AssayError):
        assert reply.json()["message"] == str(error)
        wire = client.post("/v1/traces", content=b"x", headers=PROTOBUF).content
        code = {400: 3, 415: 3, 503: 14}[status]
        said = b"\x12" + bytes([len(str(error))]) + str(error).encode()
        assert wire == b"\x08" + bytes([code]) + said  # google.rpc.Status: code and message


def test_too_large_is_413_with_and_without_a_declared_length() -> None:
    pages = FakePages()
    client = TestClient(create_web(pages, warm=False, most_request_bytes=1000), base_url="http://localhost")
    assert client.post("/v1/traces", content=b"x" * 1001, headers=JSON).status_code == 413
    chunks = (b"x" * 100 for _ in range(11))
    reply = client.post("/v1/traces", content=chunks, headers=JSON)
    assert reply.status_code == 413
    assert "0.000953674 MiB" in reply.json()["message"]
    assert client.post("/v1/traces", content=b"x" * 1000, headers=JSON).status_code == 200
    assert len(pages.door.arrivals) == 1


def test_overload_is_503_and_passes() -> None:
    entered = threading.Event()
    answers: list[Callable[[Received | AssayError], None]] = []

    class Slow(FakeDoor):
        def take(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> None:
            answers.append(answer)
            entered.set()

    pages = FakePages()
    pages.door = Slow()
    web = create_web(pages, warm=False, most_waiting_bytes=150)
    with TestClient(web, base_url="http://localhost") as client:

        def send() -> int:
            return client.post("/v1/traces", content=b"x" * 100, headers=JSON).status_code

        first: list[int] = []
        thread = threading.Thread(target=lambda: first.append(send()))
        thread.start()
        assert entered.wait(30)
        assert send() == 503
        answers[0](Received(accepted=1))
        thread.join()
        assert first == [200]
        pages.door = FakeDoor()
        assert send() == 200


def test_only_posts_are_taken(client: TestClient) -> None:
    assert client.get("/v1/traces").status_code == 405
    assert json.loads(client.post("/v1/traces", content=b"{}", headers=JSON).content) == {}
