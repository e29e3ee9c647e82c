"""Ledgers for tests: a simulated fortnight with known truth, sampled and labelled as told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from assay.records import MetricInfo

FIELDS: dict[str, pa.DataType] = {
    "log_id": pa.string(),
    "started": pa.timestamp("us", "UTC"),
    "day": pa.date32(),
    "stratum": pa.string(),
    "p1": pa.float64(),
    "p2": pa.float64(),
    "fate": pa.string(),
    "value": pa.float64(),
    "label": pa.float64(),
    "simulated": pa.bool_(),
    "signals": pa.list_(pa.string()),
    "version": pa.string(),
    'attr["topic"]': pa.string(),
}
SCHEMA = pa.schema(FIELDS)

JUDGE = MetricInfo(name="resolved", version="1", kind="judge", unit="conversation", target="unresolved")
START = date(2026, 5, 4)


def row(index: int = 0, **fields: Any) -> dict[str, Any]:
    """One judge-selected, scored, unlabelled log; `fields` change it."""
    day = fields.pop("day", START)
    made = {
        "log_id": f"{index:032x}",
        "started": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        "day": day,
        "stratum": "rest",
        "p1": 1.0,
        "p2": None,
        "fate": "scored",
        "value": 1.0,
        "label": None,
        "simulated": False,
        "signals": [],
        "version": "v1",
        'attr["topic"]': "",
    }
    return made | fields


def ledger(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


class Simulated(NamedTuple):
    rows: pa.Table
    seen: int
    seen_by_day: dict[date, int]
    truth: float


def simulate(
    rng: np.random.Generator,
    *,
    logs: int = 2_000,
    days: int = 10,
    failure: float = 0.1,
    sensitivity: float = 0.8,
    false_alarm: float = 0.05,
    p1: float = 0.5,
    p2: float = 0.3,
) -> Simulated:
    """A judge that says 1 (good) or 0, humans who know, uniform draws in both stages."""
    bad = rng.random(logs) < failure
    flagged = np.where(bad, rng.random(logs) < sensitivity, rng.random(logs) < false_alarm)
    day_of = rng.integers(0, days, logs)
    first, second = rng.random(logs) < p1, rng.random(logs) < p2
    rows = [
        row(
            int(i),
            day=START + timedelta(days=int(day_of[i])),
            p1=p1,
            p2=p2 if second[i] else None,
            value=float(not flagged[i]),
            label=float(not bad[i]) if second[i] else None,
        )
        for i in np.flatnonzero(first)
    ]
    by_day = {START + timedelta(days=d): int(np.sum(day_of == d)) for d in range(days)}
    return Simulated(ledger(rows), logs, by_day, float(1.0 - bad.mean()))
