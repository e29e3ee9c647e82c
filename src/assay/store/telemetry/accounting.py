"""Where every log went: nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from assay.query import Condition
from assay.records import Accounting, Window
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import JUDGE, LOGS, OUTCOME, Question, bind_scope

FATES = ("filtered", "not_sampled", "over_budget", "failed", "skipped", "pending", "scored")


def accounting(
    t: Telemetry,
    question: Question,
    *,
    where: Condition | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
) -> Accounting:
    """What became of every log of the window, for one version of a metric.

    In this order: the outcome it has; else what the policy decided (selected means pending);
    undecided logs are filtered outside the policy's `where` and pending inside."""
    rows = accounting_by_hour(t, question, where=where, words=words).to_pylist()
    totals = {name: sum(row[name] for row in rows) for name in ("seen", *FATES)}
    return Accounting(metric=question.info.name, metric_version=question.info.version, **totals)


def accounting_by_hour(
    t: Telemetry,
    question: Question,
    *,
    where: Condition | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
) -> pa.Table:
    """The same by the hour in which logs began: hour, seen and a column per fate.

    `seen` is counted apart from the fates, straight from the logs, so that a log which is lost or
    doubled on the way through decisions and scores leaves the hour out of balance."""
    inside, values = compile_condition(where, words=words, prefix="w")
    params = question.bind()
    counts = ", ".join(f"countIf(kept = 0 AND end_state = '{fate}') AS {fate}" for fate in FATES)
    end_state = (
        "multiIf(isNotNull(m.outcome), toString(m.outcome), isNotNull(j.selected), "
        "if(assumeNotNull(j.selected) = 1, 'pending', 'not_sampled'), f.inside, 'pending', 'filtered')"
    )
    return t.query(
        "SELECT toDateTime64(toStartOfHour(started), 6, 'UTC') AS hour, countIf(kept = 1) AS seen, "
        f"{counts} FROM ("
        f"SELECT started, 1 AS kept, '' AS end_state FROM {LOGS} UNION ALL "
        f"SELECT f.started AS started, 0 AS kept, {end_state} AS end_state "
        f"FROM (SELECT log_id, started, {inside} AS inside FROM {LOGS}) AS f "
        f"GLOBAL LEFT JOIN (SELECT log_id, selected FROM {JUDGE}) AS j ON f.log_id = j.log_id "
        f"GLOBAL LEFT JOIN ({OUTCOME}) AS m ON f.log_id = m.log_id"
        ") GROUP BY hour ORDER BY hour SETTINGS join_use_nulls = 1",
        params | values,
    )


def spend_by_day(t: Telemetry, window: Window, metric: str) -> dict[date, float]:
    """US dollars that the newest outcomes of the metric cost, by the day on which the logs began."""
    rows = t.query(
        "SELECT toDate(started) AS day, sum(cost_usd) AS cost FROM scores FINAL "
        "WHERE metric = {metric:String} AND started >= {start:DateTime64(6, 'UTC')} "
        "AND started < {end:DateTime64(6, 'UTC')} GROUP BY day",
        bind_scope("interaction", window, metric=metric),
    )
    return {row["day"]: float(row["cost"] or 0.0) for row in rows.to_pylist()}
