"""What log records say: before their span, after it, or of a trace that they do not name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.store.spans import put, trace_id, turn
from tests.store.traffic import START, interactions, span, table

from assay.ingest.columns import LOG_SCHEMA
from assay.records import Evaluation
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.events import link_records
from assay.store.telemetry.logs import conversation_detail
from assay.store.telemetry.settle import settle

NOON = START + timedelta(days=1)
RESULT = "gen_ai.evaluation.result"


def record(
    event: str, trace: str = "", span_id: str = "", *, at: float = 0.0, body: str = "", **attributes: str
) -> dict[str, Any]:
    return {
        "Timestamp": START + timedelta(seconds=at),
        "TraceId": trace,
        "SpanId": span_id,
        "TraceFlags": 0,
        "SeverityText": "",
        "SeverityNumber": 9,
        "ServiceName": "shop",
        "Body": body,
        "ResourceSchemaUrl": "",
        "ResourceAttributes": [],
        "ScopeSchemaUrl": "",
        "ScopeName": "",
        "ScopeVersion": "",
        "ScopeAttributes": [],
        "LogAttributes": list(attributes.items()),
        "EventName": event,
    }


def verdict(name: str, score: str, trace: str = "", span_id: str = "", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": score}
    return record(RESULT, trace, span_id, **told, **more)


def send(t: Telemetry, *records: Mapping[str, Any]) -> None:
    t.insert("otel_logs", pa.Table.from_pylist([dict(one) for one in records], schema=LOG_SCHEMA))


def names(row: Mapping[str, Any]) -> list[str]:
    return [told["name"] for told in row["evaluations"]]


MESSAGES = (
    record("gen_ai.system.message", "t1", "call", body='{"content": "Be kind."}'),
    record("gen_ai.user.message", "t1", "call", at=0.1, body='{"content": "Earlier?"}'),
    record("gen_ai.assistant.message", "t1", "call", at=0.2, body='{"content": "Yes."}'),
    record("gen_ai.user.message", "t1", "call", at=0.3, body='{"content": "And now?"}'),
    record(
        "gen_ai.choice",
        "t1",
        "call",
        at=0.4,
        body='{"index": 0, "message": {"role": "assistant", "content": "So."}}',
    ),
)
CALL = (
    span("root", gen_ai__operation__name="invoke_agent"),
    span("call", "root", at=1, gen_ai__operation__name="chat", gen_ai__request__model="m"),
)


@pytest.mark.parametrize("spans_first", [True, False])
def test_messages_may_be_log_records(telemetry: Telemetry, spans_first: bool) -> None:
    if spans_first:
        telemetry.insert("otel_traces", table(CALL))
    send(telemetry, *MESSAGES)
    if not spans_first:
        assert interactions(telemetry) == []
        telemetry.insert("otel_traces", table(CALL))
    (row,) = interactions(telemetry)
    assert (row["input"], row["output"], row["system"]) == ("And now?", "So.", "Be kind.")
    assert (row["records"], row["spans"]) == (5, 2)
    send(telemetry, *MESSAGES)
    assert interactions(telemetry) == [row]


def test_the_details_of_a_call_may_be_a_log_record(telemetry: Telemetry) -> None:
    def said(role: str, text: str) -> str:
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])

    messages: dict[str, Any] = {
        "gen_ai.input.messages": said("user", "Why?"),
        "gen_ai.output.messages": said("assistant", "So."),
    }
    messages["event.name"] = "gen_ai.client.inference.operation.details"
    send(telemetry, record("", "t1", "call", **messages))
    telemetry.insert("otel_traces", table(CALL))
    (row,) = interactions(telemetry)
    assert (row["input"], row["output"]) == ("Why?", "So.")


def test_a_span_that_has_its_text_is_trusted_more(telemetry: Telemetry) -> None:
    send(telemetry, *MESSAGES)
    own: dict[str, Any] = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": "Mine"}])}
    telemetry.insert("otel_traces", table([CALL[0], span("call", "root", at=1, **own)]))
    (row,) = interactions(telemetry)
    assert (row["input"], row["output"]) == ("Mine", "So.")


def test_other_log_records_are_nobodys(telemetry: Telemetry) -> None:
    send(telemetry, record("", "t1", "call", body="GET /"), record("http", "t2"), verdict("orphan", "1"))
    assert telemetry.query("SELECT count() AS rows FROM interactions").to_pylist() == [{"rows": 0}]


def test_a_verdict_in_a_trace_of_its_own_is_its_targets(telemetry: Telemetry) -> None:
    """OpenInference's evaluations after the fact: a span that links to the one that it is about."""
    annotations: dict[str, Any] = {
        "openinference.span.kind": "EVALUATOR",
        "annotations.0.annotation.name": "relevance",
        "annotations.0.annotation.score": "0.25",
        "annotations.0.annotation.label": "poor",
        "annotations.0.annotation.annotator_kind": "HUMAN",
    }
    links = {"TraceId": "t1", "SpanId": "call", "TraceState": "", "Attributes": []}
    judge = span("judge", trace="t9", **annotations) | {f"Links.{k}": [v] for k, v in links.items()}
    telemetry.insert("otel_traces", table([judge]))
    assert interactions(telemetry) == []
    telemetry.insert("otel_traces", table(CALL))
    (row,) = interactions(telemetry)
    assert row["evaluations"] == [
        {"name": "relevance", "value": 0.25, "label": "poor", "explanation": "", "source": "annotator"}
    ]
    assert (row["feedback"], dict(row["attributes"])) == (None, {"evaluation.relevance": "0.25"})


