"""What the overview counts, by day, and numbers over time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.store.spans import START

from assay.errors import FilterError
from assay.query import parse
from assay.records import SeriesPoint, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.daily import Counts, keys_by_day, signals_by_day, slices_by_day, totals_by_day
from assay.store.telemetry.series import series

EVER = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
DAY, NEXT = START.date(), START.date() + timedelta(days=1)
PutLogs = Callable[..., None]


def test_an_empty_store_has_no_days(telemetry: Telemetry) -> None:
    assert totals_by_day(telemetry, EVER) == {}
    assert slices_by_day(telemetry, "conversation", EVER, ["version"], 5) == {}
    assert series(telemetry, "conversation", EVER, "count", "day") == {}


def test_logs_are_counted_by_day(telemetry: Telemetry, put_logs: PutLogs) -> None:
    later = START + timedelta(days=1)
    put_logs(["a", "b", "c"], [START, START + timedelta(hours=1), later])
    put_logs(["i"], START, unit="interaction")
    assert totals_by_day(telemetry, EVER) == {
        DAY: Counts(1, 2, START, START + timedelta(hours=1)),
        NEXT: Counts(0, 1, later, later),
    }


def test_logs_divide_by_signal_field_and_attribute(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(
        ["a", "b", "c", "d"],
        [START, START, START, START + timedelta(days=1)],
        signals=[["error", "slow"], ["error"], [], ["slow"]],
        version=["v7", "v7", "v6", ""],
        attributes=[[("it's", "1")], [("it's", "1"), ("x", "2")], [], []],
    )
    it, only = 'attr["it\'s"]', parse('version = "v7" and attr["x"] = "2"')
    assert signals_by_day(telemetry, "conversation", EVER) == {
        DAY: {"error": 2, "slow": 1},
        NEXT: {"slow": 1},
    }
    assert signals_by_day(telemetry, "conversation", EVER, only) == {DAY: {"error": 1}}
    assert keys_by_day(telemetry, "conversation", EVER) == {DAY: {"it's": 2, "x": 1}}
    assert slices_by_day(telemetry, "conversation", EVER, ["version", it], 5) == {
        DAY: {"version": {"v7": 2, "v6": 1}, it: {"1": 2}},
        NEXT: {"version": {}, it: {}},
    }
    assert slices_by_day(telemetry, "conversation", EVER, [it], 5, only) == {DAY: {it: {"1": 1}}}
    with pytest.raises(FilterError):
        slices_by_day(telemetry, "conversation", EVER, ["nothing"], 5)


def test_a_day_with_too_many_values_is_not_counted_by_them(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs([f"u{number}" for number in range(6)], START, version=[f"v{number}" for number in range(6)])
    put_logs(["z"], START + timedelta(days=1), version="v1")
    assert slices_by_day(telemetry, "conversation", EVER, ["version", "log_id"], 5) == {
        DAY: {"version": None, "log_id": None},
        NEXT: {"version": {"v1": 1}, "log_id": {"z": 1}},
    }
    assert slices_by_day(telemetry, "conversation", Window.of_day(DAY), ["version"], 5) == {
        DAY: {"version": None}
    }


def test_a_number_over_time(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(
        ["a", "b", "c"],
        [START, START + timedelta(hours=1), START + timedelta(days=1)],
        latency_ms=[100.0, 300.0, 7.0],
        errors=[0, 2, 0],
        input_tokens=[5, 6, 7],
        output_tokens=[1, 1, 1],
    )
    midnight = START.replace(hour=0)
    assert series(telemetry, "conversation", EVER, "count", "day") == {
        DAY: [SeriesPoint(at=midnight, logs=2, failed=1)],
        NEXT: [SeriesPoint(at=midnight + timedelta(days=1), logs=1, failed=0)],
    }
    (first, second) = series(telemetry, "conversation", EVER, "latency_ms", "hour")[DAY]
    assert (first.at, first.mean, second.at, second.mean) == (START, 100.0, START + timedelta(hours=1), 300.0)
    (whole,) = series(telemetry, "conversation", Window.of_day(DAY), "latency_ms", "day")[DAY]
    assert (whole.total, whole.mean, whole.p99) == (400.0, 200.0, 300.0)
    (tokens,) = series(telemetry, "conversation", EVER, "tokens", "day", parse("errors > 0"))[DAY]
    assert (tokens.logs, tokens.total) == (1, 7.0)
