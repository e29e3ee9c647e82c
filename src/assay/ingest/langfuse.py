"""Langfuse's scores: what its SDK posts beside its traces, which are OTLP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from assay.errors import PayloadError
from assay.ingest.feedback import check, read_objects, text_of, time_of, value_of, whole_text
from assay.records import Feedback

_MOST_TEXT = 100_000


class IngestionAnswer(NamedTuple):
    """What a batch holds that can be kept, and the answer to each of its events: (id, status, message)."""

    scores: list[Feedback]
    answers: list[tuple[str, int, str]]


class ScoresAnswer(NamedTuple):
    """The scores that can be kept, and what is wrong with the others. `single`: it was no list."""

    scores: list[Feedback]
    errors: list[str]
    single: bool


def read_scores(body: bytes) -> ScoresAnswer:
    """The body of `POST /api/public/scores`: one score, or a list. Raises PayloadError (400) where it is
    neither, or one that can't be kept."""
    objects = read_objects(body, "send a Langfuse score")
    if not body.lstrip().startswith(b"["):
        return ScoresAnswer([read_score(objects[0])], [], True)
    scores: list[Feedback] = []
    errors: list[str] = []
    for number, one in enumerate(objects, 1):
        try:
            scores.append(read_score(one))
        except PayloadError as error:
            errors.append(f"score {number}: {error}")
    return ScoresAnswer(scores, errors, False)


def read_score(given: Mapping[str, Any]) -> Feedback:
    """One score. What was annotated is reviewers', what else is named a feedback users'; the others are
    programs'."""
    name = text_of(given.get("name"), "name", 200) or "score"
    kind, value = given.get("dataType"), given.get("value")
    comment = text_of(given.get("comment"), "comment", _MOST_TEXT)
    if kind == "BOOLEAN" and isinstance(value, int | float):
        value = bool(value)
    if kind in ("TEXT", "CORRECTION"):
        comment, value = "\n".join(filter(None, (text_of(value, "value", _MOST_TEXT), comment))), None
    number, label = value_of(value, "value")
    environment = text_of(given.get("environment"), "environment", 200)
    source = "human" if "feedback" in name.lower() else "code"
    return check(
        Feedback(
            id=text_of(given.get("id"), "id", 200) or uuid4().hex,
            name=name,
            value=number,
            label=label,
            comment=comment,
            trace_id=text_of(given.get("traceId"), "traceId", 64),
            span_id=text_of(given.get("observationId"), "observationId", 32),
            conversation_id=text_of(given.get("sessionId"), "sessionId", 1_000),
            environment="" if environment == "default" else environment,
            source="annotator" if given.get("source") == "ANNOTATION" else source,
            at=time_of(given.get("timestamp"), "timestamp"),
        )
    )


def read_ingestion(body: bytes) -> IngestionAnswer:
    """The body of `POST /api/public/ingestion`, Langfuse's older way: its scores are taken; its traces are
    not, and each is told so. Raises PayloadError (400) where it is no batch."""
    given = read_objects(body, "send a Langfuse batch")
    batch = given[0].get("batch") if len(given) == 1 else None
    if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
        raise PayloadError("the body has no list `batch`")
    return _answered(batch)


def _answered(batch: Sequence[Mapping[str, Any]]) -> IngestionAnswer:
    scores: list[Feedback] = []
    answers: list[tuple[str, int, str]] = []
    for event in batch:
        name, kind = (whole_text(str(event.get(key, ""))) for key in ("id", "type"))
        name, kind = name[:200], kind[:60]
        if kind == "sdk-log":
            answers.append((name, 201, ""))
        elif kind != "score-create":
            told = f"{kind} is not taken here: send traces by OpenTelemetry (Langfuse SDK 3 or later)"
            answers.append((name, 400, told))
        else:
            try:
                score = event.get("body")
                scores.append(read_score(score if isinstance(score, dict) else {}))
                answers.append((name, 201, ""))
            except PayloadError as error:
                answers.append((name, 400, str(error)))
    return IngestionAnswer(scores, answers)
