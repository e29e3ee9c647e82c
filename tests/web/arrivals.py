"""A canned answer of how taking in goes, some of it hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assay.records import Window
from assay.records.ingest import (
    AttributeKey,
    IngestCount,
    IngestMinute,
    IngestStatus,
    RejectedReason,
    RejectedSpan,
)

SCRIPT = "<script>document.title='owned'</script>"
BIDI = "pay \u202eevil\u202c now"
CONTROL = "bell\x07 null\x00 escape\x1b[31m"
NOW = datetime(2025, 11, 20, 22, 30, 30, tzinfo=UTC)
HOUR = Window(start=NOW - timedelta(hours=1), end=NOW)


def named(name: str, spans: int, **more: int) -> IngestCount:
    return IngestCount(name=name, spans=spans, last=NOW, **more)


def minutes(window: Window) -> tuple[IngestMinute, ...]:
    """A minute with arrivals, then one without, and so on."""
    first = window.start.replace(second=0)
    return tuple(
        IngestMinute(
            minute=first + timedelta(minutes=place),
            requests=4,
            spans=1_800 + 31 * place,
            records=40,
            bytes=4_100_000,
            rejected=3 if place == 20 else 0,
        )
        for place in range(0, 60, 2)
    )


_REJECTED = RejectedSpan(
    received_at=NOW,
    kind="traces",
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span_id="00f067aa0ba902b7",
    service=SCRIPT,
    reason=f"span has no valid trace id (16 bytes, not all zero) {BIDI}",
    user_agent=f"OTel-OTLP-Exporter-Python/1.45.1 {CONTROL}",
    transport="http",
    count=3,
)

STATUS = IngestStatus(
    window=HOUR,
    spans_per_s=63.4,
    lag_p50_ms=480.0,
    lag_p99_ms=1_350.0,
    waiting_bytes=2_400_000,
    waiting_limit_bytes=256_000_000,
    oldest_waiting_s=0.4,
    problem="",
    totals=IngestMinute(
        minute=HOUR.start, requests=120, spans=80_970, records=1_200, bytes=123_000_000, rejected=3, refused=2
    ),
    minutes=minutes(HOUR),
    answers=(named("200", 80_970, requests=118), named("503", 0, requests=2)),
    transports=(named("http", 60_000, requests=90), named("grpc", 20_970, requests=30)),
    agents=(named("OTel-OTLP-Exporter-Python/1.45.1", 80_970, requests=120),),
    services=(named("support-assistant", 70_000), named(SCRIPT, 10_970, rejected=3)),
    sdks=(named("opentelemetry python 1.45.0", 80_970),),
    scopes=(named("openinference.instrumentation.openai", 70_000), named("", 10_970)),
    unmapped=(AttributeKey(key="shop.basket.N.sku", spans=812), AttributeKey(key=SCRIPT, spans=3)),
    reasons=(
        RejectedReason(
            reason=_REJECTED.reason, service=_REJECTED.service, count=3, last=NOW, example=_REJECTED
        ),
    ),
    rejected=(_REJECTED,),
    repaired=5,
    redactions=12,
    metrics_dropped=340,
    dead=0,
    dead_folder="",
)

QUIET = replace(
    STATUS,
    spans_per_s=0.0,
    lag_p50_ms=None,
    lag_p99_ms=None,
    waiting_bytes=0,
    oldest_waiting_s=0.0,
    totals=IngestMinute(minute=HOUR.start),
    minutes=(),
    answers=(),
    transports=(),
    agents=(),
    services=(),
    sdks=(),
    scopes=(),
    unmapped=(),
    reasons=(),
    rejected=(),
    repaired=0,
    redactions=0,
    metrics_dropped=0,
)
