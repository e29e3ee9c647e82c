"""Checks in processes of their own: what hangs or crashes costs one log its score."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pytest
from tests.metrics.logs import STARTED, make_log, make_turn

from assay.errors import CallerError, MetricError
from assay.metrics.base import Check, Metric
from assay.metrics.load import load_metrics
from assay.records import Log, MetricInfo, RunReport
from assay.runs.fates import SCORES, Stamp, score_logs
from assay.runs.local import evaluate
from assay.runs.options import RunOptions

NOW = datetime(2026, 5, 5, tzinfo=UTC)

FILE = """\
import ctypes, os, signal, subprocess, sys, time
import assay

@assay.metric()
def obeys(log: assay.Log):
    said = log.input
    if said == "hang":
        time.sleep(3600)
    if said == "hang and shield":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    if said == "exit":
        os._exit(7)
    if said == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if said == "segfault":
        ctypes.string_at(0)
    if said == "quit":
        sys.exit(2)
    if said == "print":
        print("noise " * 20000)
    if said == "memory":
        return bool(bytearray(4 << 30))
    if said == "skip":
        return None
    if said == "seven":
        return 7
    if said == "once" and not os.path.exists(log.attributes["flag"]):
        open(log.attributes["flag"], "w").close()
        os._exit(1)
    return 0.5
