"""OTLP bodies: every span that can be taken is taken, and the rest is told why."""

from __future__ import annotations

import gzip
import json
import resource
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from assay.errors import PayloadError
from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.otlp import Decoded, Limits, decode_otlp, error_body, response_type, success_body

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def decode(body: bytes, content_type: str = PROTOBUF, encoding: str = "", **limits: int) -> Decoded:
    decoded = decode_otlp(body, content_type, encoding, Limits(**limits), received_at=NOW)
    decoded.spans.validate(full=True)
    assert decoded.spans.schema == SPAN_SCHEMA
    return decoded


def request(count: int = 1, change: Callable[[Any], None] | None = None) -> Any:
    """A request of good spans, the second changed."""
    export = ExportTraceServiceRequest()
    group = export.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "tracer", "1.2"
    for i in range(count):
        span = scope.spans.add(trace_id=bytes([1] * 16), span_id=bytes([i + 1] * 8), name=f"span {i}", kind=3)
        span.start_time_unix_nano, span.end_time_unix_nano = (
            1_700_000_000_000_000_000,
            1_700_000_001_000_000_000,
        )
        span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
        if change is not None and i == min(1, count - 1):
            change(span)
    return export


def one(change: Callable[[Any], None]) -> dict[str, Any]:
    row: dict[str, Any] = decode(request(1, change).SerializeToString()).spans.to_pylist()[0]
    return row | {"SpanAttributes": dict(row["SpanAttributes"])}


def test_a_span_becomes_a_row_of_otel_traces() -> None:
    def change(span: Any) -> None:
        span.parent_span_id, span.trace_state = bytes([9] * 8), "a=b"
        span.status.code, span.status.message = 2, "no"
        event = span.events.add(name="exception", time_unix_nano=1_700_000_000_500_000_000)
        event.attributes.add(key="exception.message").value.string_value = "boom"
        link = span.links.add(trace_id=bytes([7] * 16), span_id=bytes([8] * 8), trace_state="s")
        link.attributes.add(key="why").value.string_value = "because"

    row = one(change)
    assert row.pop("Timestamp").value == 1_700_000_000_000_000_000
    assert [time.value for time in row.pop("Events.Timestamp")] == [1_700_000_000_500_000_000]
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


@pytest.mark.parametrize(
    "size", [0, 1, 38, 39, 40, 126, 127, 128, 129, 130, 16_382, 16_383, 16_384, 70_000, 2_097_152]
)
def test_text_of_any_length_comes_through(size: int) -> None:
    text = ("é" * size)[: size // 2] + "x" * (size % 2)
    assert (
        one(lambda span: span.attributes.add(key="k").value.CopyFrom(_text(text)))["SpanAttributes"]["k"]
        == text
    )


def _text(text: str) -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    return AnyValue(string_value=text)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("int_value", 0, "0"),
        ("int_value", -7, "-7"),
        ("bool_value", False, "false"),
        ("bool_value", True, "true"),
        ("double_value", 0.25, "0.25"),
        ("double_value", 3.0, "3"),
        ("double_value", 1e21, "1e+21"),
        ("double_value", 1e-7, "1e-7"),
        ("double_value", float("nan"), "NaN"),
        ("double_value", float("-inf"), "-Infinity"),
        ("bytes_value", b"\x00\xff", "AP8="),
        ("string_value", "", ""),
    ],
)
def test_values_become_text_as_in_the_collector(field: str, value: Any, text: str) -> None:
    row = one(lambda span: setattr(span.attributes.add(key="k").value, field, value))
    assert row["SpanAttributes"]["k"] == text


def test_lists_and_maps_become_json() -> None:
    def change(span: Any) -> None:
        values = span.attributes.add(key="k").value.array_value.values
        pairs = values.add().kvlist_value.values
        pairs.add(key="role").value.string_value = "usér"
        pairs.add(key="n").value.double_value = float("inf")
        values.add().int_value = 2
        values.add()

    assert one(change)["SpanAttributes"]["k"] == '[{"role":"usér","n":"Infinity"},2,null]'


def test_a_key_that_comes_twice_counts_last() -> None:
    row = one(
        lambda span: setattr(span.attributes.add(key="gen_ai.operation.name").value, "string_value", "tool")
    )
    assert row["SpanAttributes"] == {"gen_ai.operation.name": "tool"}


def test_a_missing_start_is_the_time_of_receipt_and_says_so() -> None:
    row = one(lambda span: setattr(span, "start_time_unix_nano", 0))
    assert row["Timestamp"].value == int(NOW.timestamp()) * 10**9
    assert row["Duration"] == 0
    assert row["SpanAttributes"]["assay.repaired"] == "start_time"


