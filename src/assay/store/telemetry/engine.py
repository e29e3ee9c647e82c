"""Where a telemetry store is, and how one handle to it is opened."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from assay.errors import ConfigError, ExtraMissing, StoreError, StoreHeld
from assay.store.telemetry.schema import Topology

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What the embedded engine may take: it shares a machine with the application.

    `memory_mb` is for queries, inserts and merges together: a statement that would go beyond it fails.
    `threads` work on one query, `merge_threads` keep the tables in order."""

    memory_mb: int = 1_200
    threads: int = 2
    merge_threads: int = 2


def engine_options(appetite: Appetite) -> dict[str, object]:
    """How the embedded engine is started. Its caches are small, since the kernel caches files as well."""
    return {
        "max_server_memory_usage": appetite.memory_mb * 1_000_000,
        "mark_cache_size": 64_000_000,
        "primary_index_cache_size": 64_000_000,
        "index_mark_cache_size": 16_000_000,
        "query_condition_cache_size": 16_000_000,
        "uncompressed_cache_size": 0,
        "background_pool_size": appetite.merge_threads,
        "background_schedule_pool_size": 4,
        "background_common_pool_size": 2,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
    }


SETTINGS: Mapping[str, object] = {
    "session_timezone": "UTC",
    "async_insert": 0,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
    "output_format_arrow_compression_method": "none",
}
EMBEDDED_SETTINGS: Mapping[str, object] = {
    "max_insert_threads": 1,
    "defer_partition_pruning_after_final": 0,
}
"""Questions name the days that they are about, with room on both sides: no other day is read."""
CLUSTER_SETTINGS: Mapping[str, object] = {"distributed_foreground_insert": 1, "load_balancing": "in_order"}
"""An insert is answered when its shard has it, and a question goes to the replica that had the insert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A DSN, taken apart: `path` for the embedded engine, else a server's address."""

    topology: Topology
    path: Path | None = None
    host: str = "localhost"
    port: int | None = None
    user: str | None = None
    password: str = field(default="", repr=False)
    database: str | None = None
    secure: bool = False


def read_dsn(dsn: str) -> Address:
    """`chdb:///path`, or `clickhouse://user:password@host:8123/database?cluster=NAME&secure=1`."""
    parts = urlsplit(dsn)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if parts.scheme == "chdb":
        if parts.netloc or not parts.path.strip("/"):
            raise ConfigError(f"telemetry dsn {dsn!r}: expected chdb:///absolute/path")
        return Address(topology=Topology(kind="embedded"), path=Path(unquote(parts.path)))
    if parts.scheme != "clickhouse":
        raise ConfigError(
            f"telemetry dsn with scheme {parts.scheme!r}: expected chdb:///path or clickhouse://host:8123/database"
        )
    cluster = options.get("cluster", "")
    return Address(
        topology=Topology(kind="cluster", cluster=cluster) if cluster else Topology(kind="server"),
        host=parts.hostname or "localhost",
        port=parts.port,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else "",
        database=unquote(parts.path.strip("/")) or None,
        secure=options.get("secure", "").lower() in {"1", "true", "yes"},
    )


def hold(path: Path) -> IO[str]:
    """Lock the path, so that a second process hears who has it instead of an engine's riddle."""
    lock = (path / "assay.lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise StoreError(f"{path} can't be locked: {error.strerror}") from error
        pid = int(holder) if holder.isdigit() else None
        who = f"process {pid}" if pid else "another process"
        raise StoreHeld(
            f"{who} has {path} open and only one may: talk to it over HTTP, or stop it first", pid=pid
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def connect_embedded(path: Path, appetite: Appetite | None = None) -> Client:
    if find_spec("chdb") is None:
        raise ExtraMissing("the embedded store needs chdb: pip install 'assay[server]'")
    from clickhouse_connect import get_client

    appetite = appetite or Appetite()
    return get_client(
        interface="chdb",
        path=str(path),
        chdb_options=engine_options(appetite),
        settings={**SETTINGS, **EMBEDDED_SETTINGS, "max_threads": appetite.threads},
    )


def connect_server(address: Address) -> Client:
    from clickhouse_connect import get_client

    settings = {**SETTINGS, **(CLUSTER_SETTINGS if address.topology.kind == "cluster" else {})}
    return get_client(
        host=address.host,
        port=address.port or 0,
        username=address.user,
        password=address.password,
        database=address.database,
        secure=address.secure,
        settings=settings,
        autogenerate_session_id=False,
    )
