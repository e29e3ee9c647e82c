"""Time in slices, the newest first: a list is full, or a budget spent, long before a large store is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from assay.query import (
    And,
    AnyTurn,
    Attribute,
    Compare,
    Condition,
    Contains,
    Field,
    InConversation,
    InList,
    IsKnown,
    Mentions,
    Not,
    Or,
    Says,
    Tagged,
    fold,
    fold_words,
    walk,
)
from assay.records import Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.schema import local_name
from assay.store.telemetry.search import is_run

FIRST_ROWS: Final = 8_000
GROWTH: Final = 4
"""Rows in the first slice, and how much larger each one after it is."""

WORD_NS: Final = 20.0
PHRASE_NS: Final = 200.0
LONG: Final = frozenset({"input", "output", "text"})
DAY: Final = timedelta(days=1)


class Slice(NamedTuple):
    """A part of a window, with about how many rows of `signals` lie in it."""

    window: Window
    rows: int


class Version(NamedTuple):
    """What a day of a table is like: it changes with every insert, with no merge."""

    block: int
    mutation: int
    rows: int


def versions(t: Telemetry, tables: tuple[str, ...] = ("signals",)) -> dict[str, dict[date, Version]]:
    """By table, the days (UTC) that hold rows, read from the list of parts. Rows that were replaced
    are counted until they are merged away, so `rows` is a size and no count."""
    names = {local_name(table, t.topology): table for table in tables}
    parts = "system.parts"
    if t.topology.kind == "cluster":
        parts = f"clusterAllReplicas('{t.topology.cluster}', system.parts)"
    found: dict[str, dict[date, Version]] = {table: {} for table in tables}
    rows = t.query(
        "SELECT table, toString(partition) AS day, sum(newest) AS block, sum(changed) AS mutation, "
        "sum(size) AS size FROM (SELECT table, partition, max(max_block_number) AS newest, "
        f"max(data_version) AS changed, sum(rows) AS size FROM {parts} "
        "WHERE active AND database = currentDatabase() AND table IN {names:Array(String)} "
        "GROUP BY hostName() AS host, table, partition) GROUP BY table, partition",
        {"names": list(names)},
    ).to_pylist()
    for row in rows:
        day = date.fromisoformat(row["day"])
        found[names[row["table"]]][day] = Version(row["block"], row["mutation"], row["size"])
    return found


def slices(sizes: Mapping[date, int], window: Window, first_rows: int = FIRST_ROWS) -> Iterator[Slice]:
    """The window cut into slices that grow, the newest first. Together they are the whole window."""
    target, rows, end = first_rows, 0, window.end
    if end <= window.start:
        return
    for day in sorted(sizes, reverse=True):
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if begins >= window.end or begins + DAY <= window.start:
            continue
        size, after = sizes[day], min(end, begins + DAY)
        while rows + size > target and after > begins:
            # The rows of a day are taken to lie evenly in it: a wrong guess costs time, no row.
            step = max((after - begins) * (max(target - rows, 1) / max(size, 1)), timedelta(minutes=5))
            starts = max(after - step, begins, window.start)
            share = int(size * ((after - starts) / (after - begins)))
            yield Slice(Window(start=starts, end=end), rows + share)
            size, rows, after, end, target = size - share, 0, starts, starts, target * GROWTH
            if end <= window.start:
                return
        rows += size
    if window.start < end:
        yield Slice(Window(start=window.start, end=end), rows)


def affordable(sizes: Mapping[date, float], window: Window, rows: float) -> Window:
    """The newest days of the window that have together about so many rows, or fewer."""
    start = window.end
    for day in sorted(sizes, reverse=True):
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if begins >= window.end or begins + DAY <= window.start:
            continue
        rows -= sizes[day]
        if rows < 0:
            return Window(start=max(start, window.start), end=window.end)
        start = begins
    return window


def _search_ns(part: Contains | Says | Mentions) -> float:
    """The same of a search in one long text. The index alone answers for a word; it leaves few texts to
    be read for a phrase."""
    match part:
        case Says(phrase=phrase):
            return WORD_NS if fold_words(phrase).count(" ") == 2 else PHRASE_NS
        case Contains(part=text) if is_run(fold(text)):
            return 2 * WORD_NS
        case _:
            return 600.0


def asks_index(condition: Condition | None) -> bool:
    """Whether the index of words is asked: each time costs the same, however few the rows."""
    return condition is not None and any(
        isinstance(part, Contains | Says)
        and isinstance(part.subject, Field)
        and part.subject.name in LONG
        and _search_ns(part) < 600.0
        for part in walk(condition)
    )


def cost_ns(condition: Condition | None) -> float:
    """About how long the condition takes on one row, in nanoseconds: what decides is what it reads."""
    cost = 12.0
    for part in walk(condition) if condition is not None else ():
        match part:
            case Contains(subject=subject) | Says(subject=subject) | Mentions(subject=subject):
                name = "attributes" if isinstance(subject, Attribute) else subject.name
                long = _search_ns(part)
                cost += {"text": 2 * long, "attributes": 60.0}.get(name, long if name in LONG else 12.0)
            case Compare(subject=subject) | InList(subject=subject):
                long = not isinstance(subject, Attribute) and subject.name in LONG
                cost += 600.0 if long else 30.0 if isinstance(subject, Attribute) else 4.0
            case IsKnown(subject=subject):
                cost += 60.0 if isinstance(subject, Attribute) or subject.name in LONG else 4.0
            case Tagged():
                cost += 200.0
            case And() | Or() | Not():
                pass
            case AnyTurn() | InConversation():
                cost += 150.0
            case _:
                cost += 8.0
    return cost
