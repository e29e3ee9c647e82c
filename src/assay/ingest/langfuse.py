"""Langfuse's scores: what its SDK posts beside its traces, which are OTLP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from assay.errors import PayloadError
from assay.ingest.feedback import check, read_objects, text_of, time_of, value_of
from assay.records import Feedback

_MOST_TEXT = 100_000


class IngestionAnswer(NamedTuple):
    """What a batch holds that can be kept, and the answer to each of its events: (id, status, message)."""

    scores: list[Feedback]
    answers: list[tuple[str, int, str]]


def read_scores(body: bytes) -> list[Feedback]:
    """The body of `POST /api/public/scores`: one score, or a list. Raises PayloadError (400)."""
    return [read_score(one) for one in read_objects(body, "send a Langfuse score")]


def read_score(given: Mapping[str, Any]) -> Feedback:
    """One score. What is named a feedback is people's; the others are programs'."""
    name = text_of(given.get("name"), "name", 200) or "score"
    if given.get("dataType") == "BOOLEAN" and isinstance(given.get("value"), int | float):
        given = {**given, "value": bool(given["value"])}
    value, label = value_of(given.get("value"), "value")
    environment = text_of(given.get("environment"), "environment", 200)
    return check(
        Feedback(
            id=text_of(given.get("id"), "id", 200) or uuid4().hex,
            name=name,
            value=value,
            label=label,
            comment=text_of(given.get("comment"), "comment", _MOST_TEXT),
            trace_id=text_of(given.get("traceId"), "traceId", 64),
            span_id=text_of(given.get("observationId"), "observationId", 32),
            conversation_id=text_of(given.get("sessionId"), "sessionId", 1_000),
            environment="" if environment == "default" else environment,
            source="human" if "feedback" in name.lower() else "code",
            at=time_of(given.get("timestamp"), "timestamp"),
        )
    )


def read_ingestion(body: bytes) -> IngestionAnswer:
    """The body of `POST /api/public/ingestion`, Langfuse's older way: its scores are taken; its traces are
    not, and each is told so. Raises PayloadError (400) where it is no batch."""
    (given,) = read_objects(body, "send a Langfuse batch") or [{}]
    batch = given.get("batch")
    if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
        raise PayloadError("the body has no list `batch`")
    return _answered(batch)


def _answered(batch: Sequence[Mapping[str, Any]]) -> IngestionAnswer:
    scores: list[Feedback] = []
    answers: list[tuple[str, int, str]] = []
    for event in batch:
        name, kind = str(event.get("id", ""))[:200], str(event.get("type", ""))[:60]
        if kind == "sdk-log":
            answers.append((name, 201, ""))
        elif kind != "score-create":
            told = f"{kind} is not taken here: send traces by OpenTelemetry (Langfuse SDK 3 or later)"
            answers.append((name, 400, told))
        else:
            try:
                scores.append(read_score(event.get("body") or {}))
                answers.append((name, 201, ""))
            except PayloadError as error:
                answers.append((name, 400, str(error)))
    return IngestionAnswer(scores, answers)
