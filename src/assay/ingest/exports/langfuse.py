"""Langfuse: observations, traces and scores of its exports and API, in the attributes of its SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from assay.errors import FileError
from assay.ingest.exports.basket import (
    Basket,
    attribute_text,
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

_UPPER: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_SHARED: Final = {
    "id",
    "trace_id",
    "name",
    "environment",
    "metadata",
    "version",
    "input",
    "output",
    "user_id",
    "session_id",
    "trace_name",
    "tags",
    "release",
    "public",
    "bookmarked",
    "timestamp",
    "created_at",
    "updated_at",
    "project_id",
    "latency",
    "total_cost",
    "is_root_observation",
}
_OBSERVATION: Final = _SHARED | {
    "type",
    "parent_observation_id",
    "start_time",
    "end_time",
    "level",
    "status_message",
    "provided_model_name",
    "model",
    "internal_model_id",
    "model_id",
    "model_parameters",
    "usage_details",
    "usage",
    "cost_details",
    "completion_start_time",
    "time_to_first_token",
    "prompt_name",
    "prompt_version",
    "prompt_id",
    "tool_calls",
    "tool_call_names",
    "tool_definitions",
    "usage_pricing_tier_id",
    "usage_pricing_tier_name",
    "input_price",
    "output_price",
    "total_price",
    "input_usage",
    "output_usage",
    "total_usage",
}
_TRACE: Final = _SHARED | {"observations", "scores", "html_path", "external_id"}
_SCORE: Final = {
    "id",
    "timestamp",
    "project_id",
    "environment",
    "trace_id",
    "observation_id",
    "session_id",
    "dataset_run_id",
    "name",
    "value",
    "source",
    "comment",
    "data_type",
    "string_value",
    "created_at",
    "updated_at",
    "metadata",
    "author_user_id",
    "config_id",
    "queue_id",
    "evaluator_id",
    "evaluation_rule_id",
    "execution_trace_id",
    "user_id",
    "trace_name",
    "trace",
}
_SOURCES: Final = {"ANNOTATION": "human", "EVAL": "llm", "API": "code"}
_USAGE_NAMES: Final = {"promptTokens": "input", "completionTokens": "output", "totalTokens": "total"}


def fits(columns: set[str]) -> bool:
    names = {_snake(one) for one in columns}
    return _is_score(names) or _is_observation(names) or _is_trace(names)


def _is_score(names: set[str]) -> bool:
    return {"name", "value", "data_type"} <= names and bool(
        names & {"trace_id", "session_id", "observation_id"}
    )


def _is_observation(names: set[str]) -> bool:
    return {"id", "trace_id", "type", "start_time"} <= names


def _is_trace(names: set[str]) -> bool:
    marks = {"bookmarked", "public", "release", "html_path", "session_id", "user_id", "tags"}
    return {"id", "timestamp", "name"} <= names and len(names & marks) >= 4 and "messages" not in names


def unknown(columns: set[str]) -> set[str]:
    """Columns that are not taken."""
    names = {_snake(one) for one in columns}
    taken = _SCORE if _is_score(names) else _OBSERVATION if _is_observation(names) else _TRACE
    return {one for one in columns if _snake(one) not in taken}


def take(row: Row, basket: Basket) -> None:
    """Put what the row holds into the basket. Raises FileError where it holds nothing of Langfuse's."""
    cells = {_snake(name): cell for name, cell in row.cells.items()}
    names = set(cells)
    if _is_score(names):
        _score(row.number, cells, basket)
    elif _is_observation(names):
        _observation(row.number, cells, {}, basket)
    elif _is_trace(names):
        _trace(row.number, cells, basket)
    else:
        raise FileError(f"row {row.number} is neither an observation nor a trace nor a score", row=row.number)


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _UPPER.sub(r"_\1", name.strip()).lower().replace(" ", "_")


def _observation(
    number: int, cells: Mapping[str, Any], trace: Mapping[str, Any], basket: Basket, under: str = ""
) -> None:
    parent = attribute_text(cells.get("parent_observation_id"))
    kind = str(cells.get("type") or "SPAN").lower()
    level = str(cells.get("level") or "")
    start_ns = moment(cells.get("start_time"), number, "start_time")
    basket.span(
        trace_id=hex_id(cells.get("trace_id"), 32, number, "trace_id"),
        span_id=hex_id(cells.get("id"), 16, number, "id"),
        parent_id=hex_id(parent, 16, number, "parent_observation_id") if parent else under,
        name=attribute_text(cells.get("name")) or kind,
        start_ns=start_ns,
        end_ns=moment_or_none(cells.get("end_time"), number, "end_time"),
        attributes={
            **_of_trace(cells, trace),
            "langfuse.trace.name": cells.get("trace_name") or trace.get("name"),
            "langfuse.observation.type": kind,
            "langfuse.observation.level": level if level != "DEFAULT" else None,
            "langfuse.observation.status_message": cells.get("status_message"),
            "langfuse.observation.input": _value(cells.get("input")),
            "langfuse.observation.output": _value(cells.get("output")),
            **_of_model(cells),
            **_metadata("langfuse.observation.metadata", cells.get("metadata")),
        },
        resource=_resource(cells, trace),
        scope="langfuse-sdk",
        status="Error" if level == "ERROR" else "Unset",
        message=attribute_text(cells.get("status_message")) if level == "ERROR" else "",
    )


