"""Several senders at once, which remember what the server has acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.scenarios.otlp import HEADERS, request, turn


class Load:
    """Threads that send interactions, each span by span in random requests, until told to stop.

    `acknowledged` and `sent` count by trace the tool spans of `answered` and of all requests; a trace's
    other two spans travel with its first request."""

    def __init__(self, seed: int) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.unanswered: list[bytes] = []
        self.answered = 0
        self._seed = seed
        self._next = 1
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, url: str, senders: int = 3) -> None:
        self._stop.clear()
        self._seed += 1
        self._threads = [
            threading.Thread(target=self._send, args=(url, random.Random(self._seed * 100 + number)))
            for number in range(senders)
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, answered: int) -> None:
        """Until so many requests have been answered in all."""
        deadline = time.monotonic() + 60.0
        while self.answered < answered:
            assert time.monotonic() < deadline, f"only {self.answered} of {answered} requests were answered"
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, url: str, rng: random.Random) -> None:
        with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as http:
            while not self._stop.is_set():
                spans = [turn(self._number(), tools=rng.randint(0, 6)) for _ in range(rng.randint(1, 12))]
                firsts = [part for each in spans for part in each[: rng.randint(2, len(each))]]
                later = [part for each in spans for part in each if part not in firsts]
                for part in (firsts, later):
                    if part and not self._post(http, part):
                        return
                self._stop.wait(rng.uniform(0.0, 0.02))

    def _post(self, http: httpx.Client, spans: list[Span]) -> bool:
        """Whether an answer came."""
        body = request(spans).SerializeToString()
        tools = Counter({span.trace_id.hex(): 0 for span in spans})
        tools.update(span.trace_id.hex() for span in spans if span.name.startswith("execute_tool"))
        with self._lock:
            self._add(self.sent, tools)
        try:
            status = http.post("/v1/traces", content=body, headers=HEADERS).status_code
        except httpx.HTTPError:
            status = 0
        with self._lock:
            if status == 200:
                self._add(self.acknowledged, tools)
                self.answered += 1
            else:
                self.unanswered.append(body)
        return status == 200

    def _add(self, counts: Counter[str], more: Counter[str]) -> None:
        for trace, count in more.items():
            counts[trace] += count

    def _number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next
