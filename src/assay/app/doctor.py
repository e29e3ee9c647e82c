"""An examination: the installation and its configuration from outside, the stores from inside.

Each check stands for itself: one that fails, or can't be made, keeps none of the others from being made."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from assay.app.deciding import examine_books
from assay.app.door import Door
from assay.app.hold import find_holder, hold_folder
from assay.app.parts import Parts
from assay.app.signals import examine_functions
from assay.config import Settings
from assay.errors import AssayError
from assay.records import Check, Verdict
from assay.store.state import list_projects
from assay.store.telemetry.health import PROBE_DAY, find_probe, read_health, remove_probes

NEEDED = ("chdb", "clickhouse-connect", "pyarrow", "sqlalchemy", "alembic", "starlette", "uvicorn", "msgspec")
FASTER = {"ptars": "decoding", "isal": "decompression", "httptools": "receiving", "uvloop": "receiving"}
EXTRAS = {"psycopg": "postgres", "grpc": "grpc", "presidio_analyzer": "pii"}
SKEW_S = 2.0
CALLER_SKEW_S = 5.0
FEW_DAYS, NO_DAYS = 14, 2
PROBE_WAIT_S = 15.0
PROBE_TEXT = "assay doctor looks whether a span arrives"


def look_outside(settings: Settings) -> Iterator[Check]:
    """What can be seen without opening a store."""
    yield _python()
    yield _packages()
    yield _faster()
    yield Check(name="configuration", verdict="ok", found=f"{settings.file}")
    yield _metrics(settings)
    yield _holder(settings)
    yield _port(settings)


def look_inside(parts: Parts, door: Door, *, asked_at: datetime | None, trace_id: str) -> tuple[Check, ...]:
    """What can be seen with the stores open. `asked_at` is the caller's clock; `trace_id` names a test
    span that the caller has sent to the receiver."""
    checks = [
        *_tried("telemetry store", lambda: _telemetry(parts, asked_at)),
        *_tried("state store", lambda: _state(parts)),
        *_tried("journal", lambda: _journal(door)),
        *_tried("signals", lambda: examine_functions(parts)),
        *_tried("books", lambda: examine_books(parts)),
    ]
    if trace_id:
        checks += _tried("test span", lambda: _probe(parts, door, trace_id))
    return tuple(checks)


def write_probe(trace_id: str) -> bytes:
    """An OTLP request, as JSON, with one span of a model call."""
    begun = datetime.fromisoformat(f"{PROBE_DAY}T12:00:00+00:00")
    nanos = int(begun.timestamp()) * 10**9
    message = [{"role": "user", "parts": [{"type": "text", "content": PROBE_TEXT}]}]
    told = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": msgspec.json.encode(message).decode()}
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "assay doctor",
        "startTimeUnixNano": str(nanos),
        "endTimeUnixNano": str(nanos + 10**6),
        "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in told.items()],
    }
    service = {"key": "service.name", "value": {"stringValue": "assay-doctor"}}
    scope = {"scope": {"name": "assay"}, "spans": [span]}
    return msgspec.json.encode(
        {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [scope]}]}
    )


def _tried(name: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(look())
    except AssayError as error:
        return [Check(name=name, verdict="fail", found=str(error))]


def _python() -> Check:
    found = f"{sys.version.split()[0]} at {sys.executable}"
    return Check(name="python", verdict="ok", found=found)


def _packages() -> Check:
    found, missing = [f"assay {version('assay')}"], []
    for name in NEEDED:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "pip install 'assay[server]'"
        return Check(name="packages", verdict="fail", found=f"missing: {', '.join(missing)}", advice=advice)
    extras = [extra for module, extra in EXTRAS.items() if find_spec(module) is not None]
    return Check(
        name="packages",
        verdict="ok",
        found=f"{', '.join(found)}; extras that would work: {', '.join(extras) or 'none'}",
    )


def _faster() -> Check:
    missing = [name for name in FASTER if find_spec(name) is None]
    if not missing:
        return Check(name="compiled parts", verdict="ok", found=", ".join(FASTER))
    return Check(
        name="compiled parts",
        verdict="warn",
        found=f"without {', '.join(f'{name} ({FASTER[name]})' for name in missing)}",
        advice="assay works without them, more slowly: pip install " + " ".join(missing),
    )


def _metrics(settings: Settings) -> Check:
    from assay.metrics.load import load_metrics

    path = settings.metrics_file
    if not path.exists():
        return Check(
            name="metrics", verdict="warn", found=f"{path} is not there", advice="write it to judge logs"
        )
    try:
        found = load_metrics(path)
    except AssayError as error:
        return Check(name="metrics", verdict="fail", found=str(error))
    return Check(name="metrics", verdict="ok", found=f"{path.name}: {', '.join(found) or 'none'}")


def _holder(settings: Settings) -> Check:
    holder = find_holder(hold_folder(settings.folder))
    if holder is None:
        return Check(name="opened by", verdict="ok", found="nobody: `assay serve` is not running")
    at = f" at {holder.address}" if holder.address else ""
    return Check(name="opened by", verdict="ok", found=f"process {holder.pid}, assay {holder.command}{at}")


def _port(settings: Settings) -> Check:
    host, port = settings.server.host, settings.server.port
    holder = find_holder(hold_folder(settings.folder))
    if holder is not None and holder.address:
        return Check(name="port", verdict="ok", found=f"the server listens at {holder.address}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return Check(
            name="port",
            verdict="fail",
            found=f"{host}:{port} can't be listened on: {error.strerror or error}",
            advice="stop what listens there, or set server.port",
        )
    return Check(name="port", verdict="ok", found=f"{host}:{port} is free")


def _telemetry(parts: Parts, asked_at: datetime | None) -> Iterator[Check]:
    health, now = read_health(parts.telemetry), parts.clock()
    topology = parts.telemetry.topology
    at = parts.telemetry.path or f"a {topology.kind}{f' ({topology.cluster})' if topology.cluster else ''}"
    yield Check(
        name="telemetry store",
        verdict="ok",
        found=f"{at}, engine {health.engine}, migration {health.migration} of {health.newest_migration}",
    )
    if health.broken_off or health.behind:
        how = (
            "mapping it again was broken off"
            if health.broken_off
            else "made by another mapping than this one"
        )
        yield Check(name="history", verdict="warn", found=how, advice="`assay remap` goes through all of it")
    else:
        yield Check(name="history", verdict="ok", found="mapped as this version maps")
    yield _skew("store's clock", abs((now - health.now).total_seconds()), SKEW_S)
    if asked_at is not None:
        yield _skew("caller's clock", abs((now - asked_at).total_seconds()), CALLER_SKEW_S)
    yield _ahead(health.ahead)
    if parts.telemetry.path is not None:
        reserve = parts.telemetry.reserve_bytes
        yield _disk(parts.telemetry.path, reserve, health.bytes, health.bytes_per_day)


def _skew(name: str, seconds: float, most: float) -> Check:
    found = f"{seconds:.1f} s from the server's"
    if seconds <= most:
        return Check(name=name, verdict="ok", found=found)
    return Check(
        name=name, verdict="warn", found=found, advice="let both machines take the time from one source"
    )


def _ahead(services: dict[str, int]) -> Check:
    if not services:
        return Check(name="clocks of senders", verdict="ok", found="no span is from the future")
    found = ", ".join(f"{name or 'unnamed'} {seconds:,} s" for name, seconds in services.items())
    return Check(
        name="clocks of senders",
        verdict="warn",
        found=f"ahead: {found}",
        advice="set the clock where these services run; their logs stand on the wrong day",
    )


def _disk(path: Path, reserve: int, used: int, per_day: float) -> Check:
    room = shutil.disk_usage(path).free - reserve
    found = f"{used / 1e9:,.2f} GB used, {max(room, 0) / 1e9:,.2f} GB left"
    days = room / per_day if per_day else None
    if days is not None:
        found += f", {per_day / 1e9:,.3f} GB a day: full in {max(days, 0):,.0f} days"
    verdict: Verdict = "ok"
    if room <= 0 or (days is not None and days < NO_DAYS):
        verdict = "fail"
    elif days is not None and days < FEW_DAYS:
        verdict = "warn"
    advice = "" if verdict == "ok" else "make room, or shorten how long spans are kept"
    return Check(name="disk", verdict=verdict, found=found, advice=advice)


def _state(parts: Parts) -> Iterator[Check]:
    projects = list_projects(parts.state)
    kind = parts.state.engine.dialect.name
    yield Check(name="state store", verdict="ok", found=f"{kind}, {len(projects)} projects")


def _journal(door: Door) -> Iterator[Check]:
    backlog, problem = door.backlog(), door.problem
    found = f"{backlog.bytes / 1e6:,.1f} MB wait to be stored"
    dead = (
        [path for path in door.dead_folder.iterdir() if path.is_file()] if door.dead_folder.is_dir() else []
    )
    if problem:
        yield Check(
            name="journal", verdict="fail", found=f"{found}; {problem}", advice="see the server's log"
        )
    elif backlog.bytes > door.max_waiting_bytes / 2:
        advice = "more comes in than is stored: look at the Ingest page"
        yield Check(name="journal", verdict="warn", found=found, advice=advice)
    else:
        yield Check(name="journal", verdict="ok", found=found)
    if dead:
        yield Check(
            name="refused by the store",
            verdict="warn",
            found=f"{len(dead)} files in {door.dead_folder}",
            advice="they hold what could not be stored; look at them, then delete them",
        )


def _probe(parts: Parts, door: Door, trace_id: str) -> Iterator[Check]:
    """From the receiver to a row, to an interaction; and away again."""
    began, deadline = time.monotonic(), time.monotonic() + PROBE_WAIT_S
    rows, text = 0, ""
    try:
        door.flush(PROBE_WAIT_S)
        while (rows, text) != (1, PROBE_TEXT) and time.monotonic() < deadline:
            rows, text = find_probe(parts.telemetry, trace_id)
            time.sleep(0.0 if text else 0.05)
    finally:
        remove_probes(parts.telemetry)
    took = f"{time.monotonic() - began:.2f} s"
    if rows == 1 and text == PROBE_TEXT:
        yield Check(name="test span", verdict="ok", found=f"received, stored, mapped and removed in {took}")
        return
    where = "stored but not mapped" if rows else "received and never stored"
    advice = "look at the server's log, and at `interactions_feed` in the store"
    yield Check(name="test span", verdict="fail", found=f"{where} after {took}", advice=advice)
