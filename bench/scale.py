"""A store of ten million interactions, made inside it, and how the program does on it.

    python -m bench.scale make FOLDER [--interactions 10000000] [--days 30]
    python -m bench.scale pages FOLDER [--requests 15] [--ingest 50]
    python -m bench.scale settle FOLDER [--interactions 50000]
    python -m bench.scale idle FOLDER [--seconds 60]

`make` writes what settling, `assay sample` and `assay evaluate` would have left: two interactions in
five belong to a new conversation, texts are of 200 to 600 characters. `pages` asks a running server for
each page, one after the other, and again while interactions arrive, `--ingest` of them a second.
`settle` takes in interactions of three spans and settles them. `idle` watches a server that nobody
talks to. The yardstick of a page is /healthz, which does nothing; that of settling is the same rows
copied from the table of interactions into an empty one, which is the least that writing them costs."""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.server import Server, ask, get, get_json, serve
from bench.tree import Watch

SETTINGS = """[project]
name = "scale"
headline = "short"

[policies.daily]
unit = "conversation"
size = 200
label_size = 30
"""
METRICS = """import assay


@assay.metric(unit="conversation")
def short(log: assay.Log) -> bool:
    return len(log.output) < 500
"""
SYLLABLES = [
    "ba",
    "ko",
    "ri",
    "ten",
    "lum",
    "sa",
    "vor",
    "pi",
    "del",
    "mon",
    "ash",
    "er",
    "ing",
    "tra",
    "no",
    "que",
]
TURNS = 2.5
OF_TRACE = "lower(hex(sipHash128(n, {day:UInt32})))"
OF_TALK = "concat('c', lower(hex(cityHash64(intDiv(n, 5) * 2 + (n % 5 > 2), {day:UInt32}))))"
AT = (
    "addMicroseconds({base:DateTime64(6, 'UTC')}, "
    "toInt64((n + cityHash64(n) % 2000) * (86000000000 / ({count:UInt32} + 2000))))"
)
PHRASES = (
    "SELECT groupArray(phrase) AS phrases FROM (SELECT arrayStringConcat(arrayMap(word -> "
    "arrayStringConcat(arrayMap(part -> "
    "{syllables:Array(String)}[1 + cityHash64(number % 997, word, part) % 16], "
    "range(1 + cityHash64(number, word) % 4))), range(4)), ' ') AS phrase FROM numbers(20000))"
)


def text(salt: int) -> str:
    """A text of 200 to 600 characters, of phrases of four words."""
    return (
        f"arrayStringConcat(arrayMap(j -> phrases[1 + cityHash64(n, {salt}, j) % 20000], "
        f"range(7 + cityHash64(n, {salt}) % 13)), ' ')"
    )


def pick(salt: int, *values: str) -> str:
    return f"{list(values)}[1 + cityHash64(n, {salt}) % {len(values)}]"


def interactions() -> str:
    """The interactions of a day as rows of `signals`."""
    columns = {
        "unit": "'interaction'",
        "log_id": OF_TRACE,
        "conversation_id": OF_TALK,
        "started": AT,
        "ended": f"addMicroseconds({AT}, 500000 + cityHash64(n, 7) % 20000000)",
        "service": pick(1, "shop", "help", "desk"),
        "environment": "'prod'",
        "version": "concat('v', toString({day:UInt32} % 4))",
        "user_id": "concat('u', toString(cityHash64(intDiv(n, 3), 3) % 200000))",
        "model": pick(4, "large", "small", "tiny"),
        "turns": "1",
        "spans": "4",
        "llm_calls": "2",
        "tool_calls": "1",
        "tool_errors": "cityHash64(n, 5) % 50 = 0",
        "errors": "cityHash64(n, 6) % 30 = 0",
        "latency_ms": "500 + cityHash64(n, 7) % 20000",
        "input_tokens": "300 + cityHash64(n, 8) % 3000",
        "output_tokens": "50 + cityHash64(n, 9) % 500",
        "cost_usd": "(cityHash64(n, 10) % 1000) / 100000.",
        "feedback": "if(cityHash64(n, 11) % 20 = 0, (cityHash64(n, 12) % 5) / 4., NULL)",
        "input": (
            f"concat({text(1)}, if(cityHash64(n, 13) % 200 = 0, ' refund please', ''), "
            "' order ', toString(cityHash64(n, {day:UInt32}) % 10000000))"
        ),
        "output": text(2),
        "attributes": (
            "map('tenant', concat('t', toString(cityHash64(n, 14) % 500)), "
            f"'channel', {pick(15, 'web', 'app', 'mail')}, 'plan', {pick(16, 'free', 'pro')})"
        ),
        "signals": (
            "arrayFilter(x -> x != '', [if(cityHash64(n, 17) % 25 = 0, 'refusal', ''), "
            "if(cityHash64(n, 6) % 30 = 0, 'error', ''), if(cityHash64(n, 18) % 60 = 0, 'slow', '')])"
        ),
        "computed_at": "{base:DateTime64(6, 'UTC')} + toIntervalHour(25)",
    }
    return (
        f"INSERT INTO signals ({', '.join(columns)}) WITH ({PHRASES}) AS phrases "
        f"SELECT {', '.join(columns.values())} FROM (SELECT number AS n FROM numbers({{count:UInt32}}))"
    )


