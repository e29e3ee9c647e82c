"""A project is examined, mapped again, copied and restored, with a server and without one."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.project import SETTINGS, Project

LOGS = [{"id": f"c{n}", "input": f"Question {n}?", "output": "Yes."} for n in range(5)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five conversations, and a port that is free."""
    made = Project(tmp_path / "shop")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        made.configure(with_port(unused.getsockname()[1]))
    made.run("import", made.write("logs.jsonl", LOGS))
    return made


def with_port(port: int) -> str:
    return SETTINGS.replace("[server]\n", f"[server]\nport = {port}\n")


def verdicts(checks: list[dict[str, Any]]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in checks}


def test_alone(project: Project, tmp_path: Path) -> None:
    found = verdicts(project.json("doctor"))
    well = ("telemetry store", "state store", "history", "disk", "port", "journal", "test span")
    assert {name: found[name] for name in well} == dict.fromkeys(well, "ok")
    before = project.json("logs")
    assert len(before["rows"]) == 5, "the test span left nothing"

    assert "nothing was done" in project.run("remap").out
    again = project.json("remap", "--again")
    assert sum(day["interactions"] for day in again["days"]) == 5
    assert sum(day["changed"] for day in again["days"]) == 0

    copy = tmp_path / "copy"
    assert "otel_traces: 5 rows" in project.run("backup", copy).out
    assert "is there already" in project.run("backup", copy, code=2).err
    project.run("restore", copy, tmp_path / "elsewhere")
    assert Project(tmp_path / "elsewhere", (copy / "assay.toml").read_text()).json("logs") == before
    assert "has a project already" in project.run("restore", copy, tmp_path / "elsewhere", code=2).err


def test_through_a_server(project: Project, tmp_path: Path) -> None:
    with project.serving():
        found = verdicts(project.json("doctor"))
        well = ("telemetry store", "opened by", "port", "caller's clock", "test span")
        assert {name: found[name] for name in well} == dict.fromkeys(well, "ok")
        assert "nothing was done" in project.run("remap").out
        assert "otel_traces: 5 rows" in project.run("backup", tmp_path / "copy").out
        assert len(project.json("logs")["rows"]) == 5
    project.run("restore", tmp_path / "copy", tmp_path / "elsewhere")


def test_what_is_wrong_is_said_with_what_to_do(project: Project, tmp_path: Path) -> None:
    (project.folder / "metrics.py").write_text("import nothing_like_it", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        project.configure(with_port(taken.getsockname()[1]))
        said = project.run("doctor", code=3).out
    assert "fail port: " in said
    assert "stop what listens there, or set server.port" in said
    assert "fail metrics: " in said
    empty = Project(tmp_path / "empty", "[project]\nnme = 'x'\n")
    assert "fail configuration: " in empty.run("doctor", code=3).out
