"""What the logs of a filter are made of: by time and by facts, within a budget, past days from memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from assay.app import tallies
from assay.app.days import Known, is_lasting
from assay.app.parts import Parts
from assay.query import And, Compare, Condition, Field, Names, Not, SignalIs, parse, priority_is, to_text
from assay.query.names import LEVELS
from assay.query.refine import Part, add, choose, exclude, join, read_parts, said_of, take, without
from assay.records import Breakdown, Facet, FacetValue, TimeBar, Unit, Window
from assay.store.telemetry.facets import DAY_MINUTES, DayFacets, facets_by_day
from assay.store.telemetry.slices import affordable, cost_ns, slices, versions

FIELDS: Final = ("service", "route", "version", "model", "environment", "language")
RATINGS: Final = {"negative": "feedback < 0.5", "positive": "feedback >= 0.5"}
MOST_VALUES: Final = 40
MOST_BARS: Final = 120
MOST_SHOWN: Final = timedelta(days=366)
STEPS_MINUTES: Final = (1, 5, 15, 30, 60, 120, 180, 360, 720, DAY_MINUTES)
FACETS_NS: Final = 100.0
"""About what all facets together add to the cost of a condition on one row of the store."""

Ways = Mapping[str, Condition]
"""Of a facet that is no field: what each of its values means."""


class Group(NamedTuple):
    """Facets that are counted together: for all of them the same parts of the filter are left aside.

    `buckets` are facets whose values are conditions, the first of which holds of a log."""

    condition: Condition | None
    fields: tuple[str, ...]
    buckets: tuple[tuple[str, tuple[tuple[str, Condition], ...]], ...]
    signals: bool

    @property
    def lasting(self) -> bool:
        """Whether a past day's counts stay as they are until something is written to it."""
        rules = [rule for _, bucket in self.buckets for _, rule in bucket]
        return is_lasting(self.condition) and all(is_lasting(rule) for rule in rules)


def break_down(
    parts: Parts, unit: Unit, text: str, window: Window, *, budget_ms: float | None = None
) -> Breakdown:
    """The logs that the filter holds of, counted. Raises FilterError.

    With a budget, only the newest logs that can be counted in about that time; what is remembered
    from before costs nothing."""
    names = parts.names()
    given, ways = read_parts(text, lambda part: parse(part, names)), _ways(names)
    known = versions(parts.telemetry)
    shown = _shown(parts, window, known)
    groups, step = _groups(names, given, ways), step_of(shown)
    counted = window if budget_ms is None else _within(parts, unit, groups, step, window, budget_ms, known)
    found = [_count(parts, unit, group, step, counted, known) for group in groups]
    values: dict[str, Counter[str]] = {}
    for days in found:
        for day in days.values():
            for name, counts in day.values.items():
                values.setdefault(name, Counter()).update(counts)
    facets = [_signals(given, values.get("signals", Counter()))]
    facets += [_bucket(name, given, values.get(name, Counter()), known) for name, known in ways.items()]
    facets += [_field(name, given, values.get(name, Counter())) for name in FIELDS]
    return Breakdown(
        unit=unit,
        filter=text,
        total=sum(day.logs for day in found[0].values()),
        since=counted.start if counted.start > window.start else None,
        shown=shown,
        step_minutes=step,
        bars=_bars(found[0], step, shown),
        facets=tuple(facet for facet in facets if facet.values),
    )


def _shown(parts: Parts, window: Window, known: Known) -> Window:
    """The part of the window in which there are logs at all. A sender's clock that was wrong for a while
    hides no others: at most a year is shown, and nothing that has not come yet."""
    every = tallies.data_window(parts, known)
    if every is None:
        return Window(start=window.start, end=window.start)
    ahead = parts.clock() + timedelta(days=1)
    end = min(every.end, window.end, ahead if every.start < ahead else every.end)
    start = max(every.start, window.start, end - MOST_SHOWN)
    return Window(start=min(start, end), end=end)


