"""OTLP over HTTP, protobuf or JSON: `POST /v1/traces`, `/v1/logs`, `/v1/metrics`, and Langfuse's path.

A 200 means that the request is on disk. This stands before the pages' framework, so that a request
costs little more than its bytes; names of hosts are checked as for every page."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.errors import AssayError
from assay.ingest.reply import error_body, response_type, success_body
from assay.records import Arrival, ArrivalKind, Received
from assay.web.base import Entrance
from assay.web.body import MEBIBYTE, PATIENCE_S, Intake
from assay.web.problems import problem_of

log = logging.getLogger("assay.web")

PATHS: Mapping[str, tuple[ArrivalKind, str]] = MappingProxyType(
    {
        "/v1/traces": ("traces", "http"),
        "/v1/logs": ("logs", "http"),
        "/v1/metrics": ("metrics", "http"),
        "/api/public/otel/v1/traces": ("traces", "langfuse"),
        "/api/public/otel/v1/logs": ("logs", "langfuse"),
        "/api/public/otel/v1/metrics": ("metrics", "langfuse"),
    }
)
"""What is sent where: its kind, and the transport that it counts as."""

_THREADS = 8
_HEADERS = {b"content-type", b"content-encoding", b"user-agent", b"host", b"content-length"}


class _Reply(NamedTuple):
    status: int
    body: bytes
    content_type: str
    more: tuple[tuple[bytes, bytes], ...] = ()


class Gone(Exception):
    """The sender closed the connection before its request was here."""


class Receiver:
    """ASGI: answers OTLP requests itself and hands everything else on."""

    def __init__(
        self,
        app: ASGIApp,
        entrance: Callable[[], Entrance],
        *,
        host_allowed: Callable[[str], bool],
        rng: random.Random,
        most_request_bytes: int = 64 * MEBIBYTE,
        most_waiting_bytes: int = 256 * MEBIBYTE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._app, self._entrance, self._host_allowed, self._rng = app, entrance, host_allowed, rng
        self._intake = Intake(most=most_request_bytes, most_waiting=most_waiting_bytes, patience_s=patience_s)
        self._known_hosts: set[bytes] = set()
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = PATHS.get(scope["path"]) if scope["type"] == "http" else None
        if path is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _HEADERS}
        host = headers.get(b"host", b"")
        if host not in self._known_hosts and not self._is_known(host):
            await self._app(scope, receive, send)  # whose guard refuses it
            return
        try:
            reply = await self._answer(path, headers, receive)
        except Gone:
            return
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [
                    (b"content-type", reply.content_type.encode()),
                    (b"content-length", str(len(reply.body)).encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *reply.more,
                ],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})

    def _is_known(self, host: bytes) -> bool:
        if not self._host_allowed(host.decode("latin-1")):
            return False
        if len(self._known_hosts) < 100:
            self._known_hosts.add(host)
        return True

    async def _answer(
        self, path: tuple[ArrivalKind, str], headers: Mapping[bytes, bytes], receive: Receive
    ) -> _Reply:
        kind, transport = path
        content_type, encoding, agent = (
            headers.get(name, b"").decode("latin-1")
            for name in (b"content-type", b"content-encoding", b"user-agent")
        )
        declared = headers.get(b"content-length", b"").decode("latin-1")
        try:
            async with self._intake.collect(declared, _pieces(receive)) as body:
                received = await self._take(
                    Arrival(
                        kind=kind,
                        body=body,
                        content_type=content_type,
                        content_encoding=encoding,
                        transport=transport,
                        agent=agent[:200],
                    )
                )
        except Gone:
            raise
        except Exception as error:  # a sender must always learn whether to send again
            return self._refusal(error, content_type, transport, agent)
        answer = success_body(kind, content_type, received.rejected, "; ".join(received.reasons))
        return _Reply(200, answer, response_type(content_type))

    async def _take(self, arrival: Arrival) -> Received:
        """Hand it in, and wait until it is on disk."""
        entrance, loop = self._entrance(), asyncio.get_running_loop()
        done: asyncio.Future[Received] = loop.create_future()

        def answer(given: Received | AssayError) -> None:
            loop.call_soon_threadsafe(_resolve, done, given)

        if not entrance.take_soon(arrival, answer):
            self._limiter = self._limiter or anyio.CapacityLimiter(_THREADS)
            await anyio.to_thread.run_sync(partial(entrance.take, arrival, answer), limiter=self._limiter)
        return await done

    def _refusal(self, error: Exception, content_type: str, transport: str, agent: str) -> _Reply:
        problem = problem_of(error, self._rng)
        self._entrance().refused(problem.status, transport, agent)
        more = []
        if problem.retry_after_s is not None:
            more.append((b"retry-after", str(problem.retry_after_s).encode()))
        if problem.status == 408:  # what may come yet belongs to no request
            more.append((b"connection", b"close"))
        return _Reply(
            problem.status,
            error_body(problem.message, content_type, problem.status),
            response_type(content_type),
            tuple(more),
        )


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """What comes of a body. Raises Gone where the sender goes away before it is whole."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _resolve(done: asyncio.Future[Received], given: Received | AssayError) -> None:
    if done.done():
        return
    if isinstance(given, AssayError):
        done.set_exception(given)
    else:
        done.set_result(given)