CONVERSATIONS = (
    "INSERT INTO signals (unit, log_id, conversation_id, started, ended, service, environment, version, "
    "user_id, model, turns, spans, llm_calls, tool_calls, tool_errors, errors, latency_ms, input_tokens, "
    "output_tokens, cost_usd, feedback, input, output, attributes, signals, computed_at) "
    "SELECT 'conversation', conversation_id, conversation_id, min(started), max(ended), any(service), "
    "any(environment), any(version), any(user_id), any(model), count(), sum(spans), sum(llm_calls), "
    "sum(tool_calls), sum(tool_errors), sum(errors), max(latency_ms), sum(input_tokens), "
    "sum(output_tokens), sum(cost_usd), min(feedback), argMin(input, started), argMax(output, started), "
    "any(attributes), groupUniqArrayArray(signals), max(computed_at) FROM signals "
    "WHERE unit = 'interaction' AND toDate(started) = toDate({base:DateTime64(6, 'UTC')}) "
    "GROUP BY conversation_id"
)
DECISIONS = (
    "INSERT INTO selections (policy, policy_version, stage, unit, log_id, started, stratum, probability, "
    "draw, selected, reason, decided_at) SELECT 'daily', 'bench', stage, unit, log_id, started, 'rest', "
    "if(stage = 'judge', {rate:Float64}, 0.15), draw, "
    "draw < {rate:Float64} * if(stage = 'judge', 1, 0.15), '', computed_at "
    "FROM (SELECT *, (cityHash64(log_id) % 1000000) / 1000000. AS draw FROM signals "
    "WHERE unit = 'conversation' AND toDate(started) = toDate({base:DateTime64(6, 'UTC')})) "
    "ARRAY JOIN if(draw < {rate:Float64}, ['judge', 'label'], ['judge']) AS stage"
)
SCORES = (
    "INSERT INTO scores (metric, metric_version, kind, unit, log_id, started, fate, value, scored_at) "
    "SELECT 'short', {version:String}, 'code', unit, log_id, started, 'scored', "
    "cityHash64(log_id, 9) % 10 > 0, decided_at FROM selections WHERE stage = 'judge' AND selected "
    "AND toDate(started) = toDate({base:DateTime64(6, 'UTC')})"
)


def make(folder: Path, count: int, days: int) -> None:
    """Fill the store of a new project in `folder`."""
    from assay.app.open import open_application
    from assay.config import load_settings

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assay.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "metrics.py").write_text(METRICS, encoding="utf-8")
    application = open_application(load_settings(folder / "assay.toml"), "bench")
    parts, began = application._parts, time.monotonic()
    try:
        last, each = datetime.now(UTC).date(), count // days
        for day in range(days):
            base = datetime.combine(last - timedelta(days=days - day), datetime.min.time(), UTC)
            params: dict[str, Any] = {"day": day, "base": base, "count": each, "syllables": SYLLABLES}
            params |= {"rate": 200 * TURNS / each, "version": parts.info("short").version}
            for statement in (interactions(), CONVERSATIONS, DECISIONS, SCORES):
                parts.telemetry.command(statement, params)
            print(f"{base:%Y-%m-%d}: {each:,} interactions, {time.monotonic() - began:,.0f} s", flush=True)
        parts.telemetry.command(
            "INSERT INTO settled (name, upto, at) SELECT 'interactions', now64(3, 'UTC'), now64(6, 'UTC')"
        )
        size = parts.telemetry.query(
            "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts "
            "FROM system.parts WHERE active AND database = currentDatabase() "
            "GROUP BY table ORDER BY bytes DESC LIMIT 3"
        )
        for row in size.to_pylist():
            print(f"{row['table']}: {row['rows']:,} rows, {row['bytes'] / 1e9:.2f} GB, {row['parts']} parts")
    finally:
        application.close()


