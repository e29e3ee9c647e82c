"""Rows that a filter leaves, of logs that go on for days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_events import send, verdict

from assay.query import parse
from assay.records import Unit, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.export import Exported, Kind, export
from assay.store.telemetry.settle import settle

DAY = 60 * 24


def fill(t: Telemetry) -> None:
    """A conversation of three days that failed on the first; one that did not; what was said late."""
    put(t, turn("a", "long", error=True), turn("b", "long", minute=DAY), turn("c", "long", minute=3 * DAY))
    put(t, turn("d", "other", minute=DAY))
    for name, days in (("a", 5), ("d", 6)):
        told = verdict("tone", "1", trace_id(name))
        send(t, told | {"Timestamp": START + timedelta(days=days)})
    settle(t, (), words={}, prices=(), idle_s=0.0, now=START + timedelta(days=9))


def column_of(found: Exported, name: str) -> list[str]:
    rows: list[Any] = pa.Table.from_batches(list(found.batches), found.schema)[name].to_pylist()
    return rows


def column(
    t: Telemetry, kind: Kind, name: str, unit: Unit = "conversation", window: Window | None = None
) -> list[str]:
    found = export(t, kind, unit, window, parse("errors > 0"))
    return column_of(found, name)


def test_every_day_of_a_conversation_is_its_own(telemetry: Telemetry) -> None:
    fill(telemetry)
    names = [trace_id(name) for name in "abc"]
    assert column(telemetry, "spans", "TraceId") == names
    assert column(telemetry, "interactions", "trace_id") == names
    assert column(telemetry, "records", "TraceId") == names[:1]


def test_what_is_said_of_an_interaction_later_is_its_own(telemetry: Telemetry) -> None:
    fill(telemetry)
    assert column(telemetry, "records", "TraceId", "interaction") == [trace_id("a")]
    assert column(telemetry, "spans", "TraceId", "interaction") == [trace_id("a")]


def test_interactions_are_cut_to_the_window(telemetry: Telemetry) -> None:
    fill(telemetry)
    window = Window(start=START + timedelta(minutes=1), end=START + timedelta(days=2))
    assert column(telemetry, "interactions", "trace_id", window=window) == [trace_id("b")]
    everything = column_of(export(telemetry, "interactions"), "trace_id")
    assert everything[0] == trace_id("a")
    assert sorted(everything) == sorted(trace_id(name) for name in "abcd")
