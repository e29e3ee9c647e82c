"""LangSmith: runs (`list_runs`, bulk export) and feedback, in its OpenTelemetry exporter's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from assay.errors import FileError
from assay.ingest.columns import EventRow
from assay.ingest.exports.basket import (
    Basket,
    hex_id,
    json_text,
    moment,
    moment_or_none,
    number_of,
    object_of,
    objects_of,
    parsed,
)
from assay.ingest.rows import Row

_TAKEN: Final = {
    "id",
    "name",
    "inputs",
    "outputs",
    "run_type",
    "start_time",
    "end_time",
    "extra",
    "error",
    "events",
    "tags",
    "trace_id",
    "dotted_order",
    "status",
    "parent_run_id",
    "parent_run_ids",
    "session_id",
    "session_name",
    "first_token_time",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "total_cost",
    "prompt_cost",
    "completion_cost",
    "prompt_token_details",
    "completion_token_details",
    "feedback_stats",
    "child_run_ids",
    "direct_child_run_ids",
    "child_runs",
}
_FEEDBACK: Final = {
    "id",
    "run_id",
    "trace_id",
    "key",
    "score",
    "value",
    "comment",
    "correction",
    "feedback_source",
    "created_at",
    "modified_at",
    "session_id",
}
_OPERATIONS: Final = {
    "llm": "chat",
    "tool": "execute_tool",
    "embedding": "embeddings",
    "retriever": "embeddings",
}
"""What the exporter says; `langsmith.span.kind` beats it."""
_SOURCES: Final = {"app": "human", "api": "code", "model": "llm", "auto_eval": "llm"}


def fits(columns: set[str]) -> bool:
    return (
        {"run_type", "start_time"} <= columns and bool(columns & {"dotted_order", "trace_id", "id"})
    ) or _is_feedback(columns)


def _is_feedback(columns: set[str]) -> bool:
    return {"run_id", "key"} <= columns and bool(columns & {"score", "value", "feedback_source"})


def unknown(columns: set[str]) -> set[str]:
    """Columns that are not taken."""
    return columns - (_FEEDBACK if _is_feedback(columns) else _TAKEN)


def take(row: Row, basket: Basket) -> None:
    """Put what the row holds into the basket. Raises FileError where it holds no run."""
    if _is_feedback(set(row.cells)):
        _feedback(row, basket)
    else:
        _run(row.number, row.cells, basket)


def _run(number: int, cells: Mapping[str, Any], basket: Basket) -> None:
    run, trace, parent = _ids(number, cells)
    error = str(cells.get("error") or "")
    start_ns = moment(cells.get("start_time"), number, "start_time")
    trace_id, span_id = hex_id(trace, 32, number, "trace_id"), hex_id(run, 16, number, "id")
    basket.span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(parent, 16, number, "parent_run_id") if parent else "",
        name=str(cells.get("name") or "run"),
        start_ns=start_ns,
        end_ns=moment_or_none(cells.get("end_time"), number, "end_time"),
        attributes=_attributes(cells),
        scope="langsmith",
        status="Error" if error or cells.get("status") == "error" else "Ok",
        message=error[:2000],
        events=_events(number, cells, start_ns),
    )
    for one in objects_of(cells.get("child_runs")):
        _run(number, {"trace_id": trace, "parent_run_id": run, **one}, basket)


def _ids(number: int, cells: Mapping[str, Any]) -> tuple[str, str, str]:
    """The run's id, its trace's and its parent's; where they are not told, from the dotted order."""
    path = [part.rpartition("Z")[2] for part in str(cells.get("dotted_order") or "").split(".") if part]
    run = str(cells.get("id") or (path[-1] if path else ""))
    trace = str(cells.get("trace_id") or (path[0] if path else run))
    told = parsed(cells.get("parent_run_ids"))
    above = [str(one) for one in told] if isinstance(told, list) else path[:-1]
    parent = str(cells.get("parent_run_id") or (above[-1] if above else ""))
    if not run:
        raise FileError(f"row {number} has no `id`", row=number, column="id")
    return run, trace, "" if parent == run else parent


