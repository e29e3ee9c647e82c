"""What has outlived its time goes by whole days: a partition is dropped, or its texts are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from assay.records import Removed
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.schema import Topology, local_name, on_cluster

OWN_CONTENT: Final = ("interactions", "embeddings")
CONTENT: Final = ("otel_traces", "otel_logs", *OWN_CONTENT)
TEXTS: Final = {"signals": ("input", "output", "error", "comment"), "scores": ("explanation",)}
"""Columns that hold content in rows that outlive it."""


class Keep(NamedTuple):
    """The days to keep, today not counted; 0 is for ever. Without `spans`, spans and log records are left
    to whoever else keeps them."""

    content_days: int = 0
    facts_days: int = 0
    scores_days: int = 0
    spans: bool = True

    def first_day(self, what: Literal["content", "facts", "scores"], today: date) -> date | None:
        """The first day that is kept; None where all are."""
        days = {"content": self.content_days, "facts": self.facts_days, "scores": self.scores_days}[what]
        return today - timedelta(days=days) if days else None


class _Day(NamedTuple):
    table: str
    what: Literal["rows", "texts"]
    day: date
    partition: str
    rows: int
    bytes: int


def retain(t: Telemetry, keep: Keep, today: date, *, dry_run: bool = False) -> tuple[Removed, ...]:
    """Remove what is older than the days to keep (UTC); what that is, by table.

    Dropping a day costs next to nothing; texts are cleared in place, and their columns alone are
    written again. Doing it again changes nothing."""
    due = list(_due(t, keep, today))
    if not dry_run:
        for day in due:
            t.command(_statement(day, t.topology))
    return tuple(
        Removed(
            table=table,
            what=what,
            days=len(days),
            first=min(one.day for one in days),
            last=max(one.day for one in days),
            rows=sum(one.rows for one in days),
            bytes=sum(one.bytes for one in days),
        )
        for table, what in dict.fromkeys((one.table, one.what) for one in due)
        if (days := [one for one in due if (one.table, one.what) == (table, what)])
    )


def _due(t: Telemetry, keep: Keep, today: date) -> Iterator[_Day]:
    content = keep.first_day("content", today)
    facts = keep.first_day("facts", today)
    scores = keep.first_day("scores", today)
    for table in CONTENT if keep.spans else OWN_CONTENT:
        yield from _older(t, table, content)
    for table in ("signals", "baselines"):
        yield from _older(t, table, facts)
    for table in ("scores", "selections", "receipts"):
        yield from _older(t, table, scores)
    for table, dropped in (("signals", facts), ("scores", scores)):
        yield from _with_texts(t, table, dropped, content)


def _older(t: Telemetry, table: str, first: date | None) -> Iterator[_Day]:
    if first is not None:
        for day in _days(t, table):
            if day.day < first:
                yield day


def _with_texts(t: Telemetry, table: str, dropped: date | None, first: date | None) -> Iterator[_Day]:
    """Days that are kept and still hold texts."""
    if first is None:
        return
    some = " OR ".join(f"{column} != ''" for column in TEXTS[table])
    sizes = " + ".join(f"length({column})" for column in TEXTS[table])
    found = t.query(
        f"SELECT toDate(started) AS day, countIf({some}) AS held, sum({sizes}) AS size FROM {table} "
        "WHERE started < toDateTime64({first:Date}, 6, 'UTC') GROUP BY day HAVING held > 0",
        {"first": first},
    ).to_pylist()
    held = {row["day"]: row for row in found}
    for day in _days(t, table):
        if day.day in held and (dropped is None or day.day >= dropped):
            row = held[day.day]
            yield day._replace(what="texts", rows=row["held"], bytes=row["size"])


def _days(t: Telemetry, table: str) -> Iterator[_Day]:
    """The table's partitions that are days."""
    parts = (
        f"cluster('{t.topology.cluster}', system.parts)" if t.topology.kind == "cluster" else "system.parts"
    )
    rows = t.query(
        "SELECT partition, partition_id, sum(rows) AS rows, sum(bytes_on_disk) AS bytes "
        f"FROM {parts} WHERE active AND database = currentDatabase() AND table = {{table:String}} "
        "GROUP BY partition, partition_id ORDER BY partition",
        {"table": local_name(table, t.topology)},
    ).to_pylist()
    for row in rows:
        try:
            day = date.fromisoformat(row["partition"])
        except ValueError:
            continue
        yield _Day(table, "rows", day, row["partition_id"], row["rows"], row["bytes"])


def _statement(day: _Day, topology: Topology) -> str:
    alter = f"ALTER TABLE {local_name(day.table, topology)}{on_cluster(topology)}"
    place = f"PARTITION ID '{day.partition}'"
    if day.what == "rows":
        return f"{alter} DROP {place}"
    cleared = ", ".join(f"CLEAR COLUMN {column} IN {place}" for column in TEXTS[day.table])
    return f"{alter} {cleared} SETTINGS mutations_sync = 2, alter_sync = 2"
