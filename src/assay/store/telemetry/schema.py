"""Every table of the telemetry store, as text: one definition for laptop, server and cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assay.store.telemetry.search import SEARCHED, index_of

Kind = Literal["embedded", "server", "cluster"]

DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"
"""An insert returns when its part is on the disk, not when the kernel has heard of it."""

SWIFT = "fsync_after_insert = 0"
"""Nobody misses rows of such a table after a power failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Where the tables live. On a cluster each is a replicated local table behind a distributed one."""

    kind: Kind
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table. `shard_by` keeps what belongs together (a trace, a log) on one shard.

    `server_indexes` are those that only a server or a cluster keeps: they cost time at every insert.
    `path` is where replicas meet in Keeper; by default it goes by the table's name."""

    name: str
    columns: tuple[str, ...]
    engine: str
    order_by: str
    partition_by: str
    shard_by: str
    version: str = ""
    primary_key: str = ""
    indexes: tuple[str, ...] = ()
    server_indexes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    path: str = ""
    durable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How what arrives becomes rows of a derived table, for the view `name` and for what is there already.

    `select` takes what to read from (`source` or a part of it) and names the derived table's columns;
    `day` is the day of a source's row, which is its partition."""

    name: str
    source: str
    day: str
    select: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A query with a name. With `to`, a materialised view that feeds that table."""

    name: str
    select: str
    to: str = ""


def create_table(table: Table, topology: Topology) -> tuple[str, ...]:
    """The statements that create a table, in order."""
    indexes = table.indexes if topology.kind == "embedded" else (*table.indexes, *table.server_indexes)
    body = ",\n    ".join((*table.columns, *(f"INDEX {index}" for index in indexes)))
    key = f"PRIMARY KEY {table.primary_key}\n" if table.primary_key else ""
    settings = ", ".join((*table.settings, DURABLE if table.durable else SWIFT))
    local = (
        f"CREATE TABLE IF NOT EXISTS {local_name(table.name, topology)}{on_cluster(topology)} (\n"
        f"    {body}\n) ENGINE = {_engine(table, topology)}\n"
        f"PARTITION BY {table.partition_by}\n{key}ORDER BY {table.order_by}\nSETTINGS {settings}"
    )
    if topology.kind != "cluster":
        return (local,)
    return (local, create_distributed(table, topology))


def create_distributed(table: Table, topology: Topology, verb: str = "CREATE TABLE IF NOT EXISTS") -> str:
    """The table in front of the local ones of a cluster, with the columns that they have now."""
    name = local_name(table.name, topology)
    return (
        f"{verb} {table.name}{on_cluster(topology)} AS {name}\n"
        f"ENGINE = Distributed('{topology.cluster}', currentDatabase(), '{name}', {table.shard_by})"
    )


def add_columns(table: str, columns: tuple[str, ...], topology: Topology) -> tuple[str, ...]:
    """The statements that give a table that is there further columns; a cluster's in front has no codecs."""
    local, on = local_name(table, topology), on_cluster(topology)
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column}" for column in columns)
    plain = ", ".join(f"ADD COLUMN IF NOT EXISTS {column.partition(' CODEC')[0]}" for column in columns)
    front = () if local == table else (f"ALTER TABLE {table}{on} {plain}",)
    return (f"ALTER TABLE {local}{on} {added}", *front)


def create_view(view: View, topology: Topology) -> tuple[str, ...]:
    """The statement that creates a view."""
    if not view.to:
        return (f"CREATE OR REPLACE VIEW {view.name}{on_cluster(topology)} AS\n{view.select}",)
    place = f"{on_cluster(topology)} TO {local_name(view.to, topology)}"
    return (f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view.name}{place} AS\n{view.select}",)


def local_name(table: str, topology: Topology) -> str:
    """The table that holds the rows: on a cluster the one behind the distributed table."""
    return f"{table}_local" if topology.kind == "cluster" else table


def on_cluster(topology: Topology) -> str:
    """What makes a statement one of the whole cluster."""
    return f" ON CLUSTER '{topology.cluster}'" if topology.kind == "cluster" else ""


def _engine(table: Table, topology: Topology) -> str:
    if topology.kind != "cluster":
        return f"{table.engine}({table.version})"
    path = table.path or f"{{shard}}/{{database}}/{local_name(table.name, topology)}"
    place = f"'/clickhouse/tables/{path}', '{{replica}}'"
    return f"Replicated{table.engine}({', '.join(filter(None, (place, table.version)))})"


