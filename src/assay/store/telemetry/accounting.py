"""Where every log went: nothing is lost in silence.

The books are kept twice. `seen` counts every log that anything remembers: its own row, a turn of it, its
trace, a decision or score. A fate is counted only where the evidence for it is there: a log whose decision
or score was written (its receipt says so) and is gone has none. Whatever is lost between the steps leaves
the identity open by exactly so many logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from assay.query import Condition
from assay.records import Accounting, HourAccounting, HourPolicy, PolicyAccounting, Unit, Window
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.missing import missing_by_hour
from assay.store.telemetry.receipts import LOST, is_complete
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import BY_DAY, JUDGE, LABEL, LOGS, NEAR, OUTCOME, Question, bind_scope
from assay.store.telemetry.settle import read_upto

FATES: Final = ("filtered", "not_sampled", "over_budget", "failed", "skipped", "pending", "scored")
POLICY_FATES: Final = ("filtered", "not_sampled", "pending", "drawn")

Words = Mapping[str, Sequence[str]]

_PEOPLE: Final = f"SELECT log_id FROM {LABEL} WHERE selected"
_ADDED: Final = (
    "SELECT log_id FROM selections FINAL WHERE policy = {policy:String} AND stage = 'judge' "
    f"AND {NEAR} GROUP BY log_id HAVING maxIf(selected, occasion = 0) = 0 AND max(selected) = 1"
)
_UNDECIDED: Final = "isNotNull(j.selected), if(assumeNotNull(j.selected) = 1, '{drawn}', 'not_sampled')"
_LOST: Final = f"GLOBAL LEFT JOIN (SELECT log_id, 1 AS lost FROM ({LOST})) AS l ON f.log_id = l.log_id"
_IS_LOST: Final = "isNotNull(l.lost)"


def accounting(
    t: Telemetry,
    question: Question,
    *,
    where: Condition | None = None,
    words: Words | None = None,
) -> Accounting:
    """What became of every log of the window, for one version of a metric.

    In this order: the outcome it has; else what the policy decided (selected means pending);
    undecided logs are filtered outside the policy's `where` and pending inside."""
    hours = accounting_by_hour(t, question, where=where, words=words)
    totals = {name: sum(getattr(one.accounting, name) for one in hours) for name in ("seen", *FATES)}
    return Accounting(metric=question.info.name, metric_version=question.info.version, **totals)


def accounting_by_hour(
    t: Telemetry,
    question: Question,
    *,
    where: Condition | None = None,
    words: Words | None = None,
    upto: datetime | None = None,
) -> list[HourAccounting]:
    """The same by the hour in which logs began, the oldest first; `upto` None: as far as is settled."""
    fate = (
        f"multiIf({_IS_LOST}, '', isNotNull(m.outcome), toString(m.outcome), "
        f"{_UNDECIDED.format(drawn='pending')}, f.inside, 'pending', 'filtered')"
    )
    joins = f"GLOBAL LEFT JOIN ({OUTCOME}) AS m ON f.log_id = m.log_id"
    rows = _count(t, question.bind(), FATES, fate, joins, where, words, upto)
    name, version = question.info.name, question.info.version
    return [
        HourAccounting(hour=hour, accounting=Accounting(metric=name, metric_version=version, **row))
        for hour, row in rows.items()
    ]


def policy_by_hour(
    t: Telemetry,
    policy: str,
    unit: Unit,
    window: Window,
    *,
    where: Condition | None = None,
    words: Words | None = None,
    upto: datetime | None = None,
) -> list[HourPolicy]:
    """What a policy, of whatever version, did with every log of the window, by the hour."""
    params = bind_scope(unit, window, policy=policy, metric="", metric_version="", kind="")
    fate = f"multiIf({_IS_LOST}, '', {_UNDECIDED.format(drawn='drawn')}, f.inside, 'pending', 'filtered')"
    of_drawn = {"people": _PEOPLE, "added": _ADDED}
    parts = {
        name: f"countIf(end_state = 'drawn' AND log_id GLOBAL IN ({sql}))" for name, sql in of_drawn.items()
    }
    rows = _count(t, params, POLICY_FATES, fate, "", where, words, upto, parts)
    return [
        HourPolicy(hour=hour, accounting=PolicyAccounting(policy=policy, unit=unit, **row))
        for hour, row in rows.items()
    ]


def _count(
    t: Telemetry,
    params: dict[str, Any],
    fates: Sequence[str],
    fate: str,
    joins: str,
    where: Condition | None,
    words: Words | None,
    upto: datetime | None,
    parts: Mapping[str, str] | None = None,
) -> dict[datetime, dict[str, int]]:
    """By hour: `seen`, the fates, and the `parts` of one of them. `seen` is counted apart from the fates,
    so that a log which is doubled on the way leaves the hour out of balance too."""
    inside, values = compile_condition(where, words=words, prefix="w")
    counted = {name: f"countIf(end_state = '{name}')" for name in fates} | dict(parts or {})
    counts = ", ".join(f"{sql} AS {name}" for name, sql in counted.items())
    complete = is_complete(t, params)
    end_state = fate.replace(_IS_LOST, "0") if complete else fate
    lost = "" if complete else _LOST
    sql = (
        "SELECT toDateTime64(toStartOfHour(started), 6, 'UTC') AS hour, countIf(end_state = 'seen') AS seen, "
        f"{counts} FROM (SELECT log_id, started, 'seen' AS end_state FROM {LOGS} UNION ALL "
        f"SELECT f.log_id AS log_id, f.started AS started, {end_state} AS end_state "
        f"FROM (SELECT log_id, started, {inside} AS inside FROM {LOGS}) AS f "
        f"GLOBAL LEFT JOIN {JUDGE} AS j ON f.log_id = j.log_id {joins} {lost}"
        f") GROUP BY hour ORDER BY hour {BY_DAY}, join_use_nulls = 1"
    )
    rows = t.query(near(t.topology, sql), params | values).to_pylist()
    found = {utc(row.pop("hour")): row for row in rows}
    missing = missing_by_hour(t, params, read_upto(t) if upto is None else upto)
    none = dict.fromkeys(("seen", *counted), 0)
    for hour, logs in missing.items():
        row = found.setdefault(hour, dict(none))
        row["seen"] += logs
    return dict(sorted(found.items()))


def spend_by_day(t: Telemetry, window: Window, metric: str) -> dict[date, float]:
    """US dollars that the newest outcomes of the metric cost, by the day on which the logs began."""
    rows = t.query(
        "SELECT toDate(started) AS day, sum(cost_usd) AS cost FROM scores FINAL "
        "WHERE metric = {metric:String} AND started >= {start:DateTime64(6, 'UTC')} "
        "AND started < {end:DateTime64(6, 'UTC')} GROUP BY day",
        bind_scope("interaction", window, metric=metric),
    )
    return {row["day"]: float(row["cost"] or 0.0) for row in rows.to_pylist()}
