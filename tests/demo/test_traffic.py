"""Requests hold the whole world, in both conventions, with the disorder of real traffic."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from assay.demo.ids import trace_id
from assay.demo.traffic import Request, requests
from assay.demo.world import World

WORLD = World(last_day=date(2026, 11, 22), days=2, per_day=600)


@pytest.fixture(scope="module")
def sent() -> list[Request]:
    return list(requests(WORLD, spans_per_request=500))


@pytest.fixture(scope="module")
def spans(sent: list[Request]) -> list[Span]:
    return [
        span
        for request in sent
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(span: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in span.attributes}


def test_counts_are_those_of_the_world(sent: list[Request], spans: list[Span]) -> None:
    exchanges = sum(len(c.exchanges) for day in range(2) for c in WORLD.conversations(day))
    assert sum(r.conversations for r in sent) == WORLD.total
    assert sum(r.interactions for r in sent) == exchanges
    assert sum(r.spans for r in sent) == len(spans)
    assert 2.1 < len(spans) / exchanges < 2.4
    assert {r.day for r in sent} == set(WORLD.dates)
    assert list(requests(WORLD, spans_per_request=500)) == sent


def test_every_trace_has_one_root_and_its_conversation(spans: list[Span]) -> None:
    roots = {s.trace_id: s for s in spans if not s.parent_span_id}
    assert {s.trace_id for s in spans} == set(roots)
    said: dict[str, str] = {}
    for root in roots.values():
        named = _attributes(root)
        said[root.trace_id.hex()] = named.get("gen_ai.conversation.id") or named["session.id"]
    for day in range(2):
        for conversation in WORLD.conversations(day):
            for turn in range(len(conversation.exchanges)):
                name = conversation.truth.conversation_id
                assert said.pop(trace_id(name, turn)) == name
    assert not said


def test_span_ids_are_distinct_but_for_those_sent_again(spans: list[Span]) -> None:
    seen: dict[tuple[bytes, bytes], bytes] = {}
    again = 0
    for span in spans:
        body = span.SerializeToString()
        before = seen.setdefault((span.trace_id, span.span_id), body)
        assert before == body
        again += before is not body
    assert 0.004 < again / len(spans) < 0.02
    for span in spans:
        if span.parent_span_id:
            assert (span.trace_id, span.parent_span_id) in seen


def test_both_conventions_and_disorder(sent: list[Request], spans: list[Span]) -> None:
    kinds = Counter(_attributes(s).get("gen_ai.operation.name", "") for s in spans)
    assert kinds["invoke_agent"] > 100
    assert kinds["chat"] > 100
    assert kinds["execute_tool"] > 20
    assert kinds["retrieval"] > 10
    inference = Counter(_attributes(s).get("openinference.span.kind", "") for s in spans)
    assert all(inference[kind] > 5 for kind in ("AGENT", "LLM", "TOOL", "RETRIEVER", "EVALUATOR"))
    assert 0.2 < inference["AGENT"] / (inference["AGENT"] + kinds["invoke_agent"]) < 0.3
    first: dict[bytes, int] = {}
    children_first = root_later = 0
    for number, request in enumerate(sent):
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                children_first += span.trace_id not in first and bool(span.parent_span_id)
                seen = first.setdefault(span.trace_id, number)
                root_later += not span.parent_span_id and seen < number
    assert 0.2 < children_first / len(first) < 0.4
    assert root_later > 0


def test_messages_and_documents_are_json(spans: list[Span]) -> None:
    for span in spans:
        for name, value in _attributes(span).items():
            if name in ("gen_ai.input.messages", "gen_ai.output.messages"):
                for message in json.loads(value):
                    assert message["role"] in ("user", "assistant")
                    assert message["parts"][0]["content"]
            elif name in ("metadata", "gen_ai.tool.call.arguments"):
                assert json.loads(value)
            elif name == "gen_ai.retrieval.documents":
                assert isinstance(json.loads(value), list)


def test_model_calls_say_why_they_ended(spans: list[Span]) -> None:
    reasons = Counter(
        reason.string_value
        for span in spans
        for pair in span.attributes
        if pair.key == "gen_ai.response.finish_reasons"
        for reason in pair.value.array_value.values
    )
    assert set(reasons) == {"stop", "length"}
    assert reasons["length"] < 0.02 * reasons["stop"]


def test_feedback_comes_later_in_both_conventions(spans: list[Span]) -> None:
    events = [(s, e) for s in spans for e in s.events if e.name == "gen_ai.evaluation.result"]
    scores = {
        p.value.double_value
        for _, e in events
        for p in e.attributes
        if p.key == "gen_ai.evaluation.score.value"
    }
    assert scores == {0.0, 1.0}
    ends = {s.trace_id: s.end_time_unix_nano for s in spans if not s.parent_span_id}
    assert all(span.start_time_unix_nano > ends[span.trace_id] for span, _ in events)
    human = [s for s in spans if _attributes(s).get("annotations.0.annotation.annotator_kind") == "HUMAN"]
    assert human
