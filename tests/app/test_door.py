"""The way in, on a real store: what comes in is there, whichever way it came, also after a crash."""

from __future__ import annotations

import json
from time import time
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.app.conftest import NOW, Open
from tests.app.test_application import SPAN, otlp

from assay.app.application import Application
from assay.app.door import hold_folder
from assay.app.requests import SettleRequest
from assay.errors import PayloadError, StoreError, StoreFull, StoreHeld
from assay.ingest.feedback import read_feedback
from assay.records import Arrival
from assay.store.telemetry.connection import Telemetry

JSON = "application/json"


def spans_of(telemetry: Telemetry) -> list[dict[str, Any]]:
    return telemetry.query("SELECT TraceId, SpanId, SpanName FROM otel_traces ORDER BY SpanId").to_pylist()


def evaluations(telemetry: Telemetry) -> list[dict[str, Any]]:
    return telemetry.query(
        "SELECT TraceId AS trace, LogAttributes['gen_ai.evaluation.name'] AS name, "
        "LogAttributes['gen_ai.evaluation.score.value'] AS value FROM otel_logs ORDER BY name"
    ).to_pylist()


def talk(trace: int, conversation: str, at_s: int = 0, since: float = 1_763_636_400) -> dict[str, Any]:
    told = [{"key": "gen_ai.conversation.id", "value": {"stringValue": conversation}}]
    begun = int(since) + at_s
    return {
        **SPAN,
        "traceId": f"{trace:032x}",
        "spanId": f"{trace:016x}",
        "startTimeUnixNano": f"{begun}000000000",
        "endTimeUnixNano": f"{begun + 1}000000000",
        "attributes": told,
    }


def give(project: Application, **feedback: Any) -> None:
    project.door.feedback(read_feedback(json.dumps(feedback).encode()), "feedback")


def test_log_records_come_in_beside_spans(open_project: Open, telemetry: Telemetry) -> None:
    project = open_project()
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.time_unix_nano = bytes.fromhex(SPAN["traceId"]), 1_763_636_400 * 10**9
    record.event_name = "gen_ai.evaluation.result"
    pair = record.attributes.add()
    pair.key, pair.value.string_value = "gen_ai.evaluation.name", "tone"
    arrival = Arrival(kind="logs", body=request.SerializeToString(), content_type="application/x-protobuf")
    assert project.door.receive(arrival).accepted == 1
    project.receive(otlp(SPAN), JSON, "")
    project.door.flush()
    assert [row["name"] for row in evaluations(telemetry)] == ["tone"]
    assert len(spans_of(telemetry)) == 1


