"""Scores in the store: what still waits for a metric or for people, and what was said of a log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from assay.records import MetricInfo, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import Question
from assay.store.telemetry.scores import insert_scores, scores_of, to_label, unscored

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TODAY = Window.of_day(date(2026, 5, 4))
Put = Callable[..., None]


def question(**changes: Any) -> Question:
    named = {"name": "resolved", "version": "v1", "kind": "judge", "unit": "conversation"}
    policy, window = changes.pop("policy", "daily"), changes.pop("window", TODAY)
    return Question(MetricInfo(**named | changes), policy, window)


def waiting(t: Telemetry, *, retry_failed: bool = False, **changes: Any) -> set[str]:
    rows = unscored(t, question(**changes), retry_failed=retry_failed)
    assert rows.column_names == ["log_id", "started"]
    return set(rows.to_pydict()["log_id"])


def people_wait(t: Telemetry, policy: str = "daily") -> set[str]:
    rows = to_label(t, question(policy=policy))
    return set(rows.to_pydict()["log_id"])


def test_selected_logs_wait_until_they_are_scored(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    put_logs(["selected", "not", "undecided", "done", "other version"], START)
    put_selections(["selected", "not", "done", "other version"], START, selected=[1, 0, 1, 1])
    put_scores(["done", "other version"], START, metric_version=["v1", "v0"])
    assert waiting(telemetry) == {"selected", "other version"}
    assert waiting(telemetry, version="v0") == {"selected", "done"}
    assert waiting(telemetry, name="polite") == {"selected", "done", "other version"}
    assert waiting(telemetry, policy="other") == set()
    assert waiting(telemetry, window=Window(start=TODAY.end, end=TODAY.end)) == set()


def test_failed_logs_wait_only_where_asked_and_those_over_budget_always(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    fates = ["scored", "skipped", "failed", "over_budget"]
    put_logs(fates, START)
    put_selections(fates, START)
    put_scores(fates, START, fate=fates, value=[1.0, None, None, None])
    assert waiting(telemetry) == {"over_budget"}
    assert waiting(telemetry, retry_failed=True) == {"over_budget", "failed"}
    put_scores(["failed"], START, scored_at=START + timedelta(hours=1))
    assert waiting(telemetry, retry_failed=True) == {"over_budget"}


def test_the_order_is_fair_between_strata_and_always_the_same(
    telemetry: Telemetry, put_logs: Put, put_selections: Put
) -> None:
    put_logs(["a", "b", "c", "d"], START)
    draws, chances = [0.09, 0.8, 0.01, 0.3], [0.1, 1.0, 0.1, 1.0]
    put_selections(["a", "b", "c", "d"], START, draw=draws, probability=chances)
    rows = unscored(telemetry, question())
    assert rows["log_id"].to_pylist() == ["c", "d", "b", "a"]
    assert rows["started"].to_pylist() == [START] * 4


def test_people_are_asked_what_nobody_has_answered(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    put_logs(["a", "b", "c", "d"], START)
    put_selections(["a", "b", "c", "d"], START)
    put_selections(["a", "b", "c"], START, stage="label", selected=[1, 1, 0])
    assert people_wait(telemetry) == {"a", "b"}
    put_scores(["a"], START)
    assert people_wait(telemetry) == {"a", "b"}
    put_scores(["a"], START, kind="human", rater="ann", metric_version="")
    assert people_wait(telemetry) == {"b"}
    put_scores(["b"], START, kind="human", rater="ann", fate="skipped", value=None)
    assert people_wait(telemetry) == set()


def test_everything_said_of_a_log_comes_back_newest_first(telemetry: Telemetry, put_scores: Put) -> None:
    put_scores(["a"], START, explanation="It helped ✓", cost_usd=0.1 + 0.2)
    put_scores(["a"], START, metric_version="v2", value=0.5, scored_at=START + timedelta(hours=1))
    put_scores(["a"], START, kind="human", rater="ann", value=0.0, scored_at=START + timedelta(hours=2))
    put_scores(["b"], START)
    rows = scores_of(telemetry, "conversation", {"a": START}).to_pylist()
    assert [(row["kind"], row["metric_version"], row["value"]) for row in rows] == [
        ("human", "v1", 0.0),
        ("judge", "v2", 0.5),
        ("judge", "v1", 1.0),
    ]
    assert (rows[2]["explanation"], rows[2]["cost_usd"]) == ("It helped ✓", 0.1 + 0.2)


def test_a_score_written_twice_is_one_and_a_later_one_replaces_it(
    telemetry: Telemetry, put_scores: Put
) -> None:
    for _ in range(2):
        put_scores(["a"], START, fate="failed", value=None, reason="timeout")
    put_scores(["a"], START, scored_at=START + timedelta(seconds=1))
    (row,) = scores_of(telemetry, "conversation", {"a": START}).to_pylist()
    assert (row["fate"], row["value"], row["reason"]) == ("scored", 1.0, "")


def test_a_score_keeps_its_times_to_the_microsecond(telemetry: Telemetry) -> None:
    at = datetime(2026, 5, 4, 9, 30, 0, 123_456, tzinfo=UTC)
    row = {
        "metric": ["m"],
        "metric_version": ["v"],
        "kind": ["code"],
        "unit": ["interaction"],
        "log_id": ["x"],
    }
    times = pa.array([at], pa.timestamp("us", tz="UTC"))
    insert_scores(
        telemetry,
        pa.table({**row, "log_id": ["x"], "fate": ["scored"], "started": times, "scored_at": times}),
    )
    (found,) = scores_of(telemetry, "interaction", {"x": at}).to_pylist()
    assert (found["started"], found["scored_at"], found["value"]) == (at, at, None)
