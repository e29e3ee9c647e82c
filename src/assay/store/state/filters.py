"""Filters that somebody gave a name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from assay.records import SavedFilter, Unit
from assay.store.state.connection import State
from assay.store.state.tables import SAVED_FILTERS
from assay.store.state.versions import ensure_project


def save_filter(state: State, project: str, name: str, *, unit: Unit, text: str, now: datetime) -> None:
    """Keep the filter under that name, instead of what it meant before."""
    values = {"unit": unit, "text": text, "saved_at": now}
    with state.write() as connection:
        ensure_project(connection, project, now)
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = insert(SAVED_FILTERS).values(project=project, name=name, **values)
        key = [SAVED_FILTERS.c.project, SAVED_FILTERS.c.name]
        connection.execute(row.on_conflict_do_update(index_elements=key, set_=values))


def remove_filter(state: State, project: str, name: str) -> bool:
    """Forget the filter; whether there was one."""
    key = (SAVED_FILTERS.c.project == project, SAVED_FILTERS.c.name == name)
    with state.write() as connection:
        return connection.execute(delete(SAVED_FILTERS).where(*key)).rowcount == 1


def list_filters(state: State, project: str) -> list[SavedFilter]:
    """Every saved filter, by name."""
    query = select(SAVED_FILTERS).where(SAVED_FILTERS.c.project == project)
    with state.read() as connection:
        return [
            SavedFilter(name=row.name, unit=row.unit, text=row.text, saved_at=row.saved_at)
            for row in connection.execute(query.order_by(SAVED_FILTERS.c.name))
        ]
