"""A small world goes through decoding and the store whole, whichever convention it speaks."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from assay.demo.ids import trace_id
from assay.demo.script import Conversation
from assay.demo.story import SECOND_MODEL
from assay.demo.traffic import requests
from assay.demo.world import World
from assay.ingest.otlp import decode_traces
from assay.ingest.payload import Limits, Payload

if TYPE_CHECKING:
    from assay.store.telemetry.connection import Telemetry

WORLD = World(last_day=date(2026, 11, 22), days=2, per_day=40, seed=10)
LIMITS = Limits()


@pytest.fixture
def arrived(telemetry: Telemetry) -> dict[str, dict[str, Any]]:
    """The rows of interactions_final by trace id; every third request was sent twice."""
    for number, request in enumerate(requests(WORLD, spans_per_request=60)):
        payload = Payload(
            kind="traces", body=request.body, content_type="application/x-protobuf", received_ns=1
        )
        decoded = decode_traces([payload], LIMITS)
        assert (decoded.spans.num_rows, decoded.rejections) == (request.spans, ())
        for _ in range(2 if number % 3 == 0 else 1):
            telemetry.insert("otel_traces", decoded.spans)
    rows = telemetry.query("SELECT * FROM interactions_final").to_pylist()
    return {row["trace_id"]: row for row in rows}


def test_everything_arrives_as_it_was_said(arrived: dict[str, dict[str, Any]]) -> None:
    conversations = [c for day in range(WORLD.days) for c in WORLD.conversations(day)]
    assert {row["conversation_id"] for row in arrived.values()} == {
        c.truth.conversation_id for c in conversations
    }
    assert len(arrived) == sum(len(c.exchanges) for c in conversations)
    second = [c for c in conversations if c.truth.model == SECOND_MODEL]
    assert 5 < len(second) < 40
    for some in (second, [c for c in conversations if c not in second]):
        assert any(e.tools for c in some for e in c.exchanges)
        assert any(e.documents for c in some for e in c.exchanges)
        assert any(c.truth.feedback is not None for c in some)
    for conversation in conversations:
        _check(conversation, arrived)


def _check(conversation: Conversation, arrived: dict[str, dict[str, Any]]) -> None:
    truth, last = conversation.truth, len(conversation.exchanges) - 1
    for turn, exchange in enumerate(conversation.exchanges):
        row = arrived[trace_id(truth.conversation_id, turn)]
        expected = {
            "conversation_id": truth.conversation_id,
            "user_id": truth.user_id,
            "service": "support-assistant",
            "environment": "production",
            "version": truth.version,
            "model": truth.model,
            "input": exchange.user,
            "output": exchange.answer,
            "input_tokens": exchange.input_tokens,
            "output_tokens": exchange.output_tokens,
            "llm_calls": 1,
            "tool_calls": len(exchange.tools),
            "tool_errors": sum(bool(use.error) for use in exchange.tools),
            "context": list(exchange.documents),
            "latency_ms": (exchange.ended_ns - exchange.started_ns) / 1e6,
            "feedback": truth.feedback if turn == last else None,
        }
        assert {name: row[name] for name in expected} == expected
        attributes = dict(row["attributes"])
        assert attributes["topic"] == truth.route
        assert attributes["tier"] == truth.tier
        assert attributes["language"] == truth.language
        assert bool(row["error"]) == bool(exchange.error or any(use.error for use in exchange.tools))
