"""What happened inside of interactions: spans in the order of their tree, and one of them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from assay.app.parts import Parts
from assay.records import SpanDetail, SpanRow, Timeline
from assay.store.telemetry.timeline import read_lines, read_span

MOST_SPANS = 500
"""Spans of a trace that a timeline shows."""

MOST_DEPTH = 40


def timelines(parts: Parts, trace_ids: Sequence[str]) -> tuple[Timeline, ...]:
    """The timeline of each of these traces that is kept, in the order asked for."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_lines(parts.telemetry, trace_ids, MOST_SPANS) if trace_ids else ():
        found[row["trace_id"]].append(row)
    return tuple(lay_out(found[trace_id]) for trace_id in dict.fromkeys(trace_ids) if trace_id in found)


def span(parts: Parts, trace_id: str, span_id: str) -> SpanDetail | None:
    """One span as it was delivered; None where it is not kept."""
    return read_span(parts.telemetry, trace_id, span_id)


def lay_out(rows: Sequence[Mapping[str, Any]]) -> Timeline:
    """The spans of one trace (rows of `read_lines`), each after its parent and in time order among its
    like. One whose parent is missing, or is beneath it, stands at the top."""
    by_id = {row["span_id"]: row for row in rows}
    beneath: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        known = row["parent_id"] in by_id and row["parent_id"] != row["span_id"]
        beneath[row["parent_id"] if known else ""].append(row)
    times = [row["start_ns"] for row in rows if row["start_ns"] > 0]
    first = min(times, default=0)
    placed: list[SpanRow] = []
    seen: set[str] = set()
    waiting = [(row, 0) for row in reversed(beneath[""])]
    while len(seen) < len(rows):
        if not waiting:  # what is left goes round in a circle
            waiting.append((next(row for row in rows if row["span_id"] not in seen), 0))
        row, depth = waiting.pop()
        if row["span_id"] in seen:
            continue
        seen.add(row["span_id"])
        placed.append(_row(row, depth, first))
        waiting += [(child, min(depth + 1, MOST_DEPTH)) for child in reversed(beneath[row["span_id"]])]
    last = max((row["end_ns"] for row in rows), default=0)
    return Timeline(
        trace_id=rows[0]["trace_id"],
        length_ms=max(last - first, 0) / 1e6 if first else 0.0,
        spans=tuple(placed),
        left_out=max(0, rows[0]["among"] - len(rows)),
    )


def _row(row: Mapping[str, Any], depth: int, first: int) -> SpanRow:
    start, end = row["start_ns"], row["end_ns"]
    begun = start if start > 0 else first
    return SpanRow(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_id=row["parent_id"],
        name=row["name"] or row["kind"] or "span",
        kind=row["kind"],
        started=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=begun // 1000),
        offset_ms=(begun - first) / 1e6,
        duration_ms=max(end - begun, 0) / 1e6,
        depth=depth,
        service=row["service"],
        model=row["model"],
        error=bool(row["error"]),
        message=row["message"],
        input_tokens=row["tokens_in"],
        output_tokens=row["tokens_out"],
    )
