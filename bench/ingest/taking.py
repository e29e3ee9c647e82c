"""A1 and A2: what taking traces in costs, until they are acknowledged and until they can be queried."""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from bench.ingest.load import Load, as_json, make_load, parse
from bench.ingest.send import send
from bench.ingest.system import Seen, System, disk_bytes
from bench.tree import Watch, threads_of

Variant = Literal["plain", "gzip", "json"]

BEHIND: Final = ("assay-apply", "assay-settle")
"""Threads of assay that work behind the acknowledgement."""
ENGINE: Final = ("ThreadPool", "Query", "Merge", "Bg", "Memory", "PoolDelayExec")
"""How the embedded engine's own threads begin to be called; those that call it are called otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One run. Times of a processor in seconds: `ack_cpu_s` on the way to the acknowledgement,
    `taking_cpu_s` all that was used until the last one, `cpu_s` all until everything could be queried,
    `settled_cpu_s` all until signals were computed too (by assay alone).
    `parse_s` and `table_s` are what bare protobuf parsing and ptars used for the same bodies."""

    system: str
    variant: Variant
    spans: int
    taking_s: float
    queryable_s: float
    ack_cpu_s: float
    taking_cpu_s: float
    cpu_s: float
    settled_s: float
    settled_cpu_s: float
    parse_s: float
    table_s: float
    peak_mb: float
    rss_mb: float
    disk_bytes: int
    slow_ms: float
    load: float
    threads: Mapping[str, float]


def take(
    system: System, load: Load, *, variant: Variant = "plain", connections: int = 4, until_s: float = 900.0
) -> Taken:
    """Start the server on an empty folder, send the load, wait until all of it can be queried."""
    warm = make_load(64, seed=99, ended_ns=load.ended_ns)
    bodies, headers = _encode(load, variant, system.headers)
    with tempfile.TemporaryDirectory() as name, system.serving(Path(name)) as server:
        known: dict[int, str] = {}
        threads_of(server.pid, known)
        _ready(system, server.port, warm)
        parse_s = _parse(load)
        with Watch(server.pid, known=known) as whole:
            with Watch(server.pid, known=known) as taking:
                sent = send(server.port, system.traces_path, bodies, headers, connections=connections)
            began = time.monotonic() - sent.took_s
            if set(sent.statuses) - {200, 429, 503} or sent.statuses[200] != len(bodies):
                raise SystemExit(f"{system.name} answered {dict(sent.statuses)}")
            wanted = Seen(load.traces + warm.traces, load.errors + warm.errors, load.late_output)
            _until(lambda: system.traces(server.port, load) >= wanted.traces, until_s)
            _await(lambda: system.seen(server.port, load), wanted, until_s)
            queryable_s = time.monotonic() - began
            with Watch(server.pid) as later:
                _until(lambda: system.settled(server.port, load), until_s)
            settled_s = time.monotonic() - began
        if (held := system.spans(server.port, load)) != load.spans + warm.spans:
            raise SystemExit(f"{system.name} has {held} of {load.spans + warm.spans} spans")
        parse_s = (parse_s + _parse(load)) / 2
        waits = sorted(sent.waits_s)
        return Taken(
            system=system.name,
            variant=variant,
            spans=load.spans,
            taking_s=sent.took_s,
            queryable_s=queryable_s,
            ack_cpu_s=_on_the_way(taking),
            taking_cpu_s=taking.cpu_s,
            cpu_s=whole.cpu_s - later.cpu_s,
            settled_s=settled_s,
            settled_cpu_s=whole.cpu_s,
            parse_s=parse_s,
            table_s=_table(load),
            peak_mb=whole.peak_mb,
            rss_mb=whole.rss_mb,
            disk_bytes=disk_bytes(Path(name)),
            slow_ms=1e3 * waits[int(0.99 * (len(waits) - 1))],
            load=os.getloadavg()[0],
            threads={name: round(s, 2) for name, s in list(whole.threads_s.items())[:12]},
        )


def middle(runs: list[Taken]) -> dict[str, Any]:
    """The medians of the numbers of several runs."""
    trees = [asdict(run) for run in runs]
    return {
        key: median(tree[key] for tree in trees) if isinstance(value, int | float) else value
        for key, value in trees[-1].items()
    }


def _on_the_way(taking: Watch) -> float:
    """Seconds of a processor of all threads but those behind the acknowledgement; of all processes where
    a server does not tell them apart."""
    if not any(name in BEHIND for name in taking.threads_s):
        return taking.cpu_s
    return sum(
        s for name, s in taking.threads_s.items() if name not in BEHIND and not name.startswith(ENGINE)
    )


def _encode(load: Load, variant: Variant, headers: Mapping[str, str]) -> tuple[list[bytes], dict[str, str]]:
    if variant == "gzip":
        return [gzip.compress(body, 6) for body in load.bodies], {**headers, "Content-Encoding": "gzip"}
    if variant == "json":
        return [as_json(body) for body in load.bodies], {**headers, "Content-Type": "application/json"}
    return list(load.bodies), dict(headers)


def _ready(system: System, port: int, warm: Load) -> None:
    """Have it take and show a few traces first, so that nothing is loaded for the first time later."""
    send(port, system.traces_path, warm.bodies, system.headers, connections=1)
    _await(lambda: system.seen(port, warm), Seen(warm.traces, warm.errors, warm.late_output), until_s=120.0)


def _await(ask: Callable[[], Seen], wanted: Seen, until_s: float, every_s: float = 0.5) -> None:
    until = time.monotonic() + until_s
    while (seen := ask()) != wanted:
        if time.monotonic() > until:
            raise SystemExit(f"after {until_s:.0f} s it shows {seen[:2]}, not {wanted[:2]}")
        time.sleep(every_s)


def _until(ready: Callable[[], bool], until_s: float) -> None:
    until = time.monotonic() + until_s
    while not ready():
        if time.monotonic() > until:
            raise SystemExit(f"not all of it could be queried, or was settled, after {until_s:.0f} s")
        time.sleep(3.0)  # asking costs the server more than taking a thousand spans does


def _parse(load: Load) -> float:
    began = time.process_time()
    for body in load.bodies:
        parse(body)
    return time.process_time() - began


def _table(load: Load) -> float:
    """Seconds of a processor for the same bodies from the wire to nested Arrow by ptars."""
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    from ptars import HandlerPool

    descriptor = trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR
    handler = HandlerPool([descriptor.file]).get_for_message(descriptor)
    began = time.process_time()
    for at in range(0, len(load.bodies), 8):
        handler.list_to_record_batch(list(load.bodies[at : at + 8]))
    return time.process_time() - began
