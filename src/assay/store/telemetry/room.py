"""Whether the disk has room for tables that are made anew beside the present ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from assay.errors import StoreFull
from assay.store.telemetry.schema import local_name

if TYPE_CHECKING:
    from assay.store.telemetry.connection import Telemetry

ROOM: Final = 1.3
"""How much larger than the present table the new one may become, merges not yet done."""


def check_room(t: Telemetry, tables: Iterable[str], beside: str = "") -> None:
    """Raise `StoreFull` where a second copy of the tables would touch the disk's reserve. What stands in
    `beside` already is a part of it. A server's disk is its own affair."""
    names = list(tables)
    if t.path is None or not names:
        return
    sizes = "SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active "
    rows = t.query(
        f"{sizes} AND database = currentDatabase() AND table IN {{tables:Array(String)}} GROUP BY table",
        {"tables": [local_name(name, t.topology) for name in (*names, beside)]},
    ).to_pylist()
    held = {row["table"]: row["bytes"] for row in rows}
    there = held.pop(local_name(beside, t.topology), 0)
    wanted = max(0, int(sum(held.values()) * ROOM) - there)
    free = shutil.disk_usage(t.path).free
    if held and free - wanted < t.reserve_bytes:
        raise StoreFull(
            f"making {', '.join(names)} anew needs about {wanted:,} bytes beside what is there and {free:,} "
            f"are free at {t.path}, of which {t.reserve_bytes:,} are kept in reserve: nothing was changed"
        )
