"""What was acknowledged is there, once, whatever becomes of the process or the disk."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.scenarios.load import Load
from tests.scenarios.otlp import HEADERS, request, trace_id, turn
from tests.scenarios.project import SETTINGS, Project, Server

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


def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    project, load, rng = Project(tmp_path, BUSY), Load(seed=1), random.Random(7)
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        server = project.start()
        enough = load.answered + rng.randint(1, 60)
        load.start(server.url)
        load.wait(enough)
        time.sleep(rng.uniform(0.0, 0.3))
        code = server.end(number)
        load.stop()
        assert code == (-9 if number == signal.SIGKILL else 0), server.log
    with project.serving() as server:
        found = stored(project, server)
        check(load, found)
        replay(load, server)
        found = stored(project, server)
        check(load, found)
        assert {trace: row["tool_calls"] for trace, row in found.items()} == load.sent
        talks = project.json("logs", "--limit", "1")["total"]
    assert talks == len(found), "each of them was a conversation of its own"


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