OTEL_TRACES = Table(
    name="otel_traces",
    columns=(
        "Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))",
        "TraceId String CODEC(ZSTD(1))",
        "SpanId String CODEC(ZSTD(1))",
        "ParentSpanId String CODEC(ZSTD(1))",
        "TraceState String CODEC(ZSTD(1))",
        "SpanName LowCardinality(String) CODEC(ZSTD(1))",
        "SpanKind LowCardinality(String) CODEC(ZSTD(1))",
        "ServiceName LowCardinality(String) CODEC(ZSTD(1))",
        "ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "ScopeName String CODEC(ZSTD(1))",
        "ScopeVersion String CODEC(ZSTD(1))",
        "SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "Duration UInt64 CODEC(ZSTD(1))",
        "StatusCode LowCardinality(String) CODEC(ZSTD(1))",
        "StatusMessage String CODEC(ZSTD(1))",
        "Events Nested(Timestamp DateTime64(9), Name LowCardinality(String), "
        "Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1))",
        "Links Nested(TraceId String, SpanId String, TraceState String, "
        "Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1))",
    ),
    indexes=(
        "idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1",
        "idx_duration Duration TYPE minmax GRANULARITY 1",
    ),
    server_indexes=(
        "idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
    ),
    engine="MergeTree",
    partition_by="toDate(Timestamp)",
    primary_key="(ServiceName, SpanName, toDateTime(Timestamp))",
    order_by="(ServiceName, SpanName, toDateTime(Timestamp), Timestamp)",
    shard_by="cityHash64(TraceId)",
    settings=("index_granularity = 8192", "ttl_only_drop_parts = 1"),
)
"""The table of the OpenTelemetry Collector's ClickHouse exporter: where it exists it is used as it is."""

OTEL_LOGS = Table(
    name="otel_logs",
    columns=(
        "Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1))",
        "TimestampTime DateTime DEFAULT toDateTime(Timestamp)",
        "TraceId String CODEC(ZSTD(1))",
        "SpanId String CODEC(ZSTD(1))",
        "TraceFlags UInt8",
        "SeverityText LowCardinality(String) CODEC(ZSTD(1))",
        "SeverityNumber UInt8",
        "ServiceName LowCardinality(String) CODEC(ZSTD(1))",
        "Body String CODEC(ZSTD(1))",
        "ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1))",
        "ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1))",
        "ScopeName String CODEC(ZSTD(1))",
        "ScopeVersion LowCardinality(String) CODEC(ZSTD(1))",
        "ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))",
        "EventName String CODEC(ZSTD(1))",
    ),
    indexes=("idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1",),
    server_indexes=(
        "idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8",
    ),
    engine="MergeTree",
    partition_by="toDate(TimestampTime)",
    primary_key="(ServiceName, TimestampTime)",
    order_by="(ServiceName, TimestampTime, Timestamp)",
    shard_by="cityHash64(TraceId)",
    settings=("index_granularity = 8192", "ttl_only_drop_parts = 1"),
)
"""The exporter's table of log records. Older exporters have no EventName: theirs is given an empty one."""

TELLING = (
    "route LowCardinality(String)",
    "finish_reason LowCardinality(String)",
    "error String CODEC(ZSTD(1))",
    "comment String CODEC(ZSTD(1))",
    "repeated_calls UInt32",
    "retrievals UInt32",
    "empty_retrievals UInt32",
    "latency_z Nullable(Float64)",
    "cost_z Nullable(Float64)",
    "output_similarity Float64",
    "return_similarity Float64",
    "language LowCardinality(String)",
    "output_language LowCardinality(String)",
    "other_language UInt8",
    "output_personal UInt32",
    "prompt_overlap UInt32",
    "unfamiliar Float64",
    "asks_back UInt8",
)
"""Facts of `signals` that came later than the table: all are empty, 0 or unknown where none was computed."""

PLACES = ("place UInt32", "tools_before UInt32")
"""Facts of where a log stands in its conversation: 0 where none was computed."""

