"""What a plan foretells is what the policy then draws; planning itself decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.query import Condition, Names, parse
from assay.records import MetricInfo, SamplePlan, Window
from assay.sampling import apply_policy, load_policy
from assay.sampling.base import FloatArray, Risk
from assay.sampling.plan import Past, plan_policy
from assay.sampling.sources import Sources
from assay.store.telemetry.connection import Telemetry

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WINDOW = Window.of_day(DAY)
NOW = WINDOW.end + timedelta(hours=1)
INFO = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
NAMES = Names(signals=frozenset({"error", "refusal"}), metrics=frozenset({"resolved"}))
PAST = Past(info=INFO, rate=0.1, explained=0.5, usd_each={"resolved": 0.02, "other": 0.01}, label_usd=2.0)

POLICIES: dict[str, dict[str, Any]] = {
    "uniform": {"size": 60, "label_size": 12},
    "stratified": {
        "size": 20,
        "label_size": 5,
        "strata": [{"name": "trouble", "when": "signal.error", "size": 40, "label_size": 10}],
    },
    "composed": {
        "budget": 60,
        "label_budget": 12,
        "parts": [
            {"kind": "exhaustive", "when": "signal.refusal"},
            {"kind": "uniform", "share": 0.3},
            {"kind": "importance", "share": 0.7},
        ],
    },
}


class Errors:
    """Knows one thing: what has an error fails."""

    version = "m1"

    def chances(self, features: pa.Table) -> FloatArray:
        found = features["x_signals"].to_pylist()
        return np.array([0.6 if "error" in (raised or ()) else 0.02 for raised in found])


def read(text: str) -> Condition:
    return parse(text, NAMES)


def find_risk(metric: str, day: date, version: str) -> Risk | None:
    return Errors()


SOURCES = Sources(risk=find_risk, metric=lambda name: INFO)


@pytest.fixture
def logs(put_logs: Callable[..., None]) -> None:
    ids = [f"log{i:04d}" for i in range(1_000)]
    signals = [["error"] * (i % 10 == 0) + ["refusal"] * (i % 100 == 1) for i in range(1_000)]
    put_logs(ids, NOON, signals=signals)


def planned(telemetry: Telemetry, name: str, past: Past = PAST, **settings: Any) -> SamplePlan:
    policy = load_policy(name, POLICIES[name] | settings)
    return plan_policy(telemetry, policy, [DAY], read, past, sources=SOURCES)


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize("name", POLICIES)
def test_the_numbers_are_the_sums_of_the_chances_that_the_policy_then_writes_down(
    telemetry: Telemetry, name: str
) -> None:
    plan = planned(telemetry, name)
    assert telemetry.query("SELECT count() AS n FROM selections")["n"][0].as_py() == 0
    policy = load_policy(name, POLICIES[name])
    apply_policy(telemetry, policy, WINDOW, read, NOW, sources=SOURCES)
    rows = telemetry.query(
        "SELECT stratum, stage, count() AS logs, sum(probability) AS drawn, sum(selected) AS selected "
        "FROM selections FINAL GROUP BY stratum, stage"
    ).to_pylist()
    judge = {row["stratum"]: row for row in rows if row["stage"] == "judge"}
    label = sum(row["drawn"] for row in rows if row["stage"] == "label")
    drawn = {group.group: group for group in plan.groups if group.logs}
    assert drawn.keys() == judge.keys()
    for group, row in judge.items():
        assert drawn[group].logs == row["logs"]
        assert drawn[group].judge == pytest.approx(row["drawn"], rel=1e-6)
    assert plan.judge == pytest.approx(60, rel=1e-3)
    assert plan.label == pytest.approx(12 if name != "stratified" else 15, rel=1e-3)
    selected = sum(row["selected"] for row in judge.values())
    # those that were drawn are as many as foretold, as chance will have it; so are their labels
    assert abs(selected - plan.judge) < 4 * plan.judge**0.5
    assert label == pytest.approx(plan.label * selected / plan.judge, rel=0.35)


@pytest.mark.usefixtures("logs")
def test_costs_are_those_of_past_scores_and_of_labels(telemetry: Telemetry) -> None:
    plan = planned(telemetry, "stratified")
    assert plan.judge_usd == pytest.approx(60 * 0.03)
    assert plan.label_usd == pytest.approx(15 * 2.0)
    groups = {group.group: group for group in plan.groups}
    assert groups["trouble"].judge_usd == pytest.approx(40 * 0.03)
    assert groups["trouble"].failures == pytest.approx(40 * 0.6)
    assert groups["rest"].label_usd == pytest.approx(5 * 2.0)
    assert plan.failures == pytest.approx(40 * 0.6 + 20 * 0.02)
    assert plan.uniform_failures == pytest.approx(60 * (0.1 * 0.6 + 0.9 * 0.02))


@pytest.mark.usefixtures("logs")
def test_a_cost_that_nobody_knows_is_no_number(telemetry: Telemetry) -> None:
    unknown = Past(info=INFO, usd_each={"resolved": 0.02, "other": None})
    plan = planned(telemetry, "uniform", unknown)
    assert plan.judge_usd is None
    assert plan.label_usd is None
    said = " ".join(plan.notes)
    assert "no score of other yet" in said
    assert "[review] label_usd" in said
    assert "resolved has judged too little" in said


@pytest.mark.usefixtures("logs")
def test_a_composed_policy_finds_more_and_its_interval_says_what_that_costs(telemetry: Telemetry) -> None:
    even, composed = planned(telemetry, "uniform"), planned(telemetry, "composed")
    assert even.failures == pytest.approx(even.uniform_failures)
    assert composed.failures > 3 * composed.uniform_failures
    assert even.width is not None
    assert composed.width is not None
    assert even.width.effect == pytest.approx(1.0)
    assert even.width.width == pytest.approx(even.width.uniform_width)
    assert composed.width.rate == pytest.approx(0.1 * 0.6 + 0.9 * 0.02)
    assert composed.width.low < composed.width.rate < composed.width.high


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("kind", "explained", "narrower"), [("human", 0.5, False), ("judge", 0.9, True), ("code", None, True)]
)
def test_the_width_goes_by_what_the_metric_needs(
    telemetry: Telemetry, kind: str, explained: float | None, narrower: bool
) -> None:
    """People alone need more than a judge that they correct, and code needs nobody."""
    asked = planned(telemetry, "uniform", Past(info=INFO, rate=0.1, explained=0.0))
    info = MetricInfo(name="resolved", version="v1", kind=kind, unit="conversation")  # type: ignore[arg-type]
    plan = planned(telemetry, "uniform", Past(info=info, rate=0.1, explained=explained))
    assert asked.width is not None
    assert plan.width is not None
    assert (plan.width.width < 0.9 * asked.width.width) is narrower


def test_without_logs_or_metrics_the_plan_says_so(telemetry: Telemetry) -> None:
    plan = planned(telemetry, "composed", Past())
    assert (plan.days, plan.logs, plan.judge, plan.width) == (0, 0.0, 0.0, None)
    said = " ".join(plan.notes)
    assert "no settled logs in the range" in said
    assert "no metric of conversations" in said


@pytest.mark.usefixtures("logs")
def test_several_days_are_averaged(telemetry: Telemetry, put_logs: Callable[..., None]) -> None:
    before = DAY - timedelta(days=1)
    put_logs([f"more{i}" for i in range(500)], NOON - timedelta(days=1), signals=[[]] * 500)
    policy = load_policy("uniform", {"rate": 0.1})
    plan = plan_policy(telemetry, policy, [before, DAY], read, PAST, sources=SOURCES)
    assert (plan.days, plan.logs, plan.first, plan.last) == (2, 750.0, before, DAY)
    assert plan.judge == pytest.approx(75)
    assert plan.label == 0.0