def test_an_end_before_the_start_is_no_duration() -> None:
    row = one(lambda span: setattr(span, "end_time_unix_nano", 5))
    assert (row["Duration"], row["SpanAttributes"]["assay.repaired"]) == (0, "end_time")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("trace_id", b"", "no valid trace id"),
        ("trace_id", bytes(16), "no valid trace id"),
        ("span_id", b"1234", "no valid span id"),
        ("span_id", bytes(8), "no valid span id"),
    ],
)
def test_a_span_without_ids_is_rejected_alone(field: str, value: bytes, why: str) -> None:
    decoded = decode(request(3, lambda span: setattr(span, field, value)).SerializeToString())
    assert (decoded.accepted, decoded.rejected, decoded.spans.num_rows) == (2, 1, 2)
    assert why in decoded.reasons[0]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_large_attribute_rejects_its_span_alone(content_type: str) -> None:
    limit = 100_000

    def body(size: int) -> bytes:
        if content_type == JSON:
            return _json_request(
                [_json_span(1), _json_span(2) | {"attributes": [_json_text("input.value", "x" * size)]}]
            )

        def change(span: Any) -> None:
            span.attributes.add(key="input.value").value.string_value = "x" * size

        return bytes(request(2, change).SerializeToString())

    assert decode(body(limit), content_type, max_attribute_bytes=limit).accepted == 2
    decoded = decode(body(limit + 1), content_type, max_attribute_bytes=limit)
    assert (decoded.accepted, decoded.rejected) == (1, 1)
    assert decoded.reasons == (
        f"span {'02' * 8} attribute 'input.value' is 0.1 MB; the limit is 0.1 MB (ingest.max_attribute_mb)",
    )


def test_a_large_attribute_of_an_event_or_a_resource_is_found_too() -> None:
    def change(span: Any) -> None:
        span.events.add(name="e").attributes.add(key="message").value.string_value = "x" * 200_000

    decoded = decode(request(2, change).SerializeToString(), max_attribute_bytes=100_000)
    assert (decoded.accepted, decoded.rejected) == (1, 1)
    export = request(2)
    export.resource_spans[0].resource.attributes.add(key="big").value.string_value = "x" * 200_000
    decoded = decode(export.SerializeToString(), max_attribute_bytes=100_000)
    assert (decoded.accepted, decoded.rejected) == (0, 2)
    assert "resource attribute 'big'" in decoded.reasons[0]


def test_invalid_utf8_is_repaired_and_kills_nothing() -> None:
    body = request(3).SerializeToString().replace(b"span 1", b"sp\xffn 1").replace(b"tracer", b"tr\xfecer")
    decoded = decode(body)
    assert decoded.spans["SpanName"].to_pylist() == ["span 0", "sp\N{REPLACEMENT CHARACTER}n 1", "span 2"]
    assert decoded.spans["ScopeName"].to_pylist()[0] == "tr\N{REPLACEMENT CHARACTER}cer"


def test_json_is_repaired_likewise() -> None:
    body = _json_request([_json_span(1) | {"name": "bad"}])
    for broken in (body.replace(b"bad", b"b\xffd"), body.replace(b"bad", b"b\\ud800d")):
        name = str(decode(broken, JSON).spans["SpanName"][0])
        assert (name[0], name[-1], "\N{REPLACEMENT CHARACTER}" in name) == ("b", "d", True)


def _json_text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def _json_span(number: int) -> dict[str, Any]:
    return {
        "traceId": "AB" * 16,
        "spanId": f"{number:02x}" * 8,
        "name": "n",
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": 1_700_000_000_000_000_007,
        "status": {"code": "STATUS_CODE_ERROR"},
        "unknownField": [{}],
        "attributes": [
            {"key": "i", "value": {"intValue": "12"}},
            {"key": "j", "value": {"intValue": 13}},
            {"key": "d", "value": {"doubleValue": "NaN"}},
            {"key": "a", "value": {"arrayValue": {"values": [{"boolValue": False}, {"doubleValue": 1.0}]}}},
            {"key": "b", "value": {"bytesValue": "AP8="}},
            {"key": "none", "value": {}},
        ],
        "events": None,
    }


