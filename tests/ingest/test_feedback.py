"""Feedback and Langfuse's scores become log records; what is wrong with them is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.errors import PayloadError
from assay.ingest.columns import LOG_SCHEMA
from assay.ingest.feedback import feedback_records, read_feedback
from assay.ingest.langfuse import read_ingestion, read_scores
from assay.records import Feedback

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


def read(*given: dict[str, Any]) -> list[Feedback]:
    return read_feedback(json.dumps(given[0] if len(given) == 1 else given).encode())


@pytest.mark.parametrize(
    ("value", "number", "label"),
    [
        (0.7, 0.7, ""),
        (1, 1.0, ""),
        (True, 1.0, "up"),
        (False, 0.0, "down"),
        ("up", 1.0, "up"),
        ("DOWN", 0.0, "down"),
        ("wrong order", None, "wrong order"),
    ],
)
def test_values(value: object, number: float | None, label: str) -> None:
    (one,) = read({"trace_id": TRACE, "value": value})
    assert (one.name, one.value, one.label, one.source) == ("feedback", number, label, "human")


def test_ids_are_taken_in_their_usual_forms() -> None:
    dashed = "0AF76519-16CD-43DD-8448-EB211C80319C"
    one, other = read(
        {"trace_id": dashed, "span_id": SPAN.upper(), "value": 1}, {"conversation_id": "c", "value": 0}
    )
    assert (one.trace_id, one.span_id, other.conversation_id) == (TRACE, SPAN, "c")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": 1}, "about what"),
        ({"trace_id": TRACE}, "says nothing"),
        ({"trace_id": "abc", "value": 1}, "32 hexadecimal digits"),
        ({"trace_id": "0" * 32, "value": 1}, "32 hexadecimal digits"),
        ({"span_id": "xyz", "value": 1}, "16 hexadecimal digits"),
        ({"trace_id": TRACE, "value": [1]}, "value is a list"),
        ({"trace_id": TRACE, "value": 10**400}, "value is 1000000000.*: give a finite number"),
        ({"trace_id": TRACE, "score": 1}, "`score` is no field"),
        ({"trace_id": TRACE, "value": 1, "source": "me"}, "human, annotator, llm, code"),
        ({"trace_id": TRACE, "value": 1, "at": "yesterday"}, "at is no time"),
        ({"trace_id": TRACE, "comment": "x" * 100_001}, "comment has 100,001 characters"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PayloadError, match=message) as error:
        read(given)
    assert error.value.http_status == 400
    with pytest.raises(PayloadError, match="feedback 2: "):
        read({"trace_id": TRACE, "value": 1}, given)


@pytest.mark.parametrize(
    "body", [b"", b"nope", b"[1]", b'"x"', b"[" * 100_000, b'{"value": NaN, "trace_id": "a"}']
)
def test_a_body_that_is_no_feedback(body: bytes) -> None:
    with pytest.raises(PayloadError):
        read_feedback(body)


def test_records_have_the_columns_of_the_store() -> None:
    given = read(
        {
            "trace_id": TRACE,
            "span_id": SPAN,
            "value": 0.25,
            "label": "meh",
            "comment": "too slow \ud800",
            "user_id": "u-1",
            "name": "speed",
            "at": "2026-01-31T12:00:00.5+01:00",
        },
        {"conversation_id": "c-1", "value": "up", "source": "code"},
    )
    table = feedback_records(given, 10**18)
    assert table.schema == LOG_SCHEMA
    first, second = table.to_pylist()
    assert (first["TraceId"], first["SpanId"], first["EventName"]) == (
        TRACE,
        SPAN,
        "gen_ai.evaluation.result",
    )
    assert first["Timestamp"] == datetime(2026, 1, 31, 11, 0, 0, 500_000, tzinfo=UTC)
    assert dict(first["LogAttributes"]) == {
        "event.name": "gen_ai.evaluation.result",
        "gen_ai.evaluation.name": "speed",
        "gen_ai.evaluation.score.value": "0.25",
        "gen_ai.evaluation.score.label": "meh",
        "gen_ai.evaluation.explanation": "too slow ?",
        "user.id": "u-1",
        "assay.source": "human",
    }
    assert dict(second["LogAttributes"])["gen_ai.conversation.id"] == "c-1"
    assert second["TraceId"] == ""


def test_the_scores_that_langfuse_sent(shared: Path) -> None:
    body = (shared / "otlp/raw/langfuse/002_scores.json").read_bytes()
    scores, errors, single = read_scores(body)
    ((one,), sent) = (scores, json.loads(body)[0])
    assert (errors, single) == ([], False)
    assert (one.name, one.value, one.comment, one.source) == ("helpfulness", 0.9, "ok", "code")
    assert (one.trace_id, one.span_id, one.id) == (sent["traceId"], sent["observationId"], sent["id"])
    assert one.environment == "production"


def test_kinds_of_langfuse_scores() -> None:
    base = {"traceId": TRACE, "name": "n"}
    given = [
        {**base, "value": 1, "dataType": "BOOLEAN", "name": "User-Feedback"},
        {**base, "value": "good", "dataType": "CATEGORICAL"},
        {**base, "value": "a long text", "dataType": "TEXT", "comment": "why"},
        {**base, "value": 3.5, "source": "ANNOTATION"},
        {"sessionId": "s-1", "name": "n", "value": 1},
        {"name": "about nothing", "value": 1},
    ]
    scores, errors, single = read_scores(json.dumps(given).encode())
    assert [(one.value, one.label, one.comment, one.source) for one in scores] == [
        (1.0, "up", "", "human"),
        (None, "good", "", "code"),
        (None, "", "a long text\nwhy", "code"),
        (3.5, "", "", "annotator"),
        (1.0, "", "", "code"),
    ]
    assert scores[4].conversation_id == "s-1"
    assert len({one.id for one in scores}) == 5
    assert not single
    assert errors == [next(iter(errors))]
    assert errors[0].startswith("score 6: about what?")


def test_the_older_batch_has_its_scores_taken_and_its_traces_refused() -> None:
    batch = [
        {"id": "e1", "type": "score-create", "body": {"traceId": TRACE, "name": "n", "value": 1}},
        {"id": "e2", "type": "trace-create", "body": {}},
        {"id": "e3", "type": "score-create", "body": None},
        {"id": "e4", "type": "sdk-log", "body": {}},
    ]
    scores, answers = read_ingestion(json.dumps({"batch": batch}).encode())
    assert len(scores) == 1
    assert [(name, status) for name, status, _ in answers] == [
        ("e1", 201),
        ("e2", 400),
        ("e3", 400),
        ("e4", 201),
    ]
    assert "OpenTelemetry" in answers[1][2]


@pytest.mark.parametrize("body", [b"{}", b"[]", b'[{"batch": []}, {"batch": []}]'])
def test_a_body_that_is_no_batch(body: bytes) -> None:
    with pytest.raises(PayloadError, match="batch"):
        read_ingestion(body)


def test_one_absurd_score_costs_no_other() -> None:
    base = {"traceId": TRACE, "name": "n"}
    given = [{**base, "value": value} for value in (1, 10**400, float("nan"), 2)]
    scores, errors, _ = read_scores(json.dumps(given).encode())
    assert [one.value for one in scores] == [1.0, 2.0]
    assert [error.split(":")[0] for error in errors] == ["score 2", "score 3"]


def test_what_is_answered_can_be_written() -> None:
    """JSON may hold half a character, which no answer can."""
    batch = [{"id": "\ud800", "type": "\ud800"}]
    _, answers = read_ingestion(json.dumps({"batch": batch}).encode())
    assert json.dumps(answers, ensure_ascii=False).encode()
    with pytest.raises(PayloadError) as error:
        read({"trace_id": TRACE, "value": 1, "\ud800": 1})
    assert str(error.value).encode()
