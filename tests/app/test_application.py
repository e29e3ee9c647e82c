"""What clients are told of their writes, and which steps wait for which."""

from __future__ import annotations

import json
import threading
from typing import Any

import pyarrow as pa
import pytest
from tests.app.conftest import Open

from assay.errors import StoreError
from assay.store.telemetry.connection import Telemetry

SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "00f067aa0ba902b7",
    "name": "chat",
    "startTimeUnixNano": "1763640000000000000",
    "endTimeUnixNano": "1763640001000000000",
}


def otlp(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def test_a_write_that_takes_too_long_is_not_acknowledged_and_not_lost(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    insert = telemetry.insert

    def slow(table: str, rows: pa.Table) -> None:
        assert disk.wait(10)
        insert(table, rows)

    monkeypatch.setattr(telemetry, "insert", slow)
    project = open_project(commit_s=0.05)
    with pytest.raises(StoreError, match="send them again"):
        project.receive(otlp(SPAN), "application/json", "")
    disk.set()
    assert open_project().receive(otlp(SPAN), "application/json", "").accepted == 1
    (row,) = telemetry.query(
        "SELECT count() AS logs, any(spans) AS spans FROM interactions_final"
    ).to_pylist()
    assert row == {"logs": 1, "spans": 1}
