"""Many reasons to look at a log under one budget: its chance is the highest that any of them gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from assay.errors import ConfigError
from assay.records import Stage, Unit
from assay.sampling.base import (
    MIN_PROBABILITY,
    Chances,
    Day,
    Drawing,
    FloatArray,
    IntArray,
    Needs,
    Parameters,
)
from assay.sampling.brake import SLACK, chance_before, slow_by_sum
from assay.sampling.parts import Even, Part, Rates, Scaling, counts
from assay.sampling.quotas import EARLY

LEAST_EVEN: Final = 0.1
"""Of the budget at least so much gives every log the same chance: no log's weight becomes too large."""

PROMISED: Final = 0.5
"""Of what certain parts leave of the budget, promised numbers (`rare`) have so much at the most."""

HIGHEST: Final = 12.0
"""Scaling by more than ten to this changes nothing: all that any part looks at is drawn for certain."""


class _Scales(NamedTuple):
    """By what the rates of each kind are multiplied, and the least that every log gets."""

    share: float
    least: float
    floor: float
    certain: float = 1.0


class _Sum(NamedTuple):
    """What the parts give each log, each kind by a scale of its own: `certain` by 1, `least` by what the
    budget can bear, `shared` by what is left of it."""

    rates: list[Rates]
    certain: FloatArray
    least: FloatArray
    shared: FloatArray

    def scaled(self, scales: _Scales) -> FloatArray:
        chance: FloatArray = np.maximum(np.maximum(self.certain, self.bearable(scales)), scales.floor)
        return np.minimum(1.0, chance)

    def bearable(self, scales: _Scales) -> FloatArray:
        """What the budget can bear, of parts that are not certain."""
        most = np.maximum(np.minimum(1.0, scales.share * self.shared), scales.least * self.least)
        chance: FloatArray = np.minimum(1.0, most)
        return chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """Draws for the judge as many logs of a day as the `budget` says, for all `parts` together, and of
    those `label_budget` for people, each with the same chance.

    Parts that are `certain` come first; the others are scaled up or down together until the expected
    number meets the budget. A tenth of it is given to all logs evenly, whatever happens."""

    name: str
    unit: Unit
    budget: float
    parts: tuple[Part, ...]
    label_budget: float | None = None
    where: str = ""
    drawing: Drawing = "poisson"
    again: bool = True

    def __post_init__(self) -> None:
        _check(self)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return ("judge",) if self.label_budget is None else ("judge", "label")

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(group for part in self.parts for group in part.groups)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {
            "kind": "composed",
            "unit": self.unit,
            "where": self.where,
            "budget": self.budget,
            "label_budget": self.label_budget,
            "draw": self.drawing,
            "parts": [{"name": part.name, **part.definition} for part in self.parts],
            **({} if self.again else {"again": False}),
        }

    def needs(self, stage: Stage) -> Needs:
        if stage == "label":
            return Needs(again=self.again)
        each = [part.needs() for part in self.parts]
        return Needs(
            conditions={name: when for need in each for name, when in need.conditions.items()},
            counted=frozenset().union(*(need.counted for need in each)),
            slices=tuple(by for need in each for by in need.slices),
            risk=next((need.risk for need in each if need.risk is not None), None),
            cell=any(need.cell for need in each),
            spread=next((need.spread for need in each if need.spread is not None), None),
            again=self.again,
        )

    def fix(self, stage: Stage, day: Day) -> Parameters:
        if day.known:
            return day.known
        if day.over < 1 and (self.drawing == "systematic" or not day.include_open):
            return {}
        if stage == "label":
            return self._fix_labels(day)
        logs, more, source = _basis(day)
        if not logs.num_rows:
            return {}
        total = float(counts(logs).sum())
        shares = sum(part.share for part in self.parts)
        places = [self.budget * part.share / shares for part in self.parts]
        fixed = [part.fix(logs, n, day.spread) for part, n in zip(self.parts, places, strict=True)]
        scales = _solve(self._sum(logs, fixed), counts(logs), self.budget)
        return {
            "risk": day.risk,
            "metric": day.metric,
            "logs": total * more,
            "scales": {
                "share": scales.share / more,
                "least": scales.least,
                "floor": max(MIN_PROBABILITY, scales.floor / more),
            },
            "parts": fixed,
            "from": source,
        }

    def _fix_labels(self, day: Day) -> Parameters:
        """By how many are drawn for the judge: of the day, or of the day before if this version decided it
        all. Else the budget is expected: a few first decisions say nothing of a day."""
        assert self.label_budget is not None
        if day.over >= 1:
            drawn, source = float(counts(day.logs).sum()), "the day"
        elif day.before is not None and day.before.num_rows:
            drawn, source = float(counts(day.before).sum()), "the day before"
        else:
            drawn, source = min(self.budget, day.usual or self.budget), "the budget"
        if not drawn:
            return {}
        return {"rate": min(1.0, self.label_budget / drawn), "drawn": drawn, "from": source}

    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        none: IntArray = np.zeros(logs.num_rows, dtype=np.int64)
        if not parameters:
            return Chances(np.full(logs.num_rows, np.nan), none, lambda rows: ["" for _ in rows])
        if stage == "label":
            return self._label_chances(logs, parameters)
        given = self._sum(logs, parameters["parts"])
        scales = _Scales(**parameters["scales"])
        chance = self._brake(given, scales, logs)
        group, source = self._who(given, scales, logs.num_rows)

        def explain(rows: IntArray) -> list[str]:
            found = []
            for row in rows.tolist():
                why = given.rates[source[row]].why(row)
                here = self.groups[group[row]]
                found.append(f"{here}: {why}{', ' if why else ''}probability {chance[row]:.2g}")
            return found

        return Chances(chance, group, explain)

    def _sum(self, logs: pa.Table, fixed: list[Mapping[str, Any]]) -> _Sum:
        rates = [part.rates(logs, one) for part, one in zip(self.parts, fixed, strict=True)]
        none: FloatArray = np.zeros(logs.num_rows)
        by = {"certain": none, "least": none, "share": none}
        for part, one in zip(self.parts, rates, strict=True):
            by[part.scaling] = np.maximum(by[part.scaling], one.rate)
        return _Sum(rates, by["certain"], by["least"], by["share"])

    def _who(self, given: _Sum, scales: _Scales, logs: int) -> tuple[IntArray, IntArray]:
        """Of each log the group and the part that give it the highest chance. Of equals the most specific:
        certain, then promised, then shared, of which the one that is larger before it is cut at 1."""
        best: FloatArray = np.full(logs, -1.0)
        uncut: FloatArray = np.full(logs, -1.0)
        group: IntArray = np.zeros(logs, dtype=np.int64)
        source: IntArray = np.zeros(logs, dtype=np.int64)
        firsts = np.cumsum([0, *(len(part.groups) for part in self.parts)]).tolist()
        for number in sorted(range(len(self.parts)), key=lambda number: _generality(self.parts[number])):
            part, one = self.parts[number], given.rates[number]
            rate = getattr(scales, part.scaling) * one.rate
            chance = np.minimum(1.0, rate)
            better = chance > best
            if part.scaling == "share":
                better |= (uncut >= 0) & (rate > uncut)
                uncut[better] = rate[better]
            own = np.zeros(logs, dtype=np.int64) if one.group is None else one.group
            best[better], group[better], source[better] = chance[better], firsts[number] + own[better], number
        return group, source

    def _brake(self, given: _Sum, scales: _Scales, logs: pa.Table) -> FloatArray:
        """Chances that fall where the day has had more than its budget: it has more logs than expected."""
        if "spent" not in logs.column_names or not logs.num_rows:
            return given.scaled(scales)
        least = np.maximum(np.minimum(1.0, given.certain), _even(logs, self.budget, scales.floor))
        spent = logs["spent"][0].as_py()
        return slow_by_sum(given.bearable(scales), least, chance_before(logs), spent, self.budget)

    def _label_chances(self, logs: pa.Table, parameters: Parameters) -> Chances:
        rate, drawn = parameters["rate"], parameters["drawn"]
        chance: FloatArray = np.full(logs.num_rows, rate)
        if "spent" in logs.column_names and logs.num_rows:
            assert self.label_budget is not None
            least, spent = _even(logs, self.label_budget, rate), logs["spent"][0].as_py()
            chance = slow_by_sum(chance, least, chance_before(logs), spent, self.label_budget)
        names = {name: number for number, name in enumerate(self.groups)}
        given = logs["stratum"].to_pylist()
        group: IntArray = np.array([names.get(str(name), 0) for name in given], dtype=np.int64)
        note = f"{self.label_budget:g} of {drawn:.1f} drawn a day, probability "
        return Chances(chance, group, lambda rows: [f"{note}{chance[row]:.2g}" for row in rows.tolist()])