def _attributes(cells: Mapping[str, Any]) -> dict[str, object]:
    extra = object_of(cells.get("extra"))
    metadata = object_of(extra.get("metadata"))
    invocation = {**object_of(extra.get("invocation_params")), **object_of(metadata.get("invocation_params"))}
    inputs, outputs = parsed(cells.get("inputs")), parsed(cells.get("outputs"))
    kind = str(cells.get("run_type") or "chain").lower()
    tags = parsed(cells.get("tags"))
    asked = object_of(inputs).get("model")
    named = (asked, metadata.get("ls_model_name"), invocation.get("model"), invocation.get("model_name"))
    is_model = kind in ("llm", "embedding")
    return {
        "langsmith.span.kind": kind,
        "langsmith.trace.name": cells.get("name"),
        "langsmith.trace.session_id": cells.get("session_id"),
        "langsmith.trace.session_name": cells.get("session_name"),
        "langsmith.span.tags": ", ".join(map(str, tags)) if isinstance(tags, list) else tags,
        "gen_ai.operation.name": _OPERATIONS.get(kind, "chain"),
        "gen_ai.system": metadata.get("ls_provider") if is_model else None,
        "gen_ai.request.model": next((one for one in named if one), None) if is_model else None,
        "gen_ai.response.model": object_of(outputs).get("model") if is_model else None,
        "gen_ai.tool.name": cells.get("name") if kind == "tool" else None,
        "gen_ai.tool.call.id": extra.get("tool_call_id") or metadata.get("tool_call_id"),
        "gen_ai.tool.definitions": invocation.get("tools") or None,
        "gen_ai.request.temperature": invocation.get("temperature"),
        "gen_ai.request.max_tokens": invocation.get("max_tokens"),
        "gen_ai.request.top_p": invocation.get("top_p"),
        **(_usage(cells, outputs) if is_model else {}),
        "langsmith.feedback_stats": object_of(cells.get("feedback_stats")),
        "gen_ai.prompt": json_text(inputs) if inputs else None,
        "gen_ai.completion": json_text(outputs) if outputs else None,
        **{f"langsmith.metadata.{key}": one for key, one in metadata.items() if key != "invocation_params"},
    }


def _usage(cells: Mapping[str, Any], outputs: object) -> dict[str, object]:
    """What the run says of itself, else what the model's answer does; of model calls alone, since a
    run above repeats the sum."""
    answer = object_of(outputs)
    usage = object_of(answer.get("usage_metadata")) or object_of(answer.get("usage"))
    usage = usage or object_of(object_of(answer.get("llm_output")).get("token_usage"))
    read = object_of(cells.get("prompt_token_details")) or object_of(usage.get("input_token_details"))
    written = object_of(cells.get("completion_token_details")) or object_of(usage.get("output_token_details"))
    told = {
        "gen_ai.usage.input_tokens": (
            cells.get("prompt_tokens"),
            usage.get("input_tokens"),
            usage.get("prompt_tokens"),
        ),
        "gen_ai.usage.output_tokens": (
            cells.get("completion_tokens"),
            usage.get("output_tokens"),
            usage.get("completion_tokens"),
        ),
        "gen_ai.usage.total_tokens": (cells.get("total_tokens"), usage.get("total_tokens")),
        "gen_ai.usage.cost": (cells.get("total_cost"),),
        "gen_ai.usage.cache_read.input_tokens": (read.get("cache_read"),),
        "gen_ai.usage.cache_write.input_tokens": (read.get("cache_creation"),),
        "gen_ai.usage.reasoning.output_tokens": (written.get("reasoning"),),
    }
    numbers = {key: next((n for n in map(number_of, choices) if n), None) for key, choices in told.items()}
    return dict(numbers)


def _events(number: int, cells: Mapping[str, Any], start_ns: int) -> list[EventRow]:
    events = []
    if cells.get("error"):
        end_ns = moment_or_none(cells.get("end_time"), number, "end_time") or start_ns
        events.append(EventRow(end_ns, "exception", {"exception.message": str(cells["error"])}))
    first = moment_or_none(cells.get("first_token_time"), number, "first_token_time")
    if first is not None:
        events.append(EventRow(first, "new_token", {}))
    return events


def _feedback(row: Row, basket: Basket) -> None:
    cells = row.cells
    run = cells.get("run_id")
    trace = cells.get("trace_id")
    if not cells.get("key"):
        raise FileError(f"row {row.number} is feedback without a `key`", row=row.number, column="key")
    if not (run or trace):
        raise FileError(f"row {row.number} is feedback on no run", row=row.number, column="run_id")
    source = object_of(cells.get("feedback_source"))
    kind = _SOURCES.get(str(source.get("type") or ""), "code")
    score, value = cells.get("score"), cells.get("value")
    basket.opinion(
        time_ns=moment_or_none(cells.get("created_at"), row.number, "created_at") or row.number,
        trace_id=hex_id(trace, 32, row.number, "trace_id") if trace else "",
        span_id=hex_id(run, 16, row.number, "run_id") if run else "",
        name=str(cells["key"]),
        value=score if number_of(score) is not None else value,
        label="" if number_of(value) is not None or value is None else json_text(parsed(value)),
        explanation=str(cells.get("comment") or ""),
        source=kind,
        rater=str(source.get("user_id") or "") if kind == "human" else "",
    )
