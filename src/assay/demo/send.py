"""Sends the simulated world to a running server, from a process of its own."""

from __future__ import annotations

import gzip
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from http.client import HTTPConnection, HTTPException, HTTPResponse
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from assay.demo.traffic import SPANS_PER_REQUEST, Request, requests
from assay.demo.world import World
from assay.errors import OutsideError

RETRYABLE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a server has taken so far. `day` is the newest day of which a request was accepted;
    `spans` counts spans sent twice twice; `rejected` is the server's own count."""

    day: date | None = None
    requests: int = 0
    spans: int = 0
    interactions: int = 0
    conversations: int = 0
    megabytes: float = 0.0
    retries: int = 0
    rejected: int = 0
    seconds: float = 0.0

    def after(self, request: Request, retries: int, rejected: int) -> Sent:
        return replace(
            self,
            day=max(self.day or request.day, request.day),
            requests=self.requests + 1,
            spans=self.spans + request.spans,
            interactions=self.interactions + request.interactions,
            conversations=self.conversations + request.conversations,
            megabytes=self.megabytes + len(request.body) / 1e6,
            retries=self.retries + retries,
            rejected=self.rejected + rejected,
        )


def send_world(
    world: World,
    url: str,
    *,
    report: Callable[[Sent], None],
    connections: int = 3,
    spans_per_request: int = SPANS_PER_REQUEST,
    compress: bool = False,
    give_up_s: float = 60.0,
) -> Sent:
    """Encode the world and post it to `url`; the rest as `send_requests`."""
    return send_requests(
        requests(world, spans_per_request),
        url,
        report=report,
        connections=connections,
        compress=compress,
        give_up_s=give_up_s,
    )


def send_requests(
    stream: Iterable[Request],
    url: str,
    *,
    report: Callable[[Sent], None],
    connections: int = 3,
    compress: bool = False,
    give_up_s: float = 60.0,
) -> Sent:
    """Post requests to `url` (`http://host:port`), one at a time on each connection.

    `report` is called after each accepted request. Overload and lost connections are waited for,
    up to `give_up_s` for one request. Raises OutsideError where the server refuses or stays away."""
    return _Sender(url, report, connections, compress, give_up_s).send(stream)


class _Sender:
    """Threads that post what one producer encodes; few requests are in memory at a time."""

    def __init__(
        self, url: str, report: Callable[[Sent], None], connections: int, compress: bool, give_up_s: float
    ) -> None:
        self._address = urlsplit(url)
        self._report, self._connections = report, connections
        self._compress, self._give_up_s = compress, give_up_s
        self._waiting: queue.Queue[Request | None] = queue.Queue(maxsize=2 * connections)
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._sent = Sent()
        self._began = time.monotonic()

    def send(self, stream: Iterable[Request]) -> Sent:
        threads = [threading.Thread(target=self._post_all, daemon=True) for _ in range(self._connections)]
        for thread in threads:
            thread.start()
        for request in stream:
            if self._failure:
                break
            self._waiting.put(request)
        for _ in threads:
            self._waiting.put(None)
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure
        return self._sent

    def _post_all(self) -> None:
        """One connection's work. After a failure anywhere the rest of the queue is dropped."""
        link = HTTPConnection(self._address.hostname or "127.0.0.1", self._address.port or 80, timeout=60)
        while (request := self._waiting.get()) is not None:
            if self._failure:
                continue
            try:
                retries, rejected = self._post(link, request.body)
            except Exception as error:
                self._failure = error
                continue
            with self._lock:
                self._sent = replace(
                    self._sent.after(request, retries, rejected), seconds=time.monotonic() - self._began
                )
                self._report(self._sent)
        link.close()

    def _post(self, link: HTTPConnection, body: bytes) -> tuple[int, int]:
        """Post until it is taken: (retries, spans rejected)."""
        headers = {"Content-Type": "application/x-protobuf"}
        if self._compress:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        until, retries = time.monotonic() + self._give_up_s, 0
        while True:
            wait_s = min(0.2 * 2.0**retries, 5.0)
            try:
                link.request("POST", f"{self._address.path.rstrip('/')}/v1/traces", body, headers)
                answer = link.getresponse()
                content = answer.read()
            except (OSError, HTTPException) as error:
                link.close()
                problem = f"{type(error).__name__}: {error}"
            else:
                if answer.status == 200:
                    return retries, _rejected(content)
                problem = f"{answer.status} {content[:200].decode(errors='replace')}"
                if answer.status not in RETRYABLE:
                    raise OutsideError(f"{self._address.geturl()} refused simulated traffic: {problem}")
                wait_s = _retry_after_s(answer, wait_s)
            if time.monotonic() + wait_s > until:
                where, waited = self._address.geturl(), f"{self._give_up_s:.0f} s"
                raise OutsideError(f"{where} took no simulated traffic for {waited}: {problem}")
            retries += 1
            time.sleep(wait_s)


def _retry_after_s(answer: HTTPResponse, otherwise_s: float) -> float:
    try:
        return min(float(answer.getheader("Retry-After", "")), 30.0)
    except ValueError:
        return otherwise_s


def _rejected(content: bytes) -> int:
    """The spans that a server says it did not take; an empty answer means none."""
    if not content:
        return 0
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    rejected: int = ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans
    return rejected


def send_in_process(
    world: World, url: str, *, connections: int = 3, compress: bool = False
) -> Iterator[Sent]:
    """The same from a spawned process, so that encoding does not slow the caller: what was sent so
    far, about ten times a second, and at last the whole.

    Raises OutsideError where sending failed. The process ends with the iteration."""
    context = get_context("spawn")
    near, far = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(world, url, connections, compress, far), daemon=True)
    child.start()
    far.close()
    try:
        while True:
            try:
                news = near.recv()
            except EOFError:
                raise OutsideError("the process that sends simulated traffic ended early") from None
            if isinstance(news, str):
                raise OutsideError(news)
            yield news[1]
            if news[0] == "whole":
                return
    finally:
        near.close()
        child.join(timeout=2.0)
        if child.is_alive():
            child.terminate()
            child.join()


def _run(world: World, url: str, connections: int, compress: bool, far: Connection) -> None:
    reported = 0.0

    def report(sent: Sent) -> None:
        nonlocal reported
        if sent.seconds - reported >= 0.1:
            reported = sent.seconds
            far.send(("part", sent))

    with suppress(BrokenPipeError, KeyboardInterrupt):  # the caller has gone: nobody to tell
        try:
            far.send(
                ("whole", send_world(world, url, report=report, connections=connections, compress=compress))
            )
        except OutsideError as error:
            far.send(str(error))
