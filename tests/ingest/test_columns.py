"""Requests as columns: the very rows that they give item by item."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.ingest.bodies import NEVER, RECEIVED_NS, START_NS, payload, request

from assay.ingest.columnar import is_available, read_columns
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.payload import Limits
from assay.ingest.shapes import Tree
from assay.ingest.texts import hexed, utf8

pytestmark = pytest.mark.skipif(not is_available, reason="ptars has no wheel for this platform")

TEXT = st.text(max_size=40)
VALUE = st.recursive(
    st.one_of(
        st.just(AnyValue()),
        TEXT.map(lambda text: AnyValue(string_value=text)),
        st.integers(100, 40_000).map(lambda size: AnyValue(string_value="é" * size)),
        st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
        st.floats().map(lambda number: AnyValue(double_value=number)),
        st.booleans().map(lambda truth: AnyValue(bool_value=truth)),
        st.binary(max_size=20).map(lambda raw: AnyValue(bytes_value=raw)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: AnyValue(array_value=ArrayValue(values=some))),
        st.lists(inner, max_size=3).map(
            lambda some: AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key="k", value=v) for v in some])
            )
        ),
    ),
    max_leaves=4,
)
KEY = st.one_of(st.sampled_from(["a", "b", "event.name", "assay.repaired", ""]), TEXT)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEY, value=VALUE), max_size=6)
TIME = st.one_of(st.sampled_from([0, 1, 2**63 - 1, 2**64 - 1]), st.integers(START_NS - 5, START_NS + 5))
NUMBER = st.sampled_from([-1, 0, 1, 2, 5, 6, 255, 256, 2**31 - 1])
TRACE_ID, SPAN_ID = st.binary(min_size=15, max_size=16), st.binary(min_size=7, max_size=8)
SPAN = st.builds(
    Span,
    trace_id=st.sampled_from([bytes([1] * 16), bytes(range(16))]),
    span_id=st.sampled_from([bytes([1] * 8), b"\xff" * 8]),
    parent_span_id=st.one_of(st.just(b""), st.just(bytes(8)), SPAN_ID),
    name=TEXT,
    trace_state=TEXT,
    start_time_unix_nano=TIME,
    end_time_unix_nano=TIME,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(Span.Event, time_unix_nano=TIME, name=TEXT, attributes=ATTRIBUTES), max_size=3),
    links=st.lists(
        st.builds(Span.Link, trace_id=TRACE_ID, span_id=SPAN_ID, trace_state=TEXT, attributes=ATTRIBUTES),
        max_size=3,
    ),
    status=st.one_of(st.none(), st.builds(Status, message=TEXT)),
)
RECORD = st.builds(
    LogRecord,
    time_unix_nano=TIME,
    observed_time_unix_nano=TIME,
    severity_text=TEXT,
    body=st.one_of(st.none(), VALUE),
    attributes=ATTRIBUTES,
    flags=st.sampled_from([0, 1, 255, 256, 2**32 - 1]),
    trace_id=st.one_of(st.just(b""), st.just(bytes(16)), TRACE_ID),
    span_id=st.one_of(st.just(b""), st.just(bytes(8)), SPAN_ID),
    event_name=st.sampled_from(["", "gen_ai.choice", "a"]),
)


def traces(groups: list[list[Any]], kinds: list[int]) -> bytes:
    export = ExportTraceServiceRequest()
    for some in groups:
        group = export.resource_spans.add()
        scope = group.scope_spans.add()
        for span in some:
            scope.spans.add().CopyFrom(span)
            scope.spans[-1].kind = scope.spans[-1].status.code = kinds[len(scope.spans) % len(kinds)]
        if some:
            group.resource.attributes.extend(some[0].attributes)
            scope.scope.name = some[0].name
    return bytes(export.SerializeToString())


def logs(groups: list[list[Any]], kinds: list[int]) -> bytes:
    export = ExportLogsServiceRequest()
    for some in groups:
        group = export.resource_logs.add(schema_url="r")
        scope = group.scope_logs.add(schema_url="s")
        for record in some:
            scope.log_records.add().CopyFrom(record)
            scope.log_records[-1].severity_number = kinds[len(scope.log_records) % len(kinds)]
        if some:
            scope.scope.attributes.extend(some[0].attributes)
    return bytes(export.SerializeToString())


def check(tree: Tree, bodies: list[bytes]) -> None:
    columns = read_columns(tree, bodies, [RECEIVED_NS + i for i in range(len(bodies))])
    columns.validate(full=True)
    decode: Any = decode_logs if tree == "logs" else decode_traces
    for i, body in enumerate(bodies):
        one = payload(body, kind=tree)
        items, rejections = decode([one], Limits(), columns_from=NEVER)
        assert not rejections
        alone = read_columns(tree, [body], [RECEIVED_NS])
        assert alone.to_pylist() == items.to_pylist()
        if i == 0:
            assert columns.slice(0, items.num_rows).equals(alone.combine_chunks())


@settings(max_examples=25, deadline=None)
@given(
    groups=st.lists(st.lists(SPAN, max_size=4), max_size=3), kinds=st.lists(NUMBER, min_size=1, max_size=3)
)
def test_spans_of_any_kind(groups: list[list[Any]], kinds: list[int]) -> None:
    check("traces", [traces(groups, kinds), traces(groups[::-1], kinds)])


@settings(max_examples=25, deadline=None)
@given(
    groups=st.lists(st.lists(RECORD, max_size=4), max_size=3), kinds=st.lists(NUMBER, min_size=1, max_size=3)
)
def test_records_of_any_kind(groups: list[list[Any]], kinds: list[int]) -> None:
    check("logs", [logs(groups, kinds), logs(groups[::-1], kinds)])


def test_invalid_texts_are_found_among_many_and_repaired() -> None:
    rng = random.Random(3)
    raw = [rng.choice((b"good", "grün".encode(), b"", b"b\xffd")) for _ in range(1000)]
    for some in (raw, raw[7:400], [b"x"] * 500 + [b"\xfe"], [b"\xff"] * 300):
        assert utf8(pa.array(some, pa.binary())).to_pylist() == [
            one.decode("utf-8", "replace") for one in some
        ]


def test_ids_of_any_length_become_hex() -> None:
    ids = pa.array([b"\x00\xff", b"", b"\x01" * 16, b"\xab"], pa.binary())
    assert hexed(ids).to_pylist() == ["00ff", "", "01" * 16, "ab"]
    assert hexed(ids[1:3]).to_pylist() == ["", "01" * 16]
    assert hexed(ids[:0]).to_pylist() == []


def test_what_columns_cannot_tell_is_read_item_by_item() -> None:
    body = request(200).SerializeToString().replace(b"\x0a\x04chat", b"\x18\x05\x0a\x02ch", 1)
    spans = decode_traces([payload(body)], Limits(), columns_from=0).spans
    assert dict(spans["SpanAttributes"][0].as_py()) == {"gen_ai.operation.name": "ch"}
    assert spans.num_rows == 200
