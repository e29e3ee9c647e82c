"""What is usual on a route: latency and cost of the seven days before a log's day, by their quartiles.

A day's usual values are fixed when the first of its logs is settled. A route that had too few logs until
then is compared with what the day itself has shown so far, as long as that is enough.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
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
"""A row a route and day. `before` is 1 where the days before were enough, and on the row without a route that
says of a day that they were looked at."""

COLUMNS: Final = ", ".join(column.partition(" ")[0] for column in BASELINES.columns)
USUAL: Final = (
    "SELECT day, route, logs, latency_mid, latency_spread, priced, cost_mid, cost_spread "
    "FROM baselines FINAL WHERE day >= {first_day:Date} AND day <= {last_day:Date} AND route != ''"
)
_SUMMED: Final = ", ".join(
    f"toUInt32(countIf({value} > 0)) AS {count}, ifNotFinite(quartiles_{name}[2], 0.) AS {name}_mid, "
    f"greatest({LEAST_SPREAD}, ifNotFinite(quartiles_{name}[3] - quartiles_{name}[1], 0.) "
    f"/ {NORMAL_QUARTILES}) AS {name}_spread, "
    f"quantilesTDigestIf(0.25, 0.5, 0.75)(log({value}), {value} > 0) AS quartiles_{name}"
    for name, count, value in (("latency", "logs", "latency_ms"), ("cost", "priced", "cost_usd"))
)
_SUMS: Final = "logs, latency_mid, latency_spread, priced, cost_mid, cost_spread"
_STORED: Final = (
    "SELECT toDate(started) AS day, route, latency_ms, cost_usd FROM signals "
    "WHERE unit = 'interaction' AND is_deleted = 0 AND toDate(started) >= {since:Date} "
    "AND toDate(started) <= {until:Date}"
)


def z_score(value: str, name: str, count: str) -> str:
    """How far the value lies above the usual one, in standard deviations of the logarithm."""
    known = f"usual.{count} >= {ENOUGH} AND {value} > 0"
    return f"if({known}, (log({value}) - usual.{name}_mid) / usual.{name}_spread, NULL)"


class Baselines:
    """What is usual, made for a bucket's logs before they are compared. What is fixed is remembered."""

    def __init__(self, t: Telemetry) -> None:
        self._t = t
        self._fixed: dict[date, frozenset[str]] = {}

    def prepare(self, params: dict[str, Any]) -> None:
        """Make what the bucket's drafts are compared with. `params` are those of the bucket."""
        pairs = self._t.query(
            "SELECT DISTINCT toDate(started) AS day, toString(route) AS route FROM drafts "
            "WHERE run = {run:String} AND bucket = {bucket:UInt32} ORDER BY day",
            params,
        ).to_pylist()
        days = list(dict.fromkeys(row["day"] for row in pairs))
        if new := [day for day in days if day not in self._fixed]:
            self._fix(new, params)
        if any(row["route"] not in self._fixed[row["day"]] for row in pairs):
            self._t.command(
                f"INSERT INTO baselines ({COLUMNS}) {near(self._t.topology, _OF_THE_DAY)} "
                "SETTINGS max_partitions_per_insert_block = 0",
                params | {"since": days[0], "until": days[-1]},
            )

    def _fix(self, days: list[date], params: dict[str, Any]) -> None:
        noted = self._noted(days)
        for day in days:
            if day not in noted:
                since, until = day - timedelta(days=DAYS_BEFORE), day - timedelta(days=1)
                earlier = {"since": since, "until": until, "day": day}
                self._t.command(f"INSERT INTO baselines ({COLUMNS}) {_OF_DAYS_BEFORE}", params | earlier)
        self._fixed |= self._noted(days)

    def _noted(self, days: list[date]) -> dict[date, frozenset[str]]:
        """The routes, with the empty one, that are fixed for those of the days that were looked at."""
        rows = self._t.query(
            "SELECT day, groupUniqArray(route) AS routes FROM baselines FINAL "
            "WHERE before = 1 AND day IN {days:Array(Date)} GROUP BY day HAVING has(routes, '')",
            {"days": days},
        )
        return {row["day"]: frozenset(row["routes"]) for row in rows.to_pylist()}


_OF_DAYS_BEFORE: Final = (
    f"SELECT {{day:Date}}, route, 1, {_SUMS}, {{computed_at:DateTime64(6, 'UTC')}} FROM ("
    f"SELECT route, {_SUMMED} FROM ({_STORED}) GROUP BY route HAVING logs >= {ENOUGH} "
    f"UNION ALL SELECT '' AS route, {_SUMMED} FROM ({_STORED} AND 0))"
)
_OF_THE_DAY: Final = (
    f"SELECT day, route, 0, {_SUMS}, {{computed_at:DateTime64(6, 'UTC')}} FROM ("
    f"SELECT day, route, {_SUMMED} FROM ("
    f"{_STORED} AND (toDate(started), route) GLOBAL IN (SELECT day, route FROM (WANTED)) "
    "UNION ALL SELECT toDate(started) AS day, route, latency_ms, cost_usd FROM drafts "
    "WHERE run = {run:String} AND bucket = {bucket:UInt32} "
    "AND (toDate(started), route) GLOBAL IN (SELECT day, route FROM (WANTED))"
    f") GROUP BY day, route HAVING logs >= {ENOUGH})"
).replace(
    "WANTED",
    "SELECT DISTINCT toDate(started) AS day, route FROM drafts WHERE run = {run:String} "
    "AND bucket = {bucket:UInt32} AND (toDate(started), route) GLOBAL NOT IN ("
    "SELECT day, route FROM baselines WHERE before = 1 AND day >= {since:Date} AND day <= {until:Date})",
)
