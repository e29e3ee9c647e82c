"""What became of each log, as rows of the `scores` table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from assay.metrics.base import Check
from assay.records import Failure, Fate, Log, MetricInfo, Outcome, Score

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("metric", pa.string()),
    ("metric_version", pa.string()),
    ("kind", pa.string()),
    ("unit", pa.string()),
    ("log_id", pa.string()),
    ("started", pa.timestamp("us", "UTC")),
    ("fate", pa.string()),
    ("value", pa.float64()),
    ("category", pa.string()),
    ("explanation", pa.string()),
    ("reason", pa.string()),
    ("cost_usd", pa.float64()),
    ("latency_ms", pa.float64()),
    ("rater", pa.string()),
    ("model", pa.string()),
    ("simulated", pa.uint8()),
    ("run_id", pa.string()),
    ("scored_at", pa.timestamp("us", "UTC")),
]
SCORES = pa.schema(_COLUMNS)
"""The columns of `scores`. `explanation` holds a failure's or skip's detail; `value` is null unless
the fate is `scored`."""

_LONGEST = 10_000


class Result(NamedTuple):
    """One log's outcome, None where the budget was spent before its turn.

    The cost is all that was spent on the log, whatever came of it."""

    log: Log
    outcome: Outcome | None
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    model: str = ""

    @property
    def fate(self) -> Fate:
        if self.outcome is None:
            return "over_budget"
        if isinstance(self.outcome, Score):
            return "scored"
        return "failed" if isinstance(self.outcome, Failure) else "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all rows of a batch have in common."""

    info: MetricInfo
    run_id: str
    simulated: bool
    scored_at: datetime


def to_table(results: Iterable[Result], stamp: Stamp) -> pa.Table:
    """The results as rows of `scores`, in their order."""
    return pa.Table.from_pylist([_row(result, stamp) for result in results], schema=SCORES)


def score_logs(metric: Check, logs: Iterable[Log], stamp: Stamp) -> pa.Table:
    """A batch of logs to a batch of scores in this process: no time limit, nothing kept."""
    return to_table((Result(log, metric.score(log)) for log in logs), stamp)


def _row(result: Result, stamp: Stamp) -> dict[str, object]:
    outcome = result.outcome
    if isinstance(outcome, Score):
        value, category, explanation, reason = outcome.value, outcome.category, outcome.explanation, ""
    elif outcome is None:
        value, category, explanation, reason = None, "", "", "budget"
    else:
        value, category, explanation, reason = None, "", outcome.detail, outcome.reason
    return {
        "metric": stamp.info.name,
        "metric_version": stamp.info.version,
        "kind": stamp.info.kind,
        "unit": result.log.unit,
        "log_id": result.log.log_id,
        "started": result.log.started,
        "fate": result.fate,
        "value": None if value is None else float(value),
        "category": _clean(category),
        "explanation": _clean(explanation),
        "reason": _clean(reason),
        "cost_usd": result.cost_usd,
        "latency_ms": result.latency_ms,
        "rater": "",
        "model": _clean(result.model),
        "simulated": int(stamp.simulated),
        "run_id": stamp.run_id,
        "scored_at": stamp.scored_at,
    }


def _clean(text: str) -> str:
    """Text that a store takes: a model's JSON may hold lone surrogates, a metric may write a book."""
    return str(text).encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
