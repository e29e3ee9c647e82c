"""One server, every kind of bad request, and good spans between them: the good ones are all there."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.scenarios.otlp import HEADERS, request, span, trace_id, turn
from tests.scenarios.project import Project, Server

MB = 2**20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[Server]:
    with project.serving() as running:
        yield running


def post(server: Server, body: bytes, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = server.http.post("/v1/traces", content=body, headers={**HEADERS, **named})
    return answer.status_code, answer.content


def partial(content: bytes) -> tuple[int, str]:
    response = ExportTraceServiceResponse.FromString(content)
    return response.partial_success.rejected_spans, response.partial_success.error_message


def test_a_body_cut_off(server: Server) -> None:
    body = request(turn(101)).SerializeToString()
    status, content = post(server, body[:-7])
    assert status == 400
    assert b"no valid OTLP protobuf" in content


def test_a_gzip_bomb(server: Server) -> None:
    bomb = gzip.compress(bytes(80 * MB), compresslevel=1)
    assert len(bomb) < MB
    status, content = post(server, bomb, content_encoding="gzip")
    assert status == 413
    assert b"64" in content


def test_a_body_that_says_gzip_and_is_not(server: Server) -> None:
    status, _ = post(server, request(turn(102)).SerializeToString(), content_encoding="gzip")
    assert status == 400


def test_a_giant_attribute_costs_its_span_alone(server: Server) -> None:
    giant = span(1, 9, "big", {"document": "x" * (20 * MB)})
    status, content = post(server, request([*turn(1), giant]).SerializeToString())
    assert status == 200
    rejected, message = partial(content)
    assert rejected == 1
    for part in ("document", giant.span_id.hex(), "4.0 MB"):
        assert part in message


def test_a_span_without_a_trace_id_costs_itself_alone(server: Server) -> None:
    lost = span(2, 9, "lost")
    lost.trace_id = b""
    status, content = post(server, request([*turn(2), lost]).SerializeToString())
    assert status == 200
    rejected, message = partial(content)
    assert rejected == 1
    assert "trace id" in message.lower().replace("_", " ")


def test_garbage_as_json(server: Server) -> None:
    for body in (b'{"resourceSpans": [{', b"\xff\xfe garbage", b"[" * 100_000, b'{"resourceSpans": 7}'):
        status, content = post(server, body, content_type="application/json")
        assert status == 400, body[:40]
        assert b"message" in content


def test_a_content_type_that_is_none(server: Server) -> None:
    status, content = post(server, b"hello", content_type="text/plain")
    assert status == 415
    assert b"application/x-protobuf" in content


def test_an_empty_request(server: Server) -> None:
    assert post(server, b"") == (200, b"")
    assert post(server, gzip.compress(b""), content_encoding="gzip") == (200, b"")


def test_another_method(server: Server) -> None:
    answer = server.http.get("/v1/traces")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_another_host_name_is_refused(server: Server) -> None:
    answer = server.http.post("/v1/traces", headers={**HEADERS, "host": "evil.example"}, content=b"")
    assert answer.status_code == 421


def test_what_was_good_is_there(project: Project, server: Server) -> None:
    """Also the good spans of requests in which another span was refused. Comes last."""
    status, content = post(
        server, gzip.compress(request(turn(3, tools=2)).SerializeToString()), content_encoding="gzip"
    )
    assert (status, content) == (200, b"")
    project.run("sample")
    rows = {row["log_id"]: row for row in project.json("logs", "--unit", "interaction")["rows"]}
    assert {trace_id(n) for n in (1, 2, 3)} == rows.keys()
    for row in rows.values():
        assert (row["input"], row["output"]) == ("Where is it?", "On its way.")
        assert row["input_tokens"] == 100
    assert rows[trace_id(3)]["tool_calls"] == 2