def _even(logs: pa.Table, budget: float, most: float) -> FloatArray:
    """The chance that every log has, whatever happens: a tenth of the budget over as many logs as came."""
    if "nth" not in logs.column_names:
        return np.full(logs.num_rows, most)
    chance: FloatArray = np.minimum(most, SLACK * LEAST_EVEN * budget / logs["nth"].to_numpy())
    return np.maximum(chance, MIN_PROBABILITY)


def _generality(part: Part) -> int:
    """How little it says of a log that this part looked at it."""
    kinds: tuple[Scaling, ...] = ("certain", "least", "share")
    return len(kinds) if isinstance(part, Even) else kinds.index(part.scaling)


def _basis(day: Day) -> tuple[pa.Table, float, str]:
    """The logs to go by, how many times as many are expected of the day, and in a word whose they are."""
    if day.over >= 1:
        return day.logs, 1.0, "the day"
    if day.before is not None and day.before.num_rows:
        had = float(counts(day.before).sum())
        more = min(4.0, max(0.25, day.usual / had)) if day.usual and had else 1.0
        return day.before, more, "the day before"
    return day.logs, 1 / max(day.over, EARLY), "the day so far"


def _solve(given: _Sum, number: FloatArray, budget: float) -> _Scales:
    """The scales at which the expected number drawn is the budget, or as near as can be."""
    floor = max(MIN_PROBABILITY, min(1.0, LEAST_EVEN * budget / float(number.sum())))
    promised = float((number * given.least * (given.certain < 1)).sum())
    left = max(0.0, budget - float((number * np.maximum(given.certain, floor)).sum()))
    least = min(1.0, PROMISED * left / promised) if promised else 1.0

    def drawn(exponent: float) -> float:
        return float((number * given.scaled(_Scales(10**exponent, least, floor))).sum())

    low, high = -12.0, HIGHEST
    if drawn(high) <= budget:
        return _Scales(10**high, least, floor)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if drawn(middle) < budget else (low, middle)
    return _Scales(10**low, least, floor)


def _check(policy: Composed) -> None:
    """Raises ConfigError for parts from which no honest sample can be drawn."""
    where = f"policy {policy.name}"
    if not policy.name:
        raise ConfigError("a policy needs a name")
    for key, value in (("budget", policy.budget), ("label_budget", policy.label_budget)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"{where}: {key} must be a number of logs a day above 0, got {value:g}")
    shares = sum(part.share for part in policy.parts)
    even = sum(part.share for part in policy.parts if isinstance(part, Even))
    if even <= 0 or even < LEAST_EVEN * shares * (1 - 1e-9):
        raise ConfigError(
            f"{where}: parts need one of kind `uniform` with a share of at least {LEAST_EVEN:g} of all "
            "shares: failures that no other part looks for would be missing from every estimate"
        )
    seen: set[str] = set()
    for group in policy.groups:
        if group in seen:
            raise ConfigError(f"{where}: two parts or strata are named {group!r}; give one another `name`")
        seen.add(group)
