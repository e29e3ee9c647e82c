"""What a bucket's traces say, read from their spans once, before it is compared and judged.

The query that joins spans takes long to plan: here it stands alone, with nothing nested around it, and
with its condition where it is to be asked, so that nothing is left to optimise.
"""

from __future__ import annotations

from typing import Any, Final

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import BUCKET, COST, SHARED_FACTS, near
from assay.store.telemetry.interaction import select_final
from assay.store.telemetry.schema import SIGNALS, Table, Topology, local_name, on_cluster

_KINDS: Final = {column.partition(" ")[0]: column for column in SIGNALS.columns}
_OWN: Final = ("started", "ended", *SHARED_FACTS, "cost_usd")

DOCUMENTS: Final = "documents Array(String) CODEC(ZSTD(1))"

DOCUMENT_CHARS: Final = 20_000
"""How much of a retrieved document is looked at for what an answer quotes."""

DRAFTS: Final = Table(
    name="drafts",
    columns=(
        "run String",
        "bucket UInt32",
        "trace_id String",
        "touched DateTime64(3, 'UTC')",
        "system String CODEC(ZSTD(1))",
        *(_KINDS[name] for name in _OWN),
        DOCUMENTS,
    ),
    engine="MergeTree",
    partition_by="(run, bucket)",
    order_by="trace_id",
    shard_by="cityHash64(trace_id)",
    durable=False,
)
"""Rows on their way to `signals`. A run drops each bucket when it is done with it."""

_SETTINGS: Final = (
    "SETTINGS max_partitions_per_insert_block = 0, optimize_move_to_prewhere_if_final = 1, "
    "query_plan_enable_optimizations = 0, compile_expressions = 0"
)


def write_drafts(t: Telemetry, params: dict[str, Any]) -> None:
    """Read the bucket's traces. `params` are run, bucket and prices."""
    columns = {"run": "{run:String}", "bucket": "{bucket:UInt32}"}
    columns |= {name: name for name in ("trace_id", "touched", "system", *_OWN)} | {"cost_usd": COST}
    # They are asked for only beside a system prompt, which they may be a part of.
    beginnings = f"arrayMap(d -> substringUTF8(d, 1, {DOCUMENT_CHARS}), context)"
    columns["documents"] = f"if(system = '', [], {beginnings})"
    select = select_final(f"trace_id GLOBAL IN (SELECT trace_id FROM {BUCKET})", columns)
    insert = f"INSERT INTO drafts ({', '.join(columns)}) {near(t.topology, select)} {_SETTINGS}"
    t.command(insert, params)


def drop_drafts(t: Telemetry, params: dict[str, Any]) -> None:
    """Drop a bucket's drafts."""
    t.command(f"{_alter(t.topology)} DROP PARTITION ({{run:String}}, {{bucket:UInt32}})", params)


def drop_old_drafts(t: Telemetry, *, before: str) -> None:
    """Drop what broken runs have left."""
    rows = t.query("SELECT DISTINCT run, bucket FROM drafts WHERE run < {before:String}", {"before": before})
    for row in rows.to_pylist():
        drop_drafts(t, row)


def _alter(topology: Topology) -> str:
    return f"ALTER TABLE {local_name(DRAFTS.name, topology)}{on_cluster(topology)}"
