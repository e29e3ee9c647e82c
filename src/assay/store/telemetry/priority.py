"""The priority of logs: the first of the team's rules that holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from assay.query import Condition
from assay.records import Level, Unit, Window
from assay.store.telemetry.condition import Where, compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.scope import LOGS, bind_scope

Rules = Sequence[tuple[Level, Condition]]
Words = Mapping[str, Sequence[str]]


def compile_priority(
    rules: Rules,
    unit: Unit,
    *,
    words: Words | None = None,
    prefix: str = "p",
    within: Window | None = None,
) -> Where:
    """The priority as an expression over rows of `signals` of one unit: a text, `low` where no rule
    holds."""
    params: dict[str, Any] = {}
    cases: list[str] = []
    for number, (level, condition) in enumerate(rules):
        made = compile_condition(
            condition, words=words, prefix=f"{prefix}{number}_", within=within, unit=unit
        )
        params |= made.params
        cases.append(f"{made.sql}, '{level}'")
    return Where(f"multiIf({', '.join(cases)}, 'low')" if cases else "'low'", params)


def priorities_of(
    t: Telemetry, unit: Unit, begun: Mapping[str, datetime], rules: Rules, words: Words | None = None
) -> dict[str, Level]:
    """The priority of each of these logs, given with when they began; those that are not settled are
    missing."""
    if not begun or not rules:
        return dict.fromkeys(begun, "low")
    made = compile_priority(rules, unit, words=words)
    sql = (
        f"SELECT log_id, {made.sql} AS level FROM signals FINAL WHERE unit = {{unit:String}} "
        "AND started IN {times:Array(DateTime64(6, 'UTC'))} AND log_id IN {ids:Array(String)} "
        "SETTINGS optimize_move_to_prewhere_if_final = 1"
    )
    params = {"unit": unit, "times": list(begun.values()), "ids": list(begun)}
    rows = t.query(near(t.topology, sql), params | made.params).to_pylist()
    return {row["log_id"]: row["level"] for row in rows}


def count_priorities(
    t: Telemetry, unit: Unit, window: Window, rules: Rules, words: Words | None = None
) -> dict[Level, int]:
    """How many of the window's logs have each priority."""
    made = compile_priority(rules, unit, words=words, within=window)
    sql = f"SELECT {made.sql} AS level, count() AS logs FROM {LOGS} GROUP BY level"
    rows = t.query(near(t.topology, sql), bind_scope(unit, window) | made.params).to_pylist()
    counts: dict[Level, int] = {"high": 0, "medium": 0, "low": 0}
    return counts | {row["level"]: row["logs"] for row in rows}
