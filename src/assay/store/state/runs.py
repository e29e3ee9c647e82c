"""Runs: what was done, when, what became of it and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select, update

from assay.errors import UnknownName
from assay.store.state.connection import State
from assay.store.state.tables import RUNS
from assay.store.state.versions import ensure_project, insert_once

RunStatus = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One piece of work on the metric or policy `name`. `counts` are logs by what became of them."""

    run_id: str
    kind: str
    name: str
    version: str
    started_at: datetime
    finished_at: datetime | None
    status: RunStatus
    counts: Mapping[str, int]
    cost_usd: float


def start_run(
    state: State, project: str, *, run_id: str, kind: str, name: str, version: str, now: datetime
) -> None:
    """Note that a run has begun. Noting the same run again changes nothing."""
    values = {
        "id": run_id,
        "project": project,
        "kind": kind,
        "name": name,
        "version": version,
        "started_at": now,
        "finished_at": None,
        "status": "running",
        "counts": {},
        "cost_usd": 0.0,
    }
    with state.write() as connection:
        ensure_project(connection, project, now)
        insert_once(connection, RUNS, values)


def finish_run(
    state: State,
    run_id: str,
    *,
    status: RunStatus,
    counts: Mapping[str, int],
    cost_usd: float,
    now: datetime,
) -> None:
    """Note how the run ended. Raises UnknownName where no such run was started."""
    values = {"status": status, "counts": dict(counts), "cost_usd": cost_usd, "finished_at": now}
    with state.write() as connection:
        if connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(**values)).rowcount != 1:
            raise UnknownName(f"no run {run_id} was started")


def list_runs(state: State, project: str, limit: int = 50) -> list[Run]:
    """The project's runs, the newest first."""
    query = select(RUNS).where(RUNS.c.project == project)
    with state.read() as connection:
        rows = connection.execute(query.order_by(RUNS.c.started_at.desc(), RUNS.c.id).limit(limit))
        return [
            Run(
                run_id=row.id,
                kind=row.kind,
                name=row.name,
                version=row.version,
                started_at=row.started_at,
                finished_at=row.finished_at,
                status=row.status,
                counts=row.counts,
                cost_usd=row.cost_usd,
            )
            for row in rows
        ]
