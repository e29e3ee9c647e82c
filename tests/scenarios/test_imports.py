"""Importing a trace from another product, and receiving it, give the same interaction."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.app.conftest import NOW

from assay.app.application import Application
from assay.app.imports import stream_of
from assay.app.open import wire
from assay.app.requests import SpansRequest
from assay.config import load_settings
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions
from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits, Payload
from assay.ingest.sources import find_sources
from assay.store.state import open_state
from assay.store.telemetry.connection import Telemetry

EXPORTS = Path(__file__).parents[1] / "ingest" / "exports"
OURS = {"service", "route", "environment", "version", "attributes", "touched", "hash", "richness"}
"""Columns that tell of the resource, which Phoenix does not export, or of the writing."""


@pytest.fixture
def app(telemetry: Telemetry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(telemetry, "close", lambda: None)
    (tmp_path / "assay.toml").write_text("")
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    parts = wire(load_settings(tmp_path / "assay.toml", {}), state, lambda: NOW)(telemetry)
    application = Application(parts, journal=tmp_path / "journal")
    yield application
    application.close()
    state.close()


def interactions(telemetry: Telemetry, traces: list[str]) -> list[dict[str, Any]]:
    rows = telemetry.query(
        "SELECT * FROM interactions_final WHERE trace_id IN {traces:Array(String)} ORDER BY trace_id",
        {"traces": traces},
    )
    kept = [name for name in rows.column_names if name not in OURS]
    return [dict(row) for row in rows.select(kept).to_pylist()]


@pytest.mark.shared
def test_phoenix_and_the_client_itself_agree(app: Application, telemetry: Telemetry, shared: Path) -> None:
    (source,) = find_sources([str(EXPORTS / "phoenix_table.jsonl")])
    (batch,) = open_plan(source, ImportOptions(), EXPORTS).batches()
    app.spans(SpansRequest(arrow=stream_of(batch.spans)))
    traces = [str(one) for one in batch.spans["TraceId"].unique().to_pylist()]
    imported = interactions(telemetry, traces)

    body = (shared / "otlp" / "openinference-openai.bin").read_bytes()
    payload = Payload(kind="traces", body=body, content_type="application/x-protobuf", received_ns=1)
    assert decode_traces([payload], Limits()).spans.num_rows == 14
    app.receive(body, "application/x-protobuf", "")
    app.door.flush()
    received = interactions(telemetry, traces)
    assert len(imported) == len(received) == 2
    for one, other in zip(imported, received, strict=True):
        assert one.pop("latency_ms") == pytest.approx(other.pop("latency_ms"), abs=0.002)
        for name in ("started", "ended"):  # Phoenix keeps microseconds
            assert abs(one.pop(name) - other.pop(name)) <= timedelta(microseconds=2)
        assert one == other
    assert sum(row["input_tokens"] or 0 for row in imported) > 0


def test_every_product_s_export_says_the_same_of_a_conversation(
    app: Application, telemetry: Telemetry
) -> None:
    """What was asked and answered, by whom, with which model and tokens, and what was said of it."""
    for name in (
        "langfuse_observations.jsonl",
        "langfuse_scores.csv",
        "langsmith_runs.jsonl",
        "langsmith_feedback.jsonl",
        "mlflow_traces.jsonl",
    ):
        (source,) = find_sources([str(EXPORTS / name)])
        (batch,) = open_plan(source, ImportOptions(), EXPORTS).batches()
        app.spans(SpansRequest(arrow=stream_of(batch.spans)))
        app.spans(SpansRequest(arrow=stream_of(batch.records), kind="records"))
    traces = {
        "conv-42": "5ee40791652030db6bd3fe2a76dfe926",
        "conv-42 ": "0e01bf50474d4536810f67d3ee7ea3e7",
        "conv-1": "adb7a01ea183eab10e9068d402c1966c",
    }
    found = {row["trace_id"]: row for row in interactions(telemetry, list(traces.values()))}
    for conversation, trace in traces.items():
        row = found[trace]
        assert row["conversation_id"] == conversation.strip()
        assert (row["user_id"], row["model"]) == ("user-7", "gpt-4o-mini")
        assert (row["input"], row["output"]) == ("Where is my order?", "It left our house yesterday.")
        assert (row["input_tokens"], row["output_tokens"], row["llm_calls"]) == (42, 17, 1)
        assert [tool["name"] for tool in row["tools"]] == ["find_order"]
        (said,) = [one for one in row["evaluations"] if one["name"] == "correct"]
        assert (said["value"], said["explanation"], said["source"]) == (1.0, "It says where.", "annotator")