def _json_request(spans: list[dict[str, Any]]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def test_json_takes_names_text_numbers_and_unknown_fields() -> None:
    row = decode(_json_request([_json_span(1)]), "application/json; charset=utf-8").spans.to_pylist()[0]
    assert (row["TraceId"], row["SpanKind"], row["StatusCode"], row["Duration"]) == (
        "ab" * 16,
        "Server",
        "Error",
        7,
    )
    assert dict(row["SpanAttributes"]) == {
        "i": "12",
        "j": "13",
        "d": "NaN",
        "a": "[false,1]",
        "b": "AP8=",
        "none": "",
    }


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status", "says"),
    [
        (b"\xff" * 64, PROTOBUF, "", 400, "no valid OTLP protobuf"),
        (b"{", JSON, "", 400, "no JSON"),
        (b"[1]", JSON, "", 400, "no OTLP/JSON"),
        (b'{"resourceSpans": [{"scopeSpans": 3}]}', JSON, "", 400, "resourceSpans"),
        (b"[" * 100_000, JSON, "", 400, "JSON"),
        (b"{}", "text/plain", "", 415, "text/plain"),
        (b"", "", "", 415, "content type"),
        (b"x", PROTOBUF, "br", 415, "'br'"),
        (b"x", PROTOBUF, "gzip", 400, "gzip"),
        (gzip.compress(b"hello" * 99)[:-9], PROTOBUF, "gzip", 400, "cut off"),
        (b"x" * 2000, PROTOBUF, "", 413, "max_request_mb"),
        (gzip.compress(bytes(2000)), PROTOBUF, "gzip", 413, "max_request_mb"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_status(
    body: bytes, content_type: str, encoding: str, status: int, says: str
) -> None:
    with pytest.raises(PayloadError, match=says) as refused:
        decode_otlp(
            body,
            content_type,
            encoding,
            Limits(max_request_bytes=1000 if len(body) < 90_000 else 2**20),
            received_at=NOW,
        )
    assert refused.value.http_status == status


def test_a_truncated_body_is_refused_wherever_it_is_cut() -> None:
    body = request(3).SerializeToString()
    for cut in range(1, len(body)):
        with pytest.raises(PayloadError) as refused:
            decode(body[:cut])
        assert refused.value.http_status == 400


def test_compressed_bodies_are_read() -> None:
    body = request(5).SerializeToString()
    raw = zlib.compressobj(wbits=-15)
    packed = [
        (gzip.compress(body), "gzip"),
        (gzip.compress(body[:50]) + gzip.compress(body[50:]), "x-gzip"),
        (zlib.compress(body), "deflate"),
        (raw.compress(body) + raw.flush(), "DEFLATE"),
        (body, "identity"),
    ]
    for content, encoding in packed:
        assert decode(content, encoding=encoding).accepted == 5


@pytest.mark.parametrize("body", [b"", gzip.compress(b"")])
def test_an_empty_request_is_no_spans(body: bytes) -> None:
    encoding = "gzip" if body else ""
    assert decode(body, PROTOBUF, encoding) == decode(body, JSON, encoding)
    assert decode(body, PROTOBUF, encoding).accepted == 0


def test_a_gzip_bomb_is_refused_in_little_memory() -> None:
    bomb = gzip.compress(bytes(2**24), 6) * 20  # 320 MB, in 20 members
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PayloadError, match="64 MB") as refused:
        decode(bomb, encoding="gzip")
    assert refused.value.http_status == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def _wrapped(content: bytes, number: int) -> bytes:
    """As the length-delimited field of that number."""
    size = bytes((len(content) & 0x7F | 0x80, len(content) >> 7 & 0x7F | 0x80, len(content) >> 14))
    return bytes((number << 3 | 2,)) + size + content


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x0a\x00" * 2_200_000, PROTOBUF),
        (_wrapped(_wrapped(b"\x12\x00" * 150_000, 2), 1), PROTOBUF),
        (_json_request([{}] * 150_000), JSON),
    ],
)
def test_a_flood_of_spans_is_refused_before_it_is_unfolded(body: bytes, content_type: str) -> None:
    with pytest.raises(PayloadError, match="100,000 spans") as refused:
        decode(body, content_type)
    assert refused.value.http_status == 413


def test_a_flood_of_attributes_rejects_its_span() -> None:
    def change(span: Any) -> None:
        for i in range(20_000):
            span.attributes.add(key=f"{i}")

    decoded = decode(request(2, change).SerializeToString())
    assert (decoded.accepted, decoded.rejected) == (1, 1)
    assert "10,000 attributes" in decoded.reasons[0]


def test_a_large_resource_on_many_spans_is_refused() -> None:
    export = request(200)
    export.resource_spans[0].resource.attributes.add(key="big").value.string_value = "x" * 100_000
    with pytest.raises(PayloadError, match="resource and scope attributes"):
        decode(export.SerializeToString(), max_request_bytes=2**20)