def test_metrics_are_taken_and_dropped_and_counted(open_project: Open) -> None:
    project = open_project()
    metric = {"name": "load", "gauge": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    answer = project.door.receive(Arrival(kind="metrics", body=body, content_type=JSON))
    assert (answer.accepted, answer.rejected, answer.reasons) == (0, 2, ("metrics are not kept",))
    assert project.ingest_status().metrics_dropped == 1


def test_what_is_wrong_is_refused_before_it_is_written(open_project: Open) -> None:
    project = open_project()
    with pytest.raises(PayloadError):
        project.receive(b"{nope", JSON, "")
    assert not project.door.backlog().bytes


def test_feedback_finds_its_log(open_project: Open, telemetry: Telemetry) -> None:
    project = open_project()
    project.receive(otlp(talk(1, "c-1"), talk(2, "c-1", at_s=60), talk(3, "c-2")), JSON, "")
    project.receive(otlp(talk(4, "c-3", since=time())), JSON, "")
    give(project, conversation_id="c-1", value="up", name="a")
    give(project, trace_id=f"{3:032x}", value=0.5, name="b")
    give(project, conversation_id="never seen", value=1, name="c")
    give(project, span_id=f"{4:016x}", value=0, name="d")
    give(project, span_id=f"{9:016x}", value=0, name="e")
    project.door.flush()
    assert evaluations(telemetry) == [
        {"trace": "", "name": "a", "value": "1"},
        {"trace": f"{3:032x}", "name": "b", "value": "0.5"},
        {"trace": "", "name": "c", "value": "1"},
        {"trace": f"{4:032x}", "name": "d", "value": "0"},
        {"trace": "", "name": "e", "value": "0"},
    ]
    project.settle(SettleRequest(even_active=True))
    told = telemetry.query(
        "SELECT trace_id AS trace, arrayMap(e -> e.name, evaluations) AS names FROM interactions_final "
        "ORDER BY trace"
    )
    assert {row["trace"]: row["names"] for row in told.to_pylist()} == {
        f"{1:032x}": [],
        f"{2:032x}": ["a"],
        f"{3:032x}": ["b"],
        f"{4:032x}": ["d"],
    }


def test_much_feedback_about_spans_is_one_question(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project()
    project.receive(otlp(*(talk(number, "c-1", since=time()) for number in range(1, 21))), JSON, "")
    given = [{"span_id": f"{number:016x}", "value": 1} for number in range(1, 21)]
    project.door.flush()
    asked: list[str] = []
    query = telemetry.query

    def noted(sql: str, *more: Any) -> Any:
        asked.append(sql)
        return query(sql, *more)

    monkeypatch.setattr(telemetry, "query", noted)
    project.door.feedback(read_feedback(json.dumps(given).encode()), "feedback")
    project.door.flush()
    assert len([sql for sql in asked if "FROM otel_traces" in sql]) == 1
    assert [row["trace"] for row in evaluations(telemetry)] == [f"{n:032x}" for n in range(1, 21)]


@pytest.mark.parametrize("late", [False, True])
def test_feedback_is_stored_once_though_its_span_came_in_between(
    open_project: Open, telemetry: Telemetry, tmp_path: Any, late: bool
) -> None:
    """A crash, and a look at the journal once more: by then the span is known."""
    first = open_project(journal=tmp_path / "first")
    if not late:
        first.receive(otlp(talk(1, "c-1", since=time())), JSON, "")
    give(first, span_id=f"{1:016x}", conversation_id="c-1", value=1, name="a")
    first.door.flush()
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for path in (tmp_path / "first").glob("*.segment"):
        (crashed / path.name).write_bytes(path.read_bytes())
    if late:
        first.receive(otlp(talk(1, "c-1", since=time())), JSON, "")
        first.door.flush()
    second = open_project(journal=crashed)
    second.door.flush()
    assert len(evaluations(telemetry)) == 1
    second.settle(SettleRequest(even_active=True))
    told = telemetry.query("SELECT arrayMap(e -> e.name, evaluations) AS names FROM interactions_final")
    assert told.to_pylist() == [{"names": ["a"]}]


def test_what_an_earlier_process_acknowledged_is_stored_once(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The first process inserts and dies before it could note that; also between the two tables."""
    first = open_project(journal=tmp_path / "first")
    first.receive(otlp(talk(1, "c-1"), talk(2, "c-1")), JSON, "")
    give(first, trace_id=f"{1:032x}", value=1)
    first.door.flush()
    segments = {path.name: path.read_bytes() for path in (tmp_path / "first").glob("*.segment")}
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name, content in segments.items():
        (crashed / name).write_bytes(content)
    telemetry.command("TRUNCATE TABLE interactions")
    second = open_project(journal=crashed)
    second.receive(otlp(talk(3, "c-1")), JSON, "")
    second.door.flush()
    assert [row["SpanId"] for row in spans_of(telemetry)] == [f"{n:016x}" for n in (1, 2, 3)]
    assert len(evaluations(telemetry)) == 1
    found = telemetry.query("SELECT trace_id FROM interactions_final ORDER BY trace_id").to_pylist()
    assert [row["trace_id"] for row in found] == [f"{n:032x}" for n in (1, 2, 3)]


def test_a_richer_version_is_not_taken_for_the_one_that_is_there(
    open_project: Open, telemetry: Telemetry, tmp_path: Any
) -> None:
    first = open_project(journal=tmp_path / "first")
    first.receive(otlp(talk(1, "c-1")), JSON, "")
    first.door.flush()
    richer = talk(1, "c-1")
    richer["attributes"].append({"key": "output.value", "value": {"stringValue": "more"}})
    made = open_project(journal=tmp_path / "made")
    made.receive(otlp(talk(1, "c-1"), richer), JSON, "")
    made.door.flush()
    content = next((tmp_path / "made").glob("*.segment")).read_bytes()
    telemetry.command("TRUNCATE TABLE otel_traces")
    first.receive(otlp(talk(1, "c-1")), JSON, "")
    first.door.flush()
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    (crashed / "000000000001.segment").write_bytes(content)
    open_project(journal=crashed).door.flush()
    assert len(spans_of(telemetry)) == 2


def test_a_journal_is_one_process_s(open_project: Open, tmp_path: Any) -> None:
    project = open_project(journal=tmp_path / "shared")
    project.door.start()
    with pytest.raises(StoreHeld, match="another process"):
        hold_folder(tmp_path / "shared", wait_s=0.0)
    project.door.close()
    hold_folder(tmp_path / "shared", wait_s=0.0).close()


def test_imports_are_stored_when_they_return(open_project: Open, telemetry: Telemetry) -> None:
    project = open_project()
    project.receive(otlp(SPAN), JSON, "")
    project.door.flush()
    table = telemetry.query("SELECT * FROM otel_traces")
    project.door.put("spans", table, "import")
    project.door.drain()
    assert len(spans_of(telemetry)) == 2
    assert list(project.door.folder.glob("*.segment")) == []


def test_the_page_is_told(open_project: Open) -> None:
    project = open_project()
    bad = {**SPAN, "traceId": "", "name": "lost"}
    attributes = [{"key": "shop.items.3.price", "value": {"intValue": "4"}}]
    odd = {**SPAN, "spanId": "00f067aa0ba902b8", "startTimeUnixNano": "0", "attributes": attributes}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scope = {"name": "our.scope"}
    body = {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [SPAN, bad, odd]}]}]
    }
    arrival = Arrival(body=json.dumps(body).encode(), content_type=JSON, agent="ours/1")
    assert project.door.receive(arrival).rejected == 1
    project.door.refused(503, "http", "ours/1")
    project.door.flush()
    for _ in range(2):  # what was counted is also kept
        status = project.ingest_status()
        assert (status.totals.requests, status.totals.spans) == (1, 2)
        assert (status.totals.rejected, status.totals.refused) == (1, 1)
        assert [(one.name, one.requests) for one in status.answers] == [("200", 1), ("503", 1)]
        assert [(one.name, one.spans, one.rejected) for one in status.services] == [("shop", 2, 1)]
        assert [(one.name, one.spans) for one in status.scopes] == [("our.scope", 2)]
        assert [one.name for one in status.agents] == ["ours/1"]
        assert [(one.key, one.spans) for one in status.unmapped] == [("shop.items.N.price", 1)]
        ((row,), (reason,)) = (status.rejected, status.reasons)
        assert (row.user_agent, row.transport, row.service) == ("ours/1", "http", "shop")
        assert "trace id" in row.reason
        assert (reason.count, reason.example) == (1, row)
        assert status.repaired == 1
        assert (status.waiting_bytes, status.problem, status.dead) == (0, "", 0)
    assert status.window.end == NOW


def test_what_the_store_never_takes_is_put_aside_and_seen(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = telemetry.insert

    def picky(table: str, rows: pa.Table) -> None:
        if table == "otel_traces" and "poison" in rows["SpanName"].to_pylist():
            raise StoreError("Code: 6. DB::Exception: Cannot parse 'my secret' (CANNOT_PARSE_TEXT)")
        insert(table, rows)

    monkeypatch.setattr(telemetry, "insert", picky)
    project = open_project()
    poison = {**SPAN, "spanId": "00f067aa0ba902b8", "name": "poison"}
    project.receive(otlp(SPAN, poison), JSON, "")
    project.door.flush()
    assert [row["SpanName"] for row in spans_of(telemetry)] == ["chat"]
    status = project.ingest_status()
    assert status.dead == 1
    assert status.rejected[0].span_id == "00f067aa0ba902b8"
    assert status.rejected[0].reason == "the store refuses it (6 CANNOT_PARSE_TEXT)"
    assert len(list(project.door.dead_folder.glob("*.bin"))) == 1


def test_redaction_comes_before_the_journal(open_project: Open, telemetry: Telemetry) -> None:
    class Eraser:
        def spans(self, table: pa.Table) -> pa.Table:
            names = pa.array(["[gone]"] * table.num_rows, pa.string())
            return table.set_column(table.column_names.index("SpanName"), "SpanName", names)

        def records(self, table: pa.Table) -> pa.Table:
            return table.slice(0, 0)

    project = open_project()
    project.door._redactor = Eraser()
    project.receive(otlp({**SPAN, "name": "my secret"}), JSON, "")
    give(project, trace_id=SPAN["traceId"], comment="my secret")
    held = b"".join(path.read_bytes() for path in project.door.folder.glob("*.segment"))
    assert held
    assert b"my secret" not in held
    project.door.flush()
    assert [row["SpanName"] for row in spans_of(telemetry)] == ["[gone]"]
    assert evaluations(telemetry) == []


def test_redaction_that_was_switched_on_reaches_what_was_taken_in_before(
    open_project: Open, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def full(table: str, rows: pa.Table) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "insert", full)
        first = open_project(journal=tmp_path / "waiting")
        first.receive(otlp({**SPAN, "name": "mail ada@example.com"}), JSON, "")
        give(first, trace_id=SPAN["traceId"], comment="ada@example.com")
        first.close()
    second = open_project(settings="[redaction]\nmethod = 'mask'\n", journal=tmp_path / "waiting")
    second.door.flush()
    assert [row["SpanName"] for row in spans_of(telemetry)] == ["mail [email]"]
    said = telemetry.query("SELECT LogAttributes['gen_ai.evaluation.explanation'] AS said FROM otel_logs")
    assert said.to_pylist() == [{"said": "[email]"}]


def test_what_reviewers_say_is_nobodys_feedback(open_project: Open, telemetry: Telemetry) -> None:
    """They see what was drawn: a fact made of what they say would tell policies what was drawn."""
    metric = "from assay import metric\n\n@metric()\ndef resolved(log):\n    return True\n"
    project = open_project(metric)
    project.receive(otlp(*(talk(number, f"c-{number}") for number in range(1, 6))), JSON, "")
    said: list[dict[str, Any]] = [
        {},
        {"name": "helpful"},
        {"source": "annotator"},
        {"name": "resolved"},
        {"source": "llm", "name": "resolved"},
    ]
    for number, told in enumerate(said, start=1):
        give(project, trace_id=f"{number:032x}", value="down", comment="No.", **told)
    project.door.flush()
    project.settle(SettleRequest(even_active=True))
    facts = telemetry.query(
        "SELECT feedback, comment, arrayMap(e -> e.source, evaluations) AS sources "
        "FROM interactions_final ORDER BY trace_id"
    ).to_pylist()
    assert [(row["feedback"], row["comment"], row["sources"]) for row in facts] == [
        (0.0, "No.", ["human"]),
        (0.0, "No.", ["human"]),
        (None, "", ["annotator"]),
        (None, "", ["annotator"]),
        (None, "", ["llm"]),
    ]
