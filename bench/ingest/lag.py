"""A2, second half: how long from the acknowledgement until a conversation can be asked for, under load."""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from bench.ingest.load import PER_REQUEST, SPANS_A_TRACE, live, make_load, request
from bench.ingest.send import send
from bench.ingest.system import System
from bench.server import Server, get_json
from bench.tree import Watch

WARM_S: Final = 5.0
PAUSE_S: Final = 0.7
"""A page of a conversation costs the server as much as taking some thousand spans."""


class Lag(NamedTuple):
    """`reached` is what was in fact sent a second; `seen` how many acknowledged conversations were asked
    for until they showed all their turns."""

    rate: int
    reached: float
    seen: int
    p50_s: float
    p99_s: float
    most_s: float
    cpu_share: float
    peak_mb: float
    statuses: dict[int, int]


def watch_lag(system: System, *, rate: int = 5_000, seconds: float = 60.0, askers: int = 1) -> Lag:
    """Post `rate` spans a second in requests of 512 on two connections; about once a second ask for a
    conversation that was acknowledged just now, four times a second until it is whole."""
    make_load(64)  # its parts are encoded now, not while traffic is to flow
    asked: queue.Queue[tuple[str, float] | None] = queue.Queue(maxsize=askers)
    waits: list[float] = []
    statuses: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as name, system.serving(Path(name)) as server:
        threads = [threading.Thread(target=_ask, args=(server, asked, waits)) for _ in range(askers)]
        for thread in threads:
            thread.start()
        time.sleep(WARM_S)
        with Watch(server.pid) as watch:
            began = time.monotonic()
            sent = sum(_feed(system, server, rate / 2, seconds, asked, statuses))
            took_s = time.monotonic() - began
        for _ in threads:
            asked.put(None)
        for thread in threads:
            thread.join()
    if not waits:
        raise SystemExit(f"nothing was acknowledged that could be asked for: {dict(statuses)}")
    ordered = sorted(waits)
    return Lag(
        rate=rate,
        reached=sent / took_s,
        seen=len(ordered),
        p50_s=ordered[len(ordered) // 2],
        p99_s=ordered[int(0.99 * (len(ordered) - 1))],
        most_s=ordered[-1],
        cpu_share=watch.cpu_s / took_s,
        peak_mb=watch.peak_mb,
        statuses=dict(statuses),
    )


def _feed(
    system: System,
    server: Server,
    rate: float,
    seconds: float,
    asked: queue.Queue[tuple[str, float] | None],
    statuses: Counter[int],
) -> list[int]:
    """Two senders, each with half of the rate; the spans that each got acknowledged."""
    counts, lock = [0, 0], threading.Lock()

    def work(number: int) -> None:
        traces, began, due = live(seed=1 + number), time.monotonic(), time.monotonic()
        turn = 0
        while time.monotonic() - began < seconds:
            group = [next(traces) for _ in range(PER_REQUEST // SPANS_A_TRACE)]
            body = request([span for trace, _ in group for span in trace.spans])
            done = send(server.port, system.traces_path, [body], system.headers, connections=1, retries=1)
            with lock:
                statuses.update(done.statuses)
            if done.acked[0]:
                counts[number] += PER_REQUEST
                turn += 1
                if turn % 3 == 0 and not asked.full():
                    asked.put((group[len(group) // 2][1], done.acked[0]))
            due += PER_REQUEST / rate
            time.sleep(max(0.0, due - time.monotonic()))

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def _ask(server: Server, asked: queue.Queue[tuple[str, float] | None], waits: list[float]) -> None:
    """Ask for one conversation after the other, each until it is there."""
    while (item := asked.get()) is not None:
        session, acked = item
        while True:
            try:
                turns = get_json(server.port, "/api/conversations?" + urlencode({"id": session}))["turns"]
            except (SystemExit, OSError, HTTPException):
                turns = []
            if turns and all(turn["turn"]["output"] for turn in turns):
                waits.append(time.monotonic() - acked)
                time.sleep(PAUSE_S)
                break
            time.sleep(0.25)
