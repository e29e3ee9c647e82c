"""What was acknowledged is there, once, whatever becomes of the process or the disk."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.scenarios.load import Load
from tests.scenarios.otlp import BEGUN_NS, HEADERS, PROTOBUF, request, trace_id, turn
from tests.scenarios.project import SETTINGS, Project, Server

from assay.ingest.journal import Journal
from assay.ingest.payload import Payload
from assay.ingest.segment import Parcel

pytestmark = pytest.mark.slow

BUSY = SETTINGS.replace("settle_every_s = 3600", "settle_every_s = 0.3")
"""Facts are computed all the while, so that the process is killed in the middle of that too."""


def stored(project: Project, server: Server) -> dict[str, dict[str, Any]]:
    """Every interaction by its id, through the API; each may come but once."""
    project.run("sample")
    found: dict[str, dict[str, Any]] = {}
    after = ""
    while True:
        query = {"unit": "interaction", "limit": "500", **({"after": after} if after else {})}
        page = server.http.get("/api/logs", params=query).raise_for_status().json()
        for row in page["rows"]:
            assert row["log_id"] not in found
            found[row["log_id"]] = row
        after = page["next"]
        if not after:
            assert len(found) == page["total"]
            return found


def check(load: Load, found: dict[str, dict[str, Any]]) -> None:
    """Everything acknowledged is there, nothing twice."""
    assert load.acknowledged.keys() <= found.keys() <= load.sent.keys()
    for trace, row in found.items():
        assert load.acknowledged[trace] <= row["tool_calls"] <= load.sent[trace]
        assert (row["llm_calls"], row["input_tokens"]) == (1, 100)


def replay(load: Load, server: Server) -> None:
    """Send again what was never answered, as exporters do."""
    for body in load.unanswered:
        assert server.http.post("/v1/traces", content=body, headers=HEADERS).status_code == 200
    load.acknowledged = load.sent.copy()
    load.unanswered.clear()


COUNTS = """
import json, sys
from assay.store.telemetry.connection import open_telemetry
store = open_telemetry(sys.argv[1])
print(json.dumps(store.query(
    "SELECT count() AS rows, uniqExact(TraceId, SpanId) AS spans FROM otel_traces").to_pylist()[0]))
store.close()
"""


def rows_and_spans(project: Project) -> tuple[int, int]:
    """How many rows the store has and how many different spans, once nobody else has it open."""
    command = [sys.executable, "-c", COUNTS, f"chdb://{project.folder / '.assay/telemetry'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    counts = json.loads(done.stdout)
    return counts["rows"], counts["spans"]


def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Twenty times kill -9 and twice SIGTERM, under load, while facts are computed too."""
    project, load, rng = Project(tmp_path, BUSY), Load(seed=1), random.Random(7)
    numbers = [signal.SIGKILL] * 20
    for place in (5, 12):
        numbers.insert(place, signal.SIGTERM)
    for number in numbers:
        server = project.start()
        enough = load.answered + rng.randint(1, 60)
        load.start(server.url)
        load.wait(enough)
        time.sleep(rng.uniform(0.0, 0.5))
        code = server.end(number)
        load.stop()
        assert code == (-9 if number == signal.SIGKILL else 0), server.log
    with project.serving() as server:
        found = stored(project, server)
        check(load, found)
    rows, spans = rows_and_spans(project)
    assert rows == spans, "no row stands there twice"
    with project.serving() as server:
        replay(load, server)
        found = stored(project, server)
        check(load, found)
        assert {trace: row["tool_calls"] for trace, row in found.items()} == load.sent
        talks = project.json("logs", "--limit", "1")["total"]
    assert talks == len(found), "each of them was a conversation of its own"


def test_a_stop_keeps_all_and_leaves_an_empty_journal(tmp_path: Path) -> None:
    project, load = Project(tmp_path), Load(seed=3)
    server = project.start()
    load.start(server.url)
    load.wait(100)
    assert server.end(signal.SIGTERM) == 0, server.log
    load.stop()
    assert list((tmp_path / ".assay/journal").glob("*.segment")) == []
    with project.serving() as server:
        check(load, stored(project, server))


def test_a_long_journal_is_taken_up_while_serving(tmp_path: Path) -> None:
    """Killed with much in the journal: the next start answers at once and stores it meanwhile."""
    project, traces = Project(tmp_path), 3000
    with project.serving():
        pass
    journal = Journal(tmp_path / ".assay/journal")
    for first in range(1, traces, 100):
        body = request([part for n in range(first, first + 100) for part in turn(n)]).SerializeToString()
        payload = Payload(kind="traces", body=body, content_type=PROTOBUF, received_ns=BEGUN_NS)
        journal.put(Parcel(payload=payload, items=200, size_bytes=len(body)))
    with project.serving() as server:
        assert post(server, traces + 1).status_code == 200
        assert len(stored(project, server)) == traces + 1


def test_overload_is_refused_so_that_it_is_sent_again_and_nothing_is_lost(tmp_path: Path) -> None:
    """A journal that is soon full, and more senders than the store can follow."""
    project = Project(tmp_path, SETTINGS + "\n[ingest]\nmax_waiting_mb = 0.05\n")
    answers: Counter[int] = Counter()
    kept: set[str] = set()
    lock = threading.Lock()

    def send(server: Server, sender: int) -> None:
        for number in range(150):
            trace = 1 + sender * 1000 + number
            body = request(turn(trace, tools=3)).SerializeToString()
            reply = server.http.post("/v1/traces", content=body, headers=HEADERS)
            assert reply.status_code == 200 or 1 <= int(reply.headers["retry-after"]) <= 60
            with lock:
                answers[reply.status_code] += 1
                if reply.status_code == 200:
                    kept.add(trace_id(trace))

    with project.serving() as server:
        with ThreadPoolExecutor(8) as senders:
            for done in [senders.submit(send, server, sender) for sender in range(8)]:
                done.result()
        assert answers.keys() == {200, 503}
        assert stored(project, server).keys() == kept
        status = server.http.get("/api/ingest").json()
        assert {one["name"]: one["requests"] for one in status["answers"]} == {
            "200": answers[200],
            "503": answers[503],
        }


def test_a_disk_without_room_refuses_and_loses_nothing(tmp_path: Path) -> None:
    full = BUSY + "\n[store]\nreserve_mb = 1000000000\n"
    project = Project(tmp_path, BUSY)
    with project.serving() as server:
        assert post(server, 1).status_code == 200
    project.configure(full)
    with project.serving() as server:
        refused = post(server, 2)
        assert refused.status_code == 503
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "are free" in refused.text
        assert "make room" in refused.text
        assert post(server, 3).status_code == 503
        assert server.http.get("/logs").status_code == 200, "what is there can still be read"
    assert "reserve" in project.run("import", project.write("more.jsonl", [ROW]), code=3).err
    project.configure(BUSY)
    with project.serving() as server:
        assert post(server, 3).status_code == 200
        assert stored(project, server).keys() == {trace_id(1), trace_id(3)}


ROW = {"id": "c-9", "input": "Where is it?", "output": "Here."}


def post(server: Server, trace: int) -> httpx.Response:
    body = request(turn(trace)).SerializeToString()
    return server.http.post("/v1/traces", content=body, headers=HEADERS)
