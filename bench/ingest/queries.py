"""A4: the same seven questions to 200,000 spans, idle and while a thousand spans a second come in."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.ingest.load import Load, live, make_load, request
from bench.ingest.send import send
from bench.ingest.system import QUESTIONS, System
from bench.server import Server

SPANS: Final = 204_800
LIMIT_S: Final = 20.0
"""Who takes longer is asked no further."""


class Answered(NamedTuple):
    """One question to one system: medians in milliseconds (inf: too long, or an error), rows answered."""

    idle_ms: float
    busy_ms: float
    rows: int


def ask_all(
    system: System, *, sent: int = SPANS, repeats: int = 7, rate: int = 1_000, until_s: float = 900.0
) -> dict[str, Answered]:
    """Load `sent` spans over HTTP, multiply them by SQL where that is fewer than 204,800, ask."""
    load = make_load(sent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with system.serving(folder) as server:
            send(server.port, system.traces_path, load.bodies, system.headers)
            _await(lambda: system.traces(server.port, load) >= load.traces, until_s)
            _await(lambda: system.settled(server.port, load), until_s)
        if sent < SPANS:
            system.clone(folder, load, SPANS // sent)
        idle = _ask_each(system, folder, load, repeats, rate=0)
        busy = _ask_each(system, folder, load, repeats, rate=rate)
    return {
        question: Answered(idle[question][0], busy[question][0], idle[question][1]) for question in QUESTIONS
    }


def _ask_each(
    system: System, folder: Path, load: Load, repeats: int, *, rate: int
) -> dict[str, tuple[float, int]]:
    """Median milliseconds and rows by question. A server that was too slow once is started anew, since
    it goes on working on what nobody waits for."""
    todo, answers = list(QUESTIONS), dict[str, tuple[float, int]]()
    while todo:
        with system.serving(folder) as server, _sending(system, server, rate):
            asked = system.questions(server.port, load)
            if rate:
                time.sleep(5.0)
            while todo:
                question = todo.pop(0)
                answers[question] = _time(asked[question], repeats)
                if answers[question][0] == float("inf"):
                    break
    return answers


def _time(ask: Callable[[], int], repeats: int) -> tuple[float, int]:
    took_ms, rows = list[float](), 0
    for _ in range(1 + repeats):
        began = time.perf_counter()
        try:
            rows = ask()
        except (OSError, HTTPException, SystemExit) as error:  # it took too long, or answered with an error
            print(f"... no answer: {str(error)[:200]}", file=sys.stderr)
            return float("inf"), 0
        took_ms.append(1e3 * (time.perf_counter() - began))
        if took_ms[-1] > 1e3 * LIMIT_S:
            return float("inf"), rows
    return median(took_ms[1:]), rows


@contextmanager
def _sending(system: System, server: Server, rate: int) -> Iterator[None]:
    """Post traces of now from the background, `rate` spans a second, in ten requests a second."""
    stop = threading.Event()

    def work() -> None:
        traces, due = live(seed=server.pid), time.monotonic()
        while not stop.is_set():
            spans = [span for _ in range(rate // 40) for span in next(traces)[0].spans]
            send(
                server.port,
                system.traces_path,
                [request(spans)],
                system.headers,
                connections=1,
                retries=1,
                timeout_s=LIMIT_S,
            )
            due += 0.1
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=work, daemon=True)
    if rate:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if rate:
            thread.join()


def _await(ready: Callable[[], bool], until_s: float) -> None:
    until = time.monotonic() + until_s
    while not ready():
        if time.monotonic() > until:
            raise SystemExit(f"not all could be queried after {until_s:.0f} s")
        time.sleep(1.0)
