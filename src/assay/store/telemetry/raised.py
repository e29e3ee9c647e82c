"""How often each signal was raised, and the newest logs for trying a signal out."""

from __future__ import annotations

from typing import Final, NamedTuple

import pyarrow as pa

from assay.records import Unit, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import FACTS

_WITHIN: Final = "started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}"


class Raised(NamedTuple):
    """`logs` by unit, and on how many of them each signal was raised, by unit and name."""

    logs: dict[str, int]
    counts: dict[tuple[str, str], int]


def count_raised(t: Telemetry, window: Window) -> Raised:
    """Of the window's logs. A conversation counts for each signal of its interactions too."""
    found = t.query(
        "SELECT unit, name, count() AS logs FROM ("
        "SELECT unit, arrayJoin(arrayConcat([''], arrayDistinct(signals))) AS name FROM signals FINAL "
        f"WHERE {_WITHIN}) GROUP BY unit, name",
        {"start": window.start, "end": window.end},
    ).to_pylist()
    logs = {row["unit"]: row["logs"] for row in found if not row["name"]}
    return Raised(logs, {(row["unit"], row["name"]): row["logs"] for row in found if row["name"]})


def newest_facts(t: Telemetry, unit: Unit, limit: int) -> list[pa.RecordBatch]:
    """Facts of the newest logs of that unit."""
    table = t.query(
        f"SELECT {FACTS} FROM signals FINAL WHERE unit = {{unit:String}} "
        "ORDER BY started DESC LIMIT {limit:UInt32}",
        {"unit": unit, "limit": limit},
    )
    return table.to_batches()
