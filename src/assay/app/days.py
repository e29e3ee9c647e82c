"""Answers by day that are made already: a past day is read again only when something in it changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from assay.query import AnyTurn, Condition, HasScore, InConversation, Last, ScoreIs, Selected, walk
from assay.records import Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.slices import Version, versions

V = TypeVar("V")
DAY = timedelta(days=1)
ALL_TABLES = ("signals", "selections", "scores")
ARRIVED = "interactions"
"""A day of which nothing but this is left has lost its facts: that is an answer, too."""


Known = Mapping[str, Mapping[date, Version]]
"""What the days of tables are like, by table."""


class DayCache:
    """The newest answers of each day, by question. Thread-safe.

    A day's answer holds as long as no row was written to that day of the tables it is made from; of
    decisions and scores the days beside it count too, since they are looked for there as well."""

    def __init__(self, *, most: int = 20_000, most_rows: int = 2_000_000) -> None:
        self._most = most
        self._most_rows = most_rows
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()

    def get(
        self,
        t: Telemetry,
        question: Hashable,
        window: Window,
        make: Callable[[Window], Mapping[date, V]],
        tables: Sequence[str] = ("signals",),
        known: Known | None = None,
    ) -> dict[date, V]:
        """The answer for each day of the window that has rows of the first table, or to which something
        arrived where that is asked for, in time order; `make`
        gives those of the days of a window. Days that are to be read again are read together, yet not
        too many at once. `known` are the days' versions, where they were read just now."""
        known, first = known or versions(t, tuple(tables)), tables[0]
        found: dict[date, V] = {}
        missing: list[tuple[date, Window, Hashable]] = []
        for day in sorted(known[first].keys() | known.get(ARRIVED, {}).keys()):
            part = clip(Window.of_day(day), window)
            if part is None:
                continue
            mark = _mark(known, day, tables)
            kept = self._find(question, part, mark)
            if kept is not None:
                found[day] = kept[0]
            else:
                missing.append((day, part, mark))
        sizes = {day: version.rows for day, version in known[first].items()}
        for run in _runs(missing, sizes, self._most_rows):
            made = make(Window(start=run[0][1].start, end=run[-1][1].end))
            for day, part, mark in run:
                if day in made:
                    found[day] = made[day]
                    self._keep((question, part), mark, made[day])
        return {day: found[day] for day in sorted(found)}

    def missing(self, question: Hashable, window: Window, known: Known) -> set[date]:
        """The days of the window that `get` would read of one table, by their versions."""
        (table,), days = known, set()
        for day in known[table]:
            part = clip(Window.of_day(day), window)
            if part is not None and self._find(question, part, _mark(known, day, (table,))) is None:
                days.add(day)
        return days

    def recall(self, question: Hashable, mark: Hashable, make: Callable[[], V]) -> V:
        """The answer to a question that holds as long as its mark stays the same."""
        with self._lock:
            kept = self._kept.get(question)
        if kept is not None and kept[0] == mark:
            answer: V = kept[1]
            return answer
        answer = make()
        self._keep(question, mark, answer)
        return answer

    def _find(self, question: Hashable, part: Window, mark: Hashable) -> tuple[Any] | None:
        """The day's answer, if it still holds."""
        with self._lock:
            kept = self._kept.get((question, part))
        return (kept[1],) if kept is not None and kept[0] == mark else None

    def _keep(self, key: Hashable, mark: Hashable, value: Any) -> None:
        with self._lock:
            self._kept[key] = (mark, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


def _mark(known: Known, day: date, tables: Sequence[str]) -> Hashable:
    """What changes when something is written that the day's answer may depend on."""
    return tuple(
        known[table].get(day + DAY * step)
        for table in tables
        for step in ((0,) if table == tables[0] else (-1, 0, 1))
    )


def clip(day: Window, window: Window) -> Window | None:
    """What of the day lies in the window; None where nothing does."""
    start, end = max(day.start, window.start), min(day.end, window.end)
    return Window(start=start, end=end) if start < end else None


def is_lasting(condition: Condition | None) -> bool:
    """Whether what the condition says of a log depends on that log's row alone, and not on the time or
    on other tables."""
    if condition is None:
        return True
    return not any(isinstance(part, _ELSEWHERE) or _asks_turns(part) for part in walk(condition))


_ELSEWHERE = Last | ScoreIs | HasScore | Selected | AnyTurn | InConversation


def _asks_turns(part: Condition) -> bool:
    return getattr(getattr(part, "subject", None), "name", "") == "text"


def _runs(
    missing: Sequence[tuple[date, Window, Hashable]], sizes: Mapping[date, int], most_rows: int
) -> Iterator[list[tuple[date, Window, Hashable]]]:
    """Neighbours together, each run with at most so many rows."""
    run: list[tuple[date, Window, Hashable]] = []
    rows = 0
    for entry in missing:
        apart = bool(run) and run[-1][1].end != entry[1].start
        if run and (apart or rows + sizes.get(entry[0], 0) > most_rows):
            yield run
            run, rows = [], 0
        run.append(entry)
        rows += sizes.get(entry[0], 0)
    if run:
        yield run
