"""The tables of the state store, as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMING)


class UtcTime(TypeDecorator[datetime]):
    """A UTC-aware time on every database; SQLite, which knows no zones, keeps it in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time must be UTC-aware, got {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


PROJECTS = Table(
    "projects",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
)

METRIC_VERSIONS = Table(
    "metric_versions",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("unit", String(16), nullable=False),
    Column("goal", String(8), nullable=False),
    Column("target", Text, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("kind IN ('code', 'judge', 'human')", name="kind"),
    CheckConstraint("unit IN ('interaction', 'conversation')", name="unit"),
    CheckConstraint("goal IN ('high', 'low')", name="goal"),
)

POLICY_VERSIONS = Table(
    "policy_versions",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("unit", String(16), nullable=False),
    Column("definition", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("unit IN ('interaction', 'conversation')", name="unit"),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("project", String(100), ForeignKey("projects.name"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime, nullable=True),
    Column("status", String(16), nullable=False),
    Column("counts", JSON, nullable=False),
    Column("cost_usd", Float, nullable=False),
    CheckConstraint("status IN ('running', 'finished', 'failed', 'interrupted')", name="status"),
    Index(None, "project", "started_at"),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("holder", String(100), nullable=False),
    Column("until", UtcTime, nullable=False),
)

SAVED_FILTERS = Table(
    "saved_filters",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("unit", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
    CheckConstraint("unit IN ('interaction', 'conversation')", name="unit"),
)

SAVED_POLICIES = Table(
    "saved_policies",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)
"""Policies that were made on a page or by a command: what a `[policies.NAME]` table would say."""

PICKS = Table(
    "picks",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("unit", String(16), primary_key=True),
    Column("log_id", String(1000), primary_key=True),
    Column("note", Text, nullable=False),
    Column("picked_at", UtcTime, nullable=False),
    CheckConstraint("unit IN ('interaction', 'conversation')", name="unit"),
)
"""Logs that somebody chose by hand to be reviewed: they carry no probability, and no estimate."""

POLICY_DAYS = Table(
    "policy_days",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("policy", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("stage", String(16), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("parameters", JSON, nullable=False),
    Column("fixed_at", UtcTime, nullable=False),
)
"""From which numbers a policy's version computes the probabilities of one UTC day, once they are fixed."""

RISK_MODELS = Table(
    "risk_models",
    METADATA,
    Column("project", String(100), ForeignKey("projects.name"), primary_key=True),
    Column("metric", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("fitted_at", UtcTime, nullable=False),
    Column("known_until", UtcTime, nullable=False),
    Column("definition", JSON, nullable=False),
)
"""What predicts a metric's failures from facts and signals; learned from logs begun before `known_until`."""
