"""The connection to the state store: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from assay.errors import AssayError, ConfigError, ExtraMissing, StoreError, StoreFull, StoreUnreachable

BUSY_S = 30
CONNECT_S = 10
BEGIN = "assay_begin"


class State:
    """An open state store; safe to share between threads.

    `read` and `write` give a connection inside one transaction, committed when the block ends and
    rolled back when it raises. They raise StoreUnreachable, StoreFull or StoreError.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For statements that change nothing."""
        with _translated(self.engine.url), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """For changes. On SQLite the lock is taken at once: a read that turns into a write in the
        middle of a transaction could otherwise fail where another process was faster."""
        with _translated(self.engine.url), self.engine.connect() as connection:
            connection.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection. Closing twice is harmless."""
        self.engine.dispose()


def connect_state(url: str) -> State:
    """A State at `url` (`sqlite:///path` or `postgresql://user:password@host/database`), whose
    tables may not be there yet.

    Raises ConfigError for an address that is neither, ExtraMissing without psycopg."""
    address = _parse(url)
    if address.get_backend_name() == "sqlite":
        return State(_sqlite(address))
    try:
        return State(create_engine(address, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_S}))
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"a PostgreSQL state store needs psycopg ({error}): pip install 'assay[postgres]'"
        ) from error


def _parse(url: str) -> URL:
    wanted = "use sqlite:///path or postgresql://user:password@host/database"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError, NoSuchModuleError):
        # The text may hold a password, so it is not repeated.
        raise ConfigError(f"the state store's address can't be read; {wanted}") from None
    if address.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername != "sqlite":
        raise ConfigError(f"no state store for `{address.drivername}://`; {wanted}")
    if address.database in (None, "", ":memory:"):
        raise ConfigError("the state store needs a file: sqlite:///path")
    return address


def _sqlite(address: URL) -> Engine:
    path = Path(str(address.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of the state store can't be made: {error}") from error
    engine = create_engine(address, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        # Transactions are begun below, by name; the driver's own would leave out DDL.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def _use_wal(connection: Any) -> None:
    """Switching a new file to its write-ahead log ignores SQLite's busy timeout, so wait here."""
    import sqlite3

    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """Turn the driver's errors into ours, with the address but never its password."""
    try:
        yield
    except AssayError:
        raise
    except DBAPIError as error:
        raise _explain(url, error) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the state store {_shown(url)}: {error}") from error


def _explain(url: URL, error: DBAPIError) -> StoreError:
    cause = " ".join(str(error.orig).split())
    if "disk is full" in cause or "No space left" in cause:
        return StoreFull(f"the disk of the state store {_shown(url)} is full; free some and repeat")
    if url.get_backend_name() == "sqlite":
        return StoreError(f"the state store {_shown(url)} can't be used: {cause}")
    if isinstance(error, OperationalError) and (error.connection_invalidated or error.statement is None):
        return StoreUnreachable(f"no answer from the state store {_shown(url)}: {cause}; is it running?")
    return StoreError(f"the state store {_shown(url)} refused: {cause}")


def _shown(url: URL) -> str:
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)
