"""The telemetry store's history: numbered steps, each applied once and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import StoreError
from assay.store.telemetry import intake, receipts, schema
from assay.store.telemetry.anew import make_anew
from assay.store.telemetry.baselines import BASELINES
from assay.store.telemetry.drafts import DOCUMENTS, DRAFTS
from assay.store.telemetry.embeddings import CENTRES, EMBEDDINGS
from assay.store.telemetry.room import check_room
from assay.store.telemetry.schema import Topology, add_columns, create_table, local_name, on_cluster
from assay.store.telemetry.search import SEARCHED, index_of

if TYPE_CHECKING:
    from assay.store.telemetry.connection import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step. Its statements may be repeated: a step that broke half-way is run again whole.

    Tables that are `copied` need room on the disk for a second time."""

    number: int
    title: str
    statements: Callable[[Topology], tuple[str, ...]]
    copied: tuple[str, ...] = ()


def _spans(topology: Topology) -> tuple[str, ...]:
    return create_table(schema.OTEL_TRACES, topology)


def _nothing(topology: Topology) -> tuple[str, ...]:
    """What a step did before is done on every open since, by `derive`."""
    return ()


def _logs(topology: Topology) -> tuple[str, ...]:
    tables = (schema.SIGNALS, schema.SELECTIONS, schema.SCORES)
    return tuple(statement for table in tables for statement in create_table(table, topology))


def _settling(topology: Topology) -> tuple[str, ...]:
    tables = (schema.SETTLING, schema.SETTLED)
    return tuple(statement for table in tables for statement in create_table(table, topology))


def _records(topology: Topology) -> tuple[str, ...]:
    """Log records; and the embedded engine lets go of indexes that it no longer keeps."""
    heavy = schema.OTEL_TRACES.server_indexes if topology.kind == "embedded" else ()
    dropped = (f"ALTER TABLE otel_traces DROP INDEX IF EXISTS {index.partition(' ')[0]}" for index in heavy)
    return (*create_table(schema.OTEL_LOGS, topology), *dropped)


def _intake(topology: Topology) -> tuple[str, ...]:
    tables = (intake.INTAKE, intake.REJECTED)
    return tuple(statement for table in tables for statement in create_table(table, topology))


def _derived(topology: Topology) -> tuple[str, ...]:
    return create_table(schema.DERIVED, topology)


def _by_time(topology: Topology) -> tuple[str, ...]:
    return (*make_anew(schema.SIGNALS, topology), *make_anew(schema.SETTLING, topology))


def _words(topology: Topology) -> tuple[str, ...]:
    """Days that are there already get their index in the background, the next queries are not kept."""
    alter = f"ALTER TABLE {local_name('signals', topology)}{on_cluster(topology)}"
    names = [f"idx_{column}" for column in SEARCHED]
    return (
        f"{alter} {', '.join(f'ADD INDEX IF NOT EXISTS {index_of(column)}' for column in SEARCHED)}",
        f"{alter} {', '.join(f'MATERIALIZE INDEX {name}' for name in names)}",
    )


def _occasions(topology: Topology) -> tuple[str, ...]:
    """A key may grow by columns that come with it; nothing is written anew."""
    local, *front = add_columns("selections", schema.OCCASIONS, topology)
    return (f"{local}, MODIFY ORDER BY {schema.DECISION}", *front)


def _meaning(topology: Topology) -> tuple[str, ...]:
    return (*create_table(EMBEDDINGS, topology), *create_table(CENTRES, topology))


def _telling(topology: Topology) -> tuple[str, ...]:
    tables = (DRAFTS, BASELINES)
    made = (statement for table in tables for statement in create_table(table, topology))
    return (*add_columns("signals", schema.TELLING, topology), *made)


def _receipts(topology: Topology) -> tuple[str, ...]:
    return create_table(receipts.RECEIPTS, topology)


def _places(topology: Topology) -> tuple[str, ...]:
    documents = add_columns(DRAFTS.name, (DOCUMENTS,), topology)
    return (*add_columns("signals", schema.PLACES, topology), *documents)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(number=1, title="spans as the Collector's exporter stores them", statements=_spans),
    Migration(number=2, title="interactions, joined from spans", statements=_nothing),
    Migration(number=3, title="signals, selections and scores", statements=_logs),
    Migration(number=4, title="what settling works on, and how far it has come", statements=_settling),
    Migration(number=5, title="log records as the Collector's exporter stores them", statements=_records),
    Migration(number=6, title="what was taken in, and what was turned away", statements=_intake),
    Migration(
        number=7,
        title="signals in order of time, with further facts",
        statements=_by_time,
        copied=("signals", "settling"),
    ),
    Migration(number=8, title="from which mapping tables and views were made", statements=_derived),
    Migration(number=9, title="facts that tell how an answer came about", statements=_telling),
    Migration(number=10, title="the words of texts, so that they are found", statements=_words),
    Migration(number=11, title="more than one decision about a log", statements=_occasions),
    Migration(number=12, title="what requests mean", statements=_meaning),
    Migration(number=13, title="receipts of what each step has written", statements=_receipts),
    Migration(number=14, title="where a log stands in its conversation", statements=_places),
)

HISTORY = schema.Table(
    name="assay_migrations",
    columns=("number UInt32", "title String", "applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')"),
    engine="ReplacingMergeTree",
    version="applied_at",
    partition_by="tuple()",
    order_by="number",
    shard_by="number",
)


def migrate(store: Telemetry, migrations: tuple[Migration, ...] = MIGRATIONS) -> tuple[int, ...]:
    """Apply what is not applied yet; returns the numbers applied.

    Raises `StoreError` when a newer program has been here: it may have changed what rows mean;
    `StoreFull`, before a step, where its copies would touch the disk's reserve.
    """
    for statement in create_table(HISTORY, store.topology):
        store.command(statement)
    applied = applied_migrations(store)
    if newer := applied - {step.number for step in migrations}:
        raise StoreError(
            f"the telemetry store has migration {max(newer)}, this program knows only up to "
            f"{max((step.number for step in migrations), default=0)}: upgrade assay"
        )
    todo = tuple(step for step in migrations if step.number not in applied)
    for step in todo:
        check_room(store, step.copied)
        for statement in step.statements(store.topology):
            store.command(statement)
        store.command(
            "INSERT INTO assay_migrations (number, title) SELECT {number:UInt32}, {title:String}",
            {"number": step.number, "title": step.title},
        )
    return tuple(step.number for step in todo)


def applied_migrations(store: Telemetry) -> frozenset[int]:
    """The numbers that the store has recorded."""
    rows = store.query("SELECT DISTINCT number FROM assay_migrations").to_pylist()
    return frozenset(row["number"] for row in rows)
