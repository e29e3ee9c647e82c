"""The written protobuf is what the official library reads and writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assay.demo import wire


@given(st.integers(0, 2**63 - 1))
def test_varint(number: int) -> None:
    encoded = wire.varint(number)
    assert sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(encoded)) == number
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert not encoded[-1] & 0x80


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    whole=st.integers(0, 2**63 - 1),
    number=st.floats(allow_nan=False),
)
def test_span_reads_back(text: str, whole: int, number: float) -> None:
    attributes = (
        wire.text(wire.key("a.text"), text)
        + wire.integer(wire.key("a.whole"), whole)
        + wire.real(wire.key("a.number"), number)
        + wire.texts(wire.key("a.list"), [text, "b"])
    )
    event = wire.event("it.happened", 5, wire.event_attribute(wire.text(wire.key("e"), text)))
    rest = attributes + event + wire.status(wire.ERROR, text)
    span = wire.span(b"t" * 16, b"s" * 8, b"p" * 8, text, wire.CLIENT, 10, 2**63, rest)
    body = wire.request(wire.resource({"service.name": text}), [wire.scope_spans("scope", "1", [span, span])])
    read = ExportTraceServiceRequest.FromString(body)
    (resource,) = read.resource_spans
    assert [(p.key, p.value.string_value) for p in resource.resource.attributes] == [("service.name", text)]
    (scope,) = resource.scope_spans
    assert (scope.scope.name, scope.scope.version, len(scope.spans)) == ("scope", "1", 2)
    one = scope.spans[0]
    assert (one.trace_id, one.span_id, one.parent_span_id) == (b"t" * 16, b"s" * 8, b"p" * 8)
    assert (one.name, one.kind, one.start_time_unix_nano, one.end_time_unix_nano) == (text, 3, 10, 2**63)
    values = {p.key: p.value for p in one.attributes}
    assert values["a.text"].string_value == text
    assert values["a.whole"].int_value == whole
    assert values["a.number"].double_value == number
    assert [v.string_value for v in values["a.list"].array_value.values] == [text, "b"]
    assert (one.events[0].name, one.events[0].time_unix_nano) == ("it.happened", 5)
    assert one.events[0].attributes[0].value.string_value == text
    assert (one.status.code, one.status.message) == (2, text)
    whole_size = len(read.SerializeToString())
    read.DiscardUnknownFields()
    assert len(read.SerializeToString()) == whole_size


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 40_000])
def test_long_texts_equal_the_official_encoding(size: int) -> None:
    span = wire.span(b"t" * 16, b"s" * 8, b"", "n", 1, 1, 2, wire.text(wire.key("k"), "x" * size))
    body = wire.request(b"", [wire.scope_spans("s", "1", [span])])
    read = ExportTraceServiceRequest.FromString(body)
    assert read.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.string_value == "x" * size
    assert read.SerializeToString() == body
