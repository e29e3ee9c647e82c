"""How taking in goes, for the Ingest page: what the store has counted, and what is not counted there yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from assay.app.door import Door
from assay.errors import StoreError
from assay.ingest.columns import REPAIRED
from assay.ingest.tally import REDACTED, Count, Key
from assay.records import (
    AttributeKey,
    IngestCount,
    IngestMinute,
    IngestStatus,
    RejectedReason,
    RejectedSpan,
    Window,
)
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.conventions import FREE, KEYS
from assay.store.telemetry.intake import (
    IntakeRow,
    read_intake,
    read_reasons,
    read_rejected,
)

LISTED = 100
_KNOWN = frozenset(key for keys in KEYS.values() for key in keys) | {REPAIRED, REDACTED}
_NEVER = datetime.fromtimestamp(0, UTC)


def status(telemetry: Telemetry, door: Door, window: Window, now: datetime) -> IngestStatus:
    """Everything about the window. Where the store can't be asked, what this process knows."""
    door.keep_rejected()
    problem, recent = door.problem, door.tally.recent()
    rows = _rows(recent, window)
    reasons: tuple[RejectedReason, ...] = ()
    rejected: tuple[RejectedSpan, ...] = ()
    try:
        since = datetime.fromtimestamp(60 * min((key[0] for key in recent), default=2**25), UTC)
        rows += read_intake(telemetry, window, but_run=door.run, but_since=since)
        reasons = tuple(
            RejectedReason(
                reason=row.reason,
                service=row.service,
                count=row.spans,
                last=row.example.received_at,
                example=row.example,
            )
            for row in read_reasons(telemetry, window)
        )
        rejected = tuple(read_rejected(telemetry, window, LISTED))
    except StoreError as error:
        problem = problem or str(error)
    of: dict[str, list[IntakeRow]] = defaultdict(list)
    for row in rows:
        of[row.dimension].append(row)
    minutes = _minutes(of["all"], of["refused"])
    backlog, (p50, p99) = door.backlog(), door.lag_ms()
    totals = _total(minutes, window)
    return IngestStatus(
        window=window,
        spans_per_s=door.tally.spans_per_s(),
        lag_p50_ms=p50,
        lag_p99_ms=p99,
        waiting_bytes=backlog.bytes,
        waiting_limit_bytes=door.max_waiting_bytes,
        oldest_waiting_s=max(0.0, now.timestamp() - backlog.oldest_ns / 1e9) if backlog.bytes else 0.0,
        problem=problem,
        totals=totals,
        minutes=minutes,
        answers=_counts(of["answer"]),
        transports=_counts(of["transport"]),
        agents=_counts(of["agent"]),
        services=_counts(of["service"]),
        sdks=_counts(of["sdk"]),
        scopes=_counts(of["scope"]),
        unmapped=tuple(
            AttributeKey(key=one.name, spans=one.spans + one.records)
            for one in _counts(of["key"])
            if not is_known(one.name)
        )[:LISTED],
        reasons=reasons,
        rejected=rejected,
        repaired=sum(row.spans + row.records for row in of["repaired"]),
        redactions=sum(row.records for row in of["redacted"]),
        metrics_dropped=sum(row.requests for row in of["dropped"]),
        dead=sum(1 for _ in door.dead_folder.glob("*.json")) if door.dead_folder.is_dir() else 0,
        dead_folder=str(door.dead_folder),
    )


def is_known(key: str) -> bool:
    """Whether a mapping reads this attribute (its numbers written `N`)."""
    return key in _KNOWN or key.startswith(tuple(FREE))


def _rows(counts: dict[Key, Count], window: Window) -> list[IntakeRow]:
    """What this process has counted of late."""
    return [
        IntakeRow(at, dimension, name, *count, last=at)
        for (minute, dimension, name), count in counts.items()
        if window.start - timedelta(minutes=1)
        < (at := datetime.fromtimestamp(60 * minute, UTC))
        <= window.end
    ]


def _minutes(arrived: Iterable[IntakeRow], refused: Iterable[IntakeRow]) -> tuple[IngestMinute, ...]:
    counts: dict[datetime, Count] = defaultdict(Count)
    for row in arrived:
        counts[row.minute] = counts[row.minute].plus(_count(row))
    no: dict[datetime, int] = defaultdict(int)
    for row in refused:
        no[row.minute] += row.requests
    return tuple(
        IngestMinute(minute=at, refused=no[at], **counts[at]._asdict()) for at in sorted({*counts, *no})
    )


def _total(minutes: Iterable[IngestMinute], window: Window) -> IngestMinute:
    listed = list(minutes)
    keys = ("requests", "spans", "records", "bytes", "rejected", "refused")
    return IngestMinute(minute=window.start, **{key: sum(getattr(m, key) for m in listed) for key in keys})


def _counts(rows: Iterable[IntakeRow]) -> tuple[IngestCount, ...]:
    """What was counted of each name, the most frequent first."""
    counts: dict[str, Count] = defaultdict(Count)
    last: dict[str, datetime] = {}
    for row in rows:
        counts[row.name] = counts[row.name].plus(_count(row))
        last[row.name] = max(row.last or row.minute, last.get(row.name, _NEVER))
    listed = (IngestCount(name=name, last=last[name], **count._asdict()) for name, count in counts.items())
    return tuple(sorted(listed, key=lambda one: (-(one.spans + one.records), -one.requests, one.name)))


def _count(row: IntakeRow) -> Count:
    return Count(row.requests, row.spans, row.records, row.bytes, row.rejected)
