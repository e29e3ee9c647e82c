"""Real conversations with a verified outcome, from the file to the answer: does the interval hold
the known failure rate?

212 retail conversations of tau-bench, 41 % of them failed, and a heuristic "judge" that is almost
useless. Everything goes through the application: import, facts, sample, scores, labels, estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.app import answers
from assay.app.application import Application
from assay.app.open import wire
from assay.app.parts import Parts
from assay.app.requests import (
    EstimateRequest,
    Mark,
    RecordRequest,
    SampleRequest,
    SettleRequest,
    SpansRequest,
)
from assay.config.settings import MetricSettings, Settings
from assay.ingest.files import ImportOptions, ImportPlan, read_file
from assay.ingest.files import Mark as MarkColumn
from assay.records import Estimate
from assay.store.state import open_state
from assay.store.telemetry.connection import Telemetry

SEEDS = 200
METRIC = "task_failed"

DESIGNS: dict[str, dict[str, Any]] = {
    "all judged, 30 % labelled": {"rate": 1.0, "label_rate": 0.3},
    "long conversations looked at more": {
        "rate": 0.4,
        "label_rate": 0.5,
        "strata": ({"name": "long", "when": "turns > 5", "rate": 0.9, "label_rate": 0.7},),
    },
}


@dataclass(frozen=True, slots=True)
class Retail:
    """The project after the import, with one policy a seed and nothing drawn yet."""

    parts: Parts
    app: Application
    truth: float

    def estimate(self, seed: int) -> Estimate:
        """What `assay estimate task_failed` says where assay.toml names that seed's policy."""
        named = {METRIC: MetricSettings(policy=f"seed_{seed}")}
        parts = replace(self.parts, settings=self.parts.settings.model_copy(update={"metrics": named}))
        window = answers.default_window(parts)
        return answers.estimate(parts, parts.info(METRIC), window, EstimateRequest(metric=METRIC))


@pytest.fixture
def retail(
    request: pytest.FixtureRequest,
    shared: Path,
    telemetry: Telemetry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Retail]:
    file = shared / "data" / "tau_retail" / "tau_retail.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    policies = {f"seed_{seed}": DESIGNS[request.param] for seed in range(SEEDS)}
    settings = Settings.model_validate({"policies": policies}).model_copy(update={"folder": tmp_path})
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    parts = wire(settings, state)(telemetry)
    monkeypatch.setattr(telemetry, "close", lambda: None)  # the session's store outlives the project
    app = Application(parts)
    import_file(app, file)
    labels: list[Any] = pq.read_table(file, columns=["label"])["label"].to_pylist()
    yield Retail(parts, app, sum(labels) / len(labels))
    app.close()


def import_file(app: Application, file: Path) -> None:
    """The file's conversations, its judge's verdicts, and what is true of every one of them."""
    marks = [MarkColumn("label", METRIC)], [MarkColumn("judge_label", METRIC)]
    plan = read_file(file, ImportOptions(labels=marks[0], scores=marks[1], keep_meta=False))
    for table in plan.span_tables():
        app.spans(SpansRequest(arrow=stream(table)))
    app.settle(SettleRequest(even_active=True))
    for kind, table in plan.marks():
        record(app, plan, table, kind)


def record(app: Application, plan: ImportPlan, table: pa.Table, kind: Any) -> None:
    marks = tuple(Mark(log_id=row["log_id"], value=row["value"]) for row in table.to_pylist())
    written = app.record(RecordRequest(metric=METRIC, kind=kind, marks=marks, goal="low", source=plan.file))
    assert (written.rows, written.unknown) == (212, 0)


def stream(table: pa.Table) -> bytes:
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("retail", DESIGNS, indirect=True)
def test_the_interval_holds_the_known_failure_rate(retail: Retail) -> None:
    reports = retail.app.sample(SampleRequest())
    assert len(reports) == SEEDS
    assert all(report.decided > 212 for report in reports)
    found = [retail.estimate(seed) for seed in range(SEEDS)]
    for report, estimate in zip(reports, found, strict=True):
        drawn = [sum(counts) for counts in zip(*((s.judge, s.label) for s in report.strata), strict=True)]
        assert (estimate.n_seen, estimate.n_judged, estimate.n_labelled) == (212, *drawn)
        assert estimate.n_labelled < 212
    ends = [(estimate.low, estimate.high) for estimate in found]
    bounds = [(low, high) for low, high in ends if low is not None and high is not None]
    held = sum(low <= retail.truth <= high for low, high in bounds)
    print(f"the truth is in {held} of {SEEDS} intervals, {mean(high - low for low, high in bounds):.3f} wide")
    assert len(bounds) == SEEDS
    assert held / SEEDS >= 0.92
    assert mean(high - low for low, high in bounds) < 0.35
    assert mean(estimate.value or 0.0 for estimate in found) == pytest.approx(retail.truth, abs=0.02)
    raw = [estimate.raw.value for estimate in found if estimate.raw and estimate.raw.value is not None]
    assert mean(raw) == pytest.approx(0.19, abs=0.02), "the judge alone would be wrong by half"
