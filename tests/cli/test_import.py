"""What `assay import` says of what it took, what it left out, and what it would take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.app.requests import Located, LocateRequest, RecordRequest, SettleRequest, SpansRequest, Written
from assay.cli import imports as module
from assay.cli.imports import import_files
from assay.errors import CallerError, FileError, StoreError
from assay.records import Progress

EXPORTS = Path(__file__).parents[1] / "ingest" / "exports"


class Project:
    """A project of which one log in three has not settled, if it is forgetful."""

    def __init__(self) -> None:
        self.is_forgetful = False
        self.spans_taken = self.records_taken = 0
        self.breaks_at = 10**9

    def spans(self, request: SpansRequest) -> Written:
        rows = pa.ipc.open_stream(BytesIO(request.arrow)).read_all().num_rows
        if self.spans_taken >= self.breaks_at:
            raise StoreError("the server stopped answering")
        if request.kind == "spans":
            self.spans_taken += rows
        else:
            self.records_taken += rows
        return Written(rows=rows)

    def locate(self, request: LocateRequest) -> Located:
        return Located(traces={})

    def settle(self, request: SettleRequest, progress: Progress) -> None:
        pass

    def record(self, request: RecordRequest) -> Written:
        unknown = len(request.marks) // 3 if self.is_forgetful else 0
        return Written(rows=len(request.marks) - unknown, unknown=unknown)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    opened = Project()

    @contextmanager
    def connect(config: Path | None, command: str) -> Iterator[Project]:
        yield opened

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assay.toml").write_text("")
    return opened


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"c{n}", "ts": "2026-05-04T10:00:00Z", "input": "hi", "output": "ho", "good": 1}
        for n in range(count)
    ]


def test_labels_of_logs_that_have_not_settled_are_told(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.is_forgetful = True
    path = write(tmp_path / "logs.jsonl", rows_of(6))
    import_files([str(path)], label=["good"], json=True)
    (report,) = json.loads(capsys.readouterr().out)
    assert report["labels"] == {"good": 4}
    assert [note for note in report["notes"] if note.startswith("2 labels of good left out")]


def test_a_folder_is_imported_and_later_only_what_is_new(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "exports"
    write(folder / "a.jsonl", rows_of(2))
    write(folder / "manifest.json", [{"files": ["a"]}])
    (folder / "scores.csv").write_bytes((EXPORTS / "langfuse_scores.csv").read_bytes())
    import_files([str(folder)])
    first, left_out, scores, evaluations, rejected, reason = [
        line for line in capsys.readouterr().out.splitlines() if "note:" not in line
    ]
    assert first == f"{folder}/a.jsonl: 2 rows, 2 conversations, 2 interactions"
    assert left_out.startswith(f"{folder}/manifest.json: left out: ")
    assert scores == f"{folder}/scores.csv: langfuse, 4 rows, 0 traces, 0 spans"
    assert (evaluations, rejected) == ("  3 evaluations", "  left out: 1 row, such as")
    assert reason == "    row 4 is a score of neither a trace nor a session"
    assert (project.spans_taken, project.records_taken) == (2, 3)

    write(folder / "b.jsonl", [row | {"id": f"new {row['id']}"} for row in rows_of(1)])
    import_files([str(folder)], json=True)
    reports = json.loads(capsys.readouterr().out)
    assert [(Path(one["file"]).name, one["skipped"][:9]) for one in reports] == [
        ("a.jsonl", "unchanged"),
        ("b.jsonl", ""),
        ("manifest.json", "left out:"),
        ("scores.csv", "unchanged"),
    ]
    assert project.spans_taken == 3
    import_files([str(folder)], restart=True)
    assert project.spans_taken == 6
    import_files([str(folder / "a.jsonl")])
    assert project.spans_taken == 8


def test_a_file_that_was_named_must_be_good_before_any_is_written(project: Project, tmp_path: Path) -> None:
    good = write(tmp_path / "a.jsonl", rows_of(2))
    bad = write(tmp_path / "b.jsonl", [{"id": "1"}, {"input": "x"}])
    with pytest.raises(FileError, match=r"b\.jsonl: row 2 has no `id`"):
        import_files([str(good), str(bad)])
    assert project.spans_taken == 0


def test_what_was_left_out_is_written_down(project: Project, tmp_path: Path) -> None:
    rows = rows_of(3)
    rows[1]["ts"] = "soon"
    path = write(tmp_path / "a.jsonl", rows)
    rejects = tmp_path / "out.rejected.jsonl"
    import_files([str(path)], skip_bad=True, rejects=rejects)
    (line,) = map(json.loads, rejects.read_text().splitlines())
    assert (line["file"], line["row"], line["held"]["id"]) == (str(path), 2, "c1")
    assert line["reason"].startswith("row 2 column `ts`: 'soon' is no time")
    assert project.spans_taken == 2
    rejects.unlink()
    import_files([str(write(path, rows_of(3)))], rejects=rejects)
    assert not rejects.exists()
    with pytest.raises(CallerError, match=r"--rejects .* can't be written"):
        import_files([str(write(path, rows))], skip_bad=True, rejects=tmp_path / "no" / "x")


def test_a_dry_run_shows_and_writes_nothing(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_files([str(EXPORTS / "langsmith_runs.jsonl"), str(EXPORTS / "langfuse_scores.csv")], dry_run=True)
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].endswith("langsmith_runs.jsonl: langsmith; 3 rows, 1 trace, 3 spans")
    assert lines[1] == "  | answer  2026-05-04 10:00:00.521+00:00  Ok"
    assert "  |   langsmith.metadata.plan = pro" in lines
    assert lines[-2].endswith(
        "langfuse_scores.csv: langfuse; 4 rows, 0 traces, 0 spans, 3 evaluations, 1 rejected"
    )
    assert "nothing was written" in told.err
    import_files([str(write(tmp_path / "a.jsonl", rows_of(2)))], dry_run=True, json=True)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["format"], one["rows"], one["spans"], len(one["first_trace"])) == ("rows", 2, 2, 1)
    assert project.spans_taken == project.records_taken == 0
    assert not (tmp_path / ".assay").exists()


def test_hostile_text_does_not_drive_the_terminal(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row | {"input": "\x1b[2Jgone", "\x1bodd": 1} for row in rows_of(1)]
    path = write(tmp_path / "a.jsonl", rows)
    import_files([str(path)], dry_run=True)
    import_files([str(path)])
    assert "\x1b" not in capsys.readouterr().out


def test_what_an_import_left_out_before_it_broke_off_stays_written(project: Project, tmp_path: Path) -> None:
    rows = rows_of(5000)
    rows[1]["ts"] = rows[4500]["ts"] = "soon"
    path = write(tmp_path / "a.jsonl", rows)
    rejects = tmp_path / "out.jsonl"
    project.breaks_at = 4000
    with pytest.raises(StoreError):
        import_files([str(path)], skip_bad=True, rejects=rejects)
    assert len(rejects.read_text().splitlines()) == 1
    project.breaks_at = 10**9
    import_files([str(path)], skip_bad=True, rejects=rejects)
    assert [json.loads(line)["row"] for line in rejects.read_text().splitlines()] == [2, 4501]
    assert project.spans_taken == 4998


def test_a_wrong_file_among_those_found_keeps_no_other_out(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    write(folder / "a.jsonl", [*rows_of(1), {"id": "", "input": "x"}])
    write(folder / "b.jsonl", rows_of(2))
    with pytest.raises(FileError, match=r"1 file not imported.*a\.jsonl.*--skip-bad"):
        import_files([str(folder)])
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{folder}/a.jsonl: left out: row 2 has no `id`: each row needs an id of its own"
    assert second == f"{folder}/b.jsonl: 2 rows, 2 conversations, 2 interactions"
    assert project.spans_taken == 2
