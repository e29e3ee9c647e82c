"""A span of a request becomes a row of `otel_traces`, as columns and item by item alike."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from tests.ingest.bodies import ALWAYS, RECEIVED_NS, START_NS, payload, request, span_row, spans_of

from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits


def test_a_span_becomes_a_row_of_otel_traces() -> None:
    def change(span: Any) -> None:
        span.parent_span_id, span.trace_state = bytes([9] * 8), "a=b"
        span.status.code, span.status.message = 2, "no"
        event = span.events.add(name="exception", time_unix_nano=START_NS + 5)
        event.attributes.add(key="exception.message").value.string_value = "boom"
        link = span.links.add(trace_id=bytes([7] * 16), span_id=bytes([8] * 8), trace_state="s")
        link.attributes.add(key="why").value.string_value = "because"

    row = span_row(change)
    assert row.pop("Timestamp").value == START_NS
    assert [time.value for time in row.pop("Events.Timestamp")] == [START_NS + 5]
    assert row == {
        "TraceId": "01" * 16,
        "SpanId": "01" * 8,
        "ParentSpanId": "09" * 8,
        "TraceState": "a=b",
        "SpanName": "span 0",
        "SpanKind": "Client",
        "ServiceName": "shop",
        "ResourceAttributes": [("service.name", "shop")],
        "ScopeName": "tracer",
        "ScopeVersion": "1.2",
        "SpanAttributes": {"gen_ai.operation.name": "chat"},
        "Duration": 1_000_000_000,
        "StatusCode": "Error",
        "StatusMessage": "no",
        "Events.Name": ["exception"],
        "Events.Attributes": [[("exception.message", "boom")]],
        "Links.TraceId": ["07" * 16],
        "Links.SpanId": ["08" * 8],
        "Links.TraceState": ["s"],
        "Links.Attributes": [[("why", "because")]],
    }


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 70_000, 2_000_000])
def test_text_of_any_length_comes_through(size: int) -> None:
    text = ("é" * size)[: size // 2] + "x" * (size % 2)
    row = span_row(lambda span: span.attributes.add(key="k").value.CopyFrom(AnyValue(string_value=text)))
    assert row["SpanAttributes"]["k"] == text


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("int_value", 0, "0"),
        ("int_value", -(2**63), "-9223372036854775808"),
        ("bool_value", False, "false"),
        ("bool_value", True, "true"),
        ("double_value", 0.25, "0.25"),
        ("double_value", 3.0, "3"),
        ("double_value", -0.0, "0"),
        ("double_value", 1e16, "10000000000000000"),
        ("double_value", 1e21, "1e+21"),
        ("double_value", 1e-7, "1e-7"),
        ("double_value", float("nan"), "NaN"),
        ("double_value", float("-inf"), "-Infinity"),
        ("bytes_value", b"\x00\xff", "AP8="),
        ("string_value", "", ""),
        ("string_value", "\x00 \N{GRINNING FACE}", "\x00 \N{GRINNING FACE}"),
    ],
)
def test_values_become_text_as_in_the_collector(field: str, value: Any, text: str) -> None:
    row = span_row(lambda span: setattr(span.attributes.add(key="k").value, field, value))
    assert row["SpanAttributes"]["k"] == text


def test_lists_and_maps_become_json() -> None:
    def change(span: Any) -> None:
        values = span.attributes.add(key="k").value.array_value.values
        pairs = values.add().kvlist_value.values
        pairs.add(key="role").value.string_value = "usér"
        pairs.add(key="n").value.double_value = float("inf")
        values.add().int_value = 2
        values.add()
        span.attributes.add(key="none")
        span.attributes.add(key="empty").value.kvlist_value.SetInParent()

    attributes = span_row(change)["SpanAttributes"]
    assert attributes["k"] == '[{"role":"usér","n":"Infinity"},2,null]'
    assert (attributes["none"], attributes["empty"]) == ("", "{}")


def test_a_key_that_comes_twice_counts_last() -> None:
    def change(span: Any) -> None:
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "tool"
        event = span.events.add(name="e")
        event.attributes.add(key="k").value.int_value = 1
        event.attributes.add(key="k").value.int_value = 2

    row = span_row(change)
    assert row["SpanAttributes"] == {"gen_ai.operation.name": "tool"}
    assert row["Events.Attributes"] == [[("k", "2")]]


@pytest.mark.parametrize("start_ns", [0, 5, 1_700_000_000, 2**63 - 1, 2**64 - 1])
def test_a_start_that_is_no_time_is_that_of_receipt_and_says_so(start_ns: int) -> None:
    row = span_row(lambda span: setattr(span, "start_time_unix_nano", start_ns))
    assert (row["Timestamp"].value, row["Duration"]) == (RECEIVED_NS, 0)
    assert row["SpanAttributes"] == {"gen_ai.operation.name": "chat", "assay.repaired": "start_time"}


@pytest.mark.parametrize("end_ns", [0, 5, START_NS - 1, 2**63 - 1, 2**64 - 1])
def test_an_end_that_is_none_is_no_duration_and_says_so(end_ns: int) -> None:
    row = span_row(lambda span: setattr(span, "end_time_unix_nano", end_ns))
    assert (row["Duration"], row["SpanAttributes"]["assay.repaired"]) == (0, "end_time")


def test_an_event_without_a_time_happened_when_its_span_began() -> None:
    def change(span: Any) -> None:
        span.events.add(name="a", time_unix_nano=START_NS + 1)
        span.events.add(name="b")

    times = [time.value for time in span_row(change)["Events.Timestamp"]]
    assert times == [START_NS + 1, START_NS]


@pytest.mark.parametrize("parent", [b"", bytes(8), b"123"])
def test_a_parent_that_is_none_makes_a_root(parent: bytes) -> None:
    assert span_row(lambda span: setattr(span, "parent_span_id", parent))["ParentSpanId"] == ""


@pytest.mark.parametrize("number", [-1, 0, 6, 2**31 - 1])
def test_unknown_kinds_and_codes_are_unspecified(number: int) -> None:
    def change(span: Any) -> None:
        span.kind, span.status.code = number, number

    row = span_row(change)
    assert (row["SpanKind"], row["StatusCode"]) == ("Unspecified", "Unset")


def test_invalid_utf8_is_repaired_and_kills_nothing() -> None:
    body = request(3).SerializeToString().replace(b"span 1", b"sp\xffn 1").replace(b"tracer", b"tr\xfecer")
    body = body.replace(b"chat", b"ch\xc3t", 1)
    spans = spans_of(body).spans
    assert spans["SpanName"].to_pylist() == ["span 0", "sp\N{REPLACEMENT CHARACTER}n 1", "span 2"]
    assert spans["ScopeName"].to_pylist()[0] == "tr\N{REPLACEMENT CHARACTER}cer"
    values = [dict(one)["gen_ai.operation.name"] for one in spans["SpanAttributes"].to_pylist() if one]
    assert values == ["ch\N{REPLACEMENT CHARACTER}t", "chat", "chat"]


def test_a_request_gives_the_same_rows_in_whatever_company() -> None:
    bodies = [
        request(3).SerializeToString(),
        request(2, lambda span: setattr(span, "trace_id", b"")).SerializeToString(),
        b"\xff" * 64,
        request(2, lambda span: setattr(span, "start_time_unix_nano", 0)).SerializeToString(),
        b"",
    ]
    sent = [payload(body) for body in bodies]
    alone = [decode_traces([one], Limits(), columns_from=ALWAYS) for one in sent]
    together = decode_traces(sent, Limits(), columns_from=ALWAYS)
    assert together.spans.to_pylist() == [row for one in alone for row in one.spans.to_pylist()]
    assert together.rejections == tuple(why for one in alone for why in one.rejections)
    assert [one.spans.num_rows for one in alone] == [3, 1, 0, 2, 0]


def test_where_ptars_and_isal_are_missing_all_comes_in_likewise() -> None:
    program = """
import sys
sys.modules["ptars"] = sys.modules["isal"] = None
import gzip
from assay.ingest import columnar, inflate
from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits, Payload
sent = Payload(
    kind="traces",
    body=gzip.compress(sys.stdin.buffer.read()),
    content_type="application/x-protobuf",
    content_encoding="gzip",
    received_ns=1,
)
print(columnar.is_available, decode_traces([sent], Limits()).spans.num_rows)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=request(200).SerializeToString(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"False", b"200"]