def pages(folder: Path, requests: int, rate: float) -> None:
    """Ask a running server for each page, quiet and while interactions arrive."""
    with serve(folder, wait_s=300) as server, Watch(server.pid) as watch:
        first_s = _first(server)
        print(f"{_load()}; the first page took {first_s * 1e3:,.0f} ms: it waits for the first report")
        print(
            f"{'page':<18}{'first':>8}{'median':>8}{'p95':>8}{'CPU':>8}{'busy':>8}{'busy CPU':>9}  (ms)",
            flush=True,
        )
        asked = _addresses(server)
        quiet = {name: _asked(server, path, requests) for name, path in asked.items()}
        with _arriving(server, rate):
            busy = {name: _asked(server, path, requests) for name, path in asked.items()}
    for name, page in quiet.items():
        also = busy[name]
        took = [page.took_s[0], median(page.took_s), _p95(page.took_s), page.cpu_s]
        took += [median(also.took_s), also.cpu_s]
        print(f"{name:<18}" + "".join(f"{1e3 * value:>8,.0f}" for value in took))
    print(f"peak memory {watch.peak_mb:,.0f} MB, {watch.cpu_s:,.0f} s of processor time; {_load()}")


class Asked(NamedTuple):
    """Seconds that each request took, and the server's processor time for one: on a busy machine the
    second is what can be compared. While interactions arrive it holds their taking in as well."""

    took_s: list[float]
    cpu_s: float


def _asked(server: Server, path: str, requests: int) -> Asked:
    with Watch(server.pid, every_s=3600.0) as watch:
        took_s = [get(server.port, path)[0] for _ in range(requests)]
    return Asked(took_s, watch.cpu_s / requests)


def _addresses(server: Server) -> dict[str, str]:
    """What a person looks at; a conversation in the middle of the list, so that it is not the newest."""
    listed = get_json(server.port, "/api/logs?q=" + quote("last 10d and turns > 2") + "&limit=50")
    talk = listed["rows"][-1]["conversation_id"]
    asked = {
        "logs": "",
        "by signal": "signal.refusal",
        "by attribute": 'attr["tenant"] = "t7"',
        "text, often": 'text contains "refund please"',
        "text, never": 'text contains "xylophone"',
        "slow answers": "latency_ms > 19000",
        "session": f'conversation_id = "{talk}"',
    }
    found = {name: f"/logs?q={quote(text)}" for name, text in asked.items()}
    found["page 2"] = f"/logs?after={quote(get_json(server.port, '/api/logs?limit=50')['next'])}"
    found |= {"interactions": "/logs?unit=interaction", "conversation": f"/conversations/{talk}"}
    found |= {
        "still open": "/logs?open=1",
        "overview": "/",
        "operations": "/operations",
        "metrics": "/metrics",
    }
    found["latency by day"] = "/api/series?of=latency_ms&unit=interaction"
    return found | {"healthz": "/healthz"}


def _first(server: Server) -> float:
    """Seconds until the first page is there; on a busy machine longer than one request is waited for."""
    began = time.monotonic()
    while time.monotonic() - began < 900.0:
        try:
            get(server.port, "/")
            return time.monotonic() - began
        except TimeoutError:
            continue
    raise SystemExit("the first page did not come")


def _p95(took: list[float]) -> float:
    return sorted(took)[min(int(0.95 * len(took)), len(took) - 1)]


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


