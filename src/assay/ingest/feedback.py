"""Feedback and scores as JSON become log records, as OpenTelemetry sends evaluation results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from assay.errors import PayloadError
from assay.ingest.columns import EVENT_NAME, LOG_SCHEMA
from assay.records import Feedback

EVALUATION = "gen_ai.evaluation.result"
CONVERSATION = "gen_ai.conversation.id"
SCOPE = "assay.feedback"
"""The scope of the records that are made here."""
MOST = 1_000
"""Pieces of feedback in one request."""

_THUMBS = {"up": 1.0, "down": 0.0}
_TEXTS = {
    "name": 200,
    "label": 200,
    "comment": 100_000,
    "trace_id": 64,
    "span_id": 32,
    "conversation_id": 1_000,
    "response_id": 1_000,
    "user_id": 1_000,
    "environment": 200,
    "id": 200,
}
SOURCES = ("human", "annotator", "llm", "code")
_TARGETS = ("trace_id", "span_id", "conversation_id", "response_id")
_FORM = '{"trace_id": "...", "value": 1} with a trace_id, span_id, conversation_id or response_id'


def read_feedback(body: bytes) -> list[Feedback]:
    """The body of `POST /v1/feedback`: one object, or a list of them. Raises PayloadError (400), which
    names the first that is wrong; then nothing of the request is taken."""
    given = read_objects(body, f"send {_FORM}")
    known = {*_TEXTS, "value", "source", "at"}
    return [_read(one, number, known) for number, one in enumerate(given)]


def read_objects(body: bytes, advice: str) -> list[dict[str, Any]]:
    """A JSON object or a list of them. Raises PayloadError (400, 413)."""
    try:
        given = json.loads(body or b"null")
    except (ValueError, RecursionError):
        raise PayloadError(f"the body is no JSON: {advice}") from None
    objects = given if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) for one in objects):
        raise PayloadError(f"the body is no JSON object and no list of them: {advice}")
    if len(objects) > MOST:
        raise PayloadError(f"{len(objects):,} in one request; the most is {MOST:,}", http_status=413)
    return objects


def _read(given: Mapping[str, Any], number: int, known: set[str]) -> Feedback:
    where = f"feedback {number + 1}: " if number else ""
    if unknown := sorted(set(given) - known):
        name = whole_text(unknown[0][:40])
        raise PayloadError(f"{where}`{name}` is no field; there are {', '.join(sorted(known))}")
    texts = {key: text_of(given.get(key), f"{where}{key}", most) for key, most in _TEXTS.items()}
    source = text_of(given.get("source"), f"{where}source", 20) or "human"
    if source not in SOURCES:
        raise PayloadError(f"{where}source is {source!r}: it is one of {', '.join(SOURCES)}")
    value, label = value_of(given.get("value"), f"{where}value")
    texts["label"] = texts["label"] or label
    made = Feedback(
        **{**texts, "name": texts["name"] or "feedback"},
        value=value,
        source=source,
        at=time_of(given.get("at"), f"{where}at"),
    )
    return check(made, where)


def check(made: Feedback, where: str = "") -> Feedback:
    """The feedback with its ids in their usual form. Raises PayloadError where it is about nothing, says
    nothing, or has ids that are none."""
    trace_id = made.trace_id.lower().replace("-", "")
    span_id = made.span_id.lower()
    if trace_id and not _is_id(trace_id, 32):
        raise PayloadError(f"{where}trace_id {made.trace_id[:64]!r} is none: it has 32 hexadecimal digits")
    if span_id and not _is_id(span_id, 16):
        raise PayloadError(f"{where}span_id {made.span_id[:64]!r} is none: it has 16 hexadecimal digits")
    if not any(getattr(made, key) for key in _TARGETS):
        raise PayloadError(f"{where}about what? Send {_FORM}")
    if made.value is None and not made.label and not made.comment:
        raise PayloadError(
            f"{where}it says nothing: give a value (a number, true, false, 'up' or 'down'), "
            "a label or a comment"
        )
    return Feedback(
        **{key: getattr(made, key) for key in made.__slots__ if key not in ("trace_id", "span_id")},
        trace_id=trace_id,
        span_id=span_id,
    )


def value_of(given: object, where: str) -> tuple[float | None, str]:
    """A value and the label that it is: thumbs and truth are 1 and 0, another text is a label alone."""
    if given is None:
        return None, ""
    if isinstance(given, bool):
        return float(given), "up" if given else "down"
    if isinstance(given, int | float):
        if not abs(given) <= 1e300:  # neither NaN nor a whole number that no float holds
            raise PayloadError(f"{where} is {str(given)[:40]}: give a finite number")
        return float(given), ""
    text = text_of(given, where, 200)
    return _THUMBS.get(text.lower()), text.lower() if text.lower() in _THUMBS else text


def text_of(given: object, where: str, most: int) -> str:
    """A text; empty where there is none. Raises PayloadError where it is no text, or a long one."""
    if given is None:
        return ""
    if not isinstance(given, str):
        raise PayloadError(f"{where} is a {type(given).__name__}: give a text")
    if len(given) > most:
        raise PayloadError(f"{where} has {len(given):,} characters; the most is {most:,}")
    return whole_text(given)


def whole_text(text: str) -> str:
    """The text without the halves of characters that JSON may hold, and nothing else."""
    return text.encode("utf-8", "replace").decode()


def time_of(given: object, where: str) -> datetime | None:
    """An ISO 8601 time; UTC where it names no zone."""
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(text_of(given, where, 60))
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at if 2000 <= at.year < 2100 else None
    except (ValueError, OverflowError):
        raise PayloadError(f"{where} is no time: give it as 2026-01-31T12:00:00Z") from None


def feedback_records(given: Sequence[Feedback], received_ns: int) -> pa.Table:
    """Log records in the columns of `otel_logs`, one for each."""
    rows = [_record(one, received_ns) for one in given]
    columns = {name: [row[name] for row in rows] for name in LOG_SCHEMA.names}
    return pa.Table.from_pydict(columns, schema=LOG_SCHEMA)


def _record(one: Feedback, received_ns: int) -> dict[str, Any]:
    attributes = {
        EVENT_NAME: EVALUATION,
        "gen_ai.evaluation.name": one.name,
        "gen_ai.evaluation.score.value": "" if one.value is None else f"{one.value:.17g}",
        "gen_ai.evaluation.score.label": one.label,
        "gen_ai.evaluation.explanation": one.comment,
        "gen_ai.response.id": one.response_id,
        CONVERSATION: one.conversation_id,
        "user.id": one.user_id,
        "assay.source": one.source,
        "assay.feedback.id": one.id,
    }
    resource = {"deployment.environment.name": one.environment} if one.environment else {}
    at = received_ns if one.at is None else int(one.at.timestamp() * 1_000_000) * 1000
    return {
        "Timestamp": at,
        "TraceId": one.trace_id,
        "SpanId": one.span_id,
        "TraceFlags": 0,
        "SeverityText": "",
        "SeverityNumber": 0,
        "ServiceName": "",
        "Body": "",
        "ResourceSchemaUrl": "",
        "ResourceAttributes": list(resource.items()),
        "ScopeSchemaUrl": "",
        "ScopeName": SCOPE,
        "ScopeVersion": "",
        "ScopeAttributes": [],
        "LogAttributes": [(key, text) for key, text in attributes.items() if text],
        "EventName": EVALUATION,
    }


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and all(c in "0123456789abcdef" for c in text) and text.strip("0") != ""
