"""Connections to the telemetry store: one class for the embedded engine, a server and a cluster."""

from __future__ import annotations

import errno
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from assay.errors import StoreError, StoreFull, StoreHeld, StoreUnreachable
from assay.records import Progress, no_progress
from assay.store.telemetry.engine import Appetite, connect_embedded, connect_server, hold, read_dsn
from assay.store.telemetry.schema import Topology

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DEFAULT_RESERVE_BYTES = 200_000_000
DEFAULT_HANDLES = 4
INSERT_SETTINGS: Mapping[str, object] = {
    "query_plan_enable_optimizations": 0,
    "short_circuit_function_evaluation": "disable",
    "compile_expressions": 0,
    "optimize_on_insert": 0,
    "min_insert_block_size_rows": 16_384,
    "min_insert_block_size_bytes": 33_554_432,
}
"""An insert plans the mapping of spans anew: a small one costs planning, a large one memory."""

FULL_CODES = frozenset({243})  # NOT_ENOUGH_SPACE
UNREACHABLE_CODES = frozenset({159, 209, 210, 242, 279, 999})  # timeouts, network, read-only, keeper


class Telemetry:
    """The telemetry store, safe to share between threads: each call borrows a handle of a pool."""

    def __init__(
        self,
        connect: Callable[[], Client],
        topology: Topology,
        *,
        path: Path | None = None,
        lock: IO[str] | None = None,
        handles: int = DEFAULT_HANDLES,
        reserve_bytes: int = DEFAULT_RESERVE_BYTES,
    ) -> None:
        self.topology = topology
        self.path = path
        self._connect = connect
        self._lock = lock
        self.reserve_bytes = reserve_bytes
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue()
        self._tickets = threading.BoundedSemaphore(handles)
        self._handles = handles
        self._closed = False
        self._gate = threading.Condition()
        self._inserting = self._shut = 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows of a SELECT. Parameters stand in the SQL as `{name:Type}`; times come back in UTC."""
        bound = {name: _bindable(value) for name, value in (params or {}).items()}
        with self._borrow(sql) as client:
            table: pa.Table = client.query_arrow(sql, parameters=bound)
        return table

    def stream(self, sql: str, params: Mapping[str, Any] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT as they come, for what does not fit into memory. A handle is taken until
        the last one is read or the iterator is closed."""
        bound = {name: _bindable(value) for name, value in (params or {}).items()}
        with self._borrow(sql) as client, client.query_arrow_stream(sql, parameters=bound) as batches:
            yield from batches

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns nothing."""
        bound = {name: _bindable(value) for name, value in (params or {}).items()}
        with self._borrow(sql) as client:
            client.command(sql, parameters=bound)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append rows, durably: they are synced to disk when this returns.

        Columns go by name; absent ones get their defaults. Every table absorbs a repeated insert.
        Raises `StoreFull` before anything is written when the disk's reserve would be touched.
        """
        if rows.num_rows == 0:
            return
        self.check_reserve(rows.nbytes)
        with self._through_gate(), self._borrow(f"INSERT INTO {table}") as client:
            client.insert_arrow(table, rows, settings=dict(INSERT_SETTINGS))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No `insert` runs until the block ends: those that came before are in, the others wait."""
        with self._gate:
            self._shut += 1
            self._gate.wait_for(lambda: self._inserting == 0)
        try:
            yield
        finally:
            with self._gate:
                self._shut -= 1
                self._gate.notify_all()

    @contextmanager
    def _through_gate(self) -> Iterator[None]:
        with self._gate:
            self._gate.wait_for(lambda: self._shut == 0)
            self._inserting += 1
        try:
            yield
        finally:
            with self._gate:
                self._inserting -= 1
                self._gate.notify_all()

    def close(self) -> None:
        """Wait for running calls, then let go of every handle and of the embedded store's path."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._handles):
            self._tickets.acquire()
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self._tickets.release(self._handles)  # whoever still waits for one hears that it is closed
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _borrow(self, sql: str) -> Iterator[Client]:
        with self._tickets, translated(sql):
            if self._closed:
                raise StoreError("the telemetry store is closed")
            try:
                client = self._idle.get_nowait()
            except queue.Empty:
                client = self._connect()
            try:
                yield client
            except Exception:
                self._clear(client)
                raise
            finally:
                self._idle.put(client)

    def _clear(self, client: Client) -> None:
        """What the embedded engine had written of a reply before it failed stands in front of its next
        one: a statement that returns nothing takes it away."""
        if self.path is not None:
            with suppress(Exception):
                client.command("SELECT 1")

    def check_reserve(self, size_bytes: int) -> None:
        """Raise `StoreFull` where so many bytes more would touch the disk's reserve."""
        if self.path is None:
            return
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes - size_bytes < self.reserve_bytes:
            raise StoreFull(
                f"{free_bytes:,} bytes are free at {self.path} and {self.reserve_bytes:,} are kept in "
                "reserve: nothing was written; make room and try again"
            )


