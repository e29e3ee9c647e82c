"""What answers are made of, read from the store day by day, so that a past day is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from assay.app.days import ALL_TABLES, ARRIVED, Known, is_lasting
from assay.app.parts import Parts
from assay.estimates.report import Population
from assay.query import Condition, quote
from assay.records import (
    Accounting,
    HourAccounting,
    HourPolicy,
    MetricInfo,
    PolicyAccounting,
    PolicyBooks,
    Series,
    Unit,
    Window,
)
from assay.records.page import Step, Summed
from assay.sampling.base import Policy
from assay.store.telemetry import accounting, daily, ledger, logs
from assay.store.telemetry.series import series
from assay.store.telemetry.settle import read_upto
from assay.store.telemetry.slices import affordable, cost_ns, versions

SLICES = ("version", "model", "environment", "service")
MOST_VALUES = 30
MOST_ATTRIBUTES = 8

BOOKED = (*ALL_TABLES, "receipts", ARRIVED)
"""The tables that the books are made from."""

V = TypeVar("V")
H = TypeVar("H", HourAccounting, HourPolicy)


def data_window(parts: Parts, known: Known | None = None) -> Window | None:
    """From the first to the last settled log; None where there is none."""
    days = (known or versions(parts.telemetry))["signals"]
    mark = tuple(sorted(days.items()))
    return parts.days.recall("data window", mark, lambda: logs.data_window(parts.telemetry))


def count_all(parts: Parts, unit: Unit, window: Window) -> int:
    """How many settled logs the window has."""
    found = totals(parts, window)
    return found.interactions if unit == "interaction" else found.conversations


def totals(parts: Parts, window: Window) -> daily.Counts:
    """How many settled logs of each unit the window has."""
    found = parts.days.get(
        parts.telemetry, "totals", window, lambda days: daily.totals_by_day(parts.telemetry, days)
    ).values()
    return daily.Counts(
        interactions=sum(day.interactions for day in found),
        conversations=sum(day.conversations for day in found),
        first=min((day.first for day in found if day.first), default=None),
        last=max((day.last for day in found if day.last), default=None),
    )


def population(parts: Parts, unit: Unit, where: str, window: Window) -> Population:
    """Counts over all logs that `where` holds of: by signal, and by every field and attribute that
    divides them usefully."""
    covered, words, t = parts.parse(where), parts.words, parts.telemetry
    keys = _kept(
        parts, None, ("keys", unit), window, ("signals",), lambda days: daily.keys_by_day(t, unit, days)
    )
    attributes = [key for key, _ in _most(_sum(keys.values()))][:MOST_ATTRIBUTES]
    fields = (*SLICES, *(f"attr[{quote(key)}]" for key in attributes))
    signals = _kept(
        parts,
        covered,
        ("by signal", unit, where),
        window,
        ("signals",),
        lambda days: daily.signals_by_day(t, unit, days, covered, words=words),
    )
    slices = _kept(
        parts,
        covered,
        ("slices", unit, where, fields),
        window,
        ("signals",),
        lambda days: daily.slices_by_day(t, unit, days, fields, MOST_VALUES, covered, words=words),
    )
    counts = {field: _counted([day[field] for day in slices.values()]) for field in fields}
    return Population(
        signals=dict(_most(_sum(signals.values()))),
        slices={field: found for field, found in counts.items() if 1 < len(found) <= MOST_VALUES},
        meanings={signal.name: signal.meaning for signal, _ in parts.signals},
    )


def read_ledger(
    parts: Parts,
    info: MetricInfo,
    window: Window,
    condition: Condition | None,
    columns: tuple[str, ...] = (),
) -> ledger.Ledger:
    """What the metric's policy covers of the logs that the condition holds of."""

    def read(days: Window) -> ledger.Ledger:
        return ledger.read_ledger(
            parts.telemetry,
            parts.question(info, days),
            condition=condition,
            columns=columns,
            words=parts.words,
            now=parts.clock(),
        )

    def read_days(days: Window) -> Mapping[date, ledger.Ledger]:
        whole = read(days)
        return {day: _of_day(whole, day) for day in whole.seen_by_day}

    if not is_lasting(condition):
        return read(window)
    key = ("ledger", info.name, info.version, info.kind, parts.policy_of(info).name, condition, columns)
    found = list(_kept(parts, condition, key, window, ALL_TABLES, read_days).values())
    if not found:
        return read(Window(start=window.start, end=window.start))
    return ledger.Ledger(
        rows=pa.concat_tables([day.rows for day in found]),
        seen_by_day={day: n for part in found for day, n in part.seen_by_day.items()},
        seen=sum(part.seen for part in found),
        decided_by_day={day: n for part in found for day, n in part.decided_by_day.items()},
    )


def accounting_by_hour(parts: Parts, info: MetricInfo, window: Window) -> tuple[HourAccounting, ...]:
    """The books of one metric, by the hour in which logs began."""
    policy = parts.policy_of(info)
    where = parts.parse(policy.where)

    def read(days: Window, upto: datetime) -> list[HourAccounting]:
        question = parts.question(info, days)
        return accounting.accounting_by_hour(
            parts.telemetry, question, where=where, words=parts.words, upto=upto
        )

    key = ("books", info.name, info.version, info.kind, policy.name, where)
    return _booked(parts, where, key, window, read)


