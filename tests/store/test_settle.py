"""Facts and signals of settled conversations, computed once and again when something changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn

from assay.query import parse
from assay.records import Price, SettleReport, Signal
from assay.store.telemetry import talks
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.retain import Keep, retain
from assay.store.telemetry.settle import settle

NOW = START + timedelta(days=1)
WORDS = {"refusal": ("I can't help",), "common": ("I", "the", "my", "is", "a", "to", "please")}
PRICES = (
    Price(model="small", input=0.25, output=2.0),
    Price(model="small-max", input=100.0, output=100.0),
    Price(model="dear", input=9.0, output=9.0, since=START.date() + timedelta(days=2)),
    Price(model="dear", input=4.0, output=8.0, cached=1.0, since=START.date() - timedelta(days=1)),
    Price(model="dear", input=2.0, output=2.0, since=START.date() - timedelta(days=9)),
)


def signal(name: str, expression: str, unit: Any = "interaction") -> tuple[Signal, Any]:
    described = Signal(code=name, name=name, severity="low", meaning="", unit=unit, expression=expression)
    return described, parse(expression)


SIGNALS = (
    signal("error", "errors > 0"),
    signal("refusal", "output mentions @refusal"),
    signal("repeats", "similarity >= 0.6"),
    signal("long", "turns >= 3", "conversation"),
    signal("expensive", "cost_usd > 0.5", "conversation"),
)


@pytest.fixture
def run(telemetry: Telemetry) -> Callable[..., SettleReport]:
    def settle_now(**changes: Any) -> SettleReport:
        given: dict[str, Any] = {"words": WORDS, "prices": PRICES, "idle_s": 900.0, "now": NOW}
        return settle(telemetry, SIGNALS, **(given | changes))

    return settle_now


def rows(t: Telemetry, unit: str = "conversation") -> dict[str, dict[str, Any]]:
    found = t.query("SELECT * FROM signals FINAL WHERE unit = {unit:String}", {"unit": unit}).to_pylist()
    return {row["log_id"]: row for row in found}


def unstamped(t: Telemetry) -> list[dict[str, Any]]:
    found = t.query("SELECT * EXCEPT computed_at FROM signals FINAL ORDER BY unit, log_id").to_pylist()
    return [{**row, "attributes": sorted(row["attributes"])} for row in found]


def test_a_conversation_adds_up_its_interactions(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(
        telemetry,
        turn("a1", "talk", asked="Cancel order 77", calls=(("small", 1_000, 100),), user="ann"),
        turn("a2", "talk", minute=1, seconds=9, answered="I can’t help.", tool_error=True),
        turn("a3", "talk", minute=2, answered="Goodbye.", calls=(("small-2026-01-01", 3_000, 0),)),
    )
    assert run() == SettleReport(interactions=3, conversations=1, unsettled=0)
    talk = rows(telemetry)["talk"]
    assert (talk["turns"], talk["spans"], talk["llm_calls"], talk["tool_calls"]) == (3, 6, 2, 1)
    assert (talk["tool_errors"], talk["errors"], talk["latency_ms"]) == (1, 1, 9_000.0)
    assert (talk["input"], talk["output"]) == ("Cancel order 77", "Goodbye.")
    assert (talk["input_tokens"], talk["output_tokens"]) == (4_000, 100)
    assert talk["cost_usd"] == pytest.approx((4_000 * 0.25 + 100 * 2.0) / 1e6)
    assert (talk["started"], talk["ended"]) == (START, START + timedelta(minutes=2, seconds=2))
    assert talk["signals"] == ["error", "long", "refusal"]
    assert (talk["service"], talk["version"]) == ("shop", "v7")
    turns = rows(telemetry, "interaction")
    assert turns[trace_id("a2")]["signals"] == ["error", "refusal"]
    assert turns[trace_id("a1")]["signals"] == []
    assert {row["conversation_id"] for row in turns.values()} == {"talk"}


def test_a_price_is_its_models_own(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    million = 1_000_000
    put(
        telemetry,
        turn("own", calls=(("small", million, 0),)),
        turn("dated", calls=(("small-2026-02-03", 0, million),)),
        turn("sibling", calls=(("small-max", million, 0),)),
        turn("stranger", calls=(("small-mini", million, million),)),
    )
    run()
    costs = {key: row["cost_usd"] for key, row in rows(telemetry).items()}
    wanted = {"own": 0.25, "dated": 2.0, "sibling": 100.0, "stranger": 0.0}
    assert costs == pytest.approx({trace_id(name): cost for name, cost in wanted.items()})
    assert rows(telemetry)[trace_id("sibling")]["signals"] == ["expensive"]


def test_a_price_is_that_of_the_day_and_cached_input_has_its_own(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    cached: Any = {
        "gen_ai.request.model": "dear",
        "gen_ai.usage.input_tokens": "1000000",
        "gen_ai.usage.cache_read.input_tokens": "250000",
        "gen_ai.usage.output_tokens": "500000",
    }
    put(
        telemetry,
        turn("today", calls=(("dear", 1_000_000, 0),)),
        turn("before", calls=(("dear", 1_000_000, 0),), start=START - timedelta(days=5)),
        turn("unpriced", calls=(("dear", 1_000_000, 0),), start=START - timedelta(days=20)),
        turn("cached", **cached),
    )
    run()
    costs = {key: row["cost_usd"] for key, row in rows(telemetry).items()}
    wanted = {"today": 4.0, "before": 2.0, "unpriced": 0.0, "cached": 0.75 * 4 + 0.25 * 1 + 0.5 * 8}
    assert costs == pytest.approx({trace_id(name): cost for name, cost in wanted.items()})


def test_a_repeated_request_is_seen_and_an_ordinary_one_is_not(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(
        telemetry,
        turn("r1", "r", asked="I want to cancel my order for the blue lamp"),
        turn("r2", "r", asked="What does shipping to Norway cost?", minute=1),
        turn("r3", "r", asked="Please CANCEL the order: blue lamp!", minute=2),
        turn("s1", "s", asked="Yes."),
        turn("s2", "s", asked="Yes.", minute=1),
        turn("s3", "s", asked="cancel my order for the blue lamp", minute=2),
    )
    run()
    found = {key: row["similarity"] for key, row in rows(telemetry, "interaction").items()}
    assert found[trace_id("r3")] >= 0.6
    assert [found[trace_id(name)] for name in ("r1", "r2", "s1", "s2", "s3")] == [0.0] * 5
    assert rows(telemetry)["r"]["signals"] == ["long", "repeats"]
    assert rows(telemetry)["s"]["signals"] == ["long"]


def test_settling_again_changes_nothing(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", "t"), turn("b", "t", minute=1), turn("c"))
    run()
    before = unstamped(telemetry)
    assert run() == SettleReport(interactions=0, conversations=0, unsettled=0)
    assert unstamped(telemetry) == before
    put(telemetry, turn("a", "t"))
    assert run() == SettleReport(interactions=2, conversations=1, unsettled=0)
    assert unstamped(telemetry) == before


def test_a_conversation_waits_until_it_is_idle(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", "t", seconds=60), turn("old", start=START - timedelta(hours=1)))
    early = START + timedelta(minutes=15)
    assert run(now=early) == SettleReport(interactions=1, conversations=1, unsettled=1)
    assert list(rows(telemetry)) == [trace_id("old")]
    late = early + timedelta(seconds=60)
    assert run(now=late) == SettleReport(interactions=1, conversations=1, unsettled=0)


def test_it_is_reopened_when_it_resumes(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", "t"))
    run()
    put(telemetry, turn("b", "t", minute=60 * 24 - 1, error=True))
    assert run() == SettleReport(interactions=0, conversations=0, unsettled=1)
    assert rows(telemetry)["t"]["turns"] == 1
    assert run(now=NOW + timedelta(hours=1)) == SettleReport(interactions=2, conversations=1, unsettled=0)
    assert (rows(telemetry)["t"]["turns"], rows(telemetry)["t"]["signals"]) == (2, ["error"])


def test_a_late_span_is_picked_up(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    whole = turn("a", "t", calls=(("small", 10, 10),), tool_error=True)
    put(telemetry, whole[:1])
    run()
    put(telemetry, whole[1:])
    run()
    talk = rows(telemetry)["t"]
    assert (talk["spans"], talk["tool_errors"], talk["llm_calls"]) == (3, 1, 1)


def test_a_span_that_was_on_its_way_is_picked_up(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    """A row that was being written while a run looked carries a time before that run."""
    whole = turn("a", "t", tool_error=True)
    put(telemetry, whole[:1])
    run()
    put(telemetry, whole[1:])
    telemetry.command(
        "INSERT INTO signals SELECT * EXCEPT (computed_at, is_deleted), now64(6, 'UTC'), 0 FROM signals FINAL"
    )
    assert rows(telemetry)["t"]["spans"] == 1
    assert run() == SettleReport(interactions=1, conversations=1, unsettled=0)
    assert rows(telemetry)["t"]["spans"] == 2


def test_a_clock_that_runs_ahead_keeps_nothing_open(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", "t", start=START.replace(year=2120)))
    (row,) = telemetry.query("SELECT now64(6, 'UTC') AS now").to_pylist()
    assert run(now=row["now"]).unsettled == 1
    assert run(now=row["now"] + timedelta(minutes=16)).conversations == 1


def test_a_log_that_moves_to_another_day_leaves_nothing_behind(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, turn("a", "t"))
    run()
    put(telemetry, turn("a", "t", span="earlier", minute=-60 * 12, seconds=1))
    run()
    day = "SELECT count() AS logs FROM signals FINAL WHERE toDate(started) = {day:Date}"
    old, new = START.date(), (START - timedelta(hours=12)).date()
    assert telemetry.query(day, {"day": old}).to_pylist() == [{"logs": 0}]
    assert telemetry.query(day, {"day": new}).to_pylist() == [{"logs": 2}]


def test_a_trace_that_learns_its_conversation_joins_it(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", "t"), turn("b", minute=1))
    run()
    assert set(rows(telemetry)) == {"t", trace_id("b")}
    put(telemetry, turn("b", "t", span="named", minute=1))
    run()
    assert set(rows(telemetry)) == {"t"}
    assert rows(telemetry)["t"]["turns"] == 2
    assert run() == SettleReport(interactions=0, conversations=0, unsettled=0)


def test_a_trace_with_two_conversations_belongs_to_the_first_it_names(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, turn("a", "first"), turn("a", "second", span="later", minute=1), turn("b", "second"))
    run()
    assert {key: row["turns"] for key, row in rows(telemetry).items()} == {"first": 1, "second": 1}
    assert run().conversations == 0


def test_what_was_settled_long_ago_is_not_looked_at_again(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    """Old traces of a conversation count when it goes on, those of others do not."""
    put(telemetry, turn("a", "t"), turn("x", "t"), turn("x", "u", span="later", minute=1), turn("y", "u"))
    run()
    telemetry.command(
        "INSERT INTO settled SELECT 'interactions', now64(3, 'UTC'), now64(6, 'UTC') + toIntervalSecond(1)"
    )
    assert run() == SettleReport(interactions=0, conversations=0, unsettled=0)
    put(telemetry, turn("b", "t", minute=2), turn("c", trace_id("d"), minute=3))
    assert run() == SettleReport(interactions=4, conversations=2, unsettled=0)
    assert {key: row["turns"] for key, row in rows(telemetry).items()} == {"t": 3, "u": 1, trace_id("d"): 1}


def test_a_conversation_named_after_its_first_trace_is_one(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, turn("d"))
    run()
    put(telemetry, turn("e", trace_id("d"), minute=1))
    assert run() == SettleReport(interactions=2, conversations=1, unsettled=0)


def test_small_buckets_give_the_same(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(
        telemetry,
        *(
            turn(f"{talk}-{number}", f"t{talk}", minute=talk * 900 + number, error=number == 1)
            for talk in range(6)
            for number in range(1 + talk % 3)
        ),
    )
    seen: list[tuple[str, int, int | None]] = []
    later = NOW + timedelta(days=5)
    report = run(bucket_size=2, now=later, progress=lambda *step: seen.append(step))
    assert report == SettleReport(interactions=12, conversations=6, unsettled=0)
    assert seen[0] == ("signals", 0, 12)
    assert seen[-1] == ("signals", 12, 12)
    assert len(seen) > 3
    small = unstamped(telemetry)
    telemetry.command("TRUNCATE TABLE signals")
    run(now=later)
    assert unstamped(telemetry) == small


def test_a_run_that_breaks_off_is_done_again(
    telemetry: Telemetry, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(telemetry, turn("a", "t", error=True), turn("b", "t", minute=1))
    whole = talks.select_conversations

    def broken(*given: Any, **more: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(talks, "select_conversations", broken)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert (len(rows(telemetry, "interaction")), rows(telemetry)) == (2, {})
    monkeypatch.setattr(talks, "select_conversations", whole)
    assert run() == SettleReport(interactions=2, conversations=1, unsettled=0)
    assert telemetry.query("SELECT count() AS left FROM settling").to_pylist() == [{"left": 0}]


def test_days_without_number_are_written_at_once(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    for half in (range(65), range(65, 130)):
        put(telemetry, *(turn(f"d{day}", start=START - timedelta(days=day)) for day in half))
    assert run().conversations == 130


def test_an_empty_store_is_settled(run: Callable[..., Any]) -> None:
    assert run() == SettleReport(interactions=0, conversations=0, unsettled=0)


def test_a_conversation_keeps_the_turns_that_retention_removed(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    later = {day: START + timedelta(days=day) for day in range(5)}
    put(telemetry, *(turn(f"a{day}", "talk", start=later[day], error=day == 0) for day in range(3)))
    put(telemetry, turn("b0", "other"), turn("b4", "other", start=later[4]))
    run(now=later[4] + timedelta(days=1))
    for day in (3, 4):
        retain(telemetry, Keep(content_days=1), later[day].date())
        put(telemetry, turn(f"a{day}", "talk", start=later[day]))
        assert run(now=later[4] + timedelta(days=1)).unsettled == 0
        talk = rows(telemetry)["talk"]
        assert (talk["turns"], talk["started"]) == (day + 1, START)
        assert (talk["ended"], talk["errors"]) == (later[day] + timedelta(seconds=2), 1)
        (count,) = telemetry.query(
            "SELECT count() AS logs FROM signals FINAL WHERE unit = 'conversation'"
        ).to_pylist()
        assert count["logs"] == 2
        assert run(now=later[4] + timedelta(days=1)).conversations == 0
    assert len(rows(telemetry, "interaction")) == 7


def test_a_conversation_whose_first_turn_lost_its_first_day_is_one(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    evening, next_day = START.replace(hour=23, minute=59), START + timedelta(days=1)
    put(telemetry, turn("a", "talk", start=evening), turn("a", "talk", start=next_day, span="late"))
    run(now=START + timedelta(days=3))
    retain(telemetry, Keep(content_days=1), START.date() + timedelta(days=2))
    put(telemetry, turn("b", "talk", start=next_day, minute=9))
    run(now=START + timedelta(days=3))
    for unit, logs in (("conversation", 1), ("interaction", 2)):
        found = telemetry.query("SELECT log_id FROM signals FINAL WHERE unit = {unit:String}", {"unit": unit})
        assert found.num_rows == logs
