"""Decisions in the store: who waits for one, what was fixed, what is never decided twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from assay.query import Attribute, Field, parse
from assay.records import Selection, Window
from assay.sampling import draw
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.grouping import Grouping, divide
from assay.store.telemetry.scope import JUDGE, bind_scope
from assay.store.telemetry.selections import (
    candidates,
    count_decided,
    count_logs,
    days_with_logs,
    decided_facts,
    fixed_probabilities,
    insert_selections,
    read_reached,
    selected_counts,
    selections_of,
    settled_since,
    survey,
    tally,
    write_reached,
)

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 4, 9, 30, 0, 250_000, tzinfo=UTC)
NOW = datetime(2026, 5, 5, 1, tzinfo=UTC)
TODAY = Window.of_day(DAY)
PutLogs = Callable[..., None]


def grouping(version: str = "v1", **changes: Any) -> Grouping:
    conditions = (("trouble", parse("errors > 0")), ("long", parse("turns >= 5")))
    same = {"policy": "daily", "version": version, "unit": "conversation", "conditions": conditions}
    return Grouping(**same | changes)


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


def rows_of(tables: Iterable[pa.Table]) -> list[dict[str, Any]]:
    return [row for table in tables for row in table.to_pylist()]


def waiting(
    t: Telemetry, group: Grouping, stage: Any = "judge", window: Window = TODAY, **how: Any
) -> dict[str, dict[str, Any]]:
    """What waits for a decision, by log."""
    found = rows_of(candidates(t, group, stage, window, salt="s", **how))
    return {row["log_id"]: row for row in found}


def test_what_waits_comes_with_all_that_is_asked_of_it(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(
        ["a", "b"],
        START,
        errors=[1, 0],
        turns=9,
        version=["v1", "v2"],
        attributes=[[("tenant", "gold")], []],
        feedback=[None, 0.25],
    )
    slices = ((Field(name="version"), Attribute(key="tenant")), (Field(name="feedback"),))
    found = waiting(telemetry, grouping(slices=slices, cell=True, features=True))
    same = {"occasion": 0, "missed": 1.0, "lost": False, "started": START, "facts_at": START, "cell": 0}
    same["when.long"] = 1
    for log_id, own in {
        "a": {"when.trouble": 1, "slice.0": "v1\x1fgold", "slice.1": ""},
        "b": {"when.trouble": 0, "slice.0": "v2\x1f", "slice.1": "0.25"},
    }.items():
        asked = {name: value for name, value in found[log_id].items() if not name.startswith("x_")}
        assert asked == {"log_id": log_id, "draw": draw("s", log_id), **same, **own}
        assert found[log_id]["x_signals"] == []


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
    assert set(waiting(telemetry, grouping(), "label")) == {"a"}


def test_at_the_label_stage_an_old_version_s_strata_are_named_anew(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["a", "b"], START, errors=1)
    put_decisions(telemetry, decision("a", stratum="old"), decision("b", policy_version="v2"))
    found = waiting(telemetry, grouping("v2"), "label")
    assert {log_id: row["stratum"] for log_id, row in found.items()} == {"a": "", "b": "rest"}
    assert all(row["when.trouble"] == 1 for row in found.values())


def test_logs_are_counted_by_what_is_asked_of_them(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c"], START, errors=[1, 1, 0])
    put_logs(["d"], START + timedelta(days=1))
    put_decisions(
        telemetry,
        decision("a", policy_version="v2", probability=0.5),
        decision("b", probability=0.5, selected=False),
    )
    long = {"when.long": 0}

    def counted(stage: Any = "judge", group: Grouping | None = None, **how: Any) -> list[dict[str, Any]]:
        rows = rows_of(survey(telemetry, group or grouping("v2"), stage, TODAY, **how))
        return sorted(rows, key=lambda row: (-row.get("when.trouble", 0), row.get("stratum", "")))

    assert counted() == [{"when.trouble": 1, "logs": 2.0} | long, {"when.trouble": 0, "logs": 1.0} | long]
    # Two logs of chance 0.5 each: one is expected for people to choose from, whichever was drawn.
    trouble = {"when.trouble": 1, "logs": 0.5} | long
    assert counted("label") == [trouble | {"stratum": ""}, trouble | {"stratum": "rest"}]
    assert counted("label", own=True) == [trouble | {"stratum": "rest"}]
    assert counted(group=grouping(conditions=())) == [{"logs": 3.0}]
    one_by_one = counted(group=grouping(features=True))
    assert [row["logs"] for row in one_by_one] == [1.0, 1.0, 1.0]
    assert "x_facts" in one_by_one[0]
    only = grouping(where=parse("errors > 0"), slices=((Field(name="version"),),))
    assert count_logs(telemetry, only, TODAY) == 2
    found = decided_facts(telemetry, only, "judge", TODAY).to_pylist()
    assert sorted(found, key=str) == [{"when.trouble": 1, "when.long": 0, "slice.0": "", "logs": 2}]
    assert decided_facts(telemetry, only, "label", TODAY).to_pylist() == []
    window = Window(start=TODAY.start, end=TODAY.end + timedelta(days=1))
    assert days_with_logs(telemetry, "conversation", Window(start=START, end=START)) == [DAY]
    assert days_with_logs(telemetry, "conversation", window) == [DAY, DAY + timedelta(days=1)]


def test_what_a_version_decided_with_is_read_back_by_stratum(telemetry: Telemetry) -> None:
    put_decisions(
        telemetry,
        decision("a", probability=0.1 + 0.2),
        decision("b", probability=0.1 + 0.2, selected=False),
        decision("b", probability=0.9, occasion=1, decided_at=NOW - timedelta(days=9)),
        decision("c", stratum="trouble", probability=1.0),
        decision("d", policy_version="v0", probability=0.9),
        decision("e", started=START + timedelta(days=1), probability=0.7),
        decision("f", stage="label", probability=0.6),
    )
    found = fixed_probabilities(telemetry, grouping(), "judge", TODAY)
    assert found == {"rest": 0.1 + 0.2, "trouble": 1.0}
    assert fixed_probabilities(telemetry, grouping(), "label", TODAY) == {"rest": 0.6}
    known = {
        (row["stratum"], row["own"]): row for row in tally(telemetry, grouping(), "judge", TODAY).to_pylist()
    }
    assert {key: row["logs"] for key, row in known.items()} == {
        ("rest", 1): 2,
        ("trouble", 1): 1,
        ("rest", 0): 1,
        ("", 0): 0,
    }
    # Of a further chance of 0.9 counts what it adds to 0.3.
    added = known["", 0]["spent"]
    assert added == pytest.approx(0.7 * 0.9)
    assert sum(row["spent"] for row in known.values()) == pytest.approx(0.3 + 0.3 + 1.0 + 0.9 + added)
    assert count_decided(telemetry, grouping(), "judge", TODAY) == 4


def test_a_log_whose_facts_have_changed_waits_again(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["same", "later", "backfilled", "certain"], START)
    ids = {"same": 0.25, "later": 0.25, "backfilled": 0.25, "certain": 1.0}
    put_decisions(telemetry, *(decision(i, probability=p) for i, p in ids.items()))
    put_decisions(telemetry, decision("later", probability=0.5, occasion=1, draw=0.9, selected=False))
    late, again = NOW + timedelta(hours=9), grouping(again=True)
    assert waiting(telemetry, again) == {}
    put_logs(["later", "certain"], START, computed_at=late, errors=1)
    put_logs(["backfilled"], START, computed_at=NOW + timedelta(microseconds=1), errors=1)
    (found,) = waiting(telemetry, again).values()
    assert (found["log_id"], found["occasion"], found["missed"]) == ("later", 2, 0.75 * 0.5)
    assert (found["facts_at"], found["when.trouble"]) == (late, 1)
    assert found["draw"] == draw("s:2", "later")
    assert waiting(telemetry, grouping()) == {}


def test_a_first_decision_that_is_gone_is_made_again(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b"], START)
    put_decisions(telemetry, decision("a", occasion=1), decision("b"), decision("b", occasion=2))
    (found,) = waiting(telemetry, grouping(again=True)).values()
    assert (found["log_id"], found["occasion"], found["missed"]) == ("a", 0, 1.0)
    put_logs(["b"], START, computed_at=NOW + timedelta(hours=1))
    assert waiting(telemetry, grouping(again=True))["b"]["occasion"] == 3


def test_many_logs_are_read_piece_by_piece(
    telemetry: Telemetry, put_logs: PutLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"log{number}" for number in range(500)]
    put_logs(ids, [TODAY.start + timedelta(minutes=number % 100, seconds=number) for number in range(500)])
    pieces = divide(telemetry, "conversation", TODAY, 90)
    assert len(pieces) > 5
    assert (pieces[0].start, pieces[-1].end) == (TODAY.start, TODAY.end)
    assert all(one.end == other.start for one, other in pairwise(pieces))
    monkeypatch.setattr("assay.store.telemetry.selections.MOST", 90)
    tables = list(candidates(telemetry, grouping(features=True), "judge", TODAY, salt="s"))
    assert max(table.num_rows for table in tables) <= 90
    assert sorted(row["log_id"] for row in rows_of(tables)) == sorted(ids)
    surveyed = rows_of(survey(telemetry, grouping(features=True), "judge", TODAY))
    assert (len(surveyed), sum(row["logs"] for row in surveyed)) == (500, 500.0)


def test_only_what_was_settled_since_waits_where_asked(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["old", "new"], START, computed_at=[NOW, NOW + timedelta(seconds=5)])
    late = NOW + timedelta(seconds=2)
    assert set(waiting(telemetry, grouping(), since=late)) == {"new"}
    assert set(waiting(telemetry, grouping(), since=NOW)) == {"old", "new"}
    (day,) = settled_since(telemetry, "conversation", NOW)
    assert (day.day, day.logs) == (DAY, 2)
    assert (day.first, day.last) == (NOW, NOW + timedelta(seconds=5))
    assert settled_since(telemetry, "conversation", NOW + timedelta(seconds=6)) == []
    assert settled_since(telemetry, "interaction", NOW) == []


def test_how_far_a_policy_has_come_never_passes_a_run_of_settling(telemetry: Telemetry) -> None:
    assert read_reached(telemetry, "daily") is None
    write_reached(telemetry, "daily", NOW)
    assert read_reached(telemetry, "daily") == NOW
    assert read_reached(telemetry, "other") is None
    begun = NOW + timedelta(seconds=3)
    run = pa.table({"run": [begun.isoformat()], "bucket": pa.array([0], pa.uint32()), "trace_id": ["t"]})
    telemetry.insert("settling", run)
    write_reached(telemetry, "daily", NOW + timedelta(hours=1))
    assert read_reached(telemetry, "daily") == begun
    telemetry.command("TRUNCATE TABLE settling")
    write_reached(telemetry, "daily", NOW + timedelta(hours=1))
    assert read_reached(telemetry, "daily") == NOW + timedelta(hours=1)


def test_all_occasions_of_a_log_count_as_one_chance(telemetry: Telemetry) -> None:
    put_decisions(
        telemetry,
        decision("a", probability=0.1 + 0.2),
        decision("b", probability=0.25, draw=0.9, selected=False),
        decision("b", probability=0.5, draw=0.2, occasion=1, policy_version="v2", stratum="trouble"),
        decision("c", probability=0.25, draw=0.9, selected=False),
        decision("c", probability=1.0, draw=0.2, occasion=1),
        decision("d", probability=0.25, draw=0.9, selected=False),
    )
    scope = bind_scope("conversation", TODAY, policy="daily")
    found = {row.pop("log_id"): row for row in telemetry.query(f"SELECT * FROM {JUDGE}", scope).to_pylist()}
    shown = {log_id: (row["selected"], row["probability"], row["turn"]) for log_id, row in found.items()}
    assert shown["a"] == (1, 0.1 + 0.2, 0.1 / (0.1 + 0.2))
    assert shown["b"] == (1, pytest.approx(1 - 0.75 * 0.5), 0.4)
    assert (shown["c"], shown["d"]) == ((1, 1.0, 0.2), (0, 0.25, 1.0))
    assert (found["b"]["policy_version"], found["b"]["stratum"]) == ("v2", "trouble")


def test_decisions_come_back_as_they_were_however_often_written(telemetry: Telemetry) -> None:
    first, second = decision("a", probability=0.1 + 0.2), decision("a", stage="label", selected=False)
    again = decision("a", probability=0.5, occasion=1)
    for _ in range(3):
        put_decisions(telemetry, again, first, second)
    assert selections_of(telemetry, "conversation", {"a": START}) == [first, again, second]
    assert selections_of(telemetry, "interaction", {"a": START}) == []


def test_selected_logs_are_counted_by_stratum(telemetry: Telemetry) -> None:
    put_decisions(
        telemetry,
        decision("a"),
        decision("b", selected=False),
        decision("c", stratum="trouble"),
        decision("c", stratum="trouble", stage="label"),
        decision("e", stratum="rest", selected=False),
        decision("e", stratum="trouble", occasion=1),
        decision("d", started=START + timedelta(days=1)),
    )
    assert selected_counts(telemetry, "daily", "conversation", TODAY).to_pylist() == [
        {"stratum": "rest", "decided": 2, "judge": 1, "label": 0},
        {"stratum": "trouble", "decided": 2, "judge": 2, "label": 1},
    ]


@pytest.mark.parametrize("hostile", ["'; DROP TABLE signals; --", "{x:String}", "a\\'b", "✓\n\t", ""])
def test_hostile_names_are_only_names(telemetry: Telemetry, put_logs: PutLogs, hostile: str) -> None:
    put_logs([hostile, "b"], START, errors=[1, 0], version=hostile)
    asked: dict[str, Any] = {
        "conditions": ((hostile, parse("errors > 0")),),
        "slices": ((Attribute(key=hostile),),),
    }
    group = grouping(policy=hostile, **asked)
    found = waiting(telemetry, group)
    assert {log_id: row[f"when.{hostile}"] for log_id, row in found.items()} == {hostile: 1, "b": 0}
    put_decisions(telemetry, decision(hostile, policy=hostile, stratum=hostile, reason=hostile))
    assert set(waiting(telemetry, group)) == {"b"}
    (kept,) = selections_of(telemetry, "conversation", {hostile: START})
    assert (kept.policy, kept.stratum, kept.reason) == (hostile, hostile, hostile)
    write_reached(telemetry, hostile, NOW)
    assert read_reached(telemetry, hostile) == NOW
