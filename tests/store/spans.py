"""Small conversations as spans, for tests of what is computed from them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from assay.store.telemetry.connection import Telemetry

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


def trace_id(name: str) -> str:
    """A trace id that a name stands for."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def turn(
    name: str,
    talk: str = "",
    *,
    user: str = "",
    asked: str = "",
    answered: str = "It is on its way.",
    minute: float = 0.0,
    seconds: float = 2.0,
    error: bool = False,
    tool_error: bool | None = None,
    calls: tuple[tuple[str, int, int], ...] = (),
    span: str = "root",
    start: datetime = START,
    **attributes: str,
) -> list[dict[str, Any]]:
    """One interaction: its root span, a span for each model call, and one for a tool where asked for."""
    begun = start + timedelta(minutes=minute)
    root = _span(name, span, begun, seconds, "invoke_agent", attributes, error=error)
    root["SpanAttributes"] += [
        ("gen_ai.input.messages", _message("user", asked or f"Question {name}")),
        ("gen_ai.output.messages", _message("assistant", answered)),
        *([("gen_ai.conversation.id", talk)] if talk else []),
        *([("user.id", user)] if user else []),
    ]
    spans = [root]
    for number, (model, read, wrote) in enumerate(calls):
        usage = {
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": str(read),
            "gen_ai.usage.output_tokens": str(wrote),
        }
        spans.append(_span(name, f"call {number}", begun, 1.0, "chat", usage, parent=span))
    if tool_error is not None:
        tool = {"gen_ai.tool.name": "find", "gen_ai.tool.call.result": "x"}
        spans.append(_span(name, "tool", begun, 1.0, "execute_tool", tool, parent=span, error=tool_error))
    return spans


def put(t: Telemetry, *turns: list[dict[str, Any]]) -> None:
    """Store the spans of these turns."""
    pairs = pa.map_(pa.string(), pa.string())
    rows = [span for spans in turns for span in spans]
    kinds = {"SpanAttributes": pairs, "ResourceAttributes": pairs, "Duration": pa.uint64()}
    arrays = {name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]}
    t.insert("otel_traces", pa.table(arrays))


def _span(
    name: str,
    span: str,
    begun: datetime,
    seconds: float,
    operation: str,
    attributes: dict[str, str],
    *,
    parent: str = "",
    error: bool = False,
) -> dict[str, Any]:
    key = f"{name} {span}"
    return {
        "Timestamp": begun,
        "TraceId": trace_id(name),
        "SpanId": trace_id(key)[:16],
        "ParentSpanId": trace_id(f"{name} {parent}")[:16] if parent else "",
        "SpanName": operation,
        "SpanKind": "Internal",
        "ServiceName": "shop",
        "ResourceAttributes": [("service.version", "v7")],
        "SpanAttributes": [("gen_ai.operation.name", operation), *attributes.items()],
        "Duration": int(seconds * 1e9),
        "StatusCode": "Error" if error else "Ok",
        "StatusMessage": "it broke" if error else "",
    }


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])
