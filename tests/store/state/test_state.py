"""What the state store remembers, the same on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from assay.errors import ConfigError, MetricError, StoreError, UnknownName
from assay.records import MetricInfo
from assay.store.state import (
    MetricVersion,
    PolicyVersion,
    Run,
    State,
    finish_run,
    list_metrics,
    list_policies,
    list_projects,
    list_runs,
    register_metric,
    register_policy,
    start_run,
)

NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RESOLVED = MetricInfo(
    name="resolved", version="v1", kind="judge", unit="conversation", target="unsolved", simulated=True
)
DEFINITION = {"criteria": "Did it help? ✓", "model": "gpt-test", "temperature": 0.0, "steps": ["a", None]}


def test_a_metric_comes_back_as_it_was(state: State) -> None:
    register_metric(state, "shop", RESOLVED, DEFINITION, now=NOW)
    assert list_metrics(state, "shop") == [
        MetricVersion(info=RESOLVED, definition=DEFINITION, created_at=NOW)
    ]
    assert list_metrics(state, "other") == []
    assert list_projects(state) == [("shop", NOW)]


def test_registering_again_changes_nothing(state: State) -> None:
    register_metric(state, "shop", RESOLVED, DEFINITION, now=NOW)
    register_metric(state, "shop", replace(RESOLVED, target="other words"), {"new": 1}, now=LATER)
    assert list_metrics(state, "shop") == [
        MetricVersion(info=RESOLVED, definition=DEFINITION, created_at=NOW)
    ]


def test_a_version_can_not_change_its_meaning(state: State) -> None:
    register_metric(state, "shop", RESOLVED, DEFINITION, now=NOW)
    with pytest.raises(MetricError, match="version v1 is known with goal 'high', now it has 'low'"):
        register_metric(state, "shop", replace(RESOLVED, goal="low"), DEFINITION, now=LATER)


def test_versions_stand_newest_first_and_projects_apart(state: State) -> None:
    register_metric(state, "shop", RESOLVED, {}, now=NOW)
    register_metric(state, "shop", replace(RESOLVED, version="v2"), {}, now=LATER)
    register_metric(state, "bank", RESOLVED, {}, now=LATER)
    assert [m.info.version for m in list_metrics(state, "shop")] == ["v2", "v1"]
    assert [m.created_at for m in list_metrics(state, "bank")] == [LATER]


def test_a_policy_comes_back_as_it_was(state: State) -> None:
    for _ in range(2):
        register_policy(
            state, "shop", name="daily", version="p1", unit="interaction", definition={"rate": 0.1}, now=NOW
        )
    assert list_policies(state, "shop") == [
        PolicyVersion(
            name="daily", version="p1", unit="interaction", definition={"rate": 0.1}, created_at=NOW
        )
    ]
    with pytest.raises(ConfigError, match="version p1 is known with another definition"):
        register_policy(
            state, "shop", name="daily", version="p1", unit="interaction", definition={"rate": 0.2}, now=NOW
        )


def test_a_run_is_noted_from_its_start_to_its_end(state: State) -> None:
    for _ in range(2):
        start_run(state, "shop", run_id="r1", kind="evaluate", name="resolved", version="v1", now=NOW)
    begun = Run(
        run_id="r1",
        kind="evaluate",
        name="resolved",
        version="v1",
        started_at=NOW,
        finished_at=None,
        status="running",
        counts={},
        cost_usd=0.0,
    )
    assert list_runs(state, "shop") == [begun]
    finish_run(state, "r1", status="finished", counts={"scored": 7}, cost_usd=0.25, now=LATER)
    assert list_runs(state, "shop") == [
        replace(begun, finished_at=LATER, status="finished", counts={"scored": 7}, cost_usd=0.25)
    ]


def test_only_the_newest_runs_are_listed(state: State) -> None:
    for hour in range(5):
        at = NOW + timedelta(hours=hour)
        start_run(state, "shop", run_id=f"r{hour}", kind="settle", name="", version="", now=at)
    assert [run.run_id for run in list_runs(state, "shop", limit=3)] == ["r4", "r3", "r2"]


def test_a_run_that_never_started_can_not_finish(state: State) -> None:
    with pytest.raises(UnknownName, match="no run r9"):
        finish_run(state, "r9", status="failed", counts={}, cost_usd=0.0, now=NOW)


def test_a_status_that_is_none_is_refused(state: State) -> None:
    start_run(state, "shop", run_id="r1", kind="evaluate", name="resolved", version="v1", now=NOW)
    with pytest.raises(StoreError), state.write() as connection:
        connection.execute(text("UPDATE runs SET status = 'perhaps'"))
    assert [run.status for run in list_runs(state, "shop")] == ["running"]


def test_a_transaction_that_fails_leaves_nothing(state: State) -> None:
    def write_and_fail() -> None:
        with state.write() as connection:
            connection.execute(
                text("INSERT INTO projects VALUES (:name, :at)"), {"name": "x", "at": "2026-01-01 00:00:00"}
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list_projects(state) == []


def test_times_are_kept_in_utc_and_need_a_zone(state: State) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    start_run(state, "shop", run_id="r1", kind="settle", name="", version="", now=tokyo)
    (run,) = list_runs(state, "shop")
    assert run.started_at == NOW
    assert run.started_at.tzinfo is UTC
    with pytest.raises(StoreError, match="UTC-aware"):
        start_run(
            state, "shop", run_id="r2", kind="settle", name="", version="", now=NOW.replace(tzinfo=None)
        )


def test_threads_may_register_the_same_version_at_once(state: State) -> None:
    def register(_: int) -> None:
        register_metric(state, "shop", RESOLVED, DEFINITION, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(16)))
    assert len(list_metrics(state, "shop")) == 1
