"""A3: what is left of what was acknowledged, after the server was killed at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

from bench.ingest.load import Load, make_load, parse
from bench.ingest.send import Sent, send
from bench.ingest.system import System
from bench.server import kill

CONTROL_SPANS: Final = 5_120
_COUNT: Final = """\
import json, sys
from assay.store.telemetry.connection import open_telemetry
t = open_telemetry(sys.argv[1], handles=1)
sql = "SELECT TraceId, count() AS n, uniqExact(SpanId) AS u FROM otel_traces GROUP BY TraceId"
print(json.dumps({row["TraceId"]: [row["n"], row["u"]] for row in t.query(sql).to_pylist()}))
t.close()
"""


class Kept(NamedTuple):
    """Over all rounds: spans acknowledged, of those not stored, rows beyond one a span; the longest
    time from a start to the first answer, and what the kills met."""

    rounds: int
    acknowledged: int
    lost: int
    doubled: int
    restart_s: float
    statuses: dict[int, int]


class Control(NamedTuple):
    """A peer: acknowledged before it was killed, and what it shows after its restart."""

    acknowledged: int
    stored: int


def kill_often(system: System, rounds: int, *, seed: int = 3) -> Kept:
    """Kill the server `rounds` times while four senders post, every fourth time with SIGTERM, and count
    in the store at the end."""
    rng, acked, sent_traces, statuses, slowest_s = random.Random(seed), 0, [], dict[int, int](), 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(rounds):
            load = make_load(4 * rng.randrange(2_000, 6_000), seed=1000 + number)
            began = time.monotonic()
            with system.serving(folder) as server:
                slowest_s = max(slowest_s, time.monotonic() - began)
                sent = _cut(server.pid, server.port, system, load, rng.uniform(0.1, 1.5), number % 4 == 3)
            for status, times in sent.statuses.items():
                statuses[status] = statuses.get(status, 0) + times
            sent_traces.append((load, sent))
        began = time.monotonic()
        with system.serving(folder) as server:
            slowest_s = max(slowest_s, time.monotonic() - began)
            time.sleep(3.0)
        stored = _stored(folder)
    wanted: dict[str, int] = {}
    for load, sent in sent_traces:
        for trace, spans in _acknowledged(load, sent).items():
            wanted[trace] = spans
            acked += spans
    lost = sum(max(0, spans - stored.get(trace, (0, 0))[1]) for trace, spans in wanted.items())
    doubled = sum(rows - unique for rows, unique in stored.values())
    return Kept(rounds, acked, lost, doubled, slowest_s, statuses)


def kill_once(system: System) -> Control:
    """Kill it one second after its last acknowledgement, start it again and count."""
    load = make_load(CONTROL_SPANS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with system.serving(folder) as server:
            sent = send(server.port, system.traces_path, load.bodies, system.headers)
            time.sleep(1.0)
            kill(server.pid)
        acked = sum(_acknowledged(load, sent).values())
        with system.serving(folder) as server:
            time.sleep(2.0)
            return Control(acked, system.spans(server.port, load))


def _cut(pid: int, port: int, system: System, load: Load, after_s: float, gently: bool) -> Sent:
    def cut() -> None:
        time.sleep(after_s)
        if gently:
            os.kill(pid, signal.SIGTERM)
        else:
            kill(pid)

    killer = threading.Thread(target=cut)
    killer.start()
    sent = send(port, system.traces_path, load.bodies, system.headers)
    killer.join()
    return sent


def _acknowledged(load: Load, sent: Sent) -> dict[str, int]:
    """Spans by trace of the requests that were answered with 200."""
    found: dict[str, int] = {}
    for body, at in zip(load.bodies, sent.acked, strict=True):
        if at:
            for group in parse(body).resource_spans:
                for scope in group.scope_spans:
                    for span in scope.spans:
                        trace = span.trace_id.hex()
                        found[trace] = found.get(trace, 0) + 1
    return found


def _stored(folder: Path) -> dict[str, tuple[int, int]]:
    """Rows and different spans by trace, read from the store itself in a process of its own."""
    place = f"chdb://{folder / '.assay' / 'telemetry'}"
    done = subprocess.run([sys.executable, "-c", _COUNT, place], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the store can't be read after the rounds:\n{done.stderr[-2000:]}")
    return {trace: (rows, unique) for trace, (rows, unique) in json.loads(done.stdout).items()}
