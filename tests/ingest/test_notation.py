"""OTLP in JSON: what is allowed there and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from tests.ingest.bodies import JSON, json_request, json_span, request, spans_of

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def row(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = spans_of(json_request([json_span(1) | changes]), JSON).spans.to_pylist()[0]
    return found | {"SpanAttributes": dict(found["SpanAttributes"])}


def test_names_text_numbers_and_unknown_members_are_taken() -> None:
    found = row()
    assert (found["TraceId"], found["SpanKind"], found["StatusCode"], found["Duration"]) == (
        "ab" * 16,
        "Server",
        "Error",
        7,
    )
    assert found["SpanAttributes"] == {
        "i": "12",
        "j": "13",
        "d": "NaN",
        "a": "[false,1]",
        "b": "AP8=",
        "none": "",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"intValue": "9223372036854775807"}, "9223372036854775807"),
        ({"intValue": 3.0}, "3"),
        ({"doubleValue": "Infinity"}, "Infinity"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"doubleValue": 1}, "1"),
        ({"boolValue": False}, "false"),
        ({"stringValue": ""}, ""),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "é"}}]}}, '{"k":"é"}'),
        ({"arrayValue": {}}, "[]"),
        (None, ""),
    ],
)
def test_values_become_the_text_that_they_become_in_protobuf(value: object, text: str) -> None:
    assert row(attributes=[{"key": "k", "value": value}])["SpanAttributes"] == {"k": text}


@pytest.mark.parametrize("number", ["3", 3, 3.0, "SPAN_KIND_CLIENT"])
def test_enums_are_names_or_numbers(number: object) -> None:
    assert row(kind=number)["SpanKind"] == "Client"


@pytest.mark.parametrize("broken", [b"b\xffd", b"b\\ud800d"])
def test_text_that_is_none_is_repaired(broken: bytes) -> None:
    body = json_request([json_span(1) | {"name": "bad"}])
    name = str(spans_of(body.replace(b"bad", broken), JSON).spans["SpanName"][0])
    assert (name[0], name[-1], REPLACEMENT in name) == ("b", "d", True)


def test_what_is_null_or_absent_is_nothing() -> None:
    for body in (b"{}", b'{"resourceSpans":null}', b'{"resourceSpans":[{"scopeSpans":[{}]}]}', b" \n"):
        assert spans_of(body, JSON).spans.num_rows == 0


def test_lists_in_lists_have_a_bottom() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    assert (
        row(attributes=[{"key": "k", "value": value}])["SpanAttributes"]["k"]
        == "[" * 101 + "null" + "]" * 101
    )


def test_it_says_the_same_as_protobuf() -> None:
    def change(span: Any) -> None:
        event = span.events.add(name="exception", time_unix_nano=span.start_time_unix_nano)
        event.attributes.add(key="k").value.double_value = 0.5
        span.links.add(trace_id=bytes([7] * 16), span_id=bytes([8] * 8), trace_state="s")
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "twice"
        span.end_time_unix_nano = 0

    export = request(3, change)
    sent = MessageToDict(export)
    for i, span in enumerate(sent["resourceSpans"][0]["scopeSpans"][0]["spans"]):
        span |= {"traceId": "01" * 16, "spanId": f"{i + 1:02x}" * 8}
        for link in span.get("links", ()):
            link |= {"traceId": "07" * 16, "spanId": "08" * 8}
    assert spans_of(json.dumps(sent).encode(), JSON).spans.equals(spans_of(export.SerializeToString()).spans)
