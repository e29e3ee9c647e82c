"""Bringing the state store to this program's schema, whoever else opens it at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from assay.errors import StoreError
from assay.store.state.connection import State, connect_state

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do that no other program on the same database uses for its own lock.
LOCK = 0x6173736179


def open_state(url: str) -> State:
    """Open the state store, made or brought up to date where need be.

    Any number of processes may do so at once. Raises ConfigError for a wrong address, StoreError
    for a file that can't be used or was written by a newer assay, StoreUnreachable for a server
    that doesn't answer."""
    state = connect_state(url)
    try:
        _migrate(state)
    except BaseException:
        state.close()
        raise
    return state


def _migrate(state: State) -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    with state.read() as connection:
        if _revision(connection, scripts) == scripts.get_current_head():
            return
    with state.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _revision(connection, scripts) != scripts.get_current_head():
            _upgrade(connection, scripts)


def _revision(connection: Connection, scripts: ScriptDirectory) -> str | None:
    """The revision that the tables are at. Raises StoreError where this program doesn't know it."""
    # Asked of the catalogue first: on PostgreSQL a failed query would spoil the transaction.
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in scripts.walk_revisions()]
    if found is not None and found not in known:
        raise StoreError(
            f"the state store has schema {found}, written by a newer assay; this one knows up to "
            f"{scripts.get_current_head()}: upgrade assay, or restore the copy made before"
        )
    return found


def _upgrade(connection: Connection, scripts: ScriptDirectory) -> None:
    def steps(revision: Any, context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        # The transaction is the caller's, so that the lock outlives the last step.
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()
