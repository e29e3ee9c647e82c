"""Every set of real conversations imports by the command, whole, and again without a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from tests.scenarios.project import Project

from assay.query import quote

pytestmark = [pytest.mark.slow, pytest.mark.shared]


class Imported(NamedTuple):
    """The project, and by file what its import reported."""

    project: Project
    reports: dict[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def files(shared: Path) -> list[Path]:
    found = sorted((shared / "data").glob("*/*.parquet"))
    if not found:
        pytest.skip(f"{shared / 'data'} is empty")
    return found


@pytest.fixture(scope="module")
def imported(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Imported:
    project = Project(tmp_path_factory.mktemp("project"))
    groups: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        groups.setdefault(options_for(file), []).append(file)
    reports = {
        Path(report["file"]): report
        for options, group in groups.items()
        for report in project.json("import", *group, *options)
    }
    return Imported(project, reports)


def options_for(file: Path) -> tuple[str, ...]:
    """Labels where people gave them, the cheaper verdicts where there are any; 1 is the bad end."""
    columns = pq.read_schema(file).names
    if "input" not in columns and "raw" in columns:
        return ("--column", "input=raw")
    score = ("--score", "judge_label=bad") if "judge_label" in columns else ()
    return ("--label", "label=bad", *score, "--lower-is-better")


def counted(file: Path, column: str) -> int:
    table = pq.read_table(file, columns=[column])
    return table.num_rows - table[column].null_count


def test_every_row_and_mark_of_every_file_is_there(files: list[Path], imported: Imported) -> None:
    assert imported.reports.keys() == set(files)
    for file, report in imported.reports.items():
        rows = counted(file, "id")
        assert (report["rows"], report["conversations"]) == (rows, rows), file
        assert report["interactions"] >= rows
        if "--label" in options_for(file):
            assert report["labels"].get("bad", 0) == counted(file, "label"), file
        if "--score" in options_for(file):
            assert report["scores"].get("bad", 0) == counted(file, "judge_label"), file
    assert totals(imported.project) == (
        sum(report["conversations"] for report in imported.reports.values()),
        sum(report["interactions"] for report in imported.reports.values()),
    )


def test_importing_again_changes_nothing(imported: Imported) -> None:
    project, before = imported.project, totals(imported.project)
    rows = marked(project)
    again = [file for file in imported.reports if file.stem in ("dices_350", "tau_retail", "who_when")]
    for file in again:
        (report,) = project.json("import", file, *options_for(file))
        assert report == imported.reports[file]
    assert totals(project) == before
    assert marked(project) == rows


def test_the_texts_of_a_file_are_found(shared: Path, imported: Imported) -> None:
    file = shared / "data" / "xstest" / "xstest.parquet"
    first = pq.read_table(file, columns=["id", "input", "output", "label"]).to_pylist()[0]
    page = imported.project.json("logs", f"input = {quote(first['input'])}")
    found = {row["log_id"]: row for row in page["rows"]}
    assert found[first["id"]]["output"] == first["output"].strip()


def marked(project: Project) -> list[dict[str, Any]]:
    """What people found bad, with all that is known of it but when that was last written down."""
    rows: list[dict[str, Any]] = project.json("logs", "label.bad = 1", "--limit", "1000")["rows"]
    for row in rows:
        row["scores"] = [{**score, "scored_at": ""} for score in row["scores"]]
    return rows


def totals(project: Project) -> tuple[int, int]:
    conversations = project.json("logs", "--limit", "1")["total"]
    interactions = project.json("logs", "--limit", "1", "--unit", "interaction")["total"]
    return conversations, interactions
