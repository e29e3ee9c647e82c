"""OTLP that lies in files gives what the same bodies give when they are sent."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from assay.errors import FileError
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.payload import Limits, Payload
from assay.ingest.plan import Plan
from assay.ingest.sources import find_sources


def span(number: int, **parts: Any) -> dict[str, Any]:
    return {
        "traceId": f"{1:032x}",
        "spanId": f"{number:016x}",
        "name": f"s{number}",
        "startTimeUnixNano": "1777888800000000000",
        "endTimeUnixNano": "1777888801000000000",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        **parts,
    }


def traces(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


LOGS = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": "1777888802000000000",
                            "traceId": f"{1:032x}",
                            "spanId": f"{1:016x}",
                            "eventName": "gen_ai.evaluation.result",
                            "attributes": [
                                {"key": "gen_ai.evaluation.name", "value": {"stringValue": "correct"}}
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}
METRICS: dict[str, Any] = {"resourceMetrics": [{"scopeMetrics": []}]}


def plan_of(path: Path, **options: Any) -> Plan:
    (source,) = find_sources([str(path)])
    return open_plan(source, ImportOptions(**options), path.parent)


def spans_of(plan: Plan) -> pa.Table:
    return pa.concat_tables([batch.spans for batch in plan.batches()])


def test_a_line_is_a_request(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    requests = [traces(span(1), span(2)), LOGS, METRICS, {"other": 1}, traces(span(3), span(4, spanId=""))]
    path.write_text("".join(json.dumps(one) + "\n" for one in requests))
    plan = plan_of(path)
    assert plan.format == "otlp"
    (batch,) = plan.batches()
    assert batch.rows == 5
    assert batch.spans["SpanName"].to_pylist() == ["s1", "s2", "s3"]
    assert batch.records["EventName"].to_pylist() == ["gen_ai.evaluation.result"]
    assert (
        sorted("no OTLP traces" in one.reason or "id" in one.reason for one in batch.rejected) == [True] * 2
    )
    assert plan.notes() == ("1 requests held metrics: assay keeps none",)
    assert list(plan.marks()) == []


def test_what_is_sent_and_what_lies_in_a_file_agree(tmp_path: Path) -> None:
    body = msgspec.json.encode(traces(span(1), span(2, startTimeUnixNano="0")))
    path = tmp_path / "out.json"
    path.write_bytes(json.dumps(json.loads(body), indent=2).encode())
    received_ns = path.stat().st_mtime_ns
    payload = Payload(kind="traces", body=body, content_type="application/json", received_ns=received_ns)
    assert spans_of(plan_of(path)) == decode_traces([payload], Limits()).spans


def test_a_plan_goes_on_after_requests(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(traces(span(n))) + "\n" for n in range(1, 5)))
    assert [one["SpanName"].to_pylist() for one in [b.spans for b in plan_of(path).batches(2)]] == [
        ["s3", "s4"]
    ]


@pytest.mark.shared
@pytest.mark.parametrize("client", ["pydantic-ai", "pydantic-evals-online", "vercel-ai"])
def test_bodies_in_protobuf(shared: Path, tmp_path: Path, client: str) -> None:
    folder = shared / "otlp" / "raw" / client
    bodies = [(path, path.read_bytes()) for path in sorted(folder.glob("*.pb"))]
    assert bodies
    for path, body in bodies:
        kind = "logs" if "logs" in path.name else "traces"
        alone = tmp_path / path.name
        alone.write_bytes(body)
        framed = tmp_path / f"{kind}-framed-{path.stem}.binpb"
        framed.write_bytes(struct.pack(">I", len(body)) + body + struct.pack(">I", len(body)) + body)
        payload = Payload(
            kind="logs" if kind == "logs" else "traces",
            body=body,
            content_type="application/x-protobuf",
            received_ns=alone.stat().st_mtime_ns,
        )
        if kind == "logs":
            sent = decode_logs([payload], Limits()).records
        else:
            sent = decode_traces([payload], Limits()).spans
        (one,), (twice,) = plan_of(alone).batches(), plan_of(framed).batches()
        assert sent.num_rows > 0
        assert (one.records if kind == "logs" else one.spans) == sent
        assert (twice.rows, (twice.records if kind == "logs" else twice.spans).num_rows) == (
            2,
            2 * sent.num_rows,
        )


def test_a_file_that_was_cut_off_is_said(tmp_path: Path) -> None:
    path = tmp_path / "out.binpb"
    path.write_bytes(struct.pack(">I", 100) + b"\x0a\x02")
    with pytest.raises(FileError, match="cut off"):
        list(plan_of(path).batches())


def test_a_body_that_is_no_otlp_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "out.binpb"
    path.write_bytes(b"garbage")
    (batch,) = plan_of(path).batches()
    assert (batch.spans.num_rows, len(batch.rejected)) == (0, 1)