@pytest.mark.parametrize("verdict_first", [True, False])
def test_a_verdict_may_name_the_response_alone(telemetry: Telemetry, verdict_first: bool) -> None:
    named: dict[str, Any] = {"gen_ai.response.id": "r1"}
    told, answered = verdict("Relevance", "0.5", **named), span("a", gen_ai__operation__name="chat", **named)
    if verdict_first:
        send(telemetry, told)
    telemetry.insert("otel_traces", table([answered, span("b", trace="t2")]))
    if not verdict_first:
        send(telemetry, told)
    link_records(telemetry)
    one, other = interactions(telemetry)
    assert (names(one), names(other)) == (["Relevance"], [])
    stamped = telemetry.query("SELECT max(touched) AS at, count() AS rows FROM interactions").to_pylist()
    link_records(telemetry)
    assert (
        telemetry.query("SELECT max(touched) AS at, count() AS rows FROM interactions").to_pylist() == stamped
    )


def test_a_verdict_may_name_the_conversation_alone(telemetry: Telemetry) -> None:
    talk: dict[str, Any] = {"gen_ai.conversation.id": "c1"}
    turns = [
        span("a", trace="t1", **talk),
        span("b", trace="t2", at=60, **talk),
        span("c", trace="t3", at=90),
    ]
    telemetry.insert("otel_traces", table(turns))
    send(telemetry, verdict("then", "1", at=30, **talk), verdict("late", "0", at=600, **talk))
    send(telemetry, verdict("early", "1", at=-30, **talk))
    link_records(telemetry)
    assert [names(row) for row in interactions(telemetry)] == [["early", "then"], ["late"], []]


def test_an_evaluation_moves_to_a_nearer_trace_that_comes_late(telemetry: Telemetry) -> None:
    talk: dict[str, Any] = {"gen_ai.conversation.id": "c1"}
    send(telemetry, verdict("tone", "1", at=360, **talk))
    for at, trace, owner in ((0, "t1", "t1"), (300, "t2", "t2"), (200, "t3", "t2"), (330, "t4", "t4")):
        telemetry.insert("otel_traces", table([span(trace, trace=trace, at=at, **talk)]))
        link_records(telemetry)
        told = {row["trace_id"]: (names(row), row["records"]) for row in interactions(telemetry)}
        assert told.pop(owner) == (["tone"], 1)
        assert set(map(str, told.values())) <= {"([], 0)"}
    rows = "SELECT max(touched) AS at, count() AS rows FROM interactions"
    stamped = telemetry.query(rows).to_pylist()
    link_records(telemetry)
    assert telemetry.query(rows).to_pylist() == stamped


