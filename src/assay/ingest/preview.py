"""What an import would bring, without bringing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.ingest.plan import Plan, Traces
from assay.records import Progress, no_progress

_EXAMPLES = 5
_SPANS = 8
_ATTRIBUTES = 12
_CHARS = 100


def preview(plan: Plan, progress: Progress = no_progress) -> dict[str, Any]:
    """Counts of all of the file, why rows would be left out, the spans of its first trace, and notes."""
    rows = spans = evaluations = rejected = 0
    traces = Traces()
    examples: list[str] = []
    first: list[dict[str, Any]] = []
    for batch in plan.batches():
        rows = batch.rows
        spans += batch.spans.num_rows
        evaluations += batch.records.num_rows
        rejected += len(batch.rejected)
        examples += [one.reason for one in batch.rejected[: _EXAMPLES - len(examples)]]
        traces.add(batch.spans)
        if batch.spans.num_rows and not first:
            first = _tree(batch.spans)
        progress(f"reading {plan.file}", rows, plan.total)
    return {
        "file": plan.file,
        "format": plan.format,
        "rows": rows,
        "traces": traces.count(),
        "spans": spans,
        "evaluations": evaluations,
        "rejected": rejected,
        "examples": examples,
        "first_trace": first,
        "notes": list(plan.notes()),
    }


def _tree(spans: pa.Table) -> list[dict[str, Any]]:
    """The spans of the table's first trace, each below its parent, shortened."""
    trace = spans["TraceId"][0].as_py()
    rows = spans.filter(pc.field("TraceId") == pc.scalar(trace)).slice(0, 1000)
    micro = rows.set_column(0, "Timestamp", rows["Timestamp"].cast(pa.timestamp("us", "UTC"), safe=False))
    told = micro.select(
        ["Timestamp", "SpanId", "ParentSpanId", "SpanName", "StatusCode", "SpanAttributes"]
    ).to_pylist()
    known = {row["SpanId"] for row in told}
    found: list[dict[str, Any]] = []
    waiting = [(row, 0) for row in _by_time(told) if row["ParentSpanId"] not in known][::-1]
    while waiting and len(found) < _SPANS:
        row, depth = waiting.pop()
        found.append(_shown(row, depth))
        below = [one for one in told if one["ParentSpanId"] == row["SpanId"] and one is not row]
        waiting += [(one, depth + 1) for one in _by_time(below)[::-1]]
    return found


def _by_time(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["Timestamp"], row["SpanId"]))


def _shown(row: dict[str, Any], depth: int) -> dict[str, Any]:
    attributes = dict(row["SpanAttributes"][:_ATTRIBUTES])
    return {
        "depth": depth,
        "name": row["SpanName"],
        "start": row["Timestamp"].isoformat(sep=" ", timespec="milliseconds"),
        "status": row["StatusCode"],
        "attributes": {
            key: text if len(text) <= _CHARS else text[: _CHARS - 1] + "…" for key, text in attributes.items()
        },
    }
