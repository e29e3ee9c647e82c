"""The tables, as text for every topology, and their history in a real store."""

from __future__ import annotations

import dataclasses
import re

import pytest

from assay.errors import StoreError
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.ddl import write_ddl
from assay.store.telemetry.migrations import MIGRATIONS, Migration, applied_migrations, migrate
from assay.store.telemetry.schema import OTEL_LOGS, OTEL_TRACES, SCORES, Topology, create_table

EMBEDDED = Topology(kind="embedded")
CLUSTER = Topology(kind="cluster", cluster="main")


def statements(topology: Topology) -> str:
    return write_ddl(topology)


def test_spans_are_kept_in_the_collectors_own_table() -> None:
    (sql,) = create_table(OTEL_TRACES, EMBEDDED)
    for part in (
        "CREATE TABLE IF NOT EXISTS otel_traces (",
        "Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))",
        "SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "Events Nested(Timestamp DateTime64(9), Name LowCardinality(String)",
        "INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1",
        "PARTITION BY toDate(Timestamp)",
        "PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp))",
        "ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)",
        "ttl_only_drop_parts = 1",
    ):
        assert part in sql


def test_log_records_are_kept_in_the_collectors_own_table() -> None:
    (sql,) = create_table(OTEL_LOGS, Topology(kind="server"))
    for part in (
        "CREATE TABLE IF NOT EXISTS otel_logs (",
        "TimestampTime DateTime DEFAULT toDateTime(Timestamp)",
        "Body String CODEC(ZSTD(1))",
        "EventName String CODEC(ZSTD(1))",
        "INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8",
        "PARTITION BY toDate(TimestampTime)",
        "PRIMARY KEY (ServiceName, TimestampTime)",
        "ORDER BY (ServiceName, TimestampTime, Timestamp)",
    ):
        assert part in sql


def test_the_embedded_engine_keeps_no_index_that_costs_at_every_insert(telemetry: Telemetry) -> None:
    kept = telemetry.query(
        "SELECT table, name FROM system.data_skipping_indices WHERE database = currentDatabase() "
        "AND table IN ('otel_traces', 'otel_logs') ORDER BY table, name"
    )
    assert [tuple(row.values()) for row in kept.to_pylist()] == [
        ("otel_logs", "idx_trace_id"),
        ("otel_traces", "idx_duration"),
        ("otel_traces", "idx_trace_id"),
    ]
    for table in (OTEL_TRACES, OTEL_LOGS):
        assert "mapValues" in create_table(table, Topology(kind="server"))[0]


@pytest.mark.parametrize("kind", ["embedded", "server"])
def test_one_machine_has_plain_tables_that_are_synced(kind: str) -> None:
    sql = statements(Topology(kind="embedded" if kind == "embedded" else "server"))
    assert "Replicated" not in sql
    assert "Distributed" not in sql
    assert "ON CLUSTER" not in sql
    synced = sql.count("fsync_after_insert = 1, fsync_part_directory = 1")
    assert synced + 1 == sql.count("CREATE TABLE") >= 5, "all but the drafts of a run"
    assert "ENGINE = ReplacingMergeTree(computed_at, is_deleted)" in sql
    assert "ENGINE = AggregatingMergeTree()" in sql


def test_a_cluster_has_replicated_tables_behind_distributed_ones() -> None:
    sql = statements(CLUSTER)
    for table, key in (
        ("otel_traces", "cityHash64(TraceId)"),
        ("otel_logs", "cityHash64(TraceId)"),
        ("interactions", "cityHash64(trace_id)"),
        ("signals", "cityHash64(log_id)"),
        ("selections", "cityHash64(log_id)"),
        ("scores", "cityHash64(log_id)"),
    ):
        assert f"CREATE TABLE IF NOT EXISTS {table}_local ON CLUSTER 'main' (" in sql
        assert f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER 'main' AS {table}_local" in sql
        assert f"Distributed('main', currentDatabase(), '{table}_local', {key})" in sql
    assert "MATERIALIZED VIEW IF NOT EXISTS interactions_feed ON CLUSTER 'main' TO interactions_local" in sql
    assert "FROM otel_traces_local\n" in sql
    assert "ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')" in sql
    assert "CREATE OR REPLACE VIEW interactions_final ON CLUSTER 'main'" in sql
    assert "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/scores_local'" in sql


def test_the_text_names_every_table_and_view_of_an_open_store(telemetry: Telemetry) -> None:
    rows = telemetry.query("SELECT name FROM system.tables WHERE database = currentDatabase()").to_pylist()
    made = re.findall(r"CREATE (?:OR REPLACE )?[A-Z ]+?(?:IF NOT EXISTS )?([a-z_]+) ?", write_ddl(EMBEDDED))
    assert set(made) == {row["name"] for row in rows}


@pytest.mark.parametrize("topology", [EMBEDDED, Topology(kind="server"), CLUSTER])
def test_the_engine_reads_every_statement(telemetry: Telemetry, topology: Topology) -> None:
    for statement in write_ddl(topology).split(";\n\n"):
        telemetry.command(f"EXPLAIN AST {statement.strip().removesuffix(';')}")
    with pytest.raises(StoreError, match="Syntax error"):
        telemetry.command("EXPLAIN AST CREATE TABLE IF EXISTS x (a Int8) ENGIN = Log")


def test_a_replaced_row_is_the_newest_of_its_key() -> None:
    (sql,) = create_table(SCORES, EMBEDDED)
    assert "ORDER BY (metric, kind, metric_version, unit, log_id, rater)" in sql
    assert "ReplacingMergeTree(scored_at)" in sql


def test_migrating_again_applies_nothing(telemetry: Telemetry) -> None:
    assert applied_migrations(telemetry) == {step.number for step in MIGRATIONS}
    assert migrate(telemetry) == ()


def test_a_new_step_is_applied_once(telemetry: Telemetry) -> None:
    step = Migration(
        number=99, title="a note", statements=lambda topology: ("CREATE TABLE note (n UInt8) ENGINE = Log",)
    )
    last = max(step.number for step in MIGRATIONS)
    try:
        assert migrate(telemetry, (*MIGRATIONS, step)) == (99,)
        assert migrate(telemetry, (*MIGRATIONS, step)) == ()
        with pytest.raises(StoreError, match=rf"migration 99, this program knows only up to {last}: upgrade"):
            migrate(telemetry)
    finally:
        telemetry.command("DROP TABLE IF EXISTS note")
        telemetry.command("DELETE FROM assay_migrations WHERE number = 99")


def test_a_step_may_break_half_way_and_run_again(telemetry: Telemetry) -> None:
    broken = Migration(
        number=98, title="broken", statements=lambda topology: ("SELECT 1", "SELECT no_such_column")
    )
    with pytest.raises(StoreError):
        migrate(telemetry, (*MIGRATIONS, broken))
    assert 98 not in applied_migrations(telemetry)
    mended = dataclasses.replace(broken, statements=lambda topology: ())
    assert migrate(telemetry, (*MIGRATIONS, mended)) == (98,)
    telemetry.command("DELETE FROM assay_migrations WHERE number = 98")