def _of_model(cells: Mapping[str, Any]) -> dict[str, object]:
    started = attribute_text(cells.get("completion_start_time"))
    usage = object_of(cells.get("usage_details")) or _old_usage(cells)
    costs = object_of(cells.get("cost_details"))
    if not costs and number_of(cells.get("total_cost")):
        costs = {"total": number_of(cells.get("total_cost"))}
    return {
        "langfuse.observation.model.name": cells.get("provided_model_name") or cells.get("model"),
        "langfuse.observation.model.parameters": parsed(cells.get("model_parameters")),
        "langfuse.observation.usage_details": usage,
        "langfuse.observation.cost_details": costs,
        "langfuse.observation.completion_start_time": f'"{started}"' if started else None,
        "langfuse.observation.prompt.name": cells.get("prompt_name"),
        "langfuse.observation.prompt.version": cells.get("prompt_version"),
    }


def _old_usage(cells: Mapping[str, Any]) -> dict[str, object]:
    """How usage was told before `usage_details`."""
    told = object_of(cells.get("usage"))
    usage: dict[str, object] = {
        _USAGE_NAMES.get(key, key): value
        for key, value in told.items()
        if number_of(value) is not None and _USAGE_NAMES.get(key, key) in ("input", "output", "total")
    }
    for side in ("input", "output", "total"):
        if number_of(cells.get(f"{side}_usage")):
            usage.setdefault(side, cells[f"{side}_usage"])
    return {key: value for key, value in usage.items() if value}


def _of_trace(cells: Mapping[str, Any], trace: Mapping[str, Any]) -> dict[str, object]:
    """What each span of a trace carries of it, as the SDK sends it."""

    def told(name: str) -> object:
        return cells.get(name) or trace.get(name)

    return {
        "user.id": told("user_id"),
        "session.id": told("session_id"),
        "langfuse.trace.tags": parsed(told("tags")),
        "langfuse.release": told("release"),
        "langfuse.version": told("version"),
        "langfuse.environment": told("environment"),
    }


def _resource(cells: Mapping[str, Any], trace: Mapping[str, Any]) -> dict[str, object]:
    environment = cells.get("environment") or trace.get("environment")
    return {
        "deployment.environment.name": environment if environment != "default" else None,
        "service.version": cells.get("release") or trace.get("release"),
    }


def _metadata(prefix: str, cell: object) -> dict[str, object]:
    found = parsed(cell)
    if isinstance(found, dict):
        return {
            f"{prefix}.{key}": value
            for key, value in found.items()
            if key not in ("resourceAttributes", "scope", "attributes")
        }
    return {prefix: found} if attribute_text(found) else {}


def _value(cell: object) -> object:
    return json_text(cell) if isinstance(cell, dict | list) else cell


def _trace(number: int, cells: Mapping[str, Any], basket: Basket) -> None:
    """A trace's own row: a span with what belongs to all of it, and the observations that it holds."""
    trace_id = hex_id(cells.get("id"), 32, number, "id")
    start_ns = moment(cells.get("timestamp"), number, "timestamp")
    own = hex_id(f"trace {trace_id}", 16, number, "id")
    latency = number_of(cells.get("latency"))
    basket.span(
        trace_id=trace_id,
        span_id=own,
        name=attribute_text(cells.get("name")) or "trace",
        start_ns=start_ns,
        end_ns=start_ns + round(latency * 1e9) if latency and 0 < latency < 86_400 else None,
        attributes={
            **_of_trace(cells, {}),
            "langfuse.trace.name": cells.get("name"),
            "langfuse.trace.public": cells.get("public"),
            "langfuse.trace.input": _value(cells.get("input")),
            "langfuse.trace.output": _value(cells.get("output")),
            **_metadata("langfuse.trace.metadata", cells.get("metadata")),
        },
        resource=_resource(cells, {}),
        scope="langfuse-sdk",
    )
    for one in objects_of(cells.get("observations")):
        inner = {_snake(name): cell for name, cell in one.items()}
        _observation(number, {"trace_id": cells.get("id"), **inner}, cells, basket, own)
    for one in objects_of(cells.get("scores")):
        inner = {_snake(name): cell for name, cell in one.items()}
        if "name" in inner and "value" in inner:
            _score(number, {"trace_id": cells.get("id"), **inner}, basket)


def _score(number: int, cells: Mapping[str, Any], basket: Basket) -> None:
    trace, span = attribute_text(cells.get("trace_id")), attribute_text(cells.get("observation_id"))
    session = attribute_text(cells.get("session_id"))
    if not (trace or session):
        raise FileError(
            f"row {number} is a score of neither a trace nor a session", row=number, column="trace_id"
        )
    kind = str(cells.get("data_type") or "NUMERIC").upper()
    text = attribute_text(cells.get("string_value"))
    value = cells.get("value")
    source = str(cells.get("source") or "API").upper()
    is_number = kind in ("NUMERIC", "BOOLEAN")
    if not text and not is_number and number_of(value) is None:
        text = attribute_text(value)
    when = cells.get("timestamp") or cells.get("created_at")
    basket.opinion(
        time_ns=moment(when, number, "timestamp"),
        trace_id=hex_id(trace, 32, number, "trace_id") if trace else "",
        span_id=hex_id(span, 16, number, "observation_id") if span else "",
        name=attribute_text(cells.get("name")) or "score",
        value=value if is_number else None,
        label=text if not is_number or text not in ("True", "False") else "",
        explanation=attribute_text(cells.get("comment")),
        source=_SOURCES.get(source, "code"),
        rater=attribute_text(cells.get("author_user_id")) if source == "ANNOTATION" else "",
        attributes={
            "langfuse.score.id": cells.get("id"),
            "langfuse.score.data_type": kind,
            "gen_ai.conversation.id": session if not trace else None,
        },
    )
