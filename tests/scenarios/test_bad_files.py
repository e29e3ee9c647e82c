"""Files that are wrong: each is named with row, column and what to do, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenarios.project import Project

GOOD = {"id": "c-1", "input": "Where is it?", "output": "Here.", "ok": 1}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One for all: whatever a wrong file left behind would show in the last test."""
    return Project(tmp_path_factory.mktemp("project"))


def refused(project: Project, *arguments: str | Path) -> str:
    """What `assay import` says when it refuses."""
    done = project.run("import", *arguments, code=2)
    assert done.out == ""
    assert done.err.splitlines()[-1].startswith("error: ")
    return done.err


def test_a_column_that_is_not_there(project: Project) -> None:
    file = project.write("columns.jsonl", [GOOD])
    said = refused(project, file, "--column", "input=inptu")
    for part in ("`inptu`", "columns.jsonl", "`input`"):
        assert part in said


def test_a_row_that_is_no_json(project: Project) -> None:
    file = project.write("rows.jsonl", [GOOD, {**GOOD, "id": "c-2"}])
    with file.open("a", encoding="utf-8") as end:
        end.write('{"id": "c-3", "input": \n')
    said = refused(project, file)
    assert "row 3" in said or "line 3" in said


def test_a_label_on_another_scale(project: Project) -> None:
    file = project.write("scale.jsonl", [GOOD, {**GOOD, "id": "c-2", "ok": 4}])
    said = refused(project, file, "--label", "ok")
    for part in ("scale.jsonl", "row 2", "`ok`", "4"):
        assert part in said


def test_two_rows_of_one_id(project: Project) -> None:
    said = refused(project, project.write("twice.jsonl", [GOOD, GOOD]))
    for part in ("rows 1 and 2", "`id`", "c-1"):
        assert part in said


def test_a_time_that_is_none(project: Project) -> None:
    file = project.write("times.jsonl", [{**GOOD, "timestamp": "yesterday"}])
    said = refused(project, file)
    for part in ("row 1", "`timestamp`", "yesterday"):
        assert part in said


@pytest.mark.parametrize("name", ["cut.parquet", "noise.csv", "empty.jsonl", "kind.xlsx"])
def test_a_file_that_is_broken(project: Project, name: str) -> None:
    file = project.folder / name
    content = {"cut.parquet": b"PAR1 and then nothing", "noise.csv": b"\xff\xfe\x00\x00", "empty.jsonl": b""}
    file.write_bytes(content.get(name, b"PK\x03\x04"))
    assert name in refused(project, file)


def test_a_file_that_is_not_there(project: Project) -> None:
    assert "gone.jsonl" in refused(project, "gone.jsonl")


def test_a_good_file_waits_for_its_wrong_companion(project: Project) -> None:
    good = project.write("good.jsonl", [GOOD])
    wrong = project.write("wrong.jsonl", [{"input": "no id"}])
    assert "wrong.jsonl" in refused(project, good, wrong)


def test_nothing_is_left_behind(project: Project) -> None:
    """Comes last."""
    assert not (project.folder / ".assay").exists(), "no store was opened for any of them"
    assert project.json("logs")["total"] == 0
    assert project.json("import", "good.jsonl")[0]["rows"] == 1
    assert project.json("logs")["total"] == 1
