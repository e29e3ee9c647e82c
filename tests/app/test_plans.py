"""A plan through the application: from past scores and settings, and nothing decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.app.conftest import Open

from assay.app.operations import run_operation
from assay.app.requests import PlanRequest, SampleRequest, Span
from assay.errors import UnknownName
from assay.store.state.risk import find_risk
from assay.store.telemetry.connection import Telemetry

METRICS = """
import assay


@assay.metric(unit="conversation")
def polite(log: assay.Log) -> bool:
    return "idiot" not in log.output
"""
SETTINGS = """
[review]
label_usd = 0.5

[policies.daily]
size = 20
label_size = 5

[policies.sharp]
budget = 20
label_budget = 5
parts = [{ kind = "uniform", share = 0.25 }, { kind = "importance", share = 0.75 }]
"""
YESTERDAY = datetime(2025, 11, 19, 12, tzinfo=UTC)
PutLogs = Callable[..., None]


@pytest.fixture
def logs(put_logs: PutLogs, put_scores: Callable[..., None]) -> None:
    """Two days of logs; of the first, what a judge said: those with an error fail."""
    for day, count in ((2, 100), (1, 200)):
        ids = [f"{day}-{i}" for i in range(count)]
        at = YESTERDAY + timedelta(days=1 - day)
        put_logs(ids, at, signals=[["error"] * (i % 10 == 0) for i in range(count)])
        if day == 2:
            values = [float(i % 10 != 0) for i in range(count)]
            put_scores(ids, at, metric="polite", kind="code", value=values, cost_usd=0.01)


@pytest.mark.usefixtures("logs")
def test_every_policy_is_planned_for_the_last_whole_day(telemetry: Telemetry, open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    daily, sharp = project.plan(PlanRequest())
    assert (daily.policy, sharp.policy) == ("daily", "sharp")
    assert daily.first == daily.last == date(2025, 11, 19)
    assert (daily.logs, sharp.logs) == (200, 200)
    assert daily.judge == pytest.approx(20)
    assert daily.judge_usd == pytest.approx(0.2)
    assert daily.label_usd == pytest.approx(2.5)
    assert daily.failures == pytest.approx(daily.uniform_failures)
    # the day before taught that errors fail: the sharp policy goes by that
    assert sharp.failures > 3 * sharp.uniform_failures
    assert "no metric follows this policy: planned as if polite did" in sharp.notes
    assert not any("follows" in note for note in daily.notes)
    assert telemetry.query("SELECT count() AS n FROM selections")["n"][0].as_py() == 0


@pytest.mark.usefixtures("logs")
def test_a_range_is_planned_over_its_days_and_a_plan_travels_as_json(open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    span = Span(since=YESTERDAY - timedelta(days=2))
    (plan,) = project.plan(PlanRequest(policy="daily", range=span))
    assert (plan.days, plan.logs) == (2, 150)
    (told,) = run_operation(project, "plan", {"policy": "daily"})
    assert told["groups"][0]["group"] == "all"
    assert told["judge"] == pytest.approx(20)
    with pytest.raises(UnknownName, match="no policy `dayly`"):
        project.plan(PlanRequest(policy="dayly"))


@pytest.mark.usefixtures("logs")
def test_a_plan_fits_a_model_and_keeps_none(open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    parts = project._parts
    project.plan(PlanRequest(policy="sharp"))
    assert find_risk(parts.state, parts.project, "polite") is None


@pytest.mark.usefixtures("logs")
def test_what_was_decided_already_does_not_change_the_plan(open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    before = project.plan(PlanRequest())
    project.sample(SampleRequest())
    after = project.plan(PlanRequest())
    assert [plan.judge for plan in after] == pytest.approx([plan.judge for plan in before])
    assert [plan.failures for plan in after] == pytest.approx([plan.failures for plan in before])