def test_an_evaluation_comes_back_where_the_nearer_trace_is_gone(telemetry: Telemetry) -> None:
    talk: dict[str, Any] = {"gen_ai.conversation.id": "c1"}
    send(telemetry, verdict("tone", "1", at=360, **talk))
    for at, trace in ((0, "t1"), (300, "t2")):
        telemetry.insert("otel_traces", table([span(trace, trace=trace, at=at, **talk)]))
        link_records(telemetry)
    telemetry.command("DELETE FROM interactions WHERE trace_id = 't2'")
    link_records(telemetry)
    (row,) = interactions(telemetry)
    assert (row["trace_id"], names(row)) == ("t1", ["tone"])


def test_of_two_traces_of_one_response_the_nearer_is_meant(telemetry: Telemetry) -> None:
    named: dict[str, Any] = {"gen_ai.response.id": "r1"}
    calls = [span(trace, trace=trace, at=at, **named) for at, trace in ((0, "t1"), (60, "t2"), (120, "t3"))]
    telemetry.insert("otel_traces", table(calls))
    send(telemetry, verdict("tone", "1", at=90, **named))
    link_records(telemetry)
    assert [names(row) for row in interactions(telemetry)] == [[], ["tone"], []]


@pytest.mark.parametrize("gap_s", [None, 1800.0])
def test_an_evaluation_may_name_a_conversation_that_no_trace_names(
    telemetry: Telemetry, gap_s: float | None
) -> None:
    def run() -> None:
        settle(telemetry, (), words={}, prices=(), idle_s=0.0, now=NOON, gap_s=gap_s)

    ann: dict[str, Any] = {"user.id": "ann"}
    turns = [
        turn(name, minute=minute, start=START, **ann) for name, minute in (("a", 0), ("b", 10), ("c", 20))
    ]
    put(telemetry, *turns)
    run()
    talk: dict[str, Any] = {"gen_ai.conversation.id": trace_id("a")}
    send(telemetry, verdict("tone", "1", at=900, **talk))
    run()
    owner = {row["trace_id"]: names(row) for row in interactions(telemetry) if names(row)}
    assert owner == {trace_id("b" if gap_s else "a"): ["tone"]}
    put(telemetry, turn("earlier", minute=-5, start=START, **ann), turn("d", minute=14, start=START, **ann))
    run()
    run()
    owner = {row["trace_id"]: names(row) for row in interactions(telemetry) if names(row)}
    assert owner == {trace_id("d" if gap_s else "a"): ["tone"]}
    (row,) = telemetry.query(
        "SELECT count() AS told FROM signals FINAL "
        "WHERE unit = 'interaction' AND attributes['evaluation.tone'] = '1'"
    ).to_pylist()
    assert row["told"] == 1


def test_what_has_no_spans_holds_nothing_up(telemetry: Telemetry) -> None:
    def run() -> tuple[int, int, int]:
        now = START.replace(year=2027)
        report = settle(telemetry, (), words={}, prices=(), idle_s=900.0, now=now)
        return report.interactions, report.conversations, report.unsettled

    nobody: dict[str, Any] = {"gen_ai.response.id": "nobody"}
    send(telemetry, *MESSAGES, verdict("x", "1", **nobody))
    assert run() == (0, 0, 0)
    put(telemetry, turn("a", "talk"))
    assert run() == (1, 1, 0)
    send(telemetry, verdict("feedback", "0", trace_id("a")))
    assert run() == (1, 1, 0)
    (row,) = telemetry.query(
        "SELECT feedback, attributes FROM signals FINAL WHERE unit = 'conversation'"
    ).to_pylist()
    assert (row["feedback"], dict(row["attributes"])) == (0.0, {"evaluation.feedback": "0"})


def test_a_turn_shows_what_was_thought_of_it(telemetry: Telemetry) -> None:
    put(telemetry, turn("a", "talk"))
    why: dict[str, Any] = {"gen_ai.evaluation.explanation": "polite", "assay.source": "llm"}
    send(telemetry, verdict("tone", "0.75", trace_id("a"), **why))
    page = conversation_detail(telemetry, "talk")
    assert page is not None
    (shown,) = page.turns
    told = Evaluation(name="tone", value=0.75, explanation="polite", source="llm")
    assert shown.turn.evaluations == (told,)
