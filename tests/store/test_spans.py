"""Spans in and out."""

from __future__ import annotations

from tests.store.traffic import span, table

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.spans import insert_spans, read_spans


def test_spans_come_back_in_time_order_each_in_its_richest_version(telemetry: Telemetry) -> None:
    early, late = span("a", at=0, user__id="u"), span("b", "a", at=1, seconds=2, kind="x", more="text")
    poor = {**late, "Duration": 0, "SpanAttributes": [("kind", "x"), ("more", "text"), ("even", "more text")]}
    insert_spans(telemetry, table([late, early]))
    insert_spans(telemetry, table([poor, early, late, span("c", trace="t2")]))

    read = read_spans(telemetry, ["t1"])

    assert read.column("SpanId").to_pylist() == ["a", "b"]
    assert read.column("Duration").to_pylist() == [1_000_000_000, 2_000_000_000]
    assert read.column("SpanAttributes").to_pylist()[1] == [("kind", "x"), ("more", "text")]


def test_a_trace_over_midnight_is_read_whole_and_bounded(telemetry: Telemetry) -> None:
    insert_spans(telemetry, table([span(f"s{hour:02}", at=3600 * hour) for hour in range(24)]))
    assert read_spans(telemetry, ["t1", "nothing"]).num_rows == 24
    assert read_spans(telemetry, ["t1"], limit=3).column("SpanId").to_pylist() == ["s00", "s01", "s02"]
    assert telemetry.query("SELECT spans FROM interactions_final").to_pylist() == [{"spans": 24}]


def test_no_trace_has_no_spans(telemetry: Telemetry) -> None:
    assert read_spans(telemetry, []).num_rows == 0
