"""What the store says of its own state, and the way of a test span through it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import BESIDE, PRESENT, is_behind, read_known
from assay.store.telemetry.migrations import MIGRATIONS, applied_migrations
from assay.store.telemetry.schema import local_name, on_cluster

PROBE_DAY: Final = date(2000, 1, 2)
"""Test spans are of this day, so that they lie in partitions of their own, which can be dropped."""

AHEAD_S: Final = 300
"""A span this far in the future comes from a clock that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`bytes_per_day` is over the last seven days of spans; `ahead` are services with clocks ahead,
    each with its seconds. `behind`: history was not wholly mapped by this program's mapping."""

    engine: str
    migration: int
    newest_migration: int
    behind: bool
    broken_off: bool
    now: datetime
    bytes: int
    bytes_per_day: float
    ahead: dict[str, int]


def read_health(t: Telemetry) -> Health:
    (row,) = t.query("SELECT version() AS engine, now64(6, 'UTC') AS now").to_pylist()
    (size,) = t.query(
        "SELECT sum(bytes_on_disk) AS bytes, sumIf(bytes_on_disk, "
        "toDateOrZero(partition) BETWEEN today() - 7 AND today() - 1) AS week, "
        "uniqIf(partition, toDateOrZero(partition) BETWEEN today() - 7 AND today() - 1) AS days "
        "FROM system.parts WHERE active AND database = currentDatabase()"
    ).to_pylist()
    ahead = t.query(
        "SELECT toString(ServiceName) AS service, max(dateDiff('second', now64(9), Timestamp)) AS s "
        f"FROM otel_traces WHERE Timestamp > now64(9) + toIntervalSecond({AHEAD_S}) GROUP BY service "
        "ORDER BY s DESC LIMIT 20"
    ).to_pylist()
    beside = local_name(f"{PRESENT.table.name}{BESIDE}", t.topology)
    return Health(
        engine=row["engine"],
        migration=max(applied_migrations(t), default=0),
        newest_migration=max(step.number for step in MIGRATIONS),
        behind=is_behind(t),
        broken_off=beside in read_known(t).objects,
        now=row["now"].astimezone(UTC),
        bytes=size["bytes"] or 0,
        bytes_per_day=(size["week"] or 0) / size["days"] if size["days"] else 0.0,
        ahead={line["service"]: line["s"] for line in ahead},
    )


def find_probe(t: Telemetry, trace_id: str) -> tuple[int, str]:
    """How many rows a test span has, and what was read as its input."""
    (row,) = t.query(
        "SELECT count() AS n FROM otel_traces WHERE TraceId = {id:String} AND toDate(Timestamp) = {day:Date}",
        {"id": trace_id, "day": PROBE_DAY.isoformat()},
    ).to_pylist()
    told = t.query(
        "SELECT input FROM interactions_final WHERE trace_id = {id:String}", {"id": trace_id}
    ).to_pylist()
    return row["n"], told[0]["input"] if told else ""


def remove_probes(t: Telemetry) -> int:
    """Drop what test spans left, in every table; how many tables had some. No application's log is of
    that day, so whole partitions go."""
    day = PROBE_DAY.isoformat()
    names = [local_name(name, t.topology) for name in ("otel_traces", "interactions", "signals")]
    found = t.query(
        "SELECT DISTINCT table, partition_id AS id FROM system.parts WHERE active "
        "AND database = currentDatabase() AND partition = {day:String} AND table IN {names:Array(String)}",
        {"day": day, "names": names},
    ).to_pylist()
    for row in found:
        t.command(f"ALTER TABLE {row['table']}{on_cluster(t.topology)} DROP PARTITION ID '{row['id']}'")
    return len(found)
