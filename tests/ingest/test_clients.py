"""What real clients sent, and synthetic cases at the edges of the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.ingest.bodies import ALWAYS, JSON, RECEIVED_NS, payload, records_of, spans_of

from assay.errors import PayloadError
from assay.ingest.columnar import is_available, read_columns
from assay.ingest.otlp import decode_traces
from assay.ingest.outline import outline
from assay.ingest.payload import Limits
from assay.ingest.rejection import count_of

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
LOGGING = ("otel-genai-openai", "otel-openai-v2-latest", "otel-openai-v2-legacy", "pydantic-evals-online")

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("client", CLIENTS)
def test_every_span_is_taken_from_protobuf_and_json_alike(shared: Path, client: str) -> None:
    wire = spans_of((shared / f"otlp/{client}.bin").read_bytes())
    text = spans_of((shared / f"otlp/{client}.json").read_bytes(), JSON)
    counts = json.loads((shared / "otlp/summary.json").read_text())
    assert (wire.spans.num_rows, wire.rejections) == (counts[client]["spans"], ())
    assert wire.spans.equals(text.spans)


@pytest.mark.parametrize("client", LOGGING)
def test_every_log_record_is_taken_from_protobuf_and_json_alike(shared: Path, client: str) -> None:
    wire = records_of((shared / f"otlp/{client}.logs.bin").read_bytes())
    text = records_of((shared / f"otlp/{client}.logs.json").read_bytes(), JSON)
    assert wire.records.num_rows > 5
    assert wire.rejections == ()
    assert wire.records.equals(text.records)
    assert "" not in wire.records["EventName"].to_pylist()


@pytest.mark.skipif(not is_available, reason="ptars has no wheel for this platform")
@pytest.mark.parametrize("client", CLIENTS)
def test_columns_hold_what_protobufs_own_parser_reads(shared: Path, client: str) -> None:
    body = (shared / f"otlp/{client}.bin").read_bytes()
    rows = read_columns("traces", [body], [RECEIVED_NS]).to_pylist()
    spans: list[Any] = [
        span
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert [row["SpanId"] for row in rows] == [span.span_id.hex() for span in spans]
    for row, span in zip(rows, spans, strict=True):
        assert [key for key, _ in row["SpanAttributes"]] == list(
            dict.fromkeys(a.key for a in span.attributes)
        )
        texts = {a.key: a.value.string_value for a in span.attributes if a.value.HasField("string_value")}
        assert texts.items() <= dict(row["SpanAttributes"]).items()
        assert row["Timestamp"].value == span.start_time_unix_nano
        assert [event.name for event in span.events] == row["Events.Name"]


def test_a_genuine_json_body_is_read(shared: Path) -> None:
    decoded = spans_of((shared / "otlp/vercel-ai-json.otlpjson").read_bytes(), JSON)
    assert (decoded.spans.num_rows, decoded.rejections) == (25, ())


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
        ("same_span_v1", 2, 0),
        ("same_span_v2_richer", 2, 0),
        ("huge_attr_1mb", 1, 0),
        ("nul_and_emoji", 1, 0),
        ("any_value_types_and_structured_messages", 1, 0),
        ("duplicate_attribute_key", 1, 0),
        ("empty_request", 0, 0),
        ("missing_root", 4, 0),
    ],
)
def test_edge_cases(shared: Path, case: str, accepted: int, rejected: int) -> None:
    body = (shared / f"otlp/edge/{case}.bin").read_bytes()
    decoded, found = spans_of(body), outline(payload(body), Limits())
    assert (decoded.spans.num_rows, count_of(decoded.rejections)) == (accepted, rejected)
    assert (found.items, found.rejections) == (accepted, decoded.rejections)


@pytest.mark.parametrize("case", ["garbage", "truncated"])
def test_broken_bodies_are_refused(shared: Path, case: str) -> None:
    with pytest.raises(PayloadError) as refused:
        outline(payload((shared / f"otlp/edge/{case}.bin").read_bytes()), Limits())
    assert refused.value.http_status == 400


def test_every_edge_case_has_its_test(shared: Path) -> None:
    marks = test_edge_cases.pytestmark + test_broken_bodies_are_refused.pytestmark  # type: ignore[attr-defined]
    tested = {
        one[0] if isinstance(one, tuple) else one for mark in marks if mark.args for one in mark.args[1]
    }
    assert tested == json.loads((shared / "otlp/edge/expect.json").read_text()).keys()


def test_edge_cases_are_mended_as_they_should_be(shared: Path) -> None:
    def rows(case: str) -> list[dict[str, Any]]:
        found = spans_of((shared / f"otlp/edge/{case}.bin").read_bytes()).spans.to_pylist()
        return [row | {"SpanAttributes": dict(row["SpanAttributes"])} for row in found]

    repaired = [row for row in rows("zero_timestamps") if "assay.repaired" in row["SpanAttributes"]]
    assert [row["Timestamp"].value for row in repaired] == [RECEIVED_NS]
    clamped = [row for row in rows("end_before_start") if "assay.repaired" in row["SpanAttributes"]]
    assert [row["Duration"] for row in clamped] == [0]
    texts = [text for row in rows("invalid_utf8_1_of_4") for text in row["SpanAttributes"].values()]
    names = [row["SpanName"] for row in rows("invalid_utf8_1_of_4")]
    assert sum("\N{REPLACEMENT CHARACTER}" in text for text in [*texts, *names]) == 1
    assert max(len(text) for text in rows("huge_attr_1mb")[0]["SpanAttributes"].values()) >= 1_000_000


def test_what_was_sent_together_or_apart_is_the_same(shared: Path) -> None:
    apart = [
        payload((shared / f"otlp/edge/{case}.bin").read_bytes())
        for case in ("split_1_children", "split_2_root", "split_3_late_children")
    ]
    whole = spans_of((shared / "otlp/edge/split_all_in_one.bin").read_bytes()).spans.to_pylist()
    found = decode_traces(apart, Limits(), columns_from=ALWAYS).spans.to_pylist()
    assert sorted(row["SpanId"] for row in found) == sorted(row["SpanId"] for row in whole)
