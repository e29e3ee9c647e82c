"""What people and policies keep: saved filters and policies, picked logs, days of policies, models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_filters",
        _project(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("saved_filters", "project", "name"),
        sa.CheckConstraint("unit IN ('interaction', 'conversation')", name=op.f("ck_saved_filters_unit")),
    )
    op.create_table(
        "saved_policies",
        _project(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("saved_policies", "project", "name"),
    )
    op.create_table(
        "picks",
        _project(),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("log_id", sa.String(1000), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("picked_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("picks", "project", "unit", "log_id"),
        sa.CheckConstraint("unit IN ('interaction', 'conversation')", name=op.f("ck_picks_unit")),
    )
    op.create_table(
        "policy_days",
        _project(),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=False),
        *_keys("policy_days", "project", "policy", "version", "stage", "day"),
    )
    op.create_table(
        "risk_models",
        _project(),
        sa.Column("metric", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        *_keys("risk_models", "project", "metric", "version"),
    )


def downgrade() -> None:
    for table in ("risk_models", "policy_days", "picks", "saved_policies", "saved_filters"):
        op.drop_table(table)


def _project() -> sa.Column[str]:
    return sa.Column("project", sa.String(100), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name=op.f(f"fk_{table}_project_projects")),
        sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}")),
    )