def policy_by_hour(parts: Parts, policy: Policy, window: Window) -> tuple[HourPolicy, ...]:
    """The books of one policy, by the hour in which logs began."""
    where = parts.parse(policy.where)

    def read(days: Window, upto: datetime) -> list[HourPolicy]:
        return accounting.policy_by_hour(
            parts.telemetry, policy.name, policy.unit, days, where=where, words=parts.words, upto=upto
        )

    return _booked(parts, where, ("policy books", policy.name, policy.unit, where), window, read)


def _booked(
    parts: Parts,
    where: Condition | None,
    question: tuple[Hashable, ...],
    window: Window,
    read: Callable[[Window, datetime], list[H]],
) -> tuple[H, ...]:
    """Books by day. What settling has passed by must be there: of the days that it has long left behind
    that is asked once a day, of the others each time that it came further."""
    upto = read_upto(parts.telemetry)
    left = Window.of_day(upto.date()).start - timedelta(days=1)
    parted = min(max(left, window.start), window.end)
    before = Window(start=window.start, end=parted)
    since = Window(start=parted, end=window.end)
    older = _booked_upto(parts, where, question, before, left, read)
    return tuple(older + _booked_upto(parts, where, question, since, upto, read))


def _booked_upto(
    parts: Parts,
    where: Condition | None,
    question: tuple[Hashable, ...],
    window: Window,
    upto: datetime,
    read: Callable[[Window, datetime], list[H]],
) -> list[H]:
    def by_day(days: Window) -> Mapping[date, list[H]]:
        found: dict[date, list[H]] = {}
        for entry in read(days, upto):
            found.setdefault(entry.hour.date(), []).append(entry)
        return found

    if window.start >= window.end:
        return []
    kept = _kept(parts, where, (*question, upto), window, BOOKED, by_day)
    return [entry for entries in kept.values() for entry in entries]


def books(parts: Parts, info: MetricInfo, window: Window) -> Accounting:
    """The same, added up."""
    hours = [entry.accounting for entry in accounting_by_hour(parts, info, window)]
    sums = {name: sum(getattr(hour, name) for hour in hours) for name in ("seen", *accounting.FATES)}
    return Accounting(metric=info.name, metric_version=info.version, **sums)


def policy_books(parts: Parts, policy: Policy, window: Window) -> PolicyBooks:
    """The books of one policy and of the metrics that follow it."""
    hours = policy_by_hour(parts, policy, window)
    names = ("seen", *accounting.POLICY_FATES, "people", "added")
    sums = {name: sum(getattr(entry.accounting, name) for entry in hours) for name in names}
    followers = [
        info
        for info in parts.infos().values()
        if parts.is_drawn(info) and parts.policy_of(info).name == policy.name
    ]
    return PolicyBooks(
        accounting=PolicyAccounting(policy=policy.name, unit=policy.unit, **sums),
        hours=hours,
        metrics=tuple(books(parts, info, window) for info in followers),
    )


def spend(parts: Parts, metric: str, window: Window) -> float:
    """US dollars that the newest outcome of each of the window's logs cost."""
    found = parts.days.get(
        parts.telemetry,
        ("spend", metric),
        window,
        lambda days: accounting.spend_by_day(parts.telemetry, days, metric),
        ("scores",),
    )
    return sum(found.values())


def read_series(
    parts: Parts,
    unit: Unit,
    of: Summed,
    by: Step,
    text: str,
    window: Window,
    *,
    budget_ms: float | None = None,
) -> Series:
    """A number of the logs that the filter holds of, over time. Raises FilterError.

    With a budget, only of the newest days that can be read in about that time, and none where each
    page would read them anew."""
    condition, now = parts.parse(text), parts.clock()
    if budget_ms is not None and condition is not None:
        sizes = {day: version.rows for day, version in versions(parts.telemetry)["signals"].items()}
        rows = budget_ms * 1e6 / cost_ns(condition) if is_lasting(condition) else 0.0
        window = affordable(sizes, window, rows)
    found = _kept(
        parts,
        condition,
        ("series", unit, of, by, condition),
        window,
        ("signals",),
        lambda days: series(parts.telemetry, unit, days, of, by, condition, words=parts.words, now=now),
    )
    points = tuple(point for day in found.values() for point in day)
    return Series(of=of, unit=unit, by=by, filter=text, points=points)


def _kept(
    parts: Parts,
    condition: Condition | None,
    question: Hashable,
    window: Window,
    tables: tuple[str, ...],
    make: Callable[[Window], Mapping[date, V]],
) -> Mapping[date, V]:
    """By day, from the cache; straight from the store where the answer may change by itself."""
    if not is_lasting(condition):
        return make(window)
    return parts.days.get(parts.telemetry, question, window, make, tables)


def _of_day(whole: ledger.Ledger, day: date) -> ledger.Ledger:
    seen, decided = whole.seen_by_day[day], whole.decided_by_day[day]
    rows = whole.rows.filter(pc.equal(whole.rows["day"], pa.scalar(day, whole.rows["day"].type)))
    return ledger.Ledger(rows, {day: seen}, seen, {day: decided})


def _sum(days: Iterable[Mapping[str, int]]) -> Counter[str]:
    every: Counter[str] = Counter()
    for day in days:
        every.update(day)
    return every


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _counted(days: list[Mapping[str, int] | None]) -> list[tuple[str, int]]:
    """The values with their logs, the most first; none where a day had too many values."""
    known = [day for day in days if day is not None]
    return _most(_sum(known)) if len(known) == len(days) else []
