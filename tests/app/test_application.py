"""What clients are told of their writes, and which steps wait for which."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.app.conftest import NOW, Open

from assay.app.application import Application
from assay.app.requests import (
    EvaluateRequest,
    Mark,
    RecordRequest,
    ReportRequest,
    SampleRequest,
    SettleRequest,
    Span,
)
from assay.errors import CallerError, ConfigError, StoreError, UnknownName
from assay.store.telemetry.connection import Telemetry

SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "00f067aa0ba902b7",
    "name": "chat",
    "startTimeUnixNano": "1763636400000000000",
    "endTimeUnixNano": "1763636401000000000",
}


def otlp(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def settled(project: Application, logs: int) -> None:
    """Take in logs; all are settled and drawn."""
    spans = [{**SPAN, "traceId": f"{n:032x}"} for n in range(1, logs + 1)]
    project.receive(otlp(*spans), "application/json", "")
    project.settle(SettleRequest(even_active=True))
    project.sample(SampleRequest())


def test_what_is_acknowledged_is_stored_however_long_the_store_takes(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    insert = telemetry.insert

    def slow(table: str, rows: pa.Table) -> None:
        assert disk.wait(30)
        insert(table, rows)

    monkeypatch.setattr(telemetry, "insert", slow)
    project = open_project()
    assert project.receive(otlp(SPAN), "application/json", "").accepted == 1
    with pytest.raises(StoreError, match="the journal has it"):
        project.door.flush(0.05)
    disk.set()
    assert project.receive(otlp(SPAN), "application/json", "").accepted == 1
    project.door.flush()
    (row,) = telemetry.query(
        "SELECT count() AS logs, any(spans) AS spans FROM interactions_final"
    ).to_pylist()
    assert row == {"logs": 1, "spans": 1}


def test_a_side_that_is_not_said_reaches_as_far_as_there_are_logs(open_project: Open) -> None:
    project = open_project()
    old, new = datetime(2025, 9, 1, 8, tzinfo=UTC), datetime(2025, 11, 20, 8, tzinfo=UTC)
    spans = [
        {**SPAN, "traceId": f"{n:032x}", "startTimeUnixNano": f"{int(at.timestamp())}000000000"}
        for n, at in enumerate((old, new), 1)
    ]
    project.receive(otlp(*spans), "application/json", "")
    project.settle(SettleRequest(even_active=True))

    def ranged(since: datetime | None, until: datetime | None) -> tuple[datetime, int]:
        report = project.report(ReportRequest(range=Span(since=since, until=until)))
        return report.window.start, report.totals.conversations

    assert ranged(None, None) == (datetime(2025, 11, 7, tzinfo=UTC), 1)
    assert ranged(None, datetime(2025, 10, 1, tzinfo=UTC)) == (old, 1)
    assert ranged(datetime(2025, 8, 1, tzinfo=UTC), None) == (datetime(2025, 8, 1, tzinfo=UTC), 2)
    before = datetime(2024, 1, 1, tzinfo=UTC)
    assert ranged(None, before) == (before, 0)
    with pytest.raises(CallerError, match=r"ends .* before it starts"):
        ranged(new, old)
    with pytest.raises(CallerError, match="0001-01-01 is out of reach; use a time from 1970 to 2199"):
        ranged(datetime(1, 1, 1, tzinfo=UTC), None)


def test_a_clock_that_is_wrong_does_not_hide_the_other_logs(open_project: Open, put_logs: Any) -> None:
    put_logs(["sound", "wrong"], [NOW - timedelta(days=1), NOW + timedelta(days=20_000)])
    report = open_project().report()
    assert report.window.end == datetime(2025, 11, 21, tzinfo=UTC)
    assert report.totals.conversations == 1


@pytest.mark.parametrize("value", [5.0, -0.01, float("nan"), float("inf")])
def test_a_label_outside_the_scale_is_refused(open_project: Open, value: float) -> None:
    project = open_project()
    settled(project, logs=2)
    right, wrong = (Mark(log_id=f"{n:032x}", value=v) for n, v in ((1, 1.0), (2, value)))
    with pytest.raises(CallerError, match=r"000002': a value lies between 0 and 1"):
        project.record(RecordRequest(metric="good", kind="human", marks=(right, wrong)))
    assert project.record(RecordRequest(metric="good", kind="human", marks=(right,))).rows == 1


JUDGES = """
import assay
first = assay.judge("first", unit="conversation", model="m", criteria="Is it good?")
second = assay.judge("second", unit="conversation", model="m", criteria="Is it kind?")
"""
PRICED = """
[policies.daily]
rate = 1.0
[judge]
provider = "tests.app.provider:make"
concurrency = 1
[prices.m]
input = 1000.0
output = 0.0
"""


def test_a_budget_is_for_all_metrics_together(open_project: Open) -> None:
    project = open_project(JUDGES, PRICED)
    settled(project, logs=30)
    first, second = project.evaluate(EvaluateRequest(budget_usd=3.0))
    assert first.scored > 5
    assert first.cost_usd == pytest.approx(0.2 * first.scored)
    assert first.cost_usd + second.cost_usd <= 3.0
    assert second.over_budget == 30 - second.scored > 0


WAITS = """
import assay, time
from pathlib import Path

