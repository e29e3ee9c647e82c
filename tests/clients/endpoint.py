"""A model behind OpenAI's interface, on this machine: chat, tools, streams, refusals and embeddings."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ASKED = "gpt-4o-mini"
MODEL = "gpt-4o-mini-2024-07-18"
ANSWERS = {
    "Hi there!": "Hello! How can I help you?",
    "What is the weather in Paris?": "It is sunny in Paris, 21 degrees.",
    "Tell me a joke": "Why did the span cross the trace? To reach its parent.",
}


class Endpoint:
    """Where it listens, and the tokens that it has counted in chats, by the key that asked."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, read: int, written: int) -> dict[str, int]:
        with self._lock:
            before = self.tokens.get(key, (0, 0))
            self.tokens[key] = (before[0] + read, before[1] + written)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


@contextmanager
def serve_model() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            if self.path.endswith("/embeddings"):
                vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2, 0.3]}
                usage = {"prompt_tokens": 4, "total_tokens": 4}
                return self._json(
                    200, {"object": "list", "data": [vector], "model": asked["model"], "usage": usage}
                )
            text = _text(asked["messages"][-1])
            if text == "Cause a bad request":
                return self._json(400, _refusal("invalid_request_error", "the request is malformed"))
            if text == "Cause a rate limit":
                return self._json(429, _refusal("rate_limit_error", "too many requests"))
            message, reason = _reply(asked)
            usage = endpoint.count(
                key, 10 + 3 * len(asked["messages"]), 2 + len(message.get("content") or "tool")
            )
            told = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": MODEL}
            if not asked.get("stream"):
                choice = {"index": 0, "finish_reason": reason, "message": message, "logprobs": None}
                return self._json(
                    200, told | {"object": "chat.completion", "choices": [choice], "usage": usage}
                )
            return self._stream(told | {"object": "chat.completion.chunk"}, message["content"], usage)

        def _json(self, status: int, tree: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(tree).encode())

        def _stream(self, told: dict[str, Any], text: str, usage: dict[str, int]) -> None:
            words = [
                {"role": "assistant", "content": ""},
                *({"content": word + " "} for word in text.split(" ")),
            ]
            words[-1]["content"] = words[-1]["content"].rstrip()
            chunks = [
                told | {"choices": [{"index": 0, "delta": word, "finish_reason": None}]} for word in words
            ]
            chunks.append(told | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            chunks.append(told | {"choices": [], "usage": usage})
            lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
            self._send(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _reply(asked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the model says: it looks the weather up where it may and has not."""
    last = asked["messages"][-1]
    question = next(_text(m) for m in reversed(asked["messages"]) if m["role"] == "user")
    if "weather" in question and asked.get("tools") and last["role"] == "user":
        call = {"name": "get_weather", "arguments": json.dumps({"city": "Paris"})}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
    return {"role": "assistant", "content": ANSWERS.get(question, "I do not know.")}, "stop"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _refusal(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, "code": None, "param": None}}
