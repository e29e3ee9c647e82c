"""Every table and view as one text, for whoever makes them by hand, or wants to read them first."""

from __future__ import annotations

from typing import Final

from assay.store.telemetry import baselines, drafts, intake, receipts, schema
from assay.store.telemetry.derive import PRESENT, Derived, view_of
from assay.store.telemetry.embeddings import CENTRES, EMBEDDINGS
from assay.store.telemetry.migrations import HISTORY
from assay.store.telemetry.schema import Table, Topology, create_table, create_view, local_name

TABLES: Final[tuple[Table, ...]] = (
    schema.OTEL_TRACES,
    schema.OTEL_LOGS,
    schema.SIGNALS,
    schema.SELECTIONS,
    schema.SCORES,
    EMBEDDINGS,
    CENTRES,
    receipts.RECEIPTS,
    drafts.DRAFTS,
    baselines.BASELINES,
    schema.SETTLING,
    schema.SETTLED,
    schema.DERIVED,
    intake.INTAKE,
    intake.REJECTED,
    HISTORY,
)


def write_ddl(topology: Topology, tables: tuple[Table, ...] = TABLES, derived: Derived = PRESENT) -> str:
    """The statements in order, each ended by a semicolon. They may be run again: what is there stays."""
    statements = [
        statement for table in (*tables, derived.table) for statement in create_table(table, topology)
    ]
    for feed in derived.feeds:
        select = feed.select(local_name(feed.source, topology))
        statements += view_of(feed, select, derived.table, topology)
    statements += create_view(derived.final, topology)
    return "\n".join(f"{statement.rstrip()};\n" for statement in statements)