def step_of(window: Window) -> int:
    """The minutes of a bar: the least that keeps bars few; whole days, where the window is long."""
    minutes = (window.end - window.start) / timedelta(minutes=1)
    for step in STEPS_MINUTES:
        if minutes <= step * MOST_BARS:
            return step
    return DAY_MINUTES * -(-int(minutes) // (DAY_MINUTES * MOST_BARS))


def _ways(names: Names) -> dict[str, Ways]:
    """The facets whose values are conditions."""
    ways: dict[str, Ways] = {}
    if names.priorities:
        rules = names.priorities
        ways["priority"] = {level: priority_is(level, rules) for level in LEVELS}
    ways["feedback"] = {name: parse(text) for name, text in RATINGS.items()}
    return ways


def _groups(names: Names, given: Sequence[Part], ways: Mapping[str, Ways]) -> list[Group]:
    """The whole filter first; then each facet of which the filter says something, without that."""
    made: dict[Condition | None, Group] = {}

    def put(left: Sequence[Part], *fields: str, bucket: str = "", signals: bool = False) -> None:
        condition = _joined(left)
        known = made.get(condition, Group(condition, (), (), False))
        buckets = known.buckets
        if bucket == "priority":
            buckets += ((bucket, names.priorities or ()),)
        elif bucket:
            buckets += ((bucket, tuple(ways[bucket].items())),)
        made[condition] = Group(condition, known.fields + fields, buckets, known.signals or signals)

    put(given, signals=True)
    for name, known in ways.items():
        put(take(given, *_either(known.values())), bucket=name)
    for name in FIELDS:
        put(without(given, Field(name=name)), name)
    return list(made.values())


def _joined(given: Sequence[Part]) -> Condition | None:
    conditions = tuple(part.condition for part in given)
    return And(parts=conditions) if len(conditions) > 1 else next(iter(conditions), None)


def _either(conditions: Iterable[Condition]) -> list[Condition]:
    return [one for condition in conditions for one in (condition, Not(part=condition))]


def _grain(step: int) -> int:
    """The minutes by which a day is counted, so that bars of several lengths come from one count."""
    return next(grain for grain in (60, 15, 5, 1) if step % grain == 0)


def _question(unit: Unit, group: Group, step: int) -> tuple[object, ...]:
    return ("facets", unit, group, _grain(step))


def _count(
    parts: Parts, unit: Unit, group: Group, step: int, window: Window, known: Known
) -> Mapping[date, DayFacets]:
    def read(days: Window) -> Mapping[date, DayFacets]:
        found = facets_by_day(
            parts.telemetry,
            unit,
            days,
            group.fields,
            dict(group.buckets),
            group.condition,
            signals=group.signals,
            step_minutes=_grain(step),
            words=parts.words,
            now=parts.clock(),
        )
        return {day.start.date(): DayFacets() for day in days.days()} | found

    if not group.lasting:
        return read(window)
    return parts.days.get(parts.telemetry, _question(unit, group, step), window, read, known=known)


def _within(
    parts: Parts,
    unit: Unit,
    groups: Sequence[Group],
    step: int,
    window: Window,
    budget_ms: float,
    known: Known,
) -> Window:
    """The newest part of the window that can be counted in time."""
    sizes = {day: version.rows for day, version in known["signals"].items()}
    cost_ms = dict.fromkeys(sizes, 0.0)
    for group in groups:
        missing = set(sizes)
        if group.lasting:
            missing = parts.days.missing(_question(unit, group, step), window, known)
        for day in missing:
            cost_ms[day] += sizes[day] * (cost_ns(group.condition) + FACETS_NS) / 1e6
    found = affordable(cost_ms, window, budget_ms)
    if found.start < found.end or not sizes:
        return found
    row_ms = sum(cost_ms.values()) / max(sum(sizes.values()), 1)
    return next(slices(sizes, window, max(int(budget_ms / max(row_ms, 1e-9)), 1))).window


def _bars(days: Mapping[date, DayFacets], step: int, shown: Window) -> tuple[TimeBar, ...]:
    """The counted steps of each day, put together to the bars that are shown."""
    length = timedelta(minutes=step)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    sums: dict[datetime, tuple[int, int]] = {}
    for day in days.values():
        for at, (logs, failed) in day.steps.items():
            start = epoch + (at - epoch) // length * length
            before = sums.get(start, (0, 0))
            sums[start] = (before[0] + logs, before[1] + failed)
    bars = (TimeBar(at=at, logs=logs, failed=failed) for at, (logs, failed) in sorted(sums.items()))
    return tuple(bar for bar in bars if shown.start < bar.at + length and bar.at < shown.end)


def _signals(given: Sequence[Part], counts: Counter[str]) -> Facet:
    conditions = [part.condition for part in given]
    left_out = [
        one.part.name for one in conditions if isinstance(one, Not) and isinstance(one.part, SignalIs)
    ]
    made = []
    for name, logs in _most(counts, left_out):
        signal = SignalIs(name=name)
        made.append(_way(given, name, signal, logs, to_text(signal), others=()))
    return _facet("signals", made)


def _bucket(name: str, given: Sequence[Part], counts: Counter[str], ways: Ways) -> Facet:
    if name == "priority":
        counts = counts + Counter({LEVELS[-1]: counts[""]})
    made = []
    for value, condition in ways.items():
        text = f'priority = "{value}"' if name == "priority" else RATINGS[value]
        others = tuple(other for key, other in ways.items() if key != value)
        if counts[value] or any(part.condition in _either([condition]) for part in given):
            made.append(_way(given, value, condition, counts[value], text, others))
    return _facet(name, made)


def _way(
    given: Sequence[Part],
    value: str,
    condition: Condition,
    logs: int,
    text: str,
    others: Sequence[Condition],
) -> FacetValue:
    """A value that is a condition: one of `others` in the filter gives way when it is chosen."""
    negated = Not(part=condition)
    is_chosen = any(part.condition == condition for part in given)
    is_excluded = any(part.condition == negated for part in given)
    rest = take(given, condition, negated)
    return FacetValue(
        value=value,
        filter=text,
        logs=logs,
        state="chosen" if is_chosen else "excluded" if is_excluded else "",
        choose=join(rest) if is_chosen else add(take(rest, *others), condition, text),
        exclude=join(rest) if is_excluded else add(rest, negated, f"not {text}"),
    )


def _field(name: str, given: Sequence[Part], counts: Counter[str]) -> Facet:
    subject = Field(name=name)
    said = said_of(given, subject)
    made = [
        FacetValue(
            value=value,
            filter=to_text(Compare(subject=subject, operator="=", value=value)),
            logs=logs,
            state="chosen" if value in said.chosen else "excluded" if value in said.excluded else "",
            choose=choose(given, subject, value),
            exclude=exclude(given, subject, value),
        )
        for value, logs in _most(counts, (*said.chosen, *said.excluded))
    ]
    if not any(value.value or value.state for value in made):
        made = []
    return _facet(name, made)


def _most(counts: Counter[str], also: Sequence[str]) -> list[tuple[str, int]]:
    """The values with their logs, the most first, those of the filter among them."""
    every = {**dict.fromkeys(also, 0), **counts}
    return sorted(every.items(), key=lambda entry: (-entry[1], entry[0]))


def _facet(name: str, values: Sequence[FacetValue]) -> Facet:
    shown = [value for place, value in enumerate(values) if place < MOST_VALUES or value.state]
    return Facet(name=name, values=tuple(shown), more=len(values) - len(shown))
