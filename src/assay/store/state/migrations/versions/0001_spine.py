"""Projects, versions of metrics and policies, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_projects"),
    )
    op.create_table(
        "metric_versions",
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("goal", sa.String(8), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('code', 'judge', 'human')", name="ck_metric_versions_kind"),
        sa.CheckConstraint("unit IN ('interaction', 'conversation')", name="ck_metric_versions_unit"),
        sa.CheckConstraint("goal IN ('high', 'low')", name="ck_metric_versions_goal"),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="fk_metric_versions_project"),
        sa.PrimaryKeyConstraint("project", "name", "version", name="pk_metric_versions"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("unit IN ('interaction', 'conversation')", name="ck_policy_versions_unit"),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="fk_policy_versions_project"),
        sa.PrimaryKeyConstraint("project", "name", "version", name="pk_policy_versions"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'finished', 'failed', 'interrupted')", name="ck_runs_status"
        ),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="fk_runs_project"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_project_started_at", "runs", ["project", "started_at"])


def downgrade() -> None:
    for table in ("runs", "policy_versions", "metric_versions", "projects"):
        op.drop_table(table)
