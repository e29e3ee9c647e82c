"""Files of rows that tests write, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.files import ImportOptions, ImportPlan, read_file

START = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


Rows = Sequence[dict[str, Any]]


def write_jsonl(folder: Path, rows: Rows, name: str = "logs.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def spans_of(plan: ImportPlan) -> list[dict[str, Any]]:
    tables = list(plan.span_tables())
    for table in tables:
        table.validate(full=True)
        assert table.schema == SPAN_SCHEMA
    rows = [row for table in tables for row in table.to_pylist()]
    assert len(rows) == plan.spans
    return [row | {"SpanAttributes": dict(row["SpanAttributes"])} for row in rows]


def read(folder: Path, rows: Rows, **options: Any) -> ImportPlan:
    return read_file(write_jsonl(folder, rows), ImportOptions(**options))


def marks_of(plan: ImportPlan, kind: str = "human") -> list[dict[str, Any]]:
    return [row for told, table in plan.marks() if told == kind for row in table.to_pylist()]


def roots(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for span in spans if not span["ParentSpanId"]]


def said(span: dict[str, Any], side: str) -> list[str]:
    messages = json.loads(span["SpanAttributes"].get(f"gen_ai.{side}.messages", "[]"))
    return [part["content"] for message in messages for part in message["parts"]]


CHAT = {
    "id": "c1",
    "timestamp": "2026-05-04T10:00:00Z",
    "user_id": "u1",
    "service": "shop",
    "environment": "prod",
    "version": "v2",
    "model": "m1",
    "meta": {"plan": "pro", "seats": 3, "trial": False, "nested": {"a": 1}, "long": "x" * 300, "none": None},
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is my order?"},
        {"role": "user", "content": [{"type": "text", "text": "It is #7."}, {"type": "image_url"}]},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "t1", "function": {"name": "find_order", "arguments": '{"id": 7}'}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "Error: no such order"},
        {"role": "assistant", "content": "I can't find it."},
        {"role": "user", "content": "Thanks anyway"},
    ],
}
