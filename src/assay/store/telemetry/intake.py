"""What was taken in, counted by minute, and what was turned away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from assay.records import RejectedSpan, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.schema import Table

INTAKE = Table(
    name="intake",
    columns=(
        "minute DateTime('UTC')",
        "dimension LowCardinality(String)",
        "name String",
        "run String",
        "requests UInt64",
        "spans UInt64",
        "records UInt64",
        "bytes UInt64",
        "rejected UInt64",
        "written_at DateTime64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="written_at",
    partition_by="toYYYYMM(minute)",
    order_by="(dimension, minute, name, run)",
    shard_by="cityHash64(dimension, name)",
)
"""A row for each minute and name (a service, an SDK, ...) holds all that one process (`run`) has
counted of it, so that writing it again, with more in it, replaces it."""

REJECTED = Table(
    name="rejected",
    columns=(
        "received_at DateTime64(6, 'UTC')",
        "kind LowCardinality(String)",
        "trace_id String",
        "span_id String",
        "service LowCardinality(String)",
        "reason String",
        "user_agent LowCardinality(String)",
        "transport LowCardinality(String)",
        "count UInt64",
    ),
    engine="ReplacingMergeTree",
    version="count",
    partition_by="toYYYYMM(received_at)",
    order_by="(received_at, kind, service, reason, trace_id, span_id)",
    shard_by="cityHash64(reason)",
)

_TIME = pa.timestamp("us", "UTC")
_COUNTS = ("requests", "spans", "records", "bytes", "rejected")


class IntakeRow(NamedTuple):
    """What one process counted of one name in one minute."""

    minute: datetime
    dimension: str
    name: str
    requests: int = 0
    spans: int = 0
    records: int = 0
    bytes: int = 0
    rejected: int = 0
    last: datetime | None = None


def write_intake(t: Telemetry, run: str, rows: Sequence[IntakeRow], now: datetime) -> None:
    """Keep the counts of a process; what it wrote before of the same minutes and names is replaced."""
    if not rows:
        return
    columns = {
        "minute": pa.array([row.minute for row in rows], pa.timestamp("s", "UTC")),
        "dimension": [row.dimension for row in rows],
        "name": [row.name for row in rows],
        "run": [run] * len(rows),
        **{key: pa.array([getattr(row, key) for row in rows], pa.uint64()) for key in _COUNTS},
        "written_at": pa.array([now] * len(rows), _TIME),
    }
    t.insert("intake", pa.table(columns))


def read_intake(t: Telemetry, window: Window, *, but_run: str, but_since: datetime) -> list[IntakeRow]:
    """What all processes have counted in the window: by minute of `all` and `refused`, over the whole
    window of the other dimensions. Left out is what one process has counted since then: it knows."""
    sums = ", ".join(f"sum({key}) AS all_{key}" for key in _COUNTS)
    rows = t.query(
        f"""
        SELECT if(dimension IN ('all', 'refused'), minute, toDateTime(0, 'UTC')) AS at, dimension, name,
            {sums}, max(minute) AS last
        FROM intake FINAL
        WHERE minute >= {{start:DateTime('UTC')}} AND minute <= {{end:DateTime('UTC')}}
            AND (run != {{run:String}} OR minute < {{since:DateTime('UTC')}})
        GROUP BY at, dimension, name
        """,
        {
            "start": window.start.replace(second=0, microsecond=0),
            "end": window.end.replace(microsecond=0),
            "run": but_run,
            "since": but_since,
        },
    ).to_pylist()
    return [
        IntakeRow(
            minute=_utc(row["at"]),
            dimension=row["dimension"],
            name=row["name"],
            last=_utc(row["last"]),
            **{key: row[f"all_{key}"] for key in _COUNTS},
        )
        for row in rows
    ]


def write_rejected(t: Telemetry, rows: Sequence[RejectedSpan]) -> None:
    """Keep what was turned away."""
    if not rows:
        return
    columns: dict[str, Any] = {key: [getattr(row, key) for row in rows] for key in asdict(rows[0])}
    columns["received_at"] = pa.array(columns["received_at"], _TIME)
    columns["count"] = pa.array(columns["count"], pa.uint64())
    t.insert("rejected", pa.table(columns))


def read_rejected(t: Telemetry, window: Window, limit: int = 100) -> list[RejectedSpan]:
    """The newest that were turned away in the window."""
    rows = t.query(
        """
        SELECT * FROM rejected FINAL
        WHERE received_at >= {start:DateTime64(6, 'UTC')} AND received_at <= {end:DateTime64(6, 'UTC')}
        ORDER BY received_at DESC, trace_id, span_id
        LIMIT {limit:UInt64}
        """,
        {"start": window.start, "end": window.end, "limit": limit},
    ).to_pylist()
    return [RejectedSpan(**{**row, "received_at": _utc(row["received_at"])}) for row in rows]


class ReasonRow(NamedTuple):
    """All that was turned away of one service for one reason."""

    service: str
    reason: str
    spans: int
    example: RejectedSpan


def read_reasons(t: Telemetry, window: Window, limit: int = 50) -> list[ReasonRow]:
    """Why spans were turned away in the window, the most frequent reason first. Numbers, ids and names in
    a reason do not make it another."""
    rows = t.query(
        """
        SELECT service AS of_service,
            replaceRegexpAll(reason, '[0-9a-f]{16,}|[0-9]+([.,][0-9]+)*', '#') AS cause,
            sum(count) AS spans,
            argMax((received_at, kind, trace_id, span_id, reason, user_agent, transport),
                received_at) AS newest
        FROM rejected FINAL
        WHERE received_at >= {start:DateTime64(6, 'UTC')} AND received_at <= {end:DateTime64(6, 'UTC')}
        GROUP BY of_service, cause
        ORDER BY spans DESC, cause
        LIMIT {limit:UInt64}
        """,
        {"start": window.start, "end": window.end, "limit": limit},
    ).to_pylist()
    return [_reason(row) for row in rows]


def _reason(row: Mapping[str, Any]) -> ReasonRow:
    at, kind, trace_id, span_id, reason, agent, transport = row["newest"].values()
    example = RejectedSpan(
        received_at=_utc(at),
        kind=kind,
        trace_id=trace_id,
        span_id=span_id,
        service=row["of_service"],
        reason=reason,
        user_agent=agent,
        transport=transport,
    )
    return ReasonRow(row["of_service"], reason, row["spans"], example)


def _utc(at: datetime | int) -> datetime:
    if isinstance(at, int):
        return datetime.fromtimestamp(at, UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
