"""Policies that were made on a page or by a command, as a `[policies.NAME]` table would say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from assay.store.state.connection import State
from assay.store.state.tables import SAVED_POLICIES
from assay.store.state.versions import ensure_project, insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPolicy:
    """What a policy of that name does, and since when."""

    name: str
    settings: Mapping[str, Any]
    saved_at: datetime


def save_policy(
    state: State, project: str, name: str, settings: Mapping[str, Any], *, now: datetime, replace: bool
) -> bool:
    """Keep the policy under its name; False, and nothing, where the name is taken and not to be replaced."""
    table = SAVED_POLICIES
    values = {"project": project, "name": name, "settings": dict(settings), "saved_at": now}
    own = (table.c.project == project) & (table.c.name == name)
    with state.write() as connection:
        ensure_project(connection, project, now)
        if insert_once(connection, table, values):
            return True
        if replace:
            connection.execute(update(table).where(own).values(settings=values["settings"], saved_at=now))
        return replace


def remove_policy(state: State, project: str, name: str) -> bool:
    """Forget the policy of that name; whether there was one. What it has decided stays."""
    table = SAVED_POLICIES
    own = (table.c.project == project) & (table.c.name == name)
    with state.write() as connection:
        return connection.execute(delete(table).where(own)).rowcount == 1


def list_saved_policies(state: State, project: str) -> list[SavedPolicy]:
    """The project's saved policies, the oldest first: a policy of theirs that others follow stays so."""
    table = SAVED_POLICIES
    query = select(table).where(table.c.project == project).order_by(table.c.saved_at, table.c.name)
    with state.read() as connection:
        return [
            SavedPolicy(name=row.name, settings=row.settings, saved_at=row.saved_at)
            for row in connection.execute(query)
        ]
