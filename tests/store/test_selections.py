"""Decisions in the store: who waits for one, what was fixed, what is never decided twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from assay.query import parse
from assay.records import Selection, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.selections import (
    Grouping,
    days_with_logs,
    fixed_probabilities,
    insert_selections,
    selected_counts,
    selections_of,
    strata_counts,
    undecided,
)

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 4, 9, 30, 0, 250_000, tzinfo=UTC)
NOW = datetime(2026, 5, 5, 1, tzinfo=UTC)
TODAY = Window.of_day(DAY)
PutLogs = Callable[..., None]


def grouping(version: str = "v1", **changes: Any) -> Grouping:
    strata = (("trouble", parse("errors > 0")), ("long", parse("turns >= 5")))
    return Grouping(
        **{"policy": "daily", "version": version, "unit": "conversation", "strata": strata} | changes
    )


def decision(log_id: str, **changes: Any) -> Selection:
    fields: dict[str, Any] = {
        "policy": "daily",
        "policy_version": "v1",
        "stage": "judge",
        "unit": "conversation",
        "log_id": log_id,
        "started": START,
        "stratum": "rest",
        "probability": 0.25,
        "draw": 0.1,
        "selected": True,
        "reason": "stratum rest: rate 0.25",
        "decided_at": NOW,
    }
    return Selection(**fields | changes)


def put_decisions(t: Telemetry, *decisions: Selection) -> None:
    names = Selection.__slots__
    insert_selections(
        t,
        pa.table(
            {
                name: pa.array([getattr(each, name) for each in decisions])
                if name != "selected"
                else pa.array([int(each.selected) for each in decisions], pa.uint8())
                for name in names
            }
        ),
    )


def waiting(t: Telemetry, group: Grouping, stage: Any = "judge", window: Window = TODAY) -> dict[str, str]:
    rows = undecided(t, group, stage, window, salt="s").to_pylist()
    return {row["log_id"]: row["stratum"] for row in rows}


def test_the_first_stratum_that_matches_wins_and_the_last_takes_the_rest(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["a", "b", "c", "d"], START, errors=[1, 0, 0, 2], turns=[9, 9, 1, 1])
    assert waiting(telemetry, grouping()) == {"a": "trouble", "b": "long", "c": "rest", "d": "trouble"}
    assert waiting(telemetry, grouping(strata=(), rest="all")) == dict.fromkeys("abcd", "all")


def test_only_logs_of_the_unit_the_window_and_the_filter_wait(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["in", "other"], START, service=["chat", "mail"])
    put_logs(["first"], TODAY.start, service="chat")
    put_logs(["next"], TODAY.end, service="chat")
    put_logs(["trace"], START, unit="interaction", service="chat")
    put_logs(["gone"], START, service="chat", is_deleted=1)
    group = grouping(where=parse('service = "chat"'))
    assert set(waiting(telemetry, group)) == {"in", "first"}
    assert set(waiting(telemetry, grouping(unit="interaction"))) == {"trace"}


def test_a_log_is_decided_once_by_a_policy_whatever_its_version(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["a", "b", "c"], START)
    put_decisions(telemetry, decision("a"), decision("b", selected=False, draw=0.9))
    assert set(waiting(telemetry, grouping("v2"))) == {"c"}
    assert set(waiting(telemetry, grouping(policy="other"))) == {"a", "b", "c"}


def test_a_log_whose_start_moved_to_the_day_before_is_not_decided_again(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    midnight = datetime(2026, 5, 5, tzinfo=UTC)
    put_decisions(telemetry, decision("a", started=midnight))
    put_logs(["a"], midnight - timedelta(seconds=1))
    assert waiting(telemetry, grouping()) == {}


def test_people_get_logs_of_those_selected_for_the_judge(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c", "d"], START, errors=1)
    put_decisions(
        telemetry,
        decision("a"),
        decision("b", selected=False),
        decision("c"),
        decision("c", stage="label", selected=False),
    )
    assert waiting(telemetry, grouping(), "label") == {"a": "rest"}


def test_at_the_label_stage_an_old_version_s_strata_are_named_anew(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["a", "b"], START, errors=1)
    put_decisions(telemetry, decision("a", stratum="old"), decision("b", policy_version="v2"))
    assert waiting(telemetry, grouping("v2"), "label") == {"a": "trouble", "b": "rest"}


def test_days_are_counted_by_stratum(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c"], START, errors=[1, 1, 0])
    put_logs(["d"], START + timedelta(days=1))
    put_decisions(telemetry, decision("a", probability=0.5), decision("b", probability=0.5, selected=False))
    window = Window(start=TODAY.start, end=TODAY.end + timedelta(days=1))
    assert strata_counts(telemetry, grouping("v2"), "judge", window).to_pylist() == [
        {"day": DAY, "stratum": "rest", "logs": 1.0, "undecided": 1},
        {"day": DAY, "stratum": "trouble", "logs": 2.0, "undecided": 0},
        {"day": DAY + timedelta(days=1), "stratum": "rest", "logs": 1.0, "undecided": 1},
    ]
    # Two logs of chance 0.5 each: one is expected for people to choose from, and one is there.
    assert strata_counts(telemetry, grouping("v2"), "label", window).to_pylist() == [
        {"day": DAY, "stratum": "trouble", "logs": 1.0, "undecided": 1}
    ]
    assert days_with_logs(telemetry, "conversation", Window(start=START, end=START)) == [DAY]
    assert days_with_logs(telemetry, "conversation", window) == [DAY, DAY + timedelta(days=1)]


def test_what_a_version_fixed_is_read_back_by_day_and_stratum(telemetry: Telemetry) -> None:
    put_decisions(
        telemetry,
        decision("a", probability=0.1 + 0.2),
        decision("b", probability=0.1 + 0.2, selected=False),
        decision("c", stratum="trouble", probability=1.0),
        decision("d", policy_version="v0", probability=0.9),
        decision("e", started=START + timedelta(days=1), probability=0.7),
        decision("f", stage="label", probability=0.6),
    )
    assert fixed_probabilities(telemetry, grouping(), "judge", TODAY).to_pylist() == [
        {"day": DAY, "stratum": "rest", "probability": 0.1 + 0.2},
        {"day": DAY, "stratum": "trouble", "probability": 1.0},
    ]
    assert fixed_probabilities(telemetry, grouping(), "label", TODAY).to_pylist() == [
        {"day": DAY, "stratum": "rest", "probability": 0.6}
    ]


def test_decisions_come_back_as_they_were_however_often_written(telemetry: Telemetry) -> None:
    first, second = decision("a", probability=0.1 + 0.2), decision("a", stage="label", selected=False)
    for _ in range(3):
        put_decisions(telemetry, first, second)
    assert selections_of(telemetry, "conversation", {"a": START}) == [first, second]
    assert selections_of(telemetry, "interaction", {"a": START}) == []


def test_selected_logs_are_counted_by_stratum(telemetry: Telemetry) -> None:
    put_decisions(
        telemetry,
        decision("a"),
        decision("b", selected=False),
        decision("c", stratum="trouble"),
        decision("c", stratum="trouble", stage="label"),
        decision("d", started=START + timedelta(days=1)),
    )
    assert selected_counts(telemetry, "daily", "conversation", TODAY).to_pylist() == [
        {"stratum": "rest", "decided": 2, "judge": 1, "label": 0},
        {"stratum": "trouble", "decided": 1, "judge": 1, "label": 1},
    ]


@pytest.mark.parametrize("hostile", ["'; DROP TABLE signals; --", "{x:String}", "a\\'b", "✓\n\t", ""])
def test_hostile_names_are_only_names(telemetry: Telemetry, put_logs: PutLogs, hostile: str) -> None:
    put_logs([hostile, "b"], START, errors=[1, 0])
    group = grouping(policy=hostile, rest=hostile)
    assert waiting(telemetry, group) == {hostile: "trouble", "b": hostile}
    put_decisions(telemetry, decision(hostile, policy=hostile, stratum=hostile, reason=hostile))
    assert waiting(telemetry, group) == {"b": hostile}
    (found,) = selections_of(telemetry, "conversation", {hostile: START})
    assert (found.policy, found.stratum, found.reason) == (hostile, hostile, hostile)
