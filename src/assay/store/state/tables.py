"""The tables of the state store, as the newest migration leaves them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
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
