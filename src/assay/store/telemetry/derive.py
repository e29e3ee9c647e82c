"""What is made from spans and log records: the interactions, by this program's mapping.

The store remembers from which text each table and view was made. On open nothing happens where the
text is the same; a view whose query changed is given the new one; a table whose columns changed is
built anew beside the old one and takes its place (`rebuild`). What was mapped before keeps its old
mapping until it is mapped again, too.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from assay.records import Progress, no_progress
from assay.store.telemetry import events, interaction, mapping
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.schema import (
    Feed,
    Table,
    Topology,
    View,
    create_table,
    create_view,
    local_name,
    on_cluster,
)

log = logging.getLogger("assay.store")

OPTIONAL: Final[Mapping[str, Mapping[str, str]]] = {
    "otel_logs": {"TimestampTime": "toDateTime(Timestamp)"},
}
"""Columns that a table of an older Collector may lack, and what stands for them."""

ADDED: Final[Mapping[str, str]] = {"EventName": "String"}
"""Columns that `otel_logs` of an older Collector may lack and that is given them: assay writes them."""

BESIDE: Final = "_next"
"""What is being built anew bears this at the end of its name."""

TABLE_ID: Final = (
    "concat(toString(uuid), arrayStringConcat(arrayMap(p -> splitByChar('/', p)[-2], data_paths)))"
)
"""What stays with a table when names are exchanged; the embedded engine tells it by the path alone."""

MIXED: Final = "mixed"
"""The fingerprint of a history of which each part was mapped as it arrived."""

FEEDING: Final = (
    "SETTINGS max_block_size = 8192, max_threads = 2, max_insert_threads = 1, optimize_on_insert = 0, "
    "min_insert_block_size_rows = 16384, min_insert_block_size_bytes = 33554432, "
    "short_circuit_function_evaluation = 'disable', compile_expressions = 0, "
    "max_partitions_per_insert_block = 0"
)
"""As inserts are: mapping widens a row, so that blocks must be small for memory to stay flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A derived table, the feeds that fill it, and the view by which it is read."""

    table: Table
    feeds: tuple[Feed, ...]
    final: View


PRESENT: Final = Derived(
    table=replace(mapping.INTERACTIONS, path="{uuid}/{shard}"),
    feeds=(mapping.SPANS_FEED, events.RECORDS_FEED),
    final=interaction.INTERACTIONS_FINAL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store remembers, and the ids of the tables and views that are there."""

    prints: Mapping[tuple[str, str], str]
    objects: Mapping[str, str]

    def says(self, name: str, part: str, text: str) -> bool:
        return self.prints.get((name, part)) == text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The fingerprints of what this program would make, and the queries of the feeds."""

    structure: str
    selects: Mapping[str, str]
    final: str

    @property
    def mapped(self) -> str:
        """Stands for everything by which history is mapped."""
        return fingerprint(self.structure, *self.selects.values())


def derive(t: Telemetry, derived: Derived = PRESENT, progress: Progress = no_progress) -> None:
    """Bring tables and views to this program's mapping. Where they are there already it only asks.

    Inserts may go on meanwhile, also those of a Collector that writes to the store by itself."""
    _complete(t, derived)
    known, wanted = read_known(t), read_wanted(t, derived)
    name = derived.table.name
    if not known.says(name, "", wanted.structure) or local_name(name, t.topology) not in known.objects:
        from assay.store.telemetry.rebuild import replace_table

        replace_table(t, derived, wanted, progress)
    else:
        _feed(t, derived, known, wanted)
    if not known.says("final", "", wanted.final) or derived.final.name not in known.objects:
        run_all(t, create_view(derived.final, t.topology))
        remember(t, "final", "", wanted.final)
        if not known.says("history", "final", wanted.final):
            remember(t, "history", "final", MIXED if _has_rows(t, derived) else wanted.final)


def is_behind(t: Telemetry, derived: Derived = PRESENT) -> bool:
    """Whether what is there was mapped, wholly or in part, by an older mapping than this program's."""
    known, wanted = read_known(t), read_wanted(t, derived)
    return not (known.says("history", "", wanted.mapped) and known.says("history", "final", wanted.final))


def feed_again(
    t: Telemetry, condition: str, params: Mapping[str, object], derived: Derived = PRESENT
) -> None:
    """Send what stands in the store through the mapping once more: rows of which `condition` holds, a
    text about `TraceId`. Repeating it changes nothing."""
    columns = source_columns(t, derived)
    for feed in derived.feeds:
        part = f"(SELECT * FROM {from_of(feed, feed.source, columns)} WHERE {condition})"
        t.command(insert_from(derived.table, feed.select(part)), params)


