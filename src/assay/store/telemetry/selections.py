"""What was decided of each log, and which logs wait for a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from assay.query import Condition
from assay.records import Selection, Stage, Unit, Window
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.receipts import note_decisions
from assay.store.telemetry.scope import JUDGE, LABEL, LOGS, NEAR, bind_around, bind_scope

DRAW = (
    "reinterpretAsUInt64(reverse(substring(SHA256(concat({salt:String}, ':', log_id)), 1, 8)))"
    " / 18446744073709551616"
)
"""A log's permanent random number; `assay.sampling.draw` computes the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What of a policy the store must know: which logs it is about and how it divides them.

    A log belongs to the first of `strata` whose condition holds of it, else to `rest`.
    """

    policy: str
    version: str
    unit: Unit
    strata: tuple[tuple[str, Condition], ...] = ()
    rest: str = "rest"
    where: Condition | None = None
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)


def days_with_logs(t: Telemetry, unit: Unit, window: Window) -> list[date]:
    """The UTC days of the window on which settled logs began, in order."""
    whole = Window(start=window.days()[0].start, end=window.days()[-1].end) if window.days() else window
    rows = t.query(
        f"SELECT DISTINCT toDate(started) AS day FROM {LOGS} ORDER BY day", bind_scope(unit, whole)
    )
    return [row["day"] for row in rows.to_pylist()]


def undecided(t: Telemetry, grouping: Grouping, stage: Stage, window: Window, *, salt: str) -> pa.Table:
    """Settled logs that the policy, of whatever version, has not decided at the stage: log_id,
    started, stratum, draw. For stage `label`: of those, the ones selected for the judge."""
    rows, params = _grouped(grouping, stage, window)
    decided = JUDGE if stage == "judge" else LABEL
    return t.query(
        f"SELECT log_id, started, stratum, {DRAW} AS draw FROM ({rows}) "
        f"WHERE selected AND log_id GLOBAL NOT IN (SELECT log_id FROM {decided}) ORDER BY log_id",
        params | {"salt": salt},
    )


def strata_counts(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> pa.Table:
    """By UTC day and stratum: day, stratum, `logs` (settled; at stage `label` the expected number
    selected for the judge, so a sum of probabilities) and how many of them are `undecided`."""
    rows, params = _grouped(grouping, stage, window)
    decided = JUDGE if stage == "judge" else LABEL
    return t.query(
        "SELECT toDate(started) AS day, stratum, sum(chance) AS logs, "
        f"countIf(selected AND log_id GLOBAL NOT IN (SELECT log_id FROM {decided})) AS undecided "
        f"FROM ({rows}) GROUP BY day, stratum ORDER BY day, stratum",
        params,
    )


def fixed_probabilities(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> pa.Table:
    """By UTC day and stratum, the probability that this version of the policy has decided with:
    day, stratum, probability."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, version=grouping.version, stage=stage)
    return t.query(
        "SELECT toDate(started) AS day, stratum, argMin(probability, decided_at) AS probability "
        "FROM selections FINAL WHERE policy = {policy:String} AND policy_version = {version:String} "
        f"AND stage = {{stage:String}} AND {NEAR} AND started >= {{start:DateTime64(6, 'UTC')}} "
        "AND started < {end:DateTime64(6, 'UTC')} GROUP BY day, stratum ORDER BY day, stratum",
        params,
    )


def insert_selections(t: Telemetry, rows: pa.Table) -> None:
    """Write decisions down, durably; writing the same again changes nothing."""
    note_decisions(t, rows)
    t.insert("selections", rows)


def selected_counts(t: Telemetry, policy: str, unit: Unit, window: Window) -> pa.Table:
    """By stratum, over all versions of the policy: stratum, decided, judge and label (selected)."""
    return t.query(
        "SELECT stratum, countIf(stage = 'judge') AS decided, "
        "countIf(stage = 'judge' AND selected) AS judge, countIf(stage = 'label' AND selected) AS label "
        f"FROM selections FINAL WHERE policy = {{policy:String}} AND {NEAR} "
        "AND started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')} "
        "GROUP BY stratum ORDER BY stratum",
        bind_scope(unit, window, policy=policy),
    )


def selections_of(t: Telemetry, unit: Unit, begun: Mapping[str, datetime]) -> list[Selection]:
    """Every decision about these logs, given with when they began: by log and policy, judge before label."""
    rows = t.query(
        f"SELECT * FROM selections FINAL WHERE {NEAR} AND log_id IN {{log_ids:Array(String)}} "
        "ORDER BY log_id, policy, stage",
        bind_around(unit, begun),
    ).to_pylist()
    return [
        Selection(
            **{
                **row,
                "selected": bool(row["selected"]),
                "started": row["started"].astimezone(UTC),
                "decided_at": row["decided_at"].astimezone(UTC),
            }
        )
        for row in rows
    ]


def _grouped(grouping: Grouping, stage: Stage, window: Window) -> tuple[str, dict[str, Any]]:
    """The window's logs as rows of log_id, started, stratum, chance and selected.

    At stage `label` these are the logs decided for the judge. They keep the stratum that they had
    then if this version gave it, though the facts may have changed since; and `where` is not asked
    again, since nobody who was selected may lose the chance of being labelled."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, version=grouping.version)
    branches = []
    for number, (name, condition) in enumerate(grouping.strata):
        sql, values = compile_condition(condition, words=grouping.words, prefix=f"s{number}_")
        branches.append(f"{sql}, {{stratum{number}:String}}, ")
        params |= values | {f"stratum{number}": name}
    params["rest"] = grouping.rest
    stratum = f"multiIf({''.join(branches)}{{rest:String}})" if branches else "{rest:String}"
    if stage == "judge":
        where, values = compile_condition(grouping.where, words=grouping.words, prefix="w")
        return (
            f"SELECT log_id, started, {stratum} AS stratum, 1. AS chance, 1 AS selected "
            f"FROM {LOGS} AND {where}",
            params | values,
        )
    return (
        "SELECT log_id, f.started AS started, chance, selected, "
        "if(policy_version = {version:String}, j.stratum, f.stratum) AS stratum "
        f"FROM (SELECT log_id, started, {stratum} AS stratum FROM {LOGS}) AS f "
        "GLOBAL INNER JOIN (SELECT log_id, policy_version, toString(stratum) AS stratum, "
        f"probability AS chance, selected FROM {JUDGE}) AS j USING log_id",
        params,
    )
