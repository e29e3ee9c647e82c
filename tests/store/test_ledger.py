"""The ledger: selected logs, their probabilities, what machine and people said, and all that was seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from assay.errors import UnknownName
from assay.query import parse
from assay.records import MetricInfo, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.ledger import Ledger, read_ledger
from assay.store.telemetry.scope import Question

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TODAY = Window.of_day(DAY)
Put = Callable[..., None]


def question(**changes: Any) -> Question:
    named = {"name": "resolved", "version": "v1", "kind": "judge", "unit": "conversation"}
    policy, window = changes.pop("policy", "daily"), changes.pop("window", TODAY)
    return Question(MetricInfo(**named | changes), policy, window)


def ledger(t: Telemetry, *, asked: Question | None = None, **how: Any) -> Ledger:
    return read_ledger(t, asked or question(), **how)


def by_id(found: Ledger) -> dict[str, dict[str, Any]]:
    return {row["log_id"]: row for row in found.rows.to_pylist()}


@pytest.fixture
def filled(telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put) -> Telemetry:
    ids = ["a", "b", "c", "d", "e", "f"]
    put_logs(ids, START, errors=[1, 0, 0, 0, 0, 0], version=["1", "1", "2", "2", "2", "2"])
    put_logs(["other unit"], START, unit="interaction")
    put_logs(["other day"], START + timedelta(days=1))
    chances = [1.0, 0.25, 0.25, 0.25, 0.25]
    strata = ["trouble", "rest", "rest", "rest", "rest"]
    put_selections(ids[:5], START, probability=chances, stratum=strata, selected=[1, 1, 1, 1, 0])
    put_selections(["a", "b", "c"], START, stage="label", probability=0.4, selected=[1, 1, 0])
    put_scores(["a", "b", "f"], START, value=[0.0, 1.0, 1.0], simulated=1)
    put_scores(["c"], START, fate="failed", value=None)
    put_scores(["d"], START, metric_version="v0")
    put_scores(["a", "a", "c"], START, kind="human", rater=["ann", "bob", "ann"], value=[0.0, 1.0, 1.0])
    put_scores(["b"], START, kind="human", rater="ann", fate="skipped", value=None)
    return telemetry


def test_every_selected_log_is_a_row_with_its_probabilities(filled: Telemetry) -> None:
    found = ledger(filled)
    same = {"started": START, "day": DAY}
    assert by_id(found) == {
        "a": {**same, "log_id": "a", "stratum": "trouble", "p1": 1.0, "p2": 0.4, "fate": "scored"}
        | {"value": 0.0, "label": 0.5, "simulated": True},
        "b": {**same, "log_id": "b", "stratum": "rest", "p1": 0.25, "p2": 0.4, "fate": "scored"}
        | {"value": 1.0, "label": None, "simulated": True},
        "c": {**same, "log_id": "c", "stratum": "rest", "p1": 0.25, "p2": None, "fate": "failed"}
        | {"value": None, "label": 1.0, "simulated": False},
        "d": {**same, "log_id": "d", "stratum": "rest", "p1": 0.25, "p2": None, "fate": None}
        | {"value": None, "label": None, "simulated": False},
    }


def test_what_was_seen_and_decided_is_counted_by_day(filled: Telemetry) -> None:
    found = ledger(filled)
    assert (found.seen, found.seen_by_day, found.decided_by_day) == (6, {DAY: 6}, {DAY: 5})
    both = ledger(filled, asked=question(window=Window(start=TODAY.start, end=TODAY.end + timedelta(days=1))))
    next_day = DAY + timedelta(days=1)
    assert (both.seen, both.seen_by_day) == (7, {DAY: 6, next_day: 1})
    assert both.decided_by_day == {DAY: 5, next_day: 0}


def test_a_condition_narrows_rows_and_counts_alike(filled: Telemetry) -> None:
    found = ledger(filled, condition=parse('version = "1"'))
    assert (set(by_id(found)), found.seen, found.decided_by_day) == ({"a", "b"}, 2, {DAY: 2})
    failing = ledger(filled, condition=parse("score.resolved < 0.5"))
    assert set(by_id(failing)) == {"a"}
    recent = ledger(filled, condition=parse("last 1h"), now=START + timedelta(minutes=30))
    assert recent.seen == 6
    assert ledger(filled, condition=parse("last 1h"), now=START + timedelta(hours=9)).seen == 0


def test_another_version_shares_selections_and_labels_but_not_scores(filled: Telemetry) -> None:
    rows = by_id(ledger(filled, asked=question(version="v0")))
    assert {log_id: row["fate"] for log_id, row in rows.items()} == {
        "a": None,
        "b": None,
        "c": None,
        "d": "scored",
    }
    assert rows["a"]["label"] == 0.5


def test_a_question_for_people_alone_has_their_mean_as_its_value(filled: Telemetry) -> None:
    rows = by_id(ledger(filled, asked=question(kind="human", version="anything")))
    assert {log_id: (row["fate"], row["value"]) for log_id, row in rows.items()} == {
        "a": ("scored", 0.5),
        "b": ("skipped", None),
        "c": ("scored", 1.0),
        "d": (None, None),
    }


def test_an_empty_store_gives_an_empty_ledger(telemetry: Telemetry) -> None:
    found = ledger(telemetry, columns=("signals",))
    assert (found.rows.num_rows, found.seen, found.seen_by_day) == (0, 0, {})
    assert found.rows.column_names[-2:] == ["simulated", "signals"]


def test_facts_come_along_on_request(telemetry: Telemetry, put_logs: Put, put_selections: Put) -> None:
    put_logs(
        ["a", "b"],
        START,
        signals=[["error", "slow"], []],
        attributes=[[("topic", "refund"), ("x'y\"]", "odd")], []],
        service="chat",
        feedback=[None, 0.5],
    )
    put_selections(["a", "b"], START)
    columns = ("signals", "service", 'attr["topic"]', 'attr["x\'y"]"]', "feedback")
    found = ledger(telemetry, columns=columns)
    assert tuple(found.rows.column_names[-5:]) == columns
    rows = by_id(found)
    assert [rows["a"][c] for c in columns] == [["error", "slow"], "chat", "refund", "odd", None]
    assert [rows["b"][c] for c in columns] == [[], "chat", "", "", 0.5]


@pytest.mark.parametrize("column", ["log_id; DROP TABLE signals", "computed_at", "Version", ""])
def test_a_column_that_is_none_is_refused(telemetry: Telemetry, column: str) -> None:
    with pytest.raises(UnknownName, match="no column"):
        ledger(telemetry, columns=(column,))


def test_a_log_that_is_gone_has_no_row(filled: Telemetry) -> None:
    filled.command("DELETE FROM signals WHERE log_id = 'a'")
    assert (set(by_id(ledger(filled))), ledger(filled).seen) == ({"b", "c", "d"}, 5)
