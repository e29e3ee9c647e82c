"""Signals of what is stored, computed anew from its facts, day by day, the newest first.

Only the array `signals` changes: a row keeps its facts, and its version moves on by a microsecond, so that
what was touched since still counts as touched. A run that breaks off has done whole days and goes on behind
them; doing it again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pyarrow as pa

from assay.errors import StoreError, StoreFull, StoreUnreachable
from assay.query import Condition, Field, walk
from assay.records import Progress, Signal, Unit, Window, no_progress
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import fingerprint, read_known, remember
from assay.store.telemetry.dialect import staged
from assay.store.telemetry.facts import FACT_NAMES, near, raised
from assay.store.telemetry.hearing import FOLDED, listen_for
from assay.store.telemetry.made import Fault, Made, Named, beside, no_fault, own_sql, with_names
from assay.store.telemetry.own import brief

TEXTS: Final = ("input", "output", "error", "comment")
"""Facts that retention clears; what was raised on them stays as it was."""

TALKS: Final = 100_000
"""Conversations that are put together with their interactions at once, about."""

ROWS: Final = 20_000
"""Rows that are written at once."""

_SETTINGS: Final = (
    "SETTINGS max_block_size = 8192, preferred_block_size_bytes = 16000000, compile_expressions = 0, "
    "optimize_move_to_prewhere_if_final = 1"
)
_TEXTLESS: Final = " AND ".join(f"empty({name})" for name in TEXTS)
"""A log whose texts have been removed; or one that never had any."""
_ROWS: Final = "signals FINAL WHERE unit = {unit:String} AND is_deleted = 0 AND toDate(started) = {day:Date}"
_BOUNDS: Final = "AND started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}"


class Asked(NamedTuple):
    """What is asked for; `bounds` is a condition on the time of a log, with `params` bound in it."""

    signals: Sequence[tuple[Signal, Condition | None]]
    words: Mapping[str, Sequence[str]]
    only: frozenset[str] | None
    made: Made
    fault: Fault
    bounds: str
    params: dict[str, Any]


class ResignalReport(NamedTuple):
    """Logs that were looked at, those whose signals changed, and the days that were gone through."""

    rows: int
    changed: int
    days: int


def recompute(
    t: Telemetry,
    signals: Sequence[tuple[Signal, Condition | None]],
    *,
    words: Mapping[str, Sequence[str]],
    window: Window | None = None,
    only: frozenset[str] | None = None,
    made: Made = MappingProxyType({}),
    fault: Fault = no_fault,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> ResignalReport:
    """Compute the signals of every log that began in the window anew, or only those named in `only`.

    `made` are the signals that are functions. Where a log's texts have been removed, signals that read
    texts stay as they are, and so do a team's own where they fail: `fault` is told of SQL. Each day is a
    `turn`: others may write between two. A run that breaks off, or that `stop` ends, is gone on with by
    the next one for the same signals and window.
    """
    bounds, params = ("", {}) if window is None else (_BOUNDS, {"start": window.start, "end": window.end})
    asked = Asked(signals, words, only, made, fault, bounds, params)
    print_ = _fingerprint(asked)
    left = _left_at(t, print_)
    todo = [day for day in _days(t, asked) if left is None or day.date < left]
    total = sum(day.logs for day in todo)
    rows = changed = 0
    for days, day in enumerate(todo):
        if stop():
            return ResignalReport(rows, changed, days)
        progress("signals", rows, total)
        with turn():
            step = _Step(t, asked, day)
            changed += step.interactions() + step.conversations()
            remember(t, "resignal", "", f"{print_} {day.date.isoformat()}")
        rows += day.logs
    if total:
        progress("signals", total, total)
        remember(t, "resignal", "", "")
    return ResignalReport(rows, changed, len(todo))


class _Day(NamedTuple):
    date: date
    logs: int
    talks: int


def _days(t: Telemetry, asked: Asked) -> list[_Day]:
    """The days that have logs, the newest first."""
    rows = t.query(
        "SELECT toDate(started) AS day, count() AS logs, countIf(unit = 'conversation') AS talks "
        f"FROM signals FINAL WHERE is_deleted = 0 {asked.bounds} "
        "GROUP BY day ORDER BY day DESC",
        asked.params,
    )
    return [_Day(row["day"], row["logs"], row["talks"]) for row in rows.to_pylist()]


class _Step:
    """One day. `renewed` are the names that are computed; of those that stand, `_rest` is what stays."""

    def __init__(self, t: Telemetry, asked: Asked, day: _Day) -> None:
        self._t, self._asked, self._day = t, asked, day
        self._pairs = [pair for pair in asked.signals if asked.only is None or pair[0].name in asked.only]
        self._name()

    def _name(self) -> None:
        self._renewed = {
            s.name for s, condition in self._pairs if condition or s.sql or s.unit in self._asked.made
        }
        self._textual = {s.name for s, condition in self._pairs if _reads_texts(s, condition)}

    def interactions(self) -> int:
        """How many rows changed."""
        return self._renew("interaction", {}, "[]", f"(SELECT * FROM {_ROWS} {self._asked.bounds})")

    def conversations(self) -> int:
        """A conversation has the signals of its interactions, which may lie on later days."""
        last = f"SELECT max(toDate(ended)) AS last FROM {_ROWS} {self._asked.bounds}"
        (row,) = self._t.query(last, self._params("conversation")).to_pylist()
        parts, changed = max(1, -(-self._day.talks // TALKS)), 0
        for part in range(parts):
            place = {"last": row["last"], "part": part, "parts": parts}
            changed += self._renew("conversation", place, self._inherited(), _whole(self._asked.bounds))
        return changed

    def _inherited(self) -> str:
        return (
            "inherited"
            if self._asked.only is None
            else "arrayFilter(n -> n IN {renewed:Array(String)}, inherited)"
        )

    def _renew(self, unit: Unit, place: dict[str, Any], inherited: str, source: str) -> int:
        self._leave_out_failing(unit, place, source)
        return self._compute(unit, place, inherited, source)

    def _leave_out_failing(self, unit: Unit, place: dict[str, Any], source: str) -> None:
        """Leave out SQL of the team's that fails on this day: what it raised before stays as it is.

        It is asked for first: of rows that are being read, a failure may not be told."""
        own = own_sql(self._pairs, unit)
        if not own or self._fails(own, unit, place, source) is None:
            return
        failing = set()
        for signal in own:
            if error := self._fails((signal,), unit, place, source):
                failing.add(signal.name)
                self._asked.fault(signal.name, StoreError(brief(str(error))), self._day.logs)
        self._pairs = [pair for pair in self._pairs if pair[0].name not in failing]
        self._name()

    def _fails(
        self, own: Sequence[Signal], unit: Unit, place: dict[str, Any], source: str
    ) -> StoreError | None:
        asked = beside(own, source)
        sql = f"SELECT sum(length(own)) AS raised FROM ({asked.sql}) {_SETTINGS}"
        try:
            self._t.query(near(self._t.topology, sql), self._params(unit) | place | asked.params)
        except (StoreFull, StoreUnreachable):
            raise
        except StoreError as error:
            return error
        return None

    def _compute(self, unit: Unit, place: dict[str, Any], inherited: str, source: str) -> int:
        ears = listen_for(self._pairs, unit, self._asked.words)
        fresh = raised(self._pairs, unit, self._asked.words, ears.heard)
        own = beside(own_sql(self._pairs, unit), source)
        joined = f"arrayConcat({self._rest()}, {inherited}, {fresh.sql}, own)"
        textual = "n -> n {0} {{textual:Array(String)}}"
        kept = (
            f"arrayConcat(arrayFilter({textual.format('NOT IN')}, {joined}), "
            f"arrayFilter({textual.format('IN')}, signals))"
        )
        every = f"if({_TEXTLESS}, {kept}, {joined})"
        stages = (
            FOLDED,
            ears.hits,
            {
                "fresh": f"arraySort(arrayDistinct(CAST({every}, 'Array(String)')))",
                "stood": "arraySort(CAST(signals, 'Array(String)'))",
                "moved": "computed_at + toIntervalMicrosecond(1)",
            },
        )
        last = {
            **{name: name for name in FACT_NAMES},
            "signals": "fresh",
            "computed_at": "moved",
            "stood": "stood",
        }
        more = ("signals", "computed_at", "own", *(("inherited",) if unit == "conversation" else ()))
        rows = staged((*FACT_NAMES, *more), f"({own.sql})", stages, last)
        changed = "1" if unit in self._asked.made else "signals != stood"
        sql = f"SELECT * FROM (\n{rows}\n) WHERE {changed} {_SETTINGS}"
        params = self._params(unit) | place | fresh.params | ears.params | own.params
        return self._write(unit, self._t.stream(near(self._t.topology, sql), params))

    def _rest(self) -> str:
        kept = (
            "NOT IN {renewed:Array(String)}" if self._asked.only is not None else "IN {stays:Array(String)}"
        )
        return f"arrayFilter(n -> n {kept}, signals)"

    def _params(self, unit: Unit) -> dict[str, Any]:
        stays = [s.name for s, _ in self._asked.signals if s.unit == unit and s.name not in self._renewed]
        textual = [s.name for s, _ in self._pairs if s.unit == unit and s.name in self._textual]
        of_day = {"unit": unit, "day": self._day.date, "renewed": sorted(self._renewed), "stays": stays}
        return {**of_day, "textual": textual, **self._asked.params}

    def _write(self, unit: Unit, batches: Iterator[pa.RecordBatch]) -> int:
        """Write what changed, some thousand rows at once; how many they were."""
        waiting: list[pa.Table] = []
        changed = 0
        for batch in batches:
            rows = self._changed(unit, batch)
            if rows.num_rows:
                waiting.append(rows)
                changed += rows.num_rows
            if sum(table.num_rows for table in waiting) >= ROWS:
                self._t.insert("signals", pa.concat_tables(waiting))
                waiting = []
        if waiting:
            self._t.insert("signals", pa.concat_tables(waiting))
        return changed

    def _changed(self, unit: Unit, batch: pa.RecordBatch) -> pa.Table:
        table = pa.Table.from_batches([batch])
        if unit in self._asked.made and batch.num_rows:
            names = self._asked.made[unit](batch.select(list(FACT_NAMES)))
            table = with_names(table, pa.array(self._made_names(unit, batch, names), pa.list_(pa.string())))
            pairs: Any = zip(table["signals"].to_pylist(), table["stood"].to_pylist(), strict=True)
            table = table.filter(pa.array([new != old for new, old in pairs], pa.bool_()))
        return table.drop_columns(["stood"])

    def _made_names(self, unit: Unit, batch: pa.RecordBatch, made: Named) -> list[list[str]]:
        """What functions raise. Where one fails, or has no text to read any more, what stood stands."""
        functions = {s.name for s, said in self._pairs if said is None and not s.sql and s.unit == unit}
        texts: Any = zip(*(batch.column(name).to_pylist() for name in TEXTS), strict=True)
        rows: Any = zip(made.names.to_pylist(), batch.column("stood").to_pylist(), texts, strict=True)
        found = []
        for names, stood, said in rows:
            unknown = made.failed if any(said) else functions
            new = {name for name in names if name in functions and name not in unknown}
            found.append([*new, *(name for name in stood if name in functions and name in unknown)])
        return found


def _whole(bounds: str) -> str:
    """The day's conversations with what their interactions raise."""
    part = "modulo(cityHash64({0}), {{parts:UInt32}}) = {{part:UInt32}}"
    talks = f"SELECT * FROM {_ROWS} {bounds} AND {part.format('log_id')}"
    inherited = (
        "SELECT conversation_id AS talk, groupUniqArrayArray(signals) AS inherited FROM signals FINAL "
        "WHERE unit = 'interaction' AND is_deleted = 0 AND toDate(started) >= {day:Date} "
        f"AND toDate(started) <= {{last:Date}} AND {part.format('conversation_id')} GROUP BY conversation_id"
    )
    return (
        f"(SELECT talks.*, inherited.inherited AS inherited FROM ({talks}) AS talks "
        f"LEFT ANY JOIN ({inherited}) AS inherited ON inherited.talk = talks.log_id)"
    )


def _reads_texts(signal: Signal, condition: Condition | None) -> bool:
    """Whether the signal asks for what retention clears; of a function nobody knows."""
    if condition is None:
        return not signal.sql or bool(re.search(rf"\b({'|'.join(TEXTS)})\b", signal.sql))
    subjects = (getattr(part, "subject", None) for part in walk(condition))
    return any(isinstance(of, Field) and of.name in (*TEXTS, "text") for of in subjects)


def _fingerprint(asked: Asked) -> str:
    said = [f"{signal.name} {signal.unit} {signal.expression} {signal.sql}" for signal, _ in asked.signals]
    lists = [f"{name} {' '.join(phrases)}" for name, phrases in sorted(asked.words.items())]
    only = "" if asked.only is None else " ".join(sorted(asked.only))
    return fingerprint(*said, *lists, only, asked.bounds, str(asked.params))


def _left_at(t: Telemetry, print_: str) -> date | None:
    """The last day that an unfinished run for the same has done."""
    text = read_known(t).prints.get(("resignal", ""), "")
    made, _, day = text.partition(" ")
    return date.fromisoformat(day) if made == print_ and day else None
