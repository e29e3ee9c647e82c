"""MLflow: traces as `search_traces`, `Trace.to_json` and the trace artifact write them, with assessments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from assay.errors import FileError
from assay.ingest.columns import EventRow
from assay.ingest.exports.basket import (
    Basket,
    attribute_text,
    event_rows,
    hex_id,
    json_text,
    moment,
    moment_or_none,
    object_of,
    objects_of,
    parsed,
    texts_of,
)
from assay.ingest.rows import Row

_TAKEN: Final = {
    "trace_id",
    "request_id",
    "trace",
    "info",
    "data",
    "client_request_id",
    "state",
    "status",
    "request_time",
    "timestamp_ms",
    "execution_duration",
    "execution_time_ms",
    "request",
    "response",
    "trace_metadata",
    "request_metadata",
    "tags",
    "spans",
    "assessments",
}
_STATUSES: Final = {"STATUS_CODE_ERROR": "Error", "ERROR": "Error", "STATUS_CODE_OK": "Ok", "OK": "Ok"}
_SOURCES: Final = {"HUMAN": "human", "LLM_JUDGE": "llm", "AI_JUDGE": "llm", "CODE": "code"}


def fits(columns: set[str]) -> bool:
    return (
        {"trace_id", "trace_metadata"} <= columns
        or {"request_id", "request_metadata"} <= columns
        or {"info", "data"} <= columns
        or ({"trace", "spans"} <= columns)
        or columns == {"spans"}
        or {"span_id", "start_time_unix_nano"} <= columns
        or {"context", "start_time", "parent_id", "status_code"} <= columns - {"span_kind"}
    )


def unknown(columns: set[str]) -> set[str]:
    """Columns that are not taken."""
    return set() if {"span_id", "context"} & columns else columns - _TAKEN


def take(row: Row, basket: Basket) -> None:
    """Put the trace that the row holds into the basket. Raises FileError where it holds none."""
    cells = row.cells
    whole = object_of(cells.get("trace")) or cells
    info, spans = object_of(whole.get("info")) or cells, objects_of(object_of(whole.get("data")).get("spans"))
    spans = spans or objects_of(cells.get("spans"))
    if "span_id" in cells or "context" in cells:
        _span(row.number, cells, "", {}, basket)
        return
    told = info.get("trace_id") or info.get("request_id") or cells.get("trace_id") or cells.get("request_id")
    shared = _of_trace(info, cells)
    if spans:
        trace = told or _trace_of(spans[0])
        for span in spans:
            _span(row.number, span, str(trace or ""), shared if not _parent(span) else {}, basket)
    elif told:
        _without_spans(row.number, str(told), info, cells, shared, basket)
    else:
        raise FileError(f"row {row.number} holds neither spans nor a trace's id", row=row.number)
    assessments = objects_of(info.get("assessments")) or objects_of(cells.get("assessments"))
    for one in assessments:
        _assessment(row.number, one, str(told or ""), basket)


def _of_trace(info: Mapping[str, Any], cells: Mapping[str, Any]) -> dict[str, object]:
    """What MLflow tells of the whole trace, as attributes of its root."""
    metadata = object_of(info.get("trace_metadata") or info.get("request_metadata"))
    tags = object_of(info.get("tags") or cells.get("tags"))
    told: dict[str, object] = {
        key: metadata.get(key) for key in ("mlflow.trace.session", "mlflow.trace.user") if metadata.get(key)
    }
    for key, value in {**metadata, **tags}.items():
        if not str(key).startswith("mlflow.") and value is not None:
            told[f"mlflow.traceTag.{key}"] = value
    if prompts := tags.get("mlflow.linkedPrompts"):
        told["mlflow.linkedPrompts"] = prompts
    return told


def _trace_of(span: Mapping[str, Any]) -> object:
    return span.get("trace_id") or object_of(span.get("context")).get("trace_id")


def _parent(span: Mapping[str, Any]) -> str:
    return str(span.get("parent_span_id") or span.get("parent_id") or "")


def _span(
    number: int, span: Mapping[str, Any], trace: str, shared: Mapping[str, object], basket: Basket
) -> None:
    context = object_of(span.get("context"))
    parent = _parent(span)
    status = parsed(span.get("status")) or span.get("status_code")
    code = status.get("code") if isinstance(status, dict) else status
    message = status.get("message") if isinstance(status, dict) else span.get("status_message")
    # the trace's own id names it in MLflow; a span's is the one that travels in OTLP
    own = span.get("trace_id") or context.get("trace_id") or trace
    basket.span(
        trace_id=hex_id(own, 32, number, "trace_id"),
        span_id=hex_id(span.get("span_id") or context.get("span_id"), 16, number, "span_id"),
        parent_id=hex_id(parent, 16, number, "parent_span_id") if parent else "",
        name=str(span.get("name") or "span"),
        start_ns=moment(span.get("start_time_unix_nano") or span.get("start_time"), number, "start_time"),
        end_ns=moment_or_none(span.get("end_time_unix_nano") or span.get("end_time"), number, "end_time"),
        attributes={**shared, **texts_of(object_of(span.get("attributes")))},
        scope="mlflow",
        status=_STATUSES.get(str(code or "").rpartition(".")[2].upper(), "Unset"),
        message=str(message or ""),
        events=_events(number, span),
    )


def _events(number: int, span: Mapping[str, Any]) -> list[EventRow]:
    return event_rows(span.get("events"), number)


def _without_spans(
    number: int,
    trace: str,
    info: Mapping[str, Any],
    cells: Mapping[str, Any],
    shared: Mapping[str, object],
    basket: Basket,
) -> None:
    """A trace whose spans were not written out: one span, with what it asked and answered."""
    start_ns = moment(
        info.get("request_time") or info.get("timestamp_ms") or cells.get("request_time"),
        number,
        "request_time",
    )
    took = info.get("execution_duration") or info.get("execution_time_ms") or 0
    metadata = object_of(info.get("trace_metadata") or info.get("request_metadata"))
    asked = cells.get("request") or metadata.get("mlflow.traceInputs")
    answered = cells.get("response") or metadata.get("mlflow.traceOutputs")
    state = str(info.get("state") or info.get("status") or "").rpartition(".")[2].upper()
    tags = object_of(info.get("tags"))
    basket.span(
        trace_id=hex_id(trace, 32, number, "trace_id"),
        span_id=hex_id(f"root of {trace}", 16, number, "trace_id"),
        name=str(tags.get("mlflow.traceName") or "trace"),
        start_ns=start_ns,
        end_ns=start_ns + int(took) * 1_000_000 if str(took).isdigit() else None,
        attributes={
            **shared,
            "mlflow.spanType": '"AGENT"',
            "mlflow.spanInputs": json_text(parsed(asked)) if attribute_text(asked) else None,
            "mlflow.spanOutputs": json_text(parsed(answered)) if attribute_text(answered) else None,
        },
        scope="mlflow",
        status=_STATUSES.get(state, "Unset"),
    )


def _assessment(number: int, one: Mapping[str, Any], trace: str, basket: Basket) -> None:
    """Feedback. What was expected is no opinion of the answer, and kept as a label's text."""
    feedback, expected = object_of(one.get("feedback")), object_of(one.get("expectation"))
    source = object_of(one.get("source"))
    of = one.get("trace_id") or trace
    name = one.get("assessment_name") or one.get("name")
    if not name or not of or one.get("valid") is False:
        return
    value = feedback.get("value") if feedback else None
    is_number = isinstance(value, bool | int | float)
    said = expected.get("value") if expected else value
    kind = _SOURCES.get(str(source.get("source_type") or "").upper(), "code")
    span = one.get("span_id")
    when = one.get("last_update_time") or one.get("create_time")
    basket.opinion(
        time_ns=moment_or_none(when, number, "create_time") or number,
        trace_id=hex_id(of, 32, number, "trace_id"),
        span_id=hex_id(span, 16, number, "span_id") if span else "",
        name=str(name),
        value=value if is_number else None,
        label="" if is_number else attribute_text(said),
        explanation=str(one.get("rationale") or ""),
        source=kind,
        rater=str(source.get("source_id") or "") if kind == "human" else "",
        attributes={"mlflow.assessment.kind": "expectation" if expected else "feedback"},
    )
