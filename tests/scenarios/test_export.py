"""Anything that is kept comes out as a file, alone and through a server, and conversations go in again."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from tests.scenarios.project import Project

BEGUN = datetime(2026, 11, 2, 9, tzinfo=UTC)
METRICS = """
from assay import metric

@metric(unit="conversation")
def brief(log):
    return len(log.output) < 100
"""
KINDS = ("spans", "interactions", "conversations", "signals", "selections", "scores", "labels")


def talk(number: int) -> dict[str, Any]:
    """Two turns, one with a tool that fails, over midnight for every third one."""
    at = BEGUN + timedelta(days=number % 3, hours=14, minutes=59, seconds=50)
    call = {"id": "1", "name": "find", "arguments": '{"order": 7}'}
    said: list[dict[str, Any]] = [
        {"role": "user", "content": f"Where is order {number}? “ñ”\n"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "nothing found", "is_error": number % 2 == 0},
        {"role": "assistant", "content": "I can't find it."},
        {"role": "user", "content": "Look again"},
        {"role": "assistant", "content": "It is on its way."},
    ]
    timed = [one | {"ts": (at + timedelta(seconds=2 * place)).isoformat()} for place, one in enumerate(said)]
    return {"id": f"c{number}", "messages": timed, "user_id": f"u{number % 4}", "meta": {"plan": "pro"}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project") / "shop", metrics=METRICS)
    made.run("import", made.write("logs.jsonl", [talk(number) for number in range(12)]))
    made.run("sample")
    made.run("evaluate", "brief")
    labels = made.folder / "labels.csv"
    labels.write_text("id,value,rater\nc1,1,ann\nc2,0,ann\n", encoding="utf-8")
    made.run("label", "brief", labels)
    return made


def test_every_kind_has_its_rows_and_its_columns_are_described(project: Project, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/export.md").read_text(encoding="utf-8")
    expected = {"spans": 24 + 12 * 2, "interactions": 24, "conversations": 12, "signals": 12}
    expected |= {"selections": 24, "scores": 12, "labels": 2}
    for kind in KINDS:
        file = tmp_path / f"{kind}.parquet"
        project.run("export", kind, "-o", file)
        table = pq.read_table(file)
        if kind != "spans":
            assert table.num_rows == expected[kind], kind
        section = page.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
        assert [name for name in table.column_names if f"`{name}`" not in section] == [], kind


def facts(project: Project) -> list[Any]:
    page = project.json("logs", "--limit", "100")
    kept = (
        "log_id",
        "turns",
        "input",
        "output",
        "user_id",
        "tool_calls",
        "tool_errors",
        "attributes",
        "started",
    )
    return [[row[name] for name in kept] for row in page["rows"]]


def test_conversations_go_in_again_as_they_were(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "talks.parquet"
    project.run("export", "conversations", "-o", file)
    other = Project(tmp_path / "other")
    other.run("import", file)
    assert facts(other) == facts(project)


def test_the_server_sends_the_same(project: Project, tmp_path: Path) -> None:
    for kind in KINDS:
        project.run("export", kind, "-o", tmp_path / f"{kind}-alone.parquet")
    with project.serving() as server:
        for kind in KINDS:
            project.run("export", kind, "-o", tmp_path / f"{kind}-served.parquet")
            alone, served = (pq.read_table(tmp_path / f"{kind}-{how}.parquet") for how in ("alone", "served"))
            assert served.equals(alone), kind
        got = server.http.get("/api/export/labels", params={"form": "jsonl"})
        assert [json.loads(line)["log_id"] for line in got.text.splitlines()] == ["c1", "c2"]
        refused = server.http.get("/api/export/nothing")
        assert (refused.status_code, "no rows `nothing`" in refused.text) == (400, True)
        assert "no rows `nothing`" in project.run("export", "nothing", "-o", tmp_path / "x.csv", code=2).err
        assert server.http.get("/api/export/labels", params={"form": "xls"}).status_code == 400
        assert server.http.get("/api/export/labels", params={"since": "soon"}).status_code == 400
        leave_early(server.url)
        assert server.http.get("/healthz").status_code == 200


def leave_early(url: str) -> None:
    """Callers that go away in the middle give back what they held: five would take every handle."""
    for _ in range(6):
        with httpx.stream("GET", f"{url}/api/export/spans", trust_env=False) as response:
            assert response.status_code == 200


def test_a_filter_and_a_range_narrow_it(project: Project, tmp_path: Path) -> None:
    def ids(kind: str, column: str, *arguments: str) -> set[str]:
        file = tmp_path / "some.parquet"
        project.run("export", kind, "-o", file, *arguments)
        return {str(name) for name in pq.read_table(file).column(column).to_pylist()}

    assert ids("conversations", "id", 'user_id = "u1"') == {"c1", "c5", "c9"}
    assert ids("scores", "log_id", 'user_id = "u1"') == {"c1", "c5", "c9"}
    assert len(ids("spans", "TraceId", 'user_id = "u1"')) == 6
    assert len(ids("interactions", "trace_id", 'output = "It is on its way."', "--unit", "interaction")) == 12
    day = ("--since", "2026-11-03", "--until", "2026-11-03")
    assert ids("conversations", "id", *day) == {"c0", "c1", "c3", "c4", "c6", "c7", "c9", "c10"} - {
        f"c{n}" for n in range(0, 12, 3)
    }


def test_lists_and_maps_stand_as_json_in_a_csv(project: Project, tmp_path: Path) -> None:
    project.run("export", "signals", "-o", tmp_path / "signals.csv")
    with (tmp_path / "signals.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert json.loads(rows[0]["attributes"]) == {"plan": "pro"}
    assert isinstance(json.loads(rows[0]["signals"]), list)
    refused = project.run("export", "signals", "-o", tmp_path / "signals.xls", code=2)
    assert ".parquet, .jsonl, .csv, .arrow" in refused.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["signals.csv"]
