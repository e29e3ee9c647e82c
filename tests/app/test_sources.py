"""What policies draw upon in a project: its days, its models, the metrics that they serve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from assay.app import flow
from assay.app.application import Application
from assay.app.sources import make_sources
from assay.records import Window, no_progress
from assay.store.telemetry.connection import Telemetry

DAY = date(2025, 11, 19)
AT = datetime(2025, 11, 19, 9, tzinfo=UTC)
METRICS = """
from assay import metric

@metric(unit="interaction")
def first(log):
    return True

@metric(unit="conversation")
def short(log):
    return len(log.output) < 100

@metric(unit="conversation")
def polite(log):
    return "please" in log.output
"""
SETTINGS = """
[project]
headline = "first"

[policies.daily]
budget = 10
parts = [{ kind = "uniform", share = 0.3 }, { kind = "importance", share = 0.7 }]

[policies.own]
rate = 1.0

[metrics.polite]
policy = "own"
"""


def test_a_policy_goes_by_the_first_metric_that_it_serves(open_project: Callable[..., Application]) -> None:
    parts = open_project(METRICS, SETTINGS)._parts
    found = {name: make_sources(parts, policy).metric("") for name, policy in parts.policies.items()}
    assert {name: info.name for name, info in found.items() if info} == {"daily": "short", "own": "polite"}
    named = make_sources(parts, parts.policy("daily")).metric("polite")
    assert named is not None
    assert named.name == "polite"


def test_a_day_is_fixed_once_with_its_model(
    open_project: Callable[..., Application], telemetry: Telemetry, put_logs: Callable[..., Any]
) -> None:
    parts = open_project(METRICS, SETTINGS)._parts
    policy, today = parts.policy("daily"), Window.of_day(DAY)
    put_logs([f"log{n}" for n in range(100)], AT, signals=[["error"]] * 5 + [[]] * 95)
    done = flow.sample(parts, policy, today, no_progress)
    days = make_sources(parts, policy).days
    fixed = days.read("daily", done.policy_version, "judge", DAY)
    assert fixed["risk"].startswith("prior-")
    assert fixed["metric"] == "short"
    served = make_sources(parts, policy).risk("short", DAY, fixed["risk"])
    assert served is not None
    assert served.version == fixed["risk"]
    assert fixed["logs"] == 100
    chances = telemetry.query("SELECT log_id, probability FROM selections FINAL").to_pylist()
    by_id = {row["log_id"]: row["probability"] for row in chances}
    assert sum(by_id.values()) > 9.99
    assert by_id["log0"] > 2 * by_id["log99"]
    put_logs(["late"], AT, signals=[["error"]])
    assert flow.sample(parts, policy, today, no_progress).decided == 1
    (late,) = telemetry.query("SELECT probability FROM selections FINAL WHERE log_id = 'late'").to_pylist()
    assert late["probability"] == by_id["log0"]
    assert days.read("daily", done.policy_version, "judge", DAY) == fixed
    assert flow.sample_new(parts, policy, no_progress).decided == 0
