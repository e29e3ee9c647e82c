"""Logs that somebody chose by hand to be reviewed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select

from assay.records import Pick, Unit
from assay.store.state.connection import State
from assay.store.state.tables import PICKS
from assay.store.state.versions import ensure_project, insert_once

IDS = 500
"""Ids in one statement: databases take so many values, and not many more."""


def add_picks(
    state: State, project: str, unit: Unit, log_ids: Iterable[str], *, note: str = "", now: datetime
) -> int:
    """Remember these logs; how many are new. One that is there already keeps its note and its time."""
    added = 0
    with state.write() as connection:
        ensure_project(connection, project, now)
        for log_id in dict.fromkeys(log_ids):
            row = {"project": project, "unit": unit, "log_id": log_id, "note": note, "picked_at": now}
            added += insert_once(connection, PICKS, row)
    return added


def remove_picks(state: State, project: str, unit: Unit, log_ids: Iterable[str]) -> int:
    """Forget that these were picked; how many were."""
    removed = 0
    with state.write() as connection:
        for ids in _batches(log_ids):
            of = (PICKS.c.project == project, PICKS.c.unit == unit, PICKS.c.log_id.in_(ids))
            removed += connection.execute(delete(PICKS).where(*of)).rowcount
    return removed


def list_picks(state: State, project: str, unit: Unit, *, limit: int | None = None) -> list[Pick]:
    """What was picked, the first one first."""
    query = select(PICKS).where(PICKS.c.project == project, PICKS.c.unit == unit)
    with state.read() as connection:
        rows = connection.execute(query.order_by(PICKS.c.picked_at, PICKS.c.log_id).limit(limit))
        return [
            Pick(unit=row.unit, log_id=row.log_id, note=row.note, picked_at=row.picked_at) for row in rows
        ]


def count_picks(state: State, project: str, unit: Unit) -> int:
    """How many are picked."""
    query = select(func.count()).where(PICKS.c.project == project, PICKS.c.unit == unit)
    with state.read() as connection:
        return int(connection.execute(query).scalar_one())


def picked_among(state: State, project: str, unit: Unit, log_ids: Iterable[str]) -> frozenset[str]:
    """Those of these logs that are picked."""
    found: set[str] = set()
    with state.read() as connection:
        for ids in _batches(log_ids):
            of = (PICKS.c.project == project, PICKS.c.unit == unit, PICKS.c.log_id.in_(ids))
            found.update(row.log_id for row in connection.execute(select(PICKS.c.log_id).where(*of)))
    return frozenset(found)


def _batches(log_ids: Iterable[str]) -> Iterable[list[str]]:
    every = list(dict.fromkeys(log_ids))
    return (every[start : start + IDS] for start in range(0, len(every), IDS))
