"""Signals computed anew over history: what changes, what stays, and where a broken run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_settle import WORDS, rows, signal

from assay.records import Signal, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.made import Named
from assay.store.telemetry.resignal import ResignalReport, recompute
from assay.store.telemetry.retain import Keep, retain
from assay.store.telemetry.settle import settle

ERROR, REFUSAL = signal("error", "errors > 0"), signal("refusal", "output mentions @refusal")
LONG = signal("long", "turns >= 2", "conversation")
LATER: Any = (
    ERROR,
    signal("refusal", 'output contains "sorry"'),
    signal("orders", 'input contains "order"'),
    signal("short", "turns < 2", "conversation"),
)
DAYS = 3


@pytest.fixture
def settled(telemetry: Telemetry) -> Telemetry:
    """On each of three days a conversation of two turns and one of a single turn."""
    for day in range(DAYS):
        begun = START + timedelta(days=day)
        put(
            telemetry,
            turn(f"a{day}", f"long{day}", start=begun, asked="My order", error=True),
            turn(f"b{day}", f"long{day}", start=begun, minute=1, answered="I can't help, sorry"),
            turn(f"c{day}", f"short{day}", start=begun, asked="Hello", answered="I can't help"),
        )
    given: Any = {"words": WORDS, "prices": (), "idle_s": 0.0, "now": START + timedelta(days=9)}
    settle(telemetry, (ERROR, REFUSAL, LONG), **given)
    return telemetry


def raised(t: Telemetry) -> dict[str, list[str]]:
    found = rows(t) | rows(t, "interaction")
    names = {trace_id(f"{letter}{day}"): f"{letter}{day}" for letter in "abc" for day in range(DAYS)}
    return {names.get(key, key): row["signals"] for key, row in found.items()}


def of_day(day: int, long: list[str], short: list[str], *turns: list[str]) -> dict[str, list[str]]:
    names = [f"{letter}{day}" for letter in "abc"]
    return {f"long{day}": long, f"short{day}": short, **dict(zip(names, turns, strict=True))}


BEFORE = [["error", "long", "refusal"], ["refusal"], ["error"], ["refusal"], ["refusal"]]
AFTER = [["error", "orders", "refusal"], ["short"], ["error", "orders"], ["refusal"], []]


def test_only_signals_change_and_only_once(settled: Telemetry) -> None:
    kept = settled.query("SELECT * EXCEPT (signals, computed_at) FROM signals FINAL ORDER BY unit, log_id")
    before = {row["log_id"]: row["computed_at"] for row in rows(settled).values()}
    assert recompute(settled, LATER, words=WORDS) == ResignalReport(rows=15, changed=12, days=3)
    assert raised(settled) == {k: v for day in range(DAYS) for k, v in of_day(day, *AFTER).items()}
    again = settled.query("SELECT * EXCEPT (signals, computed_at) FROM signals FINAL ORDER BY unit, log_id")
    assert again.equals(kept)
    moved = {row["log_id"]: row["computed_at"] - before[row["log_id"]] for row in rows(settled).values()}
    assert set(moved.values()) == {timedelta(microseconds=1)}
    assert recompute(settled, LATER, words=WORDS) == ResignalReport(rows=15, changed=0, days=3)


def test_a_window_and_names_leave_the_rest_as_it_is(settled: Telemetry) -> None:
    window = Window(start=START + timedelta(days=1), end=START + timedelta(days=2))
    done = recompute(settled, LATER, words=WORDS, window=window, only=frozenset({"orders", "short"}))
    assert done == ResignalReport(rows=5, changed=3, days=1)
    found = raised(settled)
    changed = [["error", "long", "orders", "refusal"], ["refusal", "short"], ["error", "orders"]]
    assert {key: found[key] for key in of_day(1, *BEFORE)} == of_day(1, *changed, *BEFORE[3:])
    assert {key: found[key] for key in of_day(0, *BEFORE)} == of_day(0, *BEFORE)


def test_where_texts_are_removed_what_reads_them_stays(settled: Telemetry) -> None:
    retain(settled, Keep(content_days=1, spans=False), (START + timedelta(days=DAYS - 1)).date())
    recompute(settled, LATER, words=WORDS)
    found = raised(settled)
    kept = [["error", "refusal"], ["refusal", "short"], ["error"], ["refusal"], ["refusal"]]
    assert {key: found[key] for key in of_day(0, *BEFORE)} == of_day(0, *kept)
    assert {key: found[key] for key in of_day(2, *BEFORE)} == of_day(2, *AFTER)


def test_a_run_that_breaks_off_is_gone_on_with(settled: Telemetry) -> None:
    def after(days: int) -> Callable[[], bool]:
        asked: list[None] = []

        def stop() -> bool:
            asked.append(None)
            return len(asked) > days

        return stop

    assert recompute(settled, LATER, words=WORDS, stop=after(1)) == ResignalReport(rows=5, changed=4, days=1)
    found = raised(settled)
    assert {key: found[key] for key in of_day(2, *AFTER)} == of_day(2, *AFTER), "the newest day is first"
    assert {key: found[key] for key in of_day(0, *BEFORE)} == of_day(0, *BEFORE)
    other: list[tuple[Signal, Any]] = [ERROR]
    assert recompute(settled, other, words=WORDS, stop=after(0)).days == 0, "another run begins at the front"
    assert recompute(settled, LATER, words=WORDS).days == 2
    assert recompute(settled, LATER, words=WORDS).days == 3, "a run that is through begins anew"


def test_a_late_log_on_a_day_without_texts_takes_nothing_from_the_others(settled: Telemetry) -> None:
    retain(settled, Keep(content_days=1, spans=False), (START + timedelta(days=DAYS - 1)).date())
    put(settled, turn("late", "late", asked="My order", answered="sorry"))
    given: Any = {"words": WORDS, "prices": (), "idle_s": 0.0, "now": START + timedelta(days=9)}
    settle(settled, (ERROR, REFUSAL, LONG), **given)
    recompute(settled, LATER, words=WORDS)
    found = raised(settled)
    kept = [["error", "refusal"], ["refusal", "short"], ["error"], ["refusal"], ["refusal"]]
    assert {key: found[key] for key in of_day(0, *BEFORE)} == of_day(0, *kept)
    assert found["late"] == ["orders", "refusal", "short"]


def test_what_fails_leaves_what_stood(settled: Telemetry) -> None:
    def busy(sql: str) -> tuple[Signal, None]:
        said = Signal(code="T-b", name="busy", severity="low", meaning="", unit="conversation", sql=sql)
        return said, None

    def loud(batch: pa.RecordBatch) -> Named:
        raised = [["loud"] if text == "My order" else [] for text in batch.column("input").to_pylist()]
        return Named(pa.array(raised, pa.list_(pa.string())))

    def broken(batch: pa.RecordBatch) -> Named:
        silent = pa.array([[]] * batch.num_rows, pa.list_(pa.string()))
        return Named(silent, frozenset({"loud"}))

    made = Signal(code="T-l", name="loud", severity="low", meaning="", unit="interaction"), None
    faults: list[str] = []
    recompute(settled, [busy("spans >= 2"), made], words=WORDS, made={"interaction": loud})
    before = raised(settled)
    assert before["long0"] == ["busy", "loud"]
    fails, works = busy("toFloat64(input) > 3"), signal("long", "turns >= 2", "conversation")
    done = recompute(
        settled,
        [fails, made, works],
        words=WORDS,
        made={"interaction": broken},
        fault=lambda name, error, logs: faults.append(f"{name} {logs}: {error}"),
    )
    assert raised(settled) == {
        key: sorted({*names, "long"}) if key.startswith("long") else names for key, names in before.items()
    }
    assert done == ResignalReport(rows=15, changed=3, days=3)
    assert [fault.partition(":")[0] for fault in faults] == ["busy 5"] * 3


def test_each_day_is_a_turn(settled: Telemetry) -> None:
    turns: list[str] = []

    @contextmanager
    def one() -> Iterator[None]:
        turns.append("in")
        yield
        turns.append("out")

    recompute(settled, LATER, words=WORDS, turn=one)
    assert turns == ["in", "out"] * DAYS


def test_sql_of_a_team_is_asked(settled: Telemetry) -> None:
    own = Signal(code="T-b", name="busy", severity="low", meaning="", unit="conversation", sql="spans >= 2")
    recompute(settled, [(own, None)], words=WORDS, only=frozenset({"busy"}))
    assert {key for key, names in raised(settled).items() if "busy" in names} == {"long0", "long1", "long2"}
