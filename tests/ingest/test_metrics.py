"""Metrics: counted, and not kept."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.ingest.bodies import JSON, PROTOBUF

from assay.errors import PayloadError
from assay.ingest.metrics import count_metrics
from assay.ingest.payload import Limits


def test_every_kind_of_data_point_counts() -> None:
    export = ExportMetricsServiceRequest()
    metrics = export.resource_metrics.add().scope_metrics.add().metrics
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        points = getattr(metrics.add(name=kind), kind).data_points
        for _ in range(3):
            points.add(time_unix_nano=1)
    metrics.add(name="empty")
    assert count_metrics(export.SerializeToString(), PROTOBUF, "", Limits()) == 15
    assert count_metrics(json.dumps(MessageToDict(export)).encode(), JSON, "", Limits()) == 15
    assert count_metrics(b"", PROTOBUF, "", Limits()) == count_metrics(b"", JSON, "", Limits()) == 0


def test_counting_has_an_end() -> None:
    def wrapped(number: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes((size >> shift & 0x7F | (0x80 if shift < 21 else 0)) for shift in (0, 7, 14, 21))
        return bytes((number << 3 | 2,)) + length + content

    body = b"\x0a\x00" * 1_000_001
    for number in (5, 2, 2, 1):
        body = wrapped(number, body)
    assert count_metrics(body, PROTOBUF, "", Limits()) == 1_000_000


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\xff" * 64, PROTOBUF, 400),
        (b"\x0a\x05x", PROTOBUF, 400),
        (b"{", JSON, 400),
        (b'{"resourceMetrics":3}', JSON, 400),
        (b"x" * 2000, PROTOBUF, 413),
        (b"x", "text/plain", 415),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(PayloadError) as refused:
        count_metrics(body, content_type, "", Limits(max_request_bytes=1000))
    assert refused.value.http_status == status
