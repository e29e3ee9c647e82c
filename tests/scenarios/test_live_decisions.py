"""A server decides by itself on what settles, and once more when users are heard of later."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.scenarios.project import SETTINGS, Project, Server

WAIT_S = 60.0
LIVE = SETTINGS.replace("settle_every_s = 3600", "settle_every_s = 0.2\ndecide_every_s = 0.2").replace(
    "rate = 1.0\nlabel_rate = 0.5",
    'rate = 0.000001\nstrata = [{ name = "unhappy", when = "signal.negative_feedback", rate = 1.0 }]',
)
"""Nobody is looked at, but for those that are unhappy."""


def soon(server: Server, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The policy's books once they are as they should be; as they are where they never are."""
    deadline = time.monotonic() + WAIT_S
    while True:
        answer = server.http.get("/api/accounting/policies/daily")
        books: dict[str, Any] = answer.json()["accounting"]
        if holds(books) or time.monotonic() > deadline:
            return books
        time.sleep(0.1)


def test_what_settles_is_decided_and_later_news_count(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop", LIVE)
    begun = datetime.now(UTC) - timedelta(seconds=2)
    rows = [
        {"id": f"c-{n}", "timestamp": begun.isoformat(), "input": f"Where is {n}?", "output": "Here."}
        for n in range(4)
    ]
    with project.serving() as server:
        project.run("import", project.write("rows.jsonl", rows))
        first = soon(server, lambda books: books["not_sampled"] == 4)
        assert (first["seen"], first["not_sampled"], first["lost"]) == (4, 4, 0)

        said = server.http.post("/v1/feedback", json={"conversation_id": "c-2", "value": "down"})
        assert said.json() == {"accepted": 1}
        later = soon(server, lambda books: books["added"] == 1)
        assert (later["drawn"], later["added"], later["not_sampled"], later["lost"]) == (1, 1, 3, 0)
        page = server.http.get("/api/conversations/c-2").json()
        before, after = sorted(page["selections"], key=lambda one: one["occasion"])
        assert (before["selected"], after["selected"], after["probability"]) == (False, True, 1.0)
        assert "could not" not in server.log