def open_telemetry(
    dsn: str,
    *,
    handles: int = DEFAULT_HANDLES,
    reserve_bytes: int = DEFAULT_RESERVE_BYTES,
    progress: Progress = no_progress,
    appetite: Appetite | None = None,
) -> Telemetry:
    """Open the store and bring its tables up to date. `appetite` is the embedded engine's.

    Raises `StoreHeld` when another process has the embedded path open, `StoreUnreachable` when no
    server answers, `StoreError` when the store is newer than this program.
    """
    from assay.store.telemetry.derive import derive
    from assay.store.telemetry.migrations import migrate

    address = read_dsn(dsn)
    if address.path is not None:
        store = open_embedded(address.path, handles, reserve_bytes, appetite)
    else:
        store = Telemetry(lambda: connect_server(address), address.topology, handles=handles)
    try:
        migrate(store)
        derive(store, progress=progress)
    except BaseException:
        store.close()
        raise
    return store


def open_embedded(
    path: Path,
    handles: int = DEFAULT_HANDLES,
    reserve_bytes: int = DEFAULT_RESERVE_BYTES,
    appetite: Appetite | None = None,
) -> Telemetry:
    """The engine on that path, with whatever tables are there."""
    path.mkdir(parents=True, exist_ok=True)
    lock = hold(path)
    return Telemetry(
        lambda: connect_embedded(path, appetite),
        Topology(kind="embedded"),
        path=path,
        lock=lock,
        handles=handles,
        reserve_bytes=reserve_bytes,
    )


@contextmanager
def translated(sql: str) -> Iterator[None]:
    """Engine and driver errors as assay's own, with the statement's first line."""
    from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

    try:
        yield
    except ClickHouseError as error:
        text, code = str(error), getattr(error, "code", None)
        first_line = sql.strip().partition("\n")[0][:200]
        if code in FULL_CODES or "No space left on device" in text or "NOT_ENOUGH_SPACE" in text:
            raise StoreFull("the telemetry store's disk is full: nothing was written") from error
        if "EmbeddedServer" in text:
            raise StoreHeld("another process has this embedded store open, and only one may") from error
        if code in UNREACHABLE_CODES or (code is None and isinstance(error, OperationalError)):
            raise StoreUnreachable(f"no answer from the telemetry server: {_brief(text)}") from error
        raise StoreError(f"{_brief(text)} [in: {first_line}]") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StoreFull("the disk is full: nothing was written") from error
        raise


def _brief(text: str) -> str:
    return " ".join(text.split())[:500]


def _bindable(value: Any) -> Any:
    """The driver cuts datetimes to seconds and writes booleans as words; neither is wanted."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(sep=" ")
    if isinstance(value, list):
        return [_bindable(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_bindable(item) for item in value)
    return value