@assay.metric(unit="conversation")
def slow(log: assay.Log) -> bool:
    folder = Path(__file__).parent
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    return True
"""


@contextmanager
def running(project: Application, folder: Path) -> Iterator[None]:
    """While a metric waits in the middle of its run."""
    run = threading.Thread(target=project.evaluate, args=(EvaluateRequest(),))
    run.start()
    deadline = time.monotonic() + 30
    while not (folder / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield
    finally:
        (folder / "go").touch()
        run.join()


def test_conversations_are_settled_and_drawn_while_metrics_run(open_project: Open, tmp_path: Path) -> None:
    project = open_project(WAITS)
    settled(project, logs=1)
    done = threading.Event()

    def work() -> None:
        project.settle(SettleRequest())
        project.sample(SampleRequest())
        done.set()

    beside = threading.Thread(target=work)
    with running(project, tmp_path):
        beside.start()
        in_time = (tmp_path / "begun").exists() and done.wait(10)
    beside.join()
    assert in_time


def test_runs_take_turns_and_who_goes_away_stops_waiting(open_project: Open, tmp_path: Path) -> None:
    project = open_project(WAITS)
    settled(project, logs=1)

    def gone(stage: str, done: int, total: int | None) -> None:
        raise ConnectionError(stage)

    with running(project, tmp_path), pytest.raises(ConnectionError, match="waiting for another"):
        project.evaluate(EvaluateRequest(), gone)
    (again,) = project.evaluate(EvaluateRequest())
    assert again.todo == 0


CODE = """
import assay

@assay.metric(unit="conversation")
def polite(log: assay.Log) -> bool:
    return {verdict}
"""


def test_what_decides_or_pays_refuses_files_that_changed_since_they_were_read(
    open_project: Open, tmp_path: Path
) -> None:
    project = open_project(metrics=CODE.format(verdict="True"))
    settled(project, 1)
    (tmp_path / "metrics.py").write_text(CODE.format(verdict="False"), encoding="utf-8")
    with pytest.raises(ConfigError, match="restart `assay serve`"):
        project.evaluate(EvaluateRequest())
    with pytest.raises(ConfigError, match=r"metrics\.py was changed"):
        project.sample(SampleRequest())
    (tmp_path / "metrics.py").write_text(CODE.format(verdict="True"), encoding="utf-8")
    (run,) = project.evaluate(EvaluateRequest())
    assert run.scored == 1


def test_labels_of_logs_that_were_not_drawn_for_people_are_told(open_project: Open) -> None:
    project = open_project()
    settled(project, 40)
    ids = [f"{n:032x}" for n in range(1, 41)]
    written = project.record(
        RecordRequest(metric="good", kind="human", marks=tuple(Mark(log_id=i, value=1.0) for i in ids))
    )
    report = project.report(ReportRequest()).metrics[0].overall
    assert written.rows == 40
    assert 0 < written.outside_sample < 40
    assert report.n_labelled == 40 - written.outside_sample


def test_a_metric_that_no_policy_draws_for_is_a_note_and_not_the_end_of_the_report(
    open_project: Open,
) -> None:
    project = open_project()
    settled(project, 2)
    request = RecordRequest(
        metric="good",
        kind="human",
        unit="interaction",
        marks=(Mark(log_id=f"{1:032x}", value=1.0),),
    )
    assert project.record(request).outside_sample == 1
    report = project.report(ReportRequest())
    assert report.metrics == ()
    assert any("good: no policy draws interactions" in note for note in report.notes)
    with pytest.raises(UnknownName, match="no policy is"):
        project.explain("good")
