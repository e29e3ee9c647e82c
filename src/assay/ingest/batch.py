"""A batch of spans on its way in: each is checked, repaired or turned away alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from assay.errors import PayloadError
from assay.ingest.columns import KINDS, STATUSES, EventRow, LinkRow, Origin, SpanRow, Text, spans_table
from assay.ingest.payload import Limits

REPAIRED = "assay.repaired"
"""The span attribute that names what of a span was mended: `start_time` or `end_time`."""

_ZERO_TRACE, _ZERO_SPAN = "0" * 32, "0" * 16
LATEST_NS = 2**63 - 1
_REASONS = 10
_MB = 2**20


class Decoded(NamedTuple):
    """`spans` in the columns of `otel_traces`; `reasons` says why spans were rejected."""

    spans: pa.Table
    accepted: int
    rejected: int
    reasons: tuple[str, ...]


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / _MB:.1f} MB"


@dataclass(slots=True)
class Batch:
    """Collects spans; ids come as lower hex, attribute keys as text or as its UTF-8 bytes."""

    limits: Limits
    received_ns: int
    rows: list[SpanRow] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    _seen: int = 0
    _shared_bytes: int = 0

    def expect(self, messages: int) -> None:
        """Count what a request holds before it is unfolded. Raises PayloadError (413) over `max_spans`."""
        self._seen += messages
        if self._seen > self.limits.max_spans:
            raise PayloadError(
                f"the request has more than {self.limits.max_spans:,} spans, scopes and resources: "
                "send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE in most SDKs)",
                http_status=413,
            )

    def open(self, origin: Origin, spans: int) -> None:
        """The next `spans` rows come from here. What they share is stored with each of them, so
        a large resource on many spans is refused as the flood that it would become."""
        texts = (*origin.resource, *origin.resource.values(), origin.scope, origin.scope_version)
        self._shared_bytes += spans * sum(map(len, texts))
        if self._shared_bytes > 4 * self.limits.max_request_bytes:
            raise PayloadError(
                f"resource and scope attributes, repeated on each span, come to more than "
                f"{megabytes(4 * self.limits.max_request_bytes)}: send smaller batches",
                http_status=413,
            )
        self.origins.append(origin)

    def reject(self, reason: str, spans: int = 1) -> None:
        """Turn spans away, and the rest of the batch not."""
        self.rejected += spans
        if reason not in self.reasons and len(self.reasons) < _REASONS:
            self.reasons.append(reason)

    def too_large(self, owner: str, key: str, size_bytes: int, spans: int = 1) -> None:
        """Turn a span, or all those of a resource, away for one attribute."""
        limit = megabytes(self.limits.max_attribute_bytes)
        self.reject(
            f"{owner} attribute {key[:100]!r} is {megabytes(size_bytes)}; "
            f"the limit is {limit} (ingest.max_attribute_mb)",
            spans,
        )

    def add(
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
        if len(trace) != 32 or trace == _ZERO_TRACE:
            self.reject(f"span {span[:16] or '(no id)'} has no valid trace id (16 bytes, not all zero)")
            return
        if len(span) != 16 or span == _ZERO_SPAN:
            self.reject(f"a span of trace {trace} has no valid span id (8 bytes, not all zero)")
            return
        if not 0 < start_ns <= LATEST_NS:
            attributes[REPAIRED] = "start_time"
            start_ns = self.received_ns
            end_ns = max(start_ns, end_ns) if end_ns <= LATEST_NS else start_ns
        elif not start_ns <= end_ns <= LATEST_NS:
            attributes[REPAIRED] = "end_time"
            end_ns = start_ns
        self.rows.append(
            SpanRow(
                start_ns,
                trace,
                span,
                parent if len(parent) == 16 and parent != _ZERO_SPAN else "",
                state,
                name,
                KINDS[kind] if 0 <= kind < 6 else KINDS[0],
                len(self.origins) - 1,
                attributes,
                end_ns - start_ns,
                STATUSES[status] if 0 <= status < 3 else STATUSES[0],
                message,
                events,
                links,
            )
        )

    def decoded(self) -> Decoded:
        """The table, and what was turned away."""
        return Decoded(
            spans_table(self.rows, self.origins), len(self.rows), self.rejected, tuple(self.reasons)
        )


__all__ = ["Batch", "Decoded", "Limits"]
