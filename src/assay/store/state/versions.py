"""Versions of metrics and policies: what their names meant when a score or selection was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from assay.errors import ConfigError, MetricError
from assay.records import MetricInfo, Unit
from assay.store.state.connection import State
from assay.store.state.tables import METRIC_VERSIONS, POLICY_VERSIONS, PROJECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVersion:
    """A metric as it was when `created_at` first met it; `definition` says how it scores."""

    info: MetricInfo
    definition: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A sampling policy as it was when `created_at` first met it."""

    name: str
    version: str
    unit: Unit
    definition: Mapping[str, Any]
    created_at: datetime


def register_metric(
    state: State, project: str, info: MetricInfo, definition: Mapping[str, Any], *, now: datetime
) -> None:
    """Remember this version of the metric; once known, it is never changed.

    Raises MetricError where the same version stands for another kind, unit or goal."""
    values = {
        "project": project,
        "name": info.name,
        "version": info.version,
        "kind": info.kind,
        "unit": info.unit,
        "goal": info.goal,
        "target": info.target,
        "simulated": info.simulated,
        "definition": dict(definition),
        "created_at": now,
    }
    with state.write() as connection:
        ensure_project(connection, project, now)
        if insert_once(connection, METRIC_VERSIONS, values):
            return
        known = _find(connection, METRIC_VERSIONS, project, info.name, info.version)
    for key in ("kind", "unit", "goal"):
        if known[key] != values[key]:
            raise MetricError(
                f"metric {info.name}: version {info.version} is known with {key} {known[key]!r}, now it "
                f"has {values[key]!r}; give it another version, so that old scores keep their meaning"
            )


def list_metrics(state: State, project: str) -> list[MetricVersion]:
    """Every version of every metric, by name, the newest first."""
    table = METRIC_VERSIONS
    query = select(table).where(table.c.project == project)
    with state.read() as connection:
        rows = connection.execute(query.order_by(table.c.name, table.c.created_at.desc(), table.c.version))
        return [_metric(row) for row in rows]


def register_policy(
    state: State,
    project: str,
    *,
    name: str,
    version: str,
    unit: Unit,
    definition: Mapping[str, Any],
    now: datetime,
) -> None:
    """Remember this version of the policy; once known, it is never changed.

    Raises ConfigError where the same version stands for another definition."""
    values = {
        "project": project,
        "name": name,
        "version": version,
        "unit": unit,
        "definition": dict(definition),
        "created_at": now,
    }
    with state.write() as connection:
        ensure_project(connection, project, now)
        if insert_once(connection, POLICY_VERSIONS, values):
            return
        known = _find(connection, POLICY_VERSIONS, project, name, version)
    if known["unit"] != unit or known["definition"] != values["definition"]:
        raise ConfigError(
            f"policy {name}: version {version} is known with another definition; a changed policy "
            "needs another version"
        )


def list_policies(state: State, project: str) -> list[PolicyVersion]:
    """Every version of every policy, by name, the newest first."""
    table = POLICY_VERSIONS
    query = select(table).where(table.c.project == project)
    with state.read() as connection:
        rows = connection.execute(query.order_by(table.c.name, table.c.created_at.desc(), table.c.version))
        return [
            PolicyVersion(
                name=row.name,
                version=row.version,
                unit=row.unit,
                definition=row.definition,
                created_at=row.created_at,
            )
            for row in rows
        ]


def ensure_project(connection: Connection, project: str, now: datetime) -> None:
    """Make the project's row where it is missing."""
    insert_once(connection, PROJECTS, {"name": project, "created_at": now})


def list_projects(state: State) -> list[tuple[str, datetime]]:
    """Every project's name and when it was first seen, by name."""
    with state.read() as connection:
        rows = connection.execute(select(PROJECTS).order_by(PROJECTS.c.name))
        return [(row.name, row.created_at) for row in rows]


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert the row unless its key is taken; whether it was inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**values).on_conflict_do_nothing()
    # What an insert did is not remembered otherwise: psycopg's count is gone once its cursor is closed.
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def _find(connection: Connection, table: Table, project: str, name: str, version: str) -> Mapping[str, Any]:
    key = (table.c.project == project, table.c.name == name, table.c.version == version)
    return dict(connection.execute(select(table).where(*key)).mappings().one())


def _metric(row: Row[Any]) -> MetricVersion:
    info = MetricInfo(
        name=row.name,
        version=row.version,
        kind=row.kind,
        unit=row.unit,
        goal=row.goal,
        target=row.target,
        simulated=row.simulated,
    )
    return MetricVersion(info=info, definition=row.definition, created_at=row.created_at)
