"""A copy of the embedded store while it is in use, and a store made from a copy.

The engine's data lies in parts that never change once written. A snapshot is a set of hard links to
them, made in a moment in which nothing is inserted, and is then copied at leisure. Tables come back
from the text that created them and their parts; what is newer in the program's schema is added when
the store is opened.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from assay.errors import StoreError
from assay.store.telemetry.connection import Telemetry, open_embedded
from assay.store.telemetry.derive import TABLE_ID

PASSING: Final = ("_next", "_anew")
"""What is being built beside its table ends so: it is no part of a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A table at the moment of the snapshot: the statement that made it, and its parts' folders."""

    name: str
    create: str
    rows: int
    parts: tuple[Path, ...]


@contextmanager
def freeze(t: Telemetry, meanwhile: Callable[[], None] = lambda: None) -> Iterator[tuple[Frozen, ...]]:
    """Every table as it is now, until the block ends. `meanwhile` runs in the moment of the snapshot.

    Raises StoreError for a server, which makes copies of its own."""
    if t.path is None:
        raise StoreError("only an embedded store is copied by assay: a server has BACKUP")
    name = uuid4().hex
    shadow = t.path / "shadow" / name
    try:
        with t.paused():
            tables = _tables(t)
            for table, _, _ in tables:
                t.command(f"ALTER TABLE {table} FREEZE WITH NAME '{name}'")
            meanwhile()
        yield tuple(_frozen(shadow, *table) for table in tables)
    finally:
        shutil.rmtree(shadow, ignore_errors=True)


def restore_tables(path: Path, tables: Sequence[Frozen]) -> None:
    """Make a store at `path`, where there is none, from these tables. Raises StoreError where rows
    are missing; then nothing of it is left."""
    if path.exists() and any(path.iterdir()):
        raise StoreError(f"{path} is not empty: nothing was written")
    try:
        store = open_embedded(path)
        try:
            store.command("SYSTEM STOP MERGES")
            for table in tables:
                _restore_table(store, table)
        finally:
            store.close()
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(path)
        raise


def _tables(t: Telemetry) -> list[tuple[str, str, str]]:
    """Each table with its id and the statement that makes it."""
    rows = t.query(
        f"SELECT name, {TABLE_ID} AS id, create_table_query AS made FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name"
    ).to_pylist()
    return [(row["name"], row["id"], row["made"]) for row in rows if not row["name"].endswith(PASSING)]


def _frozen(shadow: Path, name: str, table_id: str, create: str) -> Frozen:
    uuid = table_id[-36:]
    folder = shadow / "store" / uuid[:3] / uuid
    parts = tuple(sorted(part for part in folder.iterdir() if part.is_dir())) if folder.exists() else ()
    rows = sum(int((part / "count.txt").read_text(encoding="ascii")) for part in parts)
    return Frozen(name=name, create=create, rows=rows, parts=parts)


def _restore_table(t: Telemetry, table: Frozen) -> None:
    t.command(table.create)
    (row,) = t.query(
        "SELECT data_paths[1] AS path FROM system.tables "
        "WHERE database = currentDatabase() AND name = {name:String}",
        {"name": table.name},
    ).to_pylist()
    for part in table.parts:
        shutil.copytree(part, Path(row["path"]) / "detached" / part.name)
    if table.parts:
        t.command(f"ALTER TABLE {table.name} ATTACH PARTITION ALL")
    (found,) = t.query(
        "SELECT sum(rows) AS rows FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = {name:String}",
        {"name": table.name},
    ).to_pylist()
    if (found["rows"] or 0) != table.rows:
        raise StoreError(f"table {table.name} has {found['rows']} rows and should have {table.rows}")