def test_one_unreadable_span_is_rejected_alone() -> None:
    body = request(3).SerializeToString()
    where = body.index(b"span 1") - 2  # the tag of the name: an end-group tag that nothing opened
    decoded = decode(body[:where] + b"\x2c" + body[where + 1 :])
    assert (decoded.accepted, decoded.rejected) == (2, 1)
    assert decoded.reasons == ("a span is no valid protobuf",)


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, 10_000),
    junk=st.binary(min_size=1, max_size=12),
    content_type=st.sampled_from([PROTOBUF, JSON]),
)
def test_a_damaged_body_is_read_or_refused_and_never_more(place: int, junk: bytes, content_type: str) -> None:
    whole = request(3).SerializeToString() if content_type == PROTOBUF else _json_request([_json_span(1)])
    cut = place % len(whole)
    body = whole[:cut] + junk + whole[cut + len(junk) :]
    with suppress(PayloadError):
        decoded = decode(body, content_type)
        assert decoded.spans.num_rows == decoded.accepted <= 3


def test_answers_come_in_the_content_type_of_the_request() -> None:
    decoded = decode(request(3, lambda span: setattr(span, "trace_id", b"")).SerializeToString())
    answer = ExportTraceServiceResponse.FromString(
        success_body(decoded, "application/x-protobuf; charset=utf-8")
    )
    assert answer.partial_success.rejected_spans == 1
    assert "no valid trace id" in answer.partial_success.error_message
    partial = json.loads(success_body(decoded, JSON))["partialSuccess"]
    assert (partial["rejectedSpans"], partial["errorMessage"]) == ("1", decoded.reasons[0])
    assert success_body(decode(b""), PROTOBUF) == b""
    assert json.loads(success_body(decode(b""), JSON)) == {}
    assert (response_type("text/plain"), response_type(PROTOBUF + ";x")) == (JSON, PROTOBUF)


def test_an_error_is_a_status() -> None:
    from google.rpc.status_pb2 import Status

    for message in ("no", "é" * 300):
        assert Status.FromString(error_body(message, PROTOBUF)).message == message
        assert json.loads(error_body(message, JSON))["message"] == message


CLIENTS = (
    "langfuse",
    "mlflow-sdk",
    "openinference-langchain",
    "openinference-openai",
    "otel-genai-openai",
    "otel-openai-v2-latest",
    "otel-openai-v2-legacy",
    "pydantic-ai",
    "pydantic-evals-online",
    "traceloop-openai",
    "vercel-ai",
)


@pytest.mark.shared
@pytest.mark.parametrize("client", CLIENTS)
def test_json_and_protobuf_of_real_clients_agree(shared: Path, client: str) -> None:
    wire = decode((shared / f"otlp/{client}.bin").read_bytes())
    text = decode((shared / f"otlp/{client}.json").read_bytes(), JSON)
    counts = json.loads((shared / "otlp/summary.json").read_text())
    assert wire.accepted == counts[client]["spans"]
    assert wire.spans.equals(text.spans)


@pytest.mark.shared
def test_a_genuine_json_body_is_read(shared: Path) -> None:
    decoded = decode((shared / "otlp/vercel-ai-json.otlpjson").read_bytes(), JSON)
    assert (decoded.accepted, decoded.rejected) == (25, 0)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "accepted", "rejected"),
    [
        ("invalid_utf8_1_of_4", 4, 0),
        ("empty_trace_id_1_of_4", 3, 1),
        ("short_span_id_1_of_4", 3, 1),
        ("zero_timestamps", 4, 0),
        ("end_before_start", 4, 0),
        ("split_1_children", 4, 0),
        ("split_2_root", 1, 0),
        ("split_3_late_children", 3, 0),
        ("split_all_in_one", 8, 0),
        ("duplicate_twice_in_one", 8, 0),
        ("huge_attr_1mb", 1, 0),
        ("nul_and_emoji", 1, 0),
        ("any_value_types_and_structured_messages", 1, 0),
        ("duplicate_attribute_key", 1, 0),
        ("empty_request", 0, 0),
        ("missing_root", 4, 0),
    ],
)
def test_edge_cases(shared: Path, case: str, accepted: int, rejected: int) -> None:
    decoded = decode((shared / f"otlp/edge/{case}.bin").read_bytes())
    assert (decoded.accepted, decoded.rejected) == (accepted, rejected)


@pytest.mark.shared
@pytest.mark.parametrize("case", ["garbage", "truncated"])
def test_broken_bodies_are_refused(shared: Path, case: str) -> None:
    with pytest.raises(PayloadError) as refused:
        decode((shared / f"otlp/edge/{case}.bin").read_bytes())
    assert refused.value.http_status == 400
