"""A way in that takes everything, and what the Ingest page is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assay.errors import AssayError
from assay.records import (
    Arrival,
    AttributeKey,
    Feedback,
    IngestCount,
    IngestMinute,
    IngestStatus,
    Received,
    RejectedReason,
    RejectedSpan,
    Window,
)

START = datetime(2025, 11, 20, 12, tzinfo=UTC)
_TURNED_AWAY = RejectedSpan(
    received_at=START, kind="traces", span_id="00f067aa0ba902b7", reason="no valid trace id"
)
_MINUTE = IngestMinute(minute=START, requests=7, spans=3_000, bytes=6_000_000, rejected=1, refused=2)
_COUNT = IngestCount(name="http", requests=7, spans=3_000, bytes=6_000_000, last=START)
STATUS = IngestStatus(
    window=Window(start=START, end=START + timedelta(hours=1)),
    spans_per_s=12.5,
    lag_p50_ms=300.0,
    lag_p99_ms=900.0,
    waiting_bytes=2_000_000,
    waiting_limit_bytes=2**30,
    oldest_waiting_s=0.4,
    problem="",
    totals=_MINUTE,
    minutes=(_MINUTE,),
    answers=(replace(_COUNT, name="200"), IngestCount(name="503", requests=2, last=START)),
    transports=(_COUNT,),
    agents=(replace(_COUNT, name="<script>alert(1)</script>"),),
    services=(replace(_COUNT, name="shop", rejected=1),),
    sdks=(replace(_COUNT, name="opentelemetry python 1.45.2"),),
    scopes=(replace(_COUNT, name="openinference.instrumentation.openai"),),
    unmapped=(AttributeKey(key="shop.order.N.id", spans=40),),
    reasons=(
        RejectedReason(reason="no valid trace id", service="shop", count=1, last=START, example=_TURNED_AWAY),
    ),
    rejected=(_TURNED_AWAY,),
    repaired=4,
    redactions=0,
    metrics_dropped=9,
    dead=0,
    dead_folder="/data/journal/dead",
)


class FakeDoor:
    """Takes everything, from a thread of its own as the real one does. Set `error` to have it raise it,
    `late` to have it answer with that."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.late: AssayError | None = None
        self.arrivals: list[Arrival] = []
        self.given: list[Feedback] = []
        self.refusals: list[tuple[int, str]] = []
        self.answered = Received(accepted=3)
        self.quick, self.started = True, False

    def start(self) -> None:
        self.started = True

    def is_quick(self, arrival: Arrival) -> bool:
        return self.quick

    def take(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> None:
        if self.error is not None:
            raise self.error
        self.arrivals.append(arrival)
        threading.Thread(target=answer, args=(self.late or self.answered,)).start()

    def feedback(self, given: Sequence[Feedback], transport: str, agent: str) -> int:
        if self.error is not None:
            raise self.error
        self.given.extend(given)
        return 0

    def refused(self, status: int, transport: str, agent: str) -> None:
        self.refusals.append((status, transport))
