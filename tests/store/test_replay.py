"""What a log is told from others beside it stays what it was, in whatever order and batches logs come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_settle import PRICES, WORDS, rows, signal, unstamped

from assay.signals import load_languages
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.retain import Keep, retain
from assay.store.telemetry.settle import settle

ASKED = "Where is my parcel from Berlin? It never arrived"
HOUR = 60.0
SIGNALS = (
    signal("returns", "return_similarity >= 0.6", "conversation"),
    signal("repeats", "similarity >= 0.6"),
    signal("slow", "latency_z >= 4"),
)


@pytest.fixture
def run(telemetry: Telemetry) -> Callable[..., Any]:
    def settle_now(**changes: Any) -> Any:
        later = START + timedelta(days=9)
        given: dict[str, Any] = {"words": WORDS, "prices": PRICES, "idle_s": 900.0, "now": later}
        return settle(telemetry, SIGNALS, **(given | changes))

    return settle_now


def alike(t: Telemetry) -> dict[str, float]:
    return {key: row["return_similarity"] for key, row in rows(t).items()}


def test_a_conversation_is_no_return_to_what_it_was_called_before(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    names = [f"n{number}" for number in range(4)]
    put(telemetry, *(turn(name, user=f"u {name}", asked=ASKED) for name in names))
    run()
    named = {name: turn(name, f"talk {name}", user=f"u {name}", asked=ASKED, span="named") for name in names}
    put(telemetry, *named.values())
    run()
    assert alike(telemetry) == {f"talk {name}": 0.0 for name in names}


def test_a_turn_whose_user_turned_out_to_be_another_is_no_return(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, turn("a", "first", user="ann", asked=ASKED))
    run()
    put(telemetry, turn("a", "first", user="robert", asked=ASKED))
    run()
    put(telemetry, turn("b", "second", user="ann", asked=ASKED, minute=HOUR))
    run()
    assert alike(telemetry)["second"] == 0.0


def z_scores(t: Telemetry) -> dict[str, float | None]:
    return {key: row["latency_z"] for key, row in rows(t, "interaction").items()}


def days_of_traffic(route: int) -> list[list[dict[str, Any]]]:
    """Forty logs a day for three days, and one that took long on each."""
    return [
        turn(
            f"{route} {day} {number}",
            start=START + timedelta(days=day),
            minute=number,
            seconds=300.0 if number == 7 else 2.0 + number % 7 / 10,
        )
        for day in range(3)
        for number in range(40)
    ]


def test_what_is_usual_does_not_depend_on_batches(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    traffic = days_of_traffic(0)
    put(telemetry, *traffic)
    run()
    whole = z_scores(telemetry)
    known = {key for key, z in whole.items() if z is not None}
    assert known == {trace_id(f"0 2 {number}") for number in range(40)}, "80 logs before, and 40, and none"
    assert (whole[trace_id("0 2 7")] or 0.0) >= 4
    for table in ("signals", "interactions", "otel_traces", "baselines", "settled"):
        telemetry.command(f"TRUNCATE TABLE {table}")
    for begin in range(0, len(traffic), 30):
        put(telemetry, *traffic[begin : begin + 30])
        run()
    assert z_scores(telemetry) == pytest.approx(whole)
    put(telemetry, *traffic)
    run()
    assert z_scores(telemetry) == pytest.approx(whole)


def test_a_log_that_is_settled_again_counts_once(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    logs = [turn(f"r{number}", minute=number) for number in range(26)]
    for _ in range(2):
        put(telemetry, *logs)
        run()
    put(telemetry, *logs, turn("next", start=START + timedelta(days=1)))
    run()
    assert z_scores(telemetry)[trace_id("next")] is None


def test_a_clock_that_runs_ahead_fixes_no_day(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    (row,) = telemetry.query("SELECT now64(6, 'UTC') AS now").to_pylist()
    tomorrow = row["now"] + timedelta(days=1)
    put(telemetry, turn("ahead", start=tomorrow))
    run(now=tomorrow + timedelta(days=1))
    assert telemetry.query("SELECT day FROM baselines").num_rows == 0


def test_a_long_conversation_fixes_no_day_of_which_something_is_to_come(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, *days_of_traffic(0), turn("long", "talk"), turn("last", "talk", minute=2 * 24 * HOUR))
    run(bucket_size=20)
    assert (z_scores(telemetry)[trace_id("0 2 7")] or 0.0) >= 4


def test_a_late_span_does_not_undo_what_was_seen_beside_removed_turns(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    day = timedelta(days=1)
    again = f"{ASKED} yet"
    put(telemetry, turn("before", "t0", user="ann", asked=ASKED, start=START - timedelta(hours=1)))
    put(telemetry, turn("first", "talk", user="ann", asked=ASKED), turn("other", "t1", asked="And why?"))
    put(telemetry, turn("second", "talk", user="ann", asked=again, start=START + day, answered="Un momento."))
    given = {"languages": load_languages(), "familiar": ("parcel",)}
    run(**given)
    retain(telemetry, Keep(content_days=1), START.date() + 2 * day)
    stood = {unit: rows(telemetry, unit) for unit in ("interaction", "conversation")}
    assert stood["interaction"][trace_id("second")]["similarity"] >= 0.6
    assert stood["conversation"]["talk"]["return_similarity"] == 1.0
    assert stood["conversation"]["talk"]["language"] == "en"
    late = turn(
        "second", "talk", user="ann", asked=again, start=START + day, answered="Un momento.", span="late"
    )
    put(telemetry, late)
    assert run(**given).conversations == 1
    changed = {"spans", "computed_at", "output"}
    for unit, log in (("interaction", trace_id("second")), ("conversation", "talk")):
        now = rows(telemetry, unit)[log]
        assert now["spans"] == stood[unit][log]["spans"] + 1
        kept = {name: value for name, value in stood[unit][log].items() if name not in changed}
        assert {name: value for name, value in now.items() if name not in changed} == kept


@pytest.mark.parametrize("size", [1, 100])
def test_a_return_is_seen_in_whatever_order_conversations_settle(
    telemetry: Telemetry, run: Callable[..., Any], size: int
) -> None:
    def talk(name: str, hours: float, asked: str = ASKED) -> list[dict[str, Any]]:
        return turn(name, f"talk {name}", user="ann", asked=asked, minute=hours * HOUR)

    talks = [talk("z", 0), talk("c", 2), talk("b", 4, "How do I pay by invoice?"), talk("a", 30)]
    put(telemetry, *reversed(talks), turn("other", "talk o", user="bob", asked=ASKED, minute=HOUR))
    run(bucket_size=size)
    whole = unstamped(telemetry)
    wanted = {"talk z": 0.0, "talk c": 1.0, "talk b": 0.0, "talk a": 0.0, "talk o": 0.0}
    assert alike(telemetry) == wanted
    assert rows(telemetry)["talk c"]["signals"] == ["returns"]
    for table in ("signals", "interactions", "otel_traces", "settled"):
        telemetry.command(f"TRUNCATE TABLE {table}")
    put(telemetry, turn("other", "talk o", user="bob", asked=ASKED, minute=HOUR))
    for late in reversed(talks):
        put(telemetry, late)
        run(bucket_size=size)
    assert unstamped(telemetry) == whole
    assert run().conversations == 0
