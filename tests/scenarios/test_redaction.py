"""With redaction on, what was sent stands nowhere: not in the journal, the stores, the logs, by no path."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from tests.scenarios.otlp import PROTOBUF, request, turn
from tests.scenarios.project import SETTINGS, Project, Server

MAIL, CARD, TOKEN = (
    "canary.bird@example.org",
    "4556 7375 8689 9855",
    "ghp_CanaryCanaryCanaryCanaryCanary012345",
)
SAID = f'I am {MAIL}, "my card" is {CARD}\nand the token {TOKEN}'
CANARIES = (MAIL, CARD, CARD.replace(" ", ""), TOKEN)
REDACT = '\n[redaction]\nmethod = "mask"\n'


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_no_path_lets_a_canary_through(tmp_path: Path, killed: bool) -> None:
    project = Project(tmp_path / "project", SETTINGS + REDACT)
    server = project.start()
    try:
        _send(project, server, tmp_path)
    finally:
        if killed:
            server.process.kill()
            server.http.close()
            server.process.wait()
            assert server.process.stdout is not None
            server.process.stdout.close()
        else:
            assert server.end(signal.SIGTERM) == 0, server.log
    _assert_nowhere(project.folder)
    project.run("logs")
    _assert_nowhere(project.folder)
    _assert_in_no_row(project.folder)


def _send(project: Project, server: Server, elsewhere: Path) -> None:
    """The same words by every way in."""
    ways = iter(range(1, 100))
    http = server.http
    body = request(turn(next(ways), ask=SAID, say=SAID)).SerializeToString()
    _accepted(http.post("/v1/traces", content=body, headers={"content-type": PROTOBUF}))
    body = gzip.compress(request(turn(next(ways), ask=SAID)).SerializeToString())
    headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
    _accepted(http.post("/v1/traces", content=body, headers=headers))
    _accepted(http.post("/api/public/otel/v1/traces", content=body, headers=headers))
    _accepted(http.post("/v1/traces", json=_json_traces(next(ways))))
    records = ExportLogsServiceRequest()
    record = records.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.span_id = bytes([9] * 16), bytes([9] * 8)
    record.body.string_value = SAID
    attribute = record.attributes.add()
    attribute.key, attribute.value.string_value = "gen_ai.input.messages", SAID
    _accepted(http.post("/v1/logs", content=records.SerializeToString(), headers={"content-type": PROTOBUF}))
    with grpc.insecure_channel(server.grpc) as channel:
        export: Any = TraceServiceStub  # it has no types
        export(channel).Export(request(turn(next(ways), ask=SAID)), timeout=30)
    trace = f"{1:032x}"
    _accepted(http.post("/v1/feedback", json={"trace_id": trace, "value": 0, "comment": SAID}))
    score = {"traceId": trace, "name": "quality", "value": 0.5, "comment": SAID}
    _accepted(http.post("/api/public/scores", json=score))
    _accepted(
        http.post("/v1/traces", content=b"\xff" + SAID.encode(), headers={"content-type": PROTOBUF}), 400
    )
    rows = elsewhere / "rows.jsonl"
    row = {"id": "imported", "input": SAID, "output": SAID, "mood": 1, "meta": {"note": SAID}}
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    project.run("import", rows, "--label", "mood")
    labels = {"metric": "mood", "kind": "human", "unit": "conversation", "marks": []}
    mark = {"log_id": "talk-1", "value": 1.0, "rater": "ann", "comment": SAID}
    token = json.loads((project.folder / ".assay/holder.json").read_text(encoding="utf-8"))["token"]
    project.run("logs")
    _accepted(
        http.post("/api/run/record", json={**labels, "marks": [mark]}, headers={"X-Assay-Token": token})
    )


def _json_traces(number: int) -> dict[str, object]:
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": f"GET /people/{MAIL}",
        "startTimeUnixNano": "1760000000000000000",
        "endTimeUnixNano": "1760000001000000000",
        "attributes": [
            {"key": "input.value", "value": {"stringValue": SAID}},
            {
                "key": "nested",
                "value": {"kvlistValue": {"values": [{"key": "x", "value": {"stringValue": SAID}}]}},
            },
        ],
        "events": [
            {
                "name": "exception",
                "attributes": [{"key": "exception.message", "value": {"stringValue": SAID}}],
            }
        ],
        "status": {"code": 2, "message": SAID},
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def _accepted(response: object, status: int = 200) -> None:
    assert getattr(response, "status_code", None) == status, getattr(response, "text", response)


def _assert_nowhere(folder: Path) -> None:
    """No file of the project has one of the words in it."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any("journal" in path.parts[-2] for path in files)
    for path in files:
        content = path.read_bytes()
        for canary in CANARIES:
            assert canary.encode() not in content, path


def _assert_in_no_row(folder: Path) -> None:
    """The store's files are compressed: its rows are asked, by a process of its own."""
    command = [sys.executable, "-c", LOOK, f"chdb://{folder / '.assay/telemetry'}", *CANARIES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["rows"]
    assert found["redacted"] >= 6
    assert found["comments"] == 1


LOOK = """
import json, sys
from assay.store.telemetry.connection import open_telemetry

store = open_telemetry(sys.argv[1])
count = lambda sql, params={}: store.query(f"SELECT count() AS n FROM {sql}", params).to_pylist()[0]["n"]
own = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine NOT LIKE '%View'"
tables = [row["name"] for row in store.query(own).to_pylist()]
every = "(SELECT toString(tuple(*)) AS said FROM {}) WHERE multiSearchAny(said, {{canaries:Array(String)}})"
rows = {table: count(every.format(table), {"canaries": sys.argv[2:]}) for table in tables}
assert {"otel_traces", "otel_logs", "signals", "scores"} <= set(tables)
print(json.dumps({
    "rows": {table: n for table, n in rows.items() if n},
    "redacted": count("otel_traces WHERE SpanAttributes['assay.redactions'] != ''"),
    "comments": count("scores WHERE position(explanation, '[email]') > 0"),
}))
store.close()
"""
