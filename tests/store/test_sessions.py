"""Conversations by rule, where no trace names one: by user, service and the gap between them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.logs import conversation_detail, read_logs
from assay.store.telemetry.settle import settle

GAP_S = 1800.0
NOW = START + timedelta(days=9)
ANN: Any = {"user.id": "ann"}
BOB: Any = {"user.id": "bob"}
TURNS = [
    turn("a", minute=0, **ANN),
    turn("b", **ANN, minute=29),
    turn("c", **ANN, minute=58),
    turn("d", **ANN, minute=95),
    turn("e", **BOB, minute=30),
    turn("f", **ANN, minute=10, talk="named"),
    turn("g", minute=12),
    turn("h", **ANN, minute=60 * 24 * 3),
]


def run(t: Telemetry, gap_s: float | None = GAP_S) -> None:
    settle(t, (), words={}, prices=(), idle_s=900.0, now=NOW, gap_s=gap_s)


def talks(t: Telemetry) -> dict[str, set[str]]:
    """The interactions of each conversation, by their names."""
    names = {trace_id(name): name for name in "abcdefgh"}
    found: dict[str, set[str]] = {}
    rows = t.query("SELECT unit, log_id, conversation_id, turns FROM signals FINAL").to_pylist()
    for row in rows:
        if row["unit"] == "interaction":
            talk = names.get(row["conversation_id"], row["conversation_id"])
            found.setdefault(talk, set()).add(names[row["log_id"]])
    rows = [row for row in rows if row["unit"] == "conversation"]
    assert {names.get(row["log_id"], row["log_id"]): row["turns"] for row in rows} == {
        talk: len(members) for talk, members in found.items()
    }
    return found


def test_what_one_user_asks_is_one_conversation_until_the_gap(telemetry: Telemetry) -> None:
    put(telemetry, *TURNS)
    run(telemetry)
    assert talks(telemetry) == {
        "a": {"a", "b", "c"},
        "d": {"d"},
        "e": {"e"},
        "named": {"f"},
        "g": {"g"},
        "h": {"h"},
    }


def test_without_the_rule_each_trace_is_its_own(telemetry: Telemetry) -> None:
    put(telemetry, *TURNS[:3])
    run(telemetry, None)
    assert talks(telemetry) == {"a": {"a"}, "b": {"b"}, "c": {"c"}}


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_arrival_changes_what_belongs_together(telemetry: Telemetry, seed: int) -> None:
    rng = random.Random(seed)
    order = rng.sample(TURNS, len(TURNS))
    cuts = sorted(rng.sample(range(1, len(order)), 3))
    for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        put(telemetry, *order[start:end])
        run(telemetry)
    assert talks(telemetry) == {
        "a": {"a", "b", "c"},
        "d": {"d"},
        "e": {"e"},
        "named": {"f"},
        "g": {"g"},
        "h": {"h"},
    }


def test_an_earlier_trace_that_comes_late_takes_the_conversation_over(telemetry: Telemetry) -> None:
    put(telemetry, TURNS[1], TURNS[2])
    run(telemetry)
    assert talks(telemetry) == {"b": {"b", "c"}}
    put(telemetry, TURNS[0])
    run(telemetry)
    assert talks(telemetry) == {"a": {"a", "b", "c"}}


def test_a_trace_between_two_conversations_makes_them_one(telemetry: Telemetry) -> None:
    put(telemetry, TURNS[0], TURNS[2])
    run(telemetry)
    assert talks(telemetry) == {"a": {"a"}, "c": {"c"}}
    put(telemetry, TURNS[1])
    run(telemetry)
    assert talks(telemetry) == {"a": {"a", "b", "c"}}


def test_a_trace_that_learns_its_conversation_leaves_the_users(telemetry: Telemetry) -> None:
    put(telemetry, *TURNS[:3])
    run(telemetry)
    put(telemetry, turn("b", "own", **ANN, span="named", minute=29))
    run(telemetry)
    assert talks(telemetry) == {"a": {"a"}, "own": {"b"}, "c": {"c"}}


def test_a_joined_conversation_shows_every_turn(telemetry: Telemetry) -> None:
    put(telemetry, *TURNS[:3])
    run(telemetry)
    key = trace_id("a")
    page: Any = conversation_detail(telemetry, key)
    assert [row.turn.interaction_id for row in page.turns] == [trace_id(name) for name in "abc"]
    assert page.settled
    (log,) = read_logs(telemetry, "conversation", [key])
    assert [turn.interaction_id for turn in log.turns] == [trace_id(name) for name in "abc"]


def test_a_user_who_goes_on_keeps_the_conversation_open(telemetry: Telemetry) -> None:
    put(telemetry, *TURNS[:2])
    now = START + timedelta(minutes=31)
    report = settle(telemetry, (), words={}, prices=(), idle_s=900.0, now=now, gap_s=GAP_S)
    assert (report.conversations, report.unsettled) == (0, 1)


def test_services_are_kept_apart(telemetry: Telemetry) -> None:
    other = turn("b", **ANN, minute=5)
    for span in other:
        span["ServiceName"] = "elsewhere"
    put(telemetry, TURNS[0], other)
    run(telemetry)
    assert talks(telemetry) == {"a": {"a"}, "b": {"b"}}


def test_a_session_whose_roots_never_arrive_is_assembled(telemetry: Telemetry) -> None:
    for name, minute in (("a", 0), ("b", 3)):
        spans = turn(name, minute=minute, calls=(("small", 10, 5),))
        call = spans[1]
        call["SpanAttributes"].append(("session.id", "orphans"))
        put(telemetry, [call])
    run(telemetry, None)
    rows = telemetry.query(
        "SELECT log_id, turns, input_tokens FROM signals FINAL WHERE unit = 'conversation'"
    ).to_pylist()
    assert rows == [{"log_id": "orphans", "turns": 2, "input_tokens": 20}]
