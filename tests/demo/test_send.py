"""The sender gets everything across, whatever the server's mood, and says so when it can't."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from assay.demo.send import Sent, send_in_process, send_world
from assay.demo.traffic import requests
from assay.demo.world import World
from assay.errors import OutsideError

WORLD = World(last_day=date(2026, 11, 22), days=2, per_day=60)


class _Server(ThreadingHTTPServer):
    """Takes spans; `mood` are the answers to give first: a status, or 0 for a cut connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.mood: list[int] = []
        self.bodies: list[bytes] = []
        self.rejected = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        with self.server.lock:
            status = self.server.mood.pop(0) if self.server.mood else 200
            if status == 200 and self.path == "/v1/traces":
                self.server.bodies.append(body)
        if status == 0:
            self.close_connection = True
            return
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.server.rejected
        content = answer.SerializeToString()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _spans(server: _Server) -> int:
    return sum(
        len(scope.spans)
        for body in server.bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
    )


@pytest.mark.parametrize("compress", [False, True])
def test_everything_arrives_once(server: _Server, compress: bool) -> None:
    news: list[Sent] = []
    sent = send_world(WORLD, server.url, report=news.append, spans_per_request=60, compress=compress)
    assert sorted(server.bodies) == sorted(r.body for r in requests(WORLD, 60))
    assert sent.conversations == WORLD.total
    assert sent.spans == _spans(server)
    assert sent.requests == len(server.bodies) == len(news)
    assert news[-1] == sent
    assert sent.day == WORLD.last_day
    assert (sent.retries, sent.rejected) == (0, 0)


def test_overload_and_cut_connections_are_waited_for(server: _Server) -> None:
    server.mood = [503, 429, 0, 502]
    sent = send_world(WORLD, server.url, report=lambda _: None, spans_per_request=60, connections=2)
    assert sent.retries == 4
    assert sent.conversations == WORLD.total
    assert sent.spans == _spans(server)


def test_rejected_spans_are_counted(server: _Server) -> None:
    server.rejected = 2
    sent = send_world(WORLD, server.url, report=lambda _: None, spans_per_request=60)
    assert sent.rejected == 2 * sent.requests


def test_a_refusal_ends_it(server: _Server) -> None:
    server.mood = [400] * 50
    with pytest.raises(OutsideError, match="400"):
        send_world(WORLD, server.url, report=lambda _: None, spans_per_request=60)


def test_an_absent_server_is_given_up(server: _Server) -> None:
    server.server_close()
    with pytest.raises(OutsideError, match="took no simulated traffic"):
        send_world(WORLD, server.url, report=lambda _: None, give_up_s=0.3)


def test_in_a_process_of_its_own(server: _Server) -> None:
    news = list(send_in_process(WORLD, server.url))
    assert news[-1].conversations == WORLD.total
    assert news[-1].spans == _spans(server)
    server.mood = [404] * 50
    with pytest.raises(OutsideError, match="404"):
        list(send_in_process(WORLD, server.url))
