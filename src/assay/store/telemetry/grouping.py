"""What a policy must know of logs, as the store computes it: conditions, slices, features, cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from assay.query import Attribute, Condition, Subject
from assay.records import Stage, Unit, Window
from assay.store.telemetry.condition import compile_condition, compile_subject
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.embeddings import cells_of
from assay.store.telemetry.features import FEATURES
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import LOGS, bind_scope

SEPARATOR = "\x1f"
"""Between the facts of a slice that is made of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Which logs a policy is about, and what it asks of each.

    `conditions` become columns `when.NAME`, `slices` columns `slice.N`; `cell` a column of that name,
    among the vectors of `embedder`; `features` the columns that a risk model reads. `again`: whether a
    log whose facts have changed is to be looked at again."""

    policy: str
    version: str
    unit: Unit
    where: Condition | None = None
    conditions: tuple[tuple[str, Condition], ...] = ()
    slices: tuple[tuple[Subject, ...], ...] = ()
    cell: bool = False
    features: bool = False
    again: bool = False
    embedder: str = ""
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """The name that a column of the store's has outside."""
        kind, number = name[:1], name[1:]
        if kind == "w" and number.isdecimal():
            return f"when.{self.conditions[int(number)][0]}"
        return f"slice.{number}" if kind == "s" and number.isdecimal() else name


class Rows(NamedTuple):
    """`source` is FROM and WHERE of the logs; `sql` selects log_id, started, facts_at and the columns
    `asked`."""

    source: str
    sql: str
    asked: tuple[str, ...]
    params: dict[str, Any]


def divide(t: Telemetry, unit: Unit, window: Window, most: int) -> list[Window]:
    """The window in pieces of whole minutes that hold about so many settled logs each: the embedded engine
    gives a statement's rows only when it has them all."""
    rows = t.query(
        "SELECT toDateTime64(toStartOfMinute(started), 6, 'UTC') AS minute, count() AS logs FROM signals "
        "WHERE unit = {unit:String} AND started >= {start:DateTime64(6, 'UTC')} "
        "AND started < {end:DateTime64(6, 'UTC')} GROUP BY minute ORDER BY minute",
        bind_scope(unit, window),
    ).to_pylist()
    starts, held = [window.start], 0
    for row in rows:
        if held and held + row["logs"] > most:
            starts.append(utc(row["minute"]))
            held = 0
        held += row["logs"]
    return [Window(start=a, end=b) for a, b in zip(starts, [*starts[1:], window.end], strict=True)]


def read_facts(grouping: Grouping, stage: Stage, window: Window, *, since: datetime | None = None) -> Rows:
    """What the grouping asks for, of the settled logs of the window whose facts were computed at `since`
    or later. At stage `label` its `where` is not asked again: nobody who was selected may lose the
    chance of being labelled."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, version=grouping.version)
    source = LOGS
    if since is not None:
        source += " AND computed_at >= {since:DateTime64(6, 'UTC')}"
        params["since"] = since
    if grouping.where is not None and stage == "judge":
        where = compile_condition(grouping.where, words=grouping.words, prefix="v", within=window)
        source, params = f"{source} AND {where.sql}", params | where.params
    columns = {}
    for number, (_, condition) in enumerate(grouping.conditions):
        holds = compile_condition(condition, words=grouping.words, prefix=f"w{number}_", within=window)
        columns[f"w{number}"], params = holds.sql, params | holds.params
    for number, subjects in enumerate(grouping.slices):
        columns[f"s{number}"], values = _slice(number, subjects)
        params |= values
    listed = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    features = f", {FEATURES}" if grouping.features else ""
    sql = f"SELECT log_id, started, computed_at AS facts_at{listed}{features} FROM {source}"
    asked = [*columns, *(["COLUMNS('^x_')"] if grouping.features else [])]
    if grouping.cell:
        sql = (
            f"SELECT f.*, c.cell AS cell FROM ({sql}) AS f "
            f"GLOBAL LEFT JOIN ({cells_of()}) AS c ON f.log_id = c.log_id"
        )
        days = {"first_day": window.start.date(), "last_day": window.end.date()}
        params |= {"embedder": grouping.embedder, **days}
        asked.append("cell")
    return Rows(source, sql, tuple(asked), params)


def _slice(number: int, subjects: Sequence[Subject]) -> tuple[str, dict[str, Any]]:
    texts: list[str] = []
    params: dict[str, Any] = {}
    for place, subject in enumerate(subjects):
        fact = compile_subject(subject, prefix=f"s{number}_{place}_")
        texts.append(fact.sql if isinstance(subject, Attribute) else f"ifNull(toString({fact.sql}), '')")
        params |= fact.params
    between = f", '{SEPARATOR}', "
    return (texts[0] if len(texts) == 1 else f"concat({between.join(texts)})"), params
