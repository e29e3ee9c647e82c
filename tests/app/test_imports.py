"""What is imported arrives whole: in pieces, after interruptions, and once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.app.conftest import Open

from assay.app import imports as module
from assay.app.imports import Importer, pieces
from assay.app.notes import Notes, Progressed
from assay.app.requests import (
    Located,
    LocateRequest,
    Mark,
    RecordRequest,
    SettleRequest,
    SpansRequest,
    Written,
)
from assay.errors import PayloadError, StoreError
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions
from assay.ingest.options import Mark as MarkColumn
from assay.ingest.plan import Plan
from assay.ingest.sources import find_sources
from assay.records import ImportReport, no_progress
from assay.store.telemetry.connection import Telemetry

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass
class Project:
    """Remembers what it was given; takes `most_rows` at once and fails after `fails_after` requests."""

    most_rows: int = 10**6
    fails_after: int = 10**6
    tables: list[tuple[str, pa.Table]] = field(default_factory=list)
    settled: list[SettleRequest] = field(default_factory=list)
    recorded: list[RecordRequest] = field(default_factory=list)
    unknown: int = 0

    def spans(self, request: SpansRequest, progress: Any = None) -> Written:
        table = pa.ipc.open_stream(BytesIO(request.arrow)).read_all()
        if table.num_rows > self.most_rows:
            raise PayloadError("too large", http_status=413)
        if len(self.tables) >= self.fails_after:
            raise StoreError("the server stopped answering")
        self.tables.append((request.kind, table))
        return Written(rows=table.num_rows)

    def locate(self, request: LocateRequest, progress: Any = None) -> Located:
        return Located(traces={span: "a" * 32 for span in request.span_ids if span.startswith("4")})

    def settle(self, request: SettleRequest, progress: Any = None) -> None:
        self.settled.append(request)

    def record(self, request: RecordRequest, progress: Any = None) -> Written:
        self.recorded.append(request)
        return Written(rows=len(request.marks) - self.unknown, unknown=self.unknown)

    def rows(self, kind: str = "spans") -> list[str]:
        column = "TraceId" if kind == "records" else "SpanId"
        return [str(one) for told, table in self.tables if told == kind for one in table[column].to_pylist()]


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"{n}", "ts": "2026-05-04T10:00:00Z", "input": "hi", "output": "ho", "good": n % 2}
        for n in range(count)
    ]


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path = folder / "logs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def plan_of(path: Path, options: ImportOptions | None = None) -> Plan:
    (source,) = find_sources([str(path)])
    return open_plan(source, options or ImportOptions(), path.parent)


def importer(project: Project, folder: Path, **options: Any) -> Importer:
    defaults: dict[str, Any] = {
        "notes": Notes(folder / ".assay"),
        "options_key": "k",
        "goal": None,
        "now": NOW,
        "reject": lambda *_: None,
        "progress": no_progress,
    }
    return Importer(project=project, **defaults | options)  # type: ignore[arg-type]


def run(project: Project, folder: Path, plan: Plan, **options: Any) -> ImportReport:
    one = importer(project, folder, **options)
    one.write(plan)
    (report,) = one.finish([plan])
    return report


def test_an_import_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, rows_of(7000))
    broken = Project(fails_after=2)
    with pytest.raises(StoreError):
        run(broken, tmp_path, plan_of(path))
    rest = Project()
    report = run(rest, tmp_path, plan_of(path))
    assert (len(broken.rows()), len(rest.rows())) == (4000, 3000)
    assert len({*broken.rows(), *rest.rows()}) == 7000
    assert (report.rows, report.spans, report.resumed) == (7000, 7000, 4000)
    again = Project()
    report = run(again, tmp_path, plan_of(path))
    assert (len(again.rows()), report.resumed) == (7000, 0)


@pytest.mark.parametrize("change", ["file", "options", "restart"])
def test_what_has_changed_begins_at_the_start(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, rows_of(3000))
    with pytest.raises(StoreError):
        run(Project(fails_after=1), tmp_path, plan_of(path))
    if change == "file":
        write(tmp_path, rows_of(3001))
    changes: dict[str, dict[str, Any]] = {"options": {"options_key": "other"}, "restart": {"restart": True}}
    report = run(Project(), tmp_path, plan_of(path), **changes.get(change, {}))
    assert report.resumed == 0
    assert report.spans == report.rows


def test_a_file_that_is_done_is_known(tmp_path: Path) -> None:
    plan = plan_of(write(tmp_path, rows_of(3)))
    assert importer(Project(), tmp_path).finished(plan.identity) is None
    run(Project(), tmp_path, plan)
    found = importer(Project(), tmp_path).finished(plan.identity)
    assert found == Progressed(file=plan.file, rows=3, done="2026-05-04T12:00:00+00:00")
    assert importer(Project(), tmp_path, restart=True).finished(plan.identity) is None
    assert importer(Project(), tmp_path, options_key="other").finished(plan.identity) is None


def test_labels_of_logs_that_have_not_settled_leave_the_file_open(tmp_path: Path) -> None:
    options = ImportOptions(labels=[MarkColumn.parse("good")])
    plan = plan_of(write(tmp_path, rows_of(6)), options)
    report = run(Project(unknown=2), tmp_path, plan)
    assert report.labels == {"good": 4}
    assert [note for note in report.notes if note.startswith("2 labels of good left out")]
    assert importer(Project(), tmp_path).finished(plan.identity) is None


def test_labels_come_after_the_signals_and_whole_after_an_interruption(tmp_path: Path) -> None:
    options = ImportOptions(labels=[MarkColumn.parse("good")], scores=[MarkColumn.parse("good=judge")])
    path = write(tmp_path, rows_of(7000))
    with pytest.raises(StoreError):
        run(Project(fails_after=2), tmp_path, plan_of(path, options))
    project = Project()
    report = run(project, tmp_path, plan_of(path, options), goal="low")
    assert (report.labels, report.scores) == ({"good": 7000}, {"judge": 7000})
    assert [(one.metric, one.kind, len(one.marks)) for one in project.recorded] == [
        ("good", "human", 5000),
        ("judge", "judge", 5000),
        ("good", "human", 2000),
        ("judge", "judge", 2000),
    ]
    assert {(one.unit, one.goal, one.source) for one in project.recorded} == {
        ("conversation", "low", str(path))
    }


def test_what_is_too_large_is_sent_in_halves(tmp_path: Path) -> None:
    project = Project(most_rows=300)
    report = run(project, tmp_path, plan_of(write(tmp_path, rows_of(1000))))
    assert report.spans == len(set(project.rows())) == 1000
    assert [table.num_rows for _, table in project.tables] == [250] * 4


def test_one_row_that_is_too_large_is_said(tmp_path: Path) -> None:
    with pytest.raises(PayloadError):
        run(Project(most_rows=0), tmp_path, plan_of(write(tmp_path, rows_of(2))))


def test_tables_are_cut_by_their_bytes() -> None:
    table = pa.table({"a": ["x" * 1000] * 100})
    parts = list(pieces(table, 10_000))
    assert pa.concat_tables(parts) == table
    assert all(part.num_rows >= 1 and (part.nbytes <= 10_000 or part.num_rows == 1) for part in parts)
    assert len(parts) < 30
    assert list(pieces(table.slice(0, 0), 10)) == []


def test_only_what_ended_lately_is_named_as_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(6)
    for row, minutes in zip(rows, (0, 30, 59, 61, 600, -10), strict=True):
        row["ts"] = (NOW - timedelta(minutes=minutes)).isoformat()
    plan = plan_of(write(tmp_path, rows))
    project = Project()
    run(project, tmp_path, plan)
    traces = [str(one) for _, table in project.tables for one in table["TraceId"].to_pylist()]
    (request,) = project.settled
    assert set(request.ended) == {traces[place] for place in (0, 1, 2, 5)}
    assert not request.even_active
    monkeypatch.setattr(module, "MOST_RECENT", 3)
    run(project, tmp_path, plan)
    assert len(project.settled[1].ended) == 3


def test_opinions_of_spans_get_their_traces(tmp_path: Path) -> None:
    path = tmp_path / "annotations.jsonl"
    opinion = {"annotation_name": "correct", "annotator_kind": "HUMAN", "result.score": 1.0}
    rows = [
        opinion | {"span_id": f"{n}b913a6554a7654d", "created_at": "2026-05-04T10:00:00Z"} for n in (4, 5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    project = Project()
    report = run(project, tmp_path, plan_of(path))
    assert project.rows("records") == ["a" * 32, ""]
    assert (report.format, report.evaluations, report.spans) == ("phoenix", 2, 0)
    assert report.conversations is None


def test_traces_are_counted_over_batches(tmp_path: Path) -> None:
    row = {"id": "", "trace_id": "", "type": "SPAN", "start_time": "2026-05-04 10:00:00", "name": "x"}
    path = tmp_path / "observations.jsonl"
    rows = [row | {"id": f"{n + 1:016x}", "trace_id": f"{n // 3 + 1:032x}"} for n in range(5000)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = run(Project(), tmp_path, plan_of(path))
    assert (report.rows, report.spans, report.interactions) == (5000, 5000, 1667)


def test_what_is_left_out_is_handed_over_and_told(tmp_path: Path) -> None:
    rows = rows_of(8)
    for row in rows[1:8]:
        row["id"] = ""
    left_out: list[tuple[str, int, str, Any]] = []
    plan = plan_of(write(tmp_path, rows), ImportOptions(skip_bad=True))
    report = run(Project(), tmp_path, plan, reject=lambda *told: left_out.append(told))
    assert [(file, row) for file, row, _, _ in left_out] == [(plan.file, n) for n in range(2, 9)]
    assert (report.rows, report.rejected, len(report.examples)) == (1, 7, 5)
    assert left_out[0][3]["input"] == "hi"


def test_a_note_that_cant_be_read_or_kept_costs_time_alone(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.write("key", Progressed(file="f", rows=3))
    assert notes.read("key") == Progressed(file="f", rows=3)
    (path,) = (tmp_path / "imports").iterdir()
    path.write_text('{"file": "f", "colour": 1}')
    assert notes.read("key") is None
    path.write_text("{")
    assert notes.read("key") is None
    notes.drop("key")
    notes.drop("key")
    assert notes.read("key") is None
    (tmp_path / "file").write_text("")
    Notes(tmp_path / "file").write("key", replace(Progressed(file="f"), rows=1))


def test_marks_that_say_nothing_new_are_not_written_again(
    open_project: Open, telemetry: Telemetry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(3)
    for row in rows:
        row["ts"] = "2025-11-18T10:00:00Z"
    project = open_project()
    for batch in plan_of(write(tmp_path, rows)).batches():
        project.spans(SpansRequest(arrow=module.stream_of(batch.spans)))
    project.settle(SettleRequest())
    written: list[pa.Table] = []
    insert = telemetry.insert

    def spy(table: str, told: pa.Table) -> None:
        if table == "scores":
            written.append(told)
        insert(table, told)

    monkeypatch.setattr(telemetry, "insert", spy)

    def record(*values: float, rater: str = "", comment: str = "") -> list[str]:
        written.clear()
        marks = [
            Mark(log_id=f"{n}", value=value, rater=rater, comment=comment) for n, value in enumerate(values)
        ]
        done = project.record(RecordRequest(metric="good", kind="human", marks=tuple(marks)))
        assert done.rows == len(values)
        return [str(one) for table in written for one in table["log_id"].to_pylist()]

    assert record(1, 0, 1) == ["0", "1", "2"]
    assert record(1, 0, 1) == []
    assert record(1, 1, 1) == ["1"]
    assert record(1, 1, 1, rater="ann") == ["0", "1", "2"]
    assert record(1, 1, 1, rater="ann", comment="so") == ["0", "1", "2"]


def test_a_conversation_that_a_file_brought_is_over(open_project: Open, tmp_path: Path) -> None:
    rows = rows_of(2)
    rows[0]["ts"] = rows[1]["ts"] = "2025-11-20T11:59:00Z"  # a minute ago
    project = open_project()
    (batch,) = plan_of(write(tmp_path, rows)).batches()
    project.spans(SpansRequest(arrow=module.stream_of(batch.spans)))
    brought = str(batch.spans["TraceId"][0])
    done = project.settle(SettleRequest(ended=(brought,)))
    assert (done.conversations, done.unsettled) == (1, 1)


def test_spans_are_located(open_project: Open, tmp_path: Path) -> None:
    project = open_project()
    (batch,) = plan_of(write(tmp_path, rows_of(2))).batches()
    project.spans(SpansRequest(arrow=module.stream_of(batch.spans)))
    spans = dict(zip(batch.spans["SpanId"].to_pylist(), batch.spans["TraceId"].to_pylist(), strict=True))
    found = project.locate(LocateRequest(span_ids=(*map(str, spans), "f" * 16)))
    assert found.traces == spans


def test_records_are_kept_in_otel_logs(open_project: Open, telemetry: Telemetry, tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    row = {
        "name": "correct",
        "value": 1,
        "data_type": "BOOLEAN",
        "trace_id": "5ee40791652030db6bd3fe2a76dfe926",
    }
    path.write_text(json.dumps(row | {"timestamp": "2025-11-18T10:00:00Z", "source": "ANNOTATION"}) + "\n")
    project = open_project()
    (batch,) = plan_of(path).batches()
    project.spans(SpansRequest(arrow=module.stream_of(batch.records), kind="records"))
    (found,) = telemetry.query(
        "SELECT TraceId, EventName, LogAttributes['gen_ai.evaluation.name'] AS name FROM otel_logs"
    ).to_pylist()
    assert found == {"TraceId": row["trace_id"], "EventName": "gen_ai.evaluation.result", "name": "correct"}
