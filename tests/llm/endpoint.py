"""A chat endpoint on this machine that behaves as badly as it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What to send back. `fault`: "hang" never answers, "cut" closes half-way through the body."""

    body: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    fault: str = ""


Script = Callable[[dict[str, Any], int], Answer]
"""From the request's JSON and how many times just these messages were asked before."""


def chat(content: str, *, tokens: tuple[int, int] | None = (100, 10), **more: Any) -> Answer:
    """A chat completion that says this. `more` overrides fields of its one choice."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    tree: dict[str, Any] = {"id": "1", "object": "chat.completion", "model": "m-2026", "created": 0}
    tree["choices"] = [choice | more]
    if tokens is not None:
        tree["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": 0}
    return Answer(json.dumps(tree))


def verdict(word: str = "pass") -> Answer:
    return chat(json.dumps({"reasoning": "because", "verdict": word}))


def error(status: int, message: str, **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(json.dumps({"error": {"message": message}}), status, pairs)


class Endpoint:
    """Where it listens, and what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._at_once = 0
        self.base_url = ""

    def answer(self, request: dict[str, Any]) -> Answer:
        with self._lock:
            key = json.dumps(request.get("messages") or request.get("input"))
            times = self._seen.get(key, 0)
            self._seen[key] = times + 1
            self.asked.append(request)
        return self.script(request, times)

    def enter(self) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


@contextmanager
def serve(script: Script) -> Iterator[Endpoint]:
    """The endpoint, listening on a free port of this machine."""
    endpoint = Endpoint(script)

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint.enter()
            try:
                self._send(endpoint.answer(request))
            finally:
                endpoint.leave()

        def _send(self, answer: Answer) -> None:
            if answer.fault == "hang":
                endpoint.closing.wait()
                self.close_connection = True
                return
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if answer.fault == "cut":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hung up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Requests)
    endpoint.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
