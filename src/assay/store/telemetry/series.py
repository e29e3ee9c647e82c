"""A number of each log, over time: how many, how much, and how it is spread, by day or by hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from assay.query import Condition
from assay.records import SeriesPoint, Unit, Window
from assay.records.page import Step, Summed
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import LOGS, bind_scope

QUANTILES: Final = (0.5, 0.95, 0.99)
NUMBERS: Final[Mapping[Summed, str]] = {
    "count": "",
    "latency_ms": "latency_ms",
    "errors": "errors",
    "cost_usd": "cost_usd",
    "tokens": "input_tokens + output_tokens",
}


def series(
    t: Telemetry,
    unit: Unit,
    window: Window,
    of: Summed,
    step: Step,
    condition: Condition | None = None,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> dict[date, list[SeriesPoint]]:
    """The points of the window's logs of which the condition holds, in time order, by UTC day.
    Steps without any log are left out."""
    where = compile_condition(condition, words=words, now=now, within=window)
    start = "toStartOfHour(started)" if step == "hour" else "toStartOfDay(started)"
    number = NUMBERS[of]
    spread = ", sum({0}) AS total, avg({0}) AS mean, quantilesExact({1})({0}) AS spread".format(
        f"toFloat64({number})", ", ".join(map(str, QUANTILES))
    )
    sql = (
        f"SELECT toDate(started) AS day, toDateTime64({start}, 6, 'UTC') AS at, count() AS logs, "
        f"countIf(errors > 0) AS failed{spread if number else ''} FROM {LOGS} AND {where.sql} "
        "GROUP BY day, at ORDER BY at"
    )
    found: dict[date, list[SeriesPoint]] = defaultdict(list)
    for row in t.query(near(t.topology, sql), bind_scope(unit, window) | where.params).to_pylist():
        p50, p95, p99 = row["spread"] if number else (None, None, None)
        found[row["day"]].append(
            SeriesPoint(
                at=utc(row["at"]),
                logs=row["logs"],
                failed=row["failed"],
                total=row.get("total"),
                mean=row.get("mean"),
                p50=p50,
                p95=p95,
                p99=p99,
            )
        )
    return found