SIGNALS = Table(
    name="signals",
    columns=(
        "unit LowCardinality(String)",
        "log_id String",
        "conversation_id String",
        "started DateTime64(6, 'UTC')",
        "ended DateTime64(6, 'UTC')",
        "service LowCardinality(String)",
        "environment LowCardinality(String)",
        "version LowCardinality(String)",
        "user_id String",
        "model LowCardinality(String)",
        "turns UInt32",
        "spans UInt32",
        "llm_calls UInt32",
        "tool_calls UInt32",
        "tool_errors UInt32",
        "errors UInt32",
        "latency_ms Float64",
        "input_tokens UInt64",
        "output_tokens UInt64",
        "cost_usd Float64",
        "feedback Nullable(Float64)",
        "similarity Float64",
        "redactions UInt32",
        "provider LowCardinality(String)",
        "cached_tokens UInt64",
        "reasoning_tokens UInt64",
        "ttft_ms Nullable(Float64)",
        *TELLING,
        *PLACES,
        "input String CODEC(ZSTD(1))",
        "output String CODEC(ZSTD(1))",
        "attributes Map(LowCardinality(String), String)",
        "signals Array(LowCardinality(String))",
        "computed_at DateTime64(6, 'UTC')",
        "is_deleted UInt8",
    ),
    engine="ReplacingMergeTree",
    version="computed_at, is_deleted",
    partition_by="toDate(started)",
    order_by="(unit, started, log_id)",
    shard_by="cityHash64(log_id)",
    indexes=(
        "idx_log_id log_id TYPE bloom_filter(0.001) GRANULARITY 1",
        "idx_talk conversation_id TYPE bloom_filter(0.01) GRANULARITY 1",
        *(index_of(column) for column in SEARCHED),
    ),
    settings=("min_age_to_force_merge_seconds = 7200", "min_age_to_force_merge_on_partition_only = 1"),
)
"""In order of time, so that the newest are read first and a range of time alone; a log whose start
changes leaves a row of `is_deleted` behind. A day that rests for two hours is merged to one part."""

OCCASIONS = ("occasion UInt32", "facts_at DateTime64(6, 'UTC')")
DECISION = "(policy, stage, unit, log_id, occasion)"

SELECTIONS = Table(
    name="selections",
    columns=(
        "policy LowCardinality(String)",
        "policy_version LowCardinality(String)",
        "stage LowCardinality(String)",
        "unit LowCardinality(String)",
        "log_id String",
        "started DateTime64(6, 'UTC')",
        "stratum LowCardinality(String)",
        "probability Float64",
        "draw Float64",
        "selected UInt8",
        "reason LowCardinality(String)",
        "decided_at DateTime64(6, 'UTC')",
        *OCCASIONS,
    ),
    engine="ReplacingMergeTree",
    version="decided_at",
    partition_by="toDate(started)",
    primary_key="(policy, stage, unit, log_id)",
    order_by=DECISION,
    shard_by="cityHash64(log_id)",
)
"""`occasion` counts the decisions about a log, from 0: a later one adds a chance to what it had. `facts_at`
is when the facts were computed that it was made upon, or with which it was last looked at in vain."""

SCORES = Table(
    name="scores",
    columns=(
        "metric LowCardinality(String)",
        "metric_version LowCardinality(String)",
        "kind LowCardinality(String)",
        "unit LowCardinality(String)",
        "log_id String",
        "started DateTime64(6, 'UTC')",
        "fate LowCardinality(String)",
        "value Nullable(Float64)",
        "category String",
        "explanation String CODEC(ZSTD(1))",
        "reason String",
        "cost_usd Float64",
        "latency_ms Float64",
        "rater String",
        "model LowCardinality(String)",
        "simulated UInt8",
        "run_id String",
        "scored_at DateTime64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="scored_at",
    partition_by="toDate(started)",
    order_by="(metric, kind, metric_version, unit, log_id, rater)",
    shard_by="cityHash64(log_id)",
)

SETTLING = Table(
    name="settling",
    columns=(
        "run String",
        "bucket UInt32",
        "trace_id String",
        "conversation_id String",
        "touched DateTime64(3, 'UTC')",
        "first_day Date",
        "last_day Date",
    ),
    engine="ReplacingMergeTree",
    partition_by="run",
    order_by="(bucket, conversation_id, trace_id)",
    shard_by="cityHash64(trace_id)",
)
"""What runs are working on; a run drops its partition when it is done."""

SETTLED = Table(
    name="settled",
    columns=("name String", "upto DateTime64(3, 'UTC')", "at DateTime64(6, 'UTC')"),
    engine="ReplacingMergeTree",
    version="at",
    partition_by="tuple()",
    order_by="name",
    shard_by="cityHash64(name)",
)
"""Up to when everything is done, so that a run that has nothing to do is cheap: `interactions`, what was
touched before `upto` is computed; `policy NAME`, what was computed before it is decided."""

DERIVED = Table(
    name="derived",
    columns=(
        "name LowCardinality(String)",
        "part String",
        "fingerprint String",
        "at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="at",
    partition_by="tuple()",
    order_by="(name, part)",
    shard_by="cityHash64(name)",
)
"""From which text each derived table and view was made, and how far a rebuild has come."""