"""


@pytest.fixture
def obeys(tmp_path: Path) -> Metric:
    path = tmp_path / "metrics.py"
    path.write_text(FILE, encoding="utf-8")
    return load_metrics(path)["obeys"]


def run(
    metric: Metric, todo: Iterable[Sequence[Log]], rows: list[dict[str, Any]], **options: Any
) -> RunReport:
    def sink(table: pa.Table) -> None:
        assert table.schema == SCORES
        rows.extend(table.to_pylist())

    given: dict[str, Any] = {"time_limit_s": 30.0, "workers": 1}
    return evaluate(
        metric,
        todo,
        run_id="run-1",
        sink=sink,
        now=lambda: NOW,
        rng=random.Random(1),
        options=RunOptions(**(given | options)),
    )


def logs_of(*texts: str) -> list[Log]:
    return [make_log(f"c{number}", make_turn(text)) for number, text in enumerate(texts)]


def test_each_kind_of_end_is_one_logs_fate_and_no_others(obeys: Metric) -> None:
    wanted = {
        "exit": "worker_died",
        "kill": "worker_died",
        "segfault": "worker_died",
        "quit": "raised",
        "seven": "bad_value",
        "skip": "not_applicable",
        "print": "",
    }
    texts = [text for word in wanted for text in (word, "fine", "fine")]
    rows: list[dict[str, Any]] = []
    report = run(obeys, [logs_of(*texts)], rows)
    found = {row["log_id"]: row["reason"] for row in rows}
    assert len(found) == len(rows) == len(texts)
    assert found == {f"c{number}": wanted.get(text, "") for number, text in enumerate(texts)}
    assert (report.todo, report.scored, report.failed, report.skipped) == (21, 15, 5, 1)
    assert report.failures == {"worker_died": 3, "raised": 1, "bad_value": 1}
    explanations = " ".join(row["explanation"] for row in rows)
    assert "exit status 7" in explanations
    assert "SIGSEGV" in explanations
    assert {row["value"] for row in rows if row["fate"] == "scored"} == {0.5}


def test_what_hangs_is_ended_and_the_others_are_scored(obeys: Metric) -> None:
    rows: list[dict[str, Any]] = []
    texts = ["fine", "hang", "fine", "hang and shield", "fine"]
    report = run(obeys, [logs_of(*texts)], rows, time_limit_s=1.5)
    assert {row["log_id"]: row["reason"] for row in rows if row["reason"]} == {
        "c1": "timeout",
        "c3": "timeout",
    }
    assert (report.scored, report.failed) == (3, 2)


def test_a_log_that_was_there_when_its_worker_died_gets_another_chance(obeys: Metric, tmp_path: Path) -> None:
    unlucky = make_log("c1", make_turn("once"), attributes={"flag": str(tmp_path / "flag")})
    rows: list[dict[str, Any]] = []
    report = run(obeys, [[make_log("c0"), unlucky, make_log("c2")]], rows)
    assert report.scored == 3


def test_a_memory_limit_is_a_failure_of_the_log(obeys: Metric) -> None:
    rows: list[dict[str, Any]] = []
    run(obeys, [logs_of("memory", "fine")], rows, memory_mb=2048)
    assert {row["log_id"]: row["explanation"].partition(":")[0] for row in rows} == {
        "c0": "MemoryError",
        "c1": "",
    }


def test_a_metric_that_always_ends_its_process_ends_the_run(obeys: Metric) -> None:
    rows: list[dict[str, Any]] = []
    with pytest.raises(MetricError, match="exit status 7, log after log"):
        run(obeys, [logs_of("fine", *["exit"] * 50)], rows, give_up_after=3)
    assert [row["log_id"] for row in rows] == ["c0"]


def test_many_logs_that_crash_among_good_ones_end_nothing(obeys: Metric) -> None:
    rows: list[dict[str, Any]] = []
    report = run(obeys, [logs_of(*["exit", "fine"] * 5)], rows, give_up_after=3)
    assert (report.scored, report.failed) == (5, 5)


def test_many_logs_use_several_processes_and_none_is_lost(obeys: Metric) -> None:
    rows: list[dict[str, Any]] = []
    batches = [[make_log(f"c{batch}-{number}") for number in range(300)] for batch in range(4)]
    report = run(obeys, batches, rows, workers=2)
    assert report.scored == 1200
    assert Counter(row["log_id"] for row in rows).most_common(1)[0][1] == 1
    assert {row["kind"] for row in rows} == {"code"}
    assert {row["cost_usd"] for row in rows} == {0.0}


class SlowRows(list[dict[str, Any]]):
    """Takes longer to write to than a metric may take."""

    def extend(self, rows: Iterable[dict[str, Any]]) -> None:
        time.sleep(1.0)
        super().extend(rows)


def test_a_busy_store_is_not_taken_for_a_hanging_metric(obeys: Metric) -> None:
    logs = [make_log(f"c{number}") for number in range(600)]
    assert run(obeys, [logs], SlowRows(), workers=2, time_limit_s=0.8).scored == 600


def test_an_interrupt_ends_the_workers_and_keeps_what_was_done(obeys: Metric) -> None:
    def todo() -> Iterator[list[Log]]:
        yield logs_of(*["fine"] * 64)
        raise KeyboardInterrupt

    rows: list[dict[str, Any]] = []
    with pytest.raises(KeyboardInterrupt):
        run(obeys, todo(), rows)
    assert len(rows) >= 32


def test_a_file_that_does_not_load_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "metrics.py"
    path.write_text(
        "import os, assay\n"
        f"if os.getpid() != {os.getpid()}:\n    raise RuntimeError('only at home')\n"
        "@assay.metric()\ndef m(log):\n    return True\n",
        encoding="utf-8",
    )
    with pytest.raises(MetricError, match="only at home"):
        run(load_metrics(path)["m"], [logs_of("x")], [])


def test_functions_may_import_files_beside_theirs_when_called(tmp_path: Path) -> None:
    (tmp_path / "beside_the_metrics.py").write_text("VALUE = 0.75\n", encoding="utf-8")
    path = tmp_path / "metrics.py"
    path.write_text(
        "import assay\n@assay.metric()\ndef m(log):\n"
        "    from beside_the_metrics import VALUE\n    return VALUE\n",
        encoding="utf-8",
    )
    rows: list[dict[str, Any]] = []
    run(load_metrics(path)["m"], [logs_of("x")], rows)
    assert rows[0]["value"] == 0.75


def test_a_human_metric_cannot_be_run() -> None:
    class Question:
        info = MetricInfo(name="asked", version="1", kind="human", unit="conversation")
        definition: Mapping[str, object] = MappingProxyType({})

    with pytest.raises(CallerError, match="people"):
        run(Question(), [logs_of("x")], [])


def test_a_batch_of_logs_becomes_a_batch_of_scores(obeys: Metric) -> None:
    assert isinstance(obeys, Check)
    stamp = Stamp(info=obeys.info, run_id="r", simulated=False, scored_at=NOW)
    table = score_logs(obeys, logs_of("fine", "skip", "seven"), stamp)
    assert table.schema == SCORES
    assert table["fate"].to_pylist() == ["scored", "skipped", "failed"]
    assert table["value"].to_pylist() == [0.5, None, None]
    assert table["started"].to_pylist() == [STARTED] * 3
