"""Logs counted, listed, divided, and read in full."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn

from assay.errors import CallerError
from assay.query import parse
from assay.records import ToolCall, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.logs import (
    conversation_detail,
    count_logs,
    data_window,
    list_logs,
    read_logs,
    started_of,
    tally_logs,
)
from assay.store.telemetry.settle import settle

EVER = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
PutLogs = Callable[..., None]


@pytest.fixture
def settle_now(telemetry: Telemetry) -> Callable[[], None]:
    def run() -> None:
        settle(telemetry, (), words={}, prices=(), idle_s=900.0, now=START + timedelta(days=30))

    return run


def ids(page: Any) -> list[str]:
    return [row.log_id for row in page.rows]


def test_an_empty_store_has_nothing(telemetry: Telemetry) -> None:
    assert data_window(telemetry) is None
    assert list_logs(telemetry, "conversation", EVER) == ((), None, None)
    assert conversation_detail(telemetry, "nobody") is None
    assert read_logs(telemetry, "conversation", ["nobody"]) == []


def test_logs_are_counted_in_their_window(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c"], [START, START + timedelta(hours=1), START + timedelta(days=1)], turns=[1, 2, 3])
    put_logs(["i"], START, unit="interaction")
    day = Window.of_day(START.date())
    assert count_logs(telemetry, "conversation", day) == 2
    assert count_logs(telemetry, "conversation", EVER, parse("turns > 1")) == 2
    put_logs(["last turn of c"], START + timedelta(days=1, hours=1), unit="interaction")
    whole = data_window(telemetry)
    assert whole == Window(start=START, end=START + timedelta(days=1, hours=1, microseconds=1))


def test_pages_hold_every_log_once_newest_first(telemetry: Telemetry, put_logs: PutLogs) -> None:
    names = [f"log {number}" for number in range(25)]
    moments = [START + timedelta(microseconds=number // 3) for number in range(25)]
    put_logs(names, moments)
    seen, after = [], None
    for _ in range(9):
        page = list_logs(telemetry, "conversation", EVER, limit=4, after=after)
        seen += ids(page)
        after = page.next
        if after is None:
            break
    newest_first = sorted(zip(moments, names, strict=True), reverse=True)
    assert seen == [name for _, name in newest_first]


def test_a_page_that_is_exactly_full_is_the_last(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b"], START)
    assert list_logs(telemetry, "conversation", EVER, limit=2).next is None
    assert list_logs(telemetry, "conversation", EVER, limit=1).next is not None


def test_a_list_obeys_its_filter(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["a", "b", "c"], START, signals=[["error"], [], ["error"]], output=["REFUND", "refund", ""])
    page = list_logs(telemetry, "conversation", EVER, parse('signal.error and output contains "refund"'))
    assert ids(page) == ["a"]
    assert page.rows[0].signals == ("error",)


@pytest.mark.parametrize("after", ["x", "12", "9999999999999999999999.a", "'; DROP TABLE signals.a"])
def test_a_made_up_place_in_a_list_is_refused(telemetry: Telemetry, put_logs: PutLogs, after: str) -> None:
    put_logs(["a"], START)
    if after == "12":
        assert ids(list_logs(telemetry, "conversation", EVER, after=after)) == []
    else:
        with pytest.raises(CallerError, match="no place in a list"):
            list_logs(telemetry, "conversation", EVER, after=after)


def test_a_conversation_is_read_with_its_turns(telemetry: Telemetry, settle_now: Callable[[], None]) -> None:
    put(
        telemetry,
        turn("a1", "a", asked="hello", answered="hi"),
        turn("a2", "a", asked="find it", answered="no", minute=1, tool_error=True, error=True),
        turn("b1", "b", minute=2),
    )
    settle_now()
    b, a = read_logs(telemetry, "conversation", ["b", "gone", "a", "b"])
    assert (a.log_id, b.log_id) == ("a", "b")
    assert [(t.interaction_id, t.input, t.output) for t in a.turns] == [
        (trace_id("a1"), "hello", "hi"),
        (trace_id("a2"), "find it", "no"),
    ]
    assert a.turns[1].error == "it broke"
    assert a.tool_calls == (ToolCall(name="find", result="x", error=True),)
    assert (a.input, a.output, a.started, a.errors) == ("hello", "no", START, 2)
    (one,) = read_logs(telemetry, "interaction", [trace_id("a2")])
    assert (one.unit, one.conversation_id, len(one.turns)) == ("interaction", "a", 1)
    assert started_of(telemetry, "conversation", ["a", "gone"]) == {"a": START}


def test_more_logs_than_one_statement_takes_are_read(telemetry: Telemetry, put_logs: PutLogs) -> None:
    names = [f"log {number}" for number in range(1_100)]
    put_logs(names, START)
    assert [log.log_id for log in read_logs(telemetry, "conversation", names)] == names
    assert len(started_of(telemetry, "conversation", names)) == 1_100


def test_the_page_of_a_settled_conversation(telemetry: Telemetry, settle_now: Callable[[], None]) -> None:
    put(telemetry, turn("a1", "a"), turn("a2", "a", minute=1), turn("b1", "b"))
    settle_now()
    page = conversation_detail(telemetry, "a")
    assert page is not None
    assert page.settled
    assert page.facts.turns == 2
    assert [row.turn.interaction_id for row in page.turns] == [trace_id("a1"), trace_id("a2")]
    assert all(row.facts and row.facts.conversation_id == "a" for row in page.turns)
    lone = turn("lone")
    put(telemetry, lone)
    settle_now()
    assert conversation_detail(telemetry, trace_id("lone")) is not None


def test_the_page_of_a_conversation_that_goes_on(
    telemetry: Telemetry, settle_now: Callable[[], None]
) -> None:
    put(telemetry, turn("a1", "a", asked="hello", calls=(("small", 10, 5),), tool_error=True))
    page = conversation_detail(telemetry, "a")
    assert page is not None
    assert not page.settled
    assert page.turns[0].facts is None
    facts = page.facts
    assert (facts.turns, facts.input, facts.input_tokens, facts.tool_errors) == (1, "hello", 10, 1)
    assert (facts.service, facts.version, facts.model) == ("shop", "v7", "small")
    settle_now()
    put(telemetry, turn("a2", "a", minute=1))
    page = conversation_detail(telemetry, "a")
    assert page is not None
    assert (page.settled, page.facts.turns, len(page.turns)) == (False, 1, 2)


def test_a_search_with_a_budget_says_where_it_stopped_and_goes_on_there(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    count, hour = 400, timedelta(hours=1)
    names = [f"log-{number:03}" for number in range(count)]
    put_logs(
        names,
        [START + hour * number for number in range(count)],
        input=["a needle" if number % 100 == 0 else "hay" for number in range(count)],
    )
    needle, seen, pages, after = parse('input contains "a needle"'), [], 0, None
    while True:
        page = list_logs(telemetry, "conversation", EVER, needle, limit=3, after=after, budget_ms=0.02)
        seen += ids(page)
        pages, after = pages + 1, page.next
        if after is None:
            break
        assert page.searched_to is None or len(page.rows) < 3
    assert seen == ["log-300", "log-200", "log-100", "log-000"]
    assert pages > 2
    assert ids(list_logs(telemetry, "conversation", EVER, needle)) == seen
    found = tally_logs(telemetry, "conversation", EVER, needle, budget_ms=0.02)
    assert found.since is not None
    assert found.logs == sum(START + hour * (100 * number) >= found.since for number in range(4))
    assert tally_logs(telemetry, "conversation", EVER, needle, budget_ms=60_000.0) == (4, None)


def test_a_text_of_any_turn_is_found_however_long_the_conversation_lasts(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["t"], START, ended=START + timedelta(days=40), input="hello")
    put_logs(
        ["late"],
        START + timedelta(days=40),
        unit="interaction",
        conversation_id="t",
        output="a needle, at last",
    )
    put_logs(["other"], START + timedelta(days=20), input="hello")
    assert ids(list_logs(telemetry, "conversation", EVER, parse('text contains "needle"'))) == ["t"]
