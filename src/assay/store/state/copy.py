"""A copy of the state store while it is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from assay.errors import StoreError
from assay.store.state.connection import State


def copy_state(state: State, target: Path) -> bool:
    """Write a consistent copy of an SQLite store to `target`; False, and nothing, for PostgreSQL."""
    if state.engine.dialect.name != "sqlite":
        return False
    with (
        closing(sqlite3.connect(str(state.engine.url.database))) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return True


def check_copy(path: Path) -> None:
    """Raises StoreError where the file is no whole SQLite store."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
        try:
            (found,) = copy.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise StoreError(f"{path} is no whole state store: {found}")