@contextmanager
def _arriving(server: Server, rate: float) -> Iterator[None]:
    """Interactions of three spans, a request a second."""
    stop, each = threading.Event(), max(1, int(rate))

    def work() -> None:
        number = 0
        while not stop.wait(1.0):
            send(server, number, each)
            number += each

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def send(server: Server, first: int, count: int, ago_s: float = 5.0) -> None:
    """Interactions of three spans each, that ended so long ago."""
    spans = [span for number in range(first, first + count) for span in _spans(number, ago_s)]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    ask(server.port, "POST", "/v1/traces", json.dumps(body).encode())


def _spans(number: int, ago_s: float) -> list[dict[str, Any]]:
    end = int((time.time() - ago_s) * 1e9)
    trace = f"{os.getpid():016x}{number:016x}"
    texts = {
        "gen_ai.conversation.id": f"live-{os.getpid()}-{number // 2}",
        "gen_ai.prompt": "x",
        "input.value": f"Where is order {number}? " + "It was due some days ago. " * 12,
        "output.value": "It is on its way. " * 20,
    }
    made = []
    for place, name in enumerate(("invoke_agent", "chat", "execute_tool")):
        told = {"gen_ai.operation.name": name} | (texts if place == 0 else {"gen_ai.request.model": "small"})
        if name == "chat":
            told |= {"gen_ai.usage.input_tokens": "900", "gen_ai.usage.output_tokens": "80"}
        made.append(
            {
                "traceId": trace,
                "spanId": f"{number:08x}{os.getpid() % 65536:04x}{place + 1:04x}",
                "parentSpanId": "" if place == 0 else f"{number:08x}{os.getpid() % 65536:04x}0001",
                "name": name,
                "startTimeUnixNano": str(end - 2_000_000_000 + place),
                "endTimeUnixNano": str(end),
                "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in told.items()],
            }
        )
    return made


def settle(folder: Path, count: int) -> None:
    """Take in interactions that ended an hour ago and settle them; then settle with nothing to do."""
    from assay.app.open import open_application
    from assay.app.requests import SettleRequest
    from assay.config import load_settings

    with serve(folder, wait_s=300) as server:
        for first in range(0, count, 500):
            send(server, first, min(500, count - first), ago_s=3600.0)
    application = open_application(load_settings(folder / "assay.toml"), "bench")
    t = application._parts.telemetry
    try:
        for title in ("settle", "again, nothing new"):
            before, began = time.process_time(), time.monotonic()
            done = application.settle(SettleRequest())
            cpu_s, took_s = time.process_time() - before, time.monotonic() - began
            print(f"{title}: {done.interactions:,} interactions, {took_s:.2f} s, {cpu_s:.2f} s of processor")
            if done.interactions:
                print(f"  {1e6 * cpu_s / done.interactions:.0f} us of processor time an interaction")
        t.command("CREATE TABLE yardstick AS signals")
        before = time.process_time()
        t.command("INSERT INTO yardstick SELECT * FROM signals WHERE service = 'shop' AND user_id = ''")
        rows = t.query("SELECT count() AS n FROM yardstick").to_pylist()[0]["n"]
        print(f"yardstick: {1e6 * (time.process_time() - before) / max(rows, 1):.0f} us a row; {_load()}")
    finally:
        t.command("DROP TABLE IF EXISTS yardstick SYNC")
        application.close()


def idle(folder: Path, seconds: float) -> None:
    """What a server costs that nobody talks to."""
    with serve(folder, wait_s=300) as server:
        _first(server)
        time.sleep(30.0)
        with Watch(server.pid, every_s=1.0) as watch:
            time.sleep(seconds)
        print(
            f"idle for {seconds:.0f} s: {100 * watch.cpu_s / seconds:.2f} % of a core, "
            f"{watch.peak_mb:,.0f} MB; {_load()}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("make", "pages", "settle", "idle"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--interactions", type=int)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--requests", type=int, default=15)
    parser.add_argument("--ingest", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    match given.what:
        case "make":
            make(given.folder, given.interactions or 10_000_000, given.days)
        case "pages":
            pages(given.folder, given.requests, given.ingest)
        case "settle":
            settle(given.folder, given.interactions or 50_000)
        case _:
            idle(given.folder, given.seconds)


if __name__ == "__main__":
    main()
