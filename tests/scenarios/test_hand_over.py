"""One process has an embedded project open: commands go through it where it serves, and are told
who it is where it does not."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.otlp import HEADERS, request, turn
from tests.scenarios.project import Project, holding

pytestmark = pytest.mark.slow

METRICS = """\
import assay

@assay.metric(unit="conversation")
def short(log: assay.Log) -> bool:
    return len(log.output) < 12
"""


def answers(project: Project) -> dict[str, Any]:
    """What commands that only read say; when the report was made is left out."""
    report = project.json("report")
    report.pop("created", None)
    return {
        "logs": project.json("logs", "llm_calls > 0", "--unit", "interaction"),
        "estimate": project.json("estimate", "short"),
        "report": {key: value for key, value in report.items() if key not in ("made_at", "now")},
    }


def test_commands_go_through_the_server_and_say_the_same_without_it(tmp_path: Path) -> None:
    project = Project(tmp_path, metrics=METRICS)
    with project.serving() as server:
        spans = [span for n in range(1, 21) for span in turn(n, say="x" * n)]
        sent = server.http.post("/v1/traces", content=request(spans).SerializeToString(), headers=HEADERS)
        assert sent.status_code == 200
        (sampled,) = project.json("sample")
        assert sum(stratum["judge"] for stratum in sampled["strata"]) == 20
        (evaluated,) = project.json("evaluate")
        assert (evaluated["scored"], evaluated["failed"]) == (20, 0)
        through = answers(project)
        wrong = [project.run(*words, code=2).err for words in WRONG]
        second = project.run("serve", "--port", "0", code=3)
    assert f"process {server.process.pid} (assay serve)" in second.err
    assert server.url in second.err
    assert answers(project) == through
    assert [project.run(*words, code=2).err for words in WRONG] == wrong
    assert through["estimate"]["value"] == 0.55
    assert project.json("sample")[0]["decided"] == 0, "nothing is decided twice"
    assert project.json("evaluate")[0]["todo"] == 0


WRONG = (("estimate", "shrot"), ("logs", "latncy_ms > 1"), ("sample", "--policy", "dayly"))
"""Commands whose input is wrong: their errors are the same through a server."""


def test_a_project_that_is_open_elsewhere_says_where(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with holding(tmp_path) as pid:
        for command in ("logs", "sample", "report"):
            refused = project.run(command, code=3)
            assert f"process {pid} (assay evaluate)" in refused.err
            assert refused.out == ""
        refused = project.run("serve", "--port", "0", code=3)
        assert f"process {pid}" in refused.err
    assert project.json("logs")["total"] == 0


def test_a_server_that_was_killed_leaves_no_hold(tmp_path: Path) -> None:
    project = Project(tmp_path)
    server = project.start()
    assert (tmp_path / ".assay" / "holder.json").exists()
    server.end(signal.SIGKILL)
    assert project.json("logs")["total"] == 0


def test_two_names_of_one_store_are_still_one_store(tmp_path: Path) -> None:
    """Two projects whose settings point at the same embedded path."""
    store = f'[store]\ntelemetry = "chdb://{tmp_path / "store"}"\n'
    first, second = Project(tmp_path / "a", store), Project(tmp_path / "b", store)
    with holding(first.folder) as pid:
        refused = second.run("logs", code=3)
        assert f"process {pid}" in refused.err
        assert str(tmp_path / "store") in refused.err
    assert os.path.exists(tmp_path / "store")
    assert second.json("logs")["total"] == 0
