"""One metric day by day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from assay.estimates.metric import estimate_metric
from assay.records import DayEstimate, MetricInfo


def estimate_days(
    ledger_rows: pa.Table,
    seen_by_day: Mapping[date, int],
    info: MetricInfo,
    *,
    decided_by_day: Mapping[date, int] | None = None,
    level: float = 0.95,
) -> tuple[DayEstimate, ...]:
    """An estimate for each UTC day that has logs, oldest first.

    Each day stands on its own labels: a correction learned on other days would hide the very change
    that a trend is read for. A day with too few has no value; its `raw` rate is there all the same.
    """
    ordered = ledger_rows.sort_by("day")
    parts, start = {}, 0
    for entry in pc.value_counts(ordered["day"].combine_chunks()):
        size = entry["counts"].as_py()
        parts[entry["values"].as_py()] = ordered.slice(start, size)
        start += size
    nothing = ordered.slice(0, 0)
    decided = seen_by_day if decided_by_day is None else decided_by_day
    return tuple(
        DayEstimate(
            day=day,
            estimate=estimate_metric(
                parts.get(day, nothing), seen, info, decided=decided.get(day, 0), level=level
            ),
        )
        for day, seen in sorted(seen_by_day.items())
        if seen > 0
    )
