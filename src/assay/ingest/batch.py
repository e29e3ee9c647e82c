"""Spans and log records on their way in, one by one: each is checked, repaired or turned away alone."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from assay.ingest.columns import (
    EARLIEST_NS,
    EVENT_NAME,
    KINDS,
    LATEST_NS,
    REPAIRED,
    STATUSES,
    EventRow,
    LinkRow,
    Origin,
    RecordRow,
    SpanRow,
    Text,
    records_table,
    spans_table,
)
from assay.ingest.payload import Limits
from assay.ingest.rejection import Rejection, Rejections
from assay.ingest.shapes import Tree

_ZERO_TRACE, _ZERO_SPAN = "0" * 32, "0" * 16
_NO_TRACE = "no valid trace id (16 bytes, not all zero)"
_NO_SPAN = "no valid span id (8 bytes, not all zero)"


class Batch:
    """Collects items; ids come as lower hex, texts as text or UTF-8 bytes.

    With `keep` false they are only counted. `received_ns` is the time of what has none."""

    def __init__(self, limits: Limits, *, keep: bool = True) -> None:
        self.limits, self.keep, self.received_ns = limits, keep, 0
        self.items = 0
        self.spans: list[SpanRow] = []
        self.records: list[RecordRow] = []
        self.origins: list[Origin] = []
        self.rejections = Rejections()

    def open(self, origin: Origin) -> None:
        """What is added from now on comes from here."""
        self.origins.append(origin)

    def reject(self, reason: str, count: int = 1, *, trace: str = "", span: str = "") -> None:
        """Turn items away, and the rest not."""
        if count:
            service = self.origins[-1].service if self.origins else ""
            self.rejections.add(
                Rejection(
                    trace_id=trace,
                    span_id=span,
                    service=service.decode("utf-8", "replace") if isinstance(service, bytes) else service,
                    reason=reason,
                    count=count,
                )
            )

    def table(self, tree: Tree) -> pa.Table:
        """What was taken."""
        if tree == "traces":
            return spans_table(self.spans, self.origins)
        return records_table(self.records, self.origins)

    def admits(self, trace: str, span: str) -> bool:
        """Count a span with these ids, or reject it."""
        if len(trace) != 32 or trace == _ZERO_TRACE:
            self.reject(_NO_TRACE, trace=trace, span=span)
            return False
        if len(span) != 16 or span == _ZERO_SPAN:
            self.reject(_NO_SPAN, trace=trace, span=span)
            return False
        self.items += 1
        return True

    def add_span(
        self,
        trace: str,
        span: str,
        parent: str,
        state: Text,
        name: Text,
        kind: int,
        start_ns: int,
        end_ns: int,
        status: int,
        message: Text,
        attributes: dict[Text, Text],
        events: Sequence[EventRow],
        links: Sequence[LinkRow],
    ) -> None:
        """Take a span, or reject it where its ids are no ids."""
        if not self.admits(trace, span) or not self.keep:
            return
        repaired = ""
        if not EARLIEST_NS <= start_ns <= LATEST_NS:
            repaired, start_ns = "start_time", self.received_ns
        if not start_ns <= end_ns <= LATEST_NS:
            repaired, end_ns = repaired or "end_time", start_ns
        if repaired:
            _put(attributes, REPAIRED, repaired)
        self.spans.append(
            SpanRow(
                start_ns,
                trace,
                span,
                parent if len(parent) == 16 and parent != _ZERO_SPAN else "",
                state,
                name,
                KINDS[kind] if 0 <= kind < len(KINDS) else KINDS[0],
                len(self.origins) - 1,
                attributes,
                end_ns - start_ns,
                STATUSES[status] if 0 <= status < len(STATUSES) else STATUSES[0],
                message,
                [
                    one if EARLIEST_NS <= one.time_ns <= LATEST_NS else one._replace(time_ns=start_ns)
                    for one in events
                ]
                if events
                else (),
                links,
            )
        )

    def add_record(
        self,
        trace: str,
        span: str,
        flags: int,
        time_ns: int,
        severity: int,
        severity_text: Text,
        body: Text,
        attributes: dict[Text, Text],
        event: Text,
    ) -> None:
        """Take a log record. One without ids belongs to no trace, and may."""
        self.items += 1
        if not self.keep:
            return
        if event and not _get(attributes, EVENT_NAME):
            _put(attributes, EVENT_NAME, event)
        if not EARLIEST_NS <= time_ns <= LATEST_NS:
            time_ns = self.received_ns
            _put(attributes, REPAIRED, "time")
        self.records.append(
            RecordRow(
                time_ns,
                trace if len(trace) == 32 and trace != _ZERO_TRACE else "",
                span if len(span) == 16 and span != _ZERO_SPAN else "",
                flags & 0xFF,
                severity_text,
                severity if 0 <= severity < 256 else 0,
                body,
                len(self.origins) - 1,
                attributes,
                event or _get(attributes, EVENT_NAME),
            )
        )


def _get(attributes: dict[Text, Text], key: str) -> Text:
    return attributes.get(key) or attributes.get(key.encode()) or ""


def _put(attributes: dict[Text, Text], key: str, value: Text) -> None:
    """Set an attribute whose key may stand there as text or as bytes."""
    attributes[key.encode() if key.encode() in attributes else key] = value
