"""What is usual on a route: latency and cost of the seven days before a log's day, by their quartiles.

A day's usual values are fixed when the first of its logs is settled, and never change: settling again, or in
other batches, gives what it gave before. A route that had too few logs until then has none on that day, its
first one among them. No day is fixed that has not begun by the store's clock, or before everything planned
of earlier days is settled: an import's conversation that goes on for weeks must not fix those weeks.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import DRAFTED, near
from assay.store.telemetry.schema import Table

DAYS_BEFORE: Final = 7
ENOUGH: Final = 50
"""Of fewer logs nobody knows what is usual."""

LEAST_SPREAD: Final = 0.1
"""A standard deviation of the logarithm below which differences mean nothing: 10 %."""

NORMAL_QUARTILES: Final = 1.349
"""So many standard deviations lie between the quartiles of a normal distribution."""

BASELINES: Final = Table(
    name="baselines",
    columns=(
        "day Date",
        "route String",
        "before UInt8",
        "logs UInt32",
        "latency_mid Float64",
        "latency_spread Float64",
        "priced UInt32",
        "cost_mid Float64",
        "cost_spread Float64",
        "computed_at DateTime64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="computed_at",
    partition_by="day",
    order_by="(day, route)",
    shard_by="cityHash64(route)",
)
"""A row a route and day, and one without a route that says of a day that it is fixed. `before` is 1: rows
with another value are of an earlier rule and count no more."""

COLUMNS: Final = ", ".join(column.partition(" ")[0] for column in BASELINES.columns)
USUAL: Final = (
    "SELECT day, route, logs, latency_mid, latency_spread, priced, cost_mid, cost_spread "
    "FROM baselines FINAL WHERE day >= {first_day:Date} AND day <= {last_day:Date} "
    "AND before = 1 AND route != ''"
)
_SUMMED: Final = ", ".join(
    f"toUInt32(countIf({value} > 0)) AS {count}, ifNotFinite(quartiles_{name}[2], 0.) AS {name}_mid, "
    f"greatest({LEAST_SPREAD}, ifNotFinite(quartiles_{name}[3] - quartiles_{name}[1], 0.) "
    f"/ {NORMAL_QUARTILES}) AS {name}_spread, "
    f"quantilesTDigestIf(0.25, 0.5, 0.75)(log({value}), {value} > 0) AS quartiles_{name}"
    for name, count, value in (("latency", "logs", "latency_ms"), ("cost", "priced", "cost_usd"))
)
_SUMS: Final = "logs, latency_mid, latency_spread, priced, cost_mid, cost_spread"
_DAYS: Final = "toDate(started) >= {since:Date} AND toDate(started) <= {until:Date}"
_SEEN: Final = (
    "SELECT route, latency_ms, cost_usd FROM signals FINAL "
    f"WHERE unit = 'interaction' AND {_DAYS} AND log_id GLOBAL NOT IN (SELECT trace_id FROM {DRAFTED}) "
    f"UNION ALL SELECT route, latency_ms, cost_usd FROM {DRAFTED} AND {_DAYS}"
)
"""Each log of those days once: a bucket's own as they are now."""


def z_score(value: str, name: str, count: str) -> str:
    """How far the value lies above the usual one, in standard deviations of the logarithm."""
    known = f"usual.{count} >= {ENOUGH} AND {value} > 0"
    return f"if({known}, (log({value}) - usual.{name}_mid) / usual.{name}_spread, NULL)"


class Baselines:
    """What is usual, made for a bucket's logs before they are compared. What is fixed is remembered."""

    def __init__(self, t: Telemetry) -> None:
        self._t = t
        self._fixed: set[date] = set()

    def prepare(self, params: dict[str, Any], *, complete: date) -> None:
        """Make what the bucket's drafts are compared with, on days up to the first before which something
        may still come. `params` are those of the bucket."""
        rows = self._t.query(f"SELECT DISTINCT toDate(started) AS day FROM {DRAFTED} ORDER BY day", params)
        days = [row["day"] for row in rows.to_pylist()]
        if new := [day for day in days if day not in self._fixed and day <= complete]:
            self._fix(new, params)

    def _fix(self, days: list[date], params: dict[str, Any]) -> None:
        noted = self._noted(days)
        for day in days:
            if day not in noted:
                since, until = day - timedelta(days=DAYS_BEFORE), day - timedelta(days=1)
                earlier = {"since": since, "until": until, "day": day}
                select = near(self._t.topology, _OF_DAYS_BEFORE)
                self._t.command(f"INSERT INTO baselines ({COLUMNS}) {select}", params | earlier)
        self._fixed |= {*days}

    def _noted(self, days: list[date]) -> set[date]:
        """Those of the days that are fixed."""
        rows = self._t.query(
            "SELECT DISTINCT day FROM baselines "
            "WHERE before = 1 AND route = '' AND day IN {days:Array(Date)}",
            {"days": days},
        )
        return {row["day"] for row in rows.to_pylist()}


_OF_DAYS_BEFORE: Final = (
    f"SELECT {{day:Date}}, route, 1, {_SUMS}, {{computed_at:DateTime64(6, 'UTC')}} FROM ("
    f"SELECT route, {_SUMMED} FROM ({_SEEN}) GROUP BY route HAVING logs >= {ENOUGH} AND route != '' "
    f"UNION ALL SELECT '' AS route, {_SUMMED} FROM ({_SEEN}) WHERE 0)"
)
