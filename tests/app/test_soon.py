"""What is taken where nothing else can run meanwhile, and what is left to a thread."""

from __future__ import annotations

import gzip
from queue import Queue
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.app.conftest import Open
from tests.app.test_application import SPAN, otlp

from assay.records import Arrival

PROTOBUF = "application/x-protobuf"


def test_only_what_is_taken_soon_is_taken_at_once(open_project: Open) -> None:
    door, told = open_project().door, Queue[Any]()
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano, record.body.string_value = 1_763_636_400 * 10**9, "text"
    body = request.SerializeToString()
    usual = Arrival(kind="logs", body=body, content_type=PROTOBUF)
    assert not door.take_soon(usual, told.put)  # nothing is open yet
    door.start()
    for slow in (
        Arrival(kind="metrics", body=b"", content_type=PROTOBUF),
        Arrival(kind="logs", body=gzip.compress(body), content_type=PROTOBUF, content_encoding="gzip"),
        Arrival(kind="traces", body=otlp(SPAN), content_type="application/json"),
    ):
        assert not door.take_soon(slow, told.put)
    assert told.empty()
    assert door.take_soon(usual, told.put)
    assert told.get(timeout=30).accepted == 1
    door.flush()
