"""A table that gets another order or key: made anew beside the old one, filled, and put in its place."""

from __future__ import annotations

from dataclasses import replace

from assay.store.telemetry.schema import Table, Topology, create_table, local_name


def make_anew(table: Table, topology: Topology) -> tuple[str, ...]:
    """The statements, in order. They may be repeated from the first: at every moment all rows stand
    under the table's own name, in its old order or in its new one."""
    fresh = replace(table, name=f"{table.name}_anew", path="{uuid}/{shard}")
    names = [column.partition(" ")[0] for column in table.columns]
    old, new = local_name(table.name, topology), local_name(fresh.name, topology)
    on = f" ON CLUSTER '{topology.cluster}'" if topology.kind == "cluster" else ""
    drop = tuple(f"DROP TABLE IF EXISTS {name}{on} SYNC" for name in dict.fromkeys((fresh.name, new)))
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column.partition(' CODEC')[0]}" for column in table.columns)
    add = tuple(f"ALTER TABLE {name}{on} {added}" for name in dict.fromkeys((old, table.name)))
    listed = ", ".join(names)
    fill = (
        f"INSERT INTO {fresh.name} ({listed}) SELECT {listed} FROM {table.name} FINAL "
        "SETTINGS max_partitions_per_insert_block = 0"
    )
    return (*drop, *create_table(fresh, topology), *add, fill, f"EXCHANGE TABLES {new} AND {old}{on}", *drop)
