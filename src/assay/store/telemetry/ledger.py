"""The ledger: every selected log with its probabilities and what was said about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from assay.errors import UnknownName
from assay.query import Condition
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import HUMAN, JUDGE, LABEL, LOGS, OUTCOME, Question

COLUMNS: Final = frozenset(
    {"service", "environment", "version", "model", "user_id", "conversation_id", "signals", "turns"}
    | {"latency_ms", "cost_usd", "errors", "tool_errors", "feedback", "similarity"}
)
"""Facts that can be asked for beside each row, as can `attr["key"]`."""

ATTRIBUTE: Final = re.compile(r'attr\["(.*)"\]', re.DOTALL)
SAME: Final = ("log_id", "started", "day", "stratum", "p1", "p2", "fate", "value", "label", "simulated")


class Ledger(NamedTuple):
    """All that an estimate may know.

    `rows`: the selected logs: log_id, started, day (UTC), stratum, p1, p2 (null unless selected for
    people), fate (null while waiting), value (null unless scored), label (mean of what people said,
    null if none), simulated, then the columns asked for. `seen` and `seen_by_day` count all logs of
    the question, `decided_by_day` those that the policy has decided, drawn or not: only for them do
    the rows stand.
    """

    rows: pa.Table
    seen_by_day: dict[date, int]
    seen: int
    decided_by_day: dict[date, int]


def read_ledger(
    t: Telemetry,
    question: Question,
    *,
    condition: Condition | None = None,
    columns: Sequence[str] = (),
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> Ledger:
    """The ledger of one version of a metric under a policy, of logs of which `condition` holds.

    Raises UnknownName for a column that isn't there. `words` and `now` serve the condition."""
    params = question.bind()
    where, values = compile_condition(condition, words=words, now=now, prefix="w")
    extra, attributes = _extra_columns(columns)
    params |= values | attributes
    rows = t.query(_rows_sql(f"{LOGS} AND {where}", extra), params)
    seen, decided = _count(t, f"{LOGS} AND {where}", params)
    return Ledger(rows.rename_columns([*SAME, *columns]), seen, sum(seen.values()), decided)


def _rows_sql(logs: str, extra: Sequence[str]) -> str:
    facts = "".join(f", {expression} AS x{number}" for number, expression in enumerate(extra))
    shown = "".join(f", f.x{number} AS x{number}" for number in range(len(extra)))
    return (
        "SELECT f.log_id AS log_id, f.started AS started, toDate(f.started) AS day, j.stratum AS stratum, "
        "j.p1 AS p1, l.p2 AS p2, m.outcome AS fate, m.outcome_value AS value, h.label AS label, "
        f"toBool(ifNull(m.outcome_simulated, 0)) AS simulated{shown} "
        f"FROM (SELECT log_id, started{facts} FROM {logs}) AS f "
        "GLOBAL INNER JOIN (SELECT log_id, stratum, probability AS p1 "
        f"FROM {JUDGE} WHERE selected) AS j ON f.log_id = j.log_id "
        f"GLOBAL LEFT JOIN (SELECT log_id, probability AS p2 FROM {LABEL} WHERE selected) AS l "
        "ON f.log_id = l.log_id "
        f"GLOBAL LEFT JOIN ({OUTCOME}) AS m ON f.log_id = m.log_id "
        f"GLOBAL LEFT JOIN (SELECT log_id, avg(value) AS label FROM {HUMAN} AND fate = 'scored' "
        "GROUP BY log_id) AS h ON f.log_id = h.log_id "
        "ORDER BY started, log_id SETTINGS join_use_nulls = 1"
    )


def _count(t: Telemetry, logs: str, params: dict[str, Any]) -> tuple[dict[date, int], dict[date, int]]:
    rows = t.query(
        "SELECT toDate(started) AS day, count() AS seen, "
        f"countIf(log_id GLOBAL IN (SELECT log_id FROM {JUDGE})) AS decided "
        f"FROM (SELECT log_id, started FROM {logs}) GROUP BY day ORDER BY day",
        params,
    ).to_pylist()
    return {row["day"]: row["seen"] for row in rows}, {row["day"]: row["decided"] for row in rows}


def _extra_columns(columns: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    expressions, params = [], {}
    for number, column in enumerate(columns):
        if found := ATTRIBUTE.fullmatch(column):
            expressions.append(f"attributes[{{key{number}:String}}]")
            params[f"key{number}"] = found[1]
        elif column == "signals":
            expressions.append("arrayMap(name -> toString(name), signals)")
        elif column in COLUMNS:
            expressions.append(column)
        else:
            known = ", ".join(sorted(COLUMNS))
            raise UnknownName(f'no column `{column}`; there are {known} and attr["key"]')
    return expressions, params