def read_known(t: Telemetry) -> Known:
    rows = t.query(
        "SELECT toString(name) AS name, part, fingerprint FROM derived FINAL UNION ALL "
        f"SELECT '', name, {TABLE_ID} FROM system.tables WHERE database = currentDatabase()"
    ).to_pylist()
    return Known(
        prints={(row["name"], row["part"]): row["fingerprint"] for row in rows if row["name"]},
        objects={row["part"]: row["fingerprint"] for row in rows if not row["name"]},
    )


def read_wanted(t: Telemetry, derived: Derived) -> Wanted:
    columns = source_columns(t, derived)
    return Wanted(
        structure=fingerprint(*create_table(derived.table, t.topology)),
        selects={
            feed.name: feed.select(from_of(feed, local_name(feed.source, t.topology), columns))
            for feed in derived.feeds
        },
        final=fingerprint(derived.final.select),
    )


def remember(t: Telemetry, name: str, part: str, text: str) -> None:
    """Note a fingerprint; an empty one forgets it."""
    t.command(
        "INSERT INTO derived (name, part, fingerprint) SELECT {name:String}, {part:String}, {text:String}",
        {"name": name, "part": part, "text": text},
    )


def fingerprint(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def run_all(t: Telemetry, statements: tuple[str, ...]) -> None:
    for statement in statements:
        t.command(statement)


def view_of(feed: Feed, select: str, table: Table, topology: Topology) -> tuple[str, ...]:
    """The statement that makes the materialised view of a feed; beside its table, where that is."""
    name = f"{feed.name}{BESIDE}" if table.name.endswith(BESIDE) else feed.name
    return create_view(View(name=name, to=table.name, select=select), topology)


def drop_view(name: str, topology: Topology) -> str:
    return f"DROP VIEW IF EXISTS {name}{on_cluster(topology)}"


def insert_from(table: Table, select: str) -> str:
    columns = ", ".join(column.partition(" ")[0] for column in table.columns)
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM (\n{select}\n) {FEEDING}"


def source_columns(t: Telemetry, derived: Derived) -> Mapping[str, frozenset[str]]:
    """The columns of each source that may lack some."""
    rows = t.query(
        "SELECT table, groupArray(name) AS names FROM system.columns "
        "WHERE database = currentDatabase() AND table IN {tables:Array(String)} GROUP BY table",
        {"tables": [feed.source for feed in derived.feeds if feed.source in OPTIONAL]},
    ).to_pylist()
    return {row["table"]: frozenset(row["names"]) for row in rows}


def from_of(feed: Feed, table: str, columns: Mapping[str, frozenset[str]]) -> str:
    """What a feed reads from: the table as it is, or with what an older Collector's lacks."""
    there = columns.get(feed.source, frozenset())
    absent = [
        f"{text} AS {name}" for name, text in OPTIONAL.get(feed.source, {}).items() if name not in there
    ]
    return f"(SELECT *, {', '.join(absent)} FROM {table})" if there and absent else table


def _complete(t: Telemetry, derived: Derived) -> None:
    """Give an older Collector's table what assay inserts; who names his columns notices nothing."""
    for table, there in source_columns(t, derived).items():
        added = ", ".join(
            f"ADD COLUMN IF NOT EXISTS {name} {kind}" for name, kind in ADDED.items() if name not in there
        )
        if added:
            for name in dict.fromkeys((local_name(table, t.topology), table)):
                t.command(f"ALTER TABLE {name}{on_cluster(t.topology)} {added}")


def _feed(t: Telemetry, derived: Derived, known: Known, wanted: Wanted) -> None:
    """Give each view its query. It is changed in place: a Collector's insert always meets one."""
    of_store = [part for name, part in known.prints if name == "feed" and known.prints[name, part]]
    for name in set(of_store) - {feed.name for feed in derived.feeds}:
        t.command(drop_view(name, t.topology))
        remember(t, "feed", name, "")
    for feed in derived.feeds:
        select = wanted.selects[feed.name]
        if feed.name not in known.objects:
            run_all(t, view_of(feed, select, derived.table, t.topology))
        elif not known.says("feed", feed.name, fingerprint(select)):
            t.command(f"ALTER TABLE {feed.name}{on_cluster(t.topology)} MODIFY QUERY {select}")
            log.warning("%s maps otherwise than before: `assay remap` applies that to history", feed.name)
        else:
            continue
        remember(t, "feed", feed.name, fingerprint(select))
        remember(t, "history", "", MIXED if _has_rows(t, derived) else wanted.mapped)


def _has_rows(t: Telemetry, derived: Derived) -> bool:
    return t.query(f"SELECT 1 AS one FROM {derived.table.name} LIMIT 1").num_rows > 0
