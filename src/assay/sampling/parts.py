"""The parts of a composed policy: each gives every log a chance, for a reason of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from assay.sampling.base import FloatArray, IntArray, Needs
from assay.sampling.brake import SLACK, slow_by_number

Fixed = Mapping[str, Any]
Scaling = Literal["certain", "least", "share"]
"""`certain`: as it is. `least`: as it is, less where the budget is short. `share`: scaled up or down so that
the budget is met."""

SLICES: Final = 2_000
"""Slices that are counted one by one; of others the first logs of a day are drawn, as of a new one."""


class Rates(NamedTuple):
    """Of each log the chance that the part gives it, before any scaling (it may be above 1), and why, for
    one row; `group` is the number among the part's groups, None where it has but one."""

    rate: FloatArray
    why: Callable[[int], str]
    group: IntArray | None = None


class Part(Protocol):
    """One reason to look at logs. `share` of the budget is its own, against the other parts' shares."""

    @property
    def name(self) -> str: ...

    @property
    def share(self) -> float: ...

    @property
    def scaling(self) -> Scaling: ...

    @property
    def groups(self) -> tuple[str, ...]: ...

    @property
    def definition(self) -> Mapping[str, Any]: ...

    def needs(self) -> Needs: ...

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        """What rates are computed from, where the day's `logs` are these and `places` are to be given."""
        ...

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustive:
    """Every log of which `when` holds; with `at_most`, that many a day are expected, and where more come than
    were foreseen, chances fall with the log's number among them."""

    name: str
    when: str
    at_most: float | None = None
    share: float = 0.0
    scaling: Scaling = "certain"

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"kind": "exhaustive", "when": self.when, "at_most": self.at_most}

    def needs(self) -> Needs:
        some = frozenset() if self.at_most is None else frozenset({self.name})
        return Needs(conditions={self.name: self.when}, counted=some)

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        count = float((_holds(logs, self.name) * counts(logs)).sum())
        return {"logs": count, "rate": 1.0 if self.at_most is None else self.at_most / max(count, 1.0)}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        rate = min(1.0, fixed["rate"])
        if self.at_most is None:
            return Rates(_holds(logs, self.name), lambda row: "every one")
        number: FloatArray = np.ones(logs.num_rows)
        if f"nth.when.{self.name}" in logs.column_names:
            number = logs[f"nth.when.{self.name}"].to_numpy()
        slower = slow_by_number(number, self.at_most / rate)

        def why(row: int) -> str:
            if slower[row] < 1:
                return f"{self.at_most:g} a day, and this is number {number[row]:.0f}"
            return "every one" if rate == 1 else f"{self.at_most:g} a day of {fixed['logs']:.0f}"

        return Rates(_holds(logs, self.name) * rate * slower, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Even:
    """The same chance for every log: what "how are we doing overall?" rests on."""

    name: str
    share: float
    scaling: Scaling = "share"

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"kind": "uniform", "share": self.share}

    def needs(self) -> Needs:
        return Needs()

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        return {"rate": places / max(float(counts(logs).sum()), 1.0)}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        return Rates(np.full(logs.num_rows, fixed["rate"]), lambda row: "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """By the chance that the log fails (`failure`), or by how unsure that is (`doubt`, sqrt(h (1 - h)))."""

    name: str
    share: float
    metric: str
    by: Literal["failure", "doubt"] = "failure"
    power: float = 1.0
    scaling: Scaling = "share"

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def definition(self) -> Mapping[str, Any]:
        how = {"by": self.by, "power": self.power, "metric": self.metric}
        return {"kind": "importance", "share": self.share, **how}

    def needs(self) -> Needs:
        return Needs(risk=self.metric)

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        total = float((self._size(logs) * counts(logs)).sum())
        return {"rate": places / total if total > 0 else 0.0}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        chance: FloatArray = logs["chance"].to_numpy()

        def why(row: int) -> str:
            doubt = f", doubt {_doubt(chance[row : row + 1])[0]:.2g}" if self.by == "doubt" else ""
            return f"chance of failure {chance[row]:.2g}{doubt}"

        return Rates(fixed["rate"] * self._size(logs), why)

    def _size(self, logs: pa.Table) -> FloatArray:
        chance: FloatArray = logs["chance"].to_numpy()
        size: FloatArray = (chance if self.by == "failure" else _doubt(chance)) ** self.power
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class Rare:
    """At least so many a day, as expected, of each slice, however small.

    Of a slice that is new the first `at_least` logs of the day are drawn for certain, then with a chance
    that falls with the square of their number, so that no more than twice as many are expected."""

    name: str
    number: int
    by: tuple[str, ...]
    at_least: float
    share: float = 0.0
    scaling: Scaling = "least"

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"kind": "rare", "by": list(self.by), "at_least": self.at_least}

    def needs(self) -> Needs:
        return Needs(slices=(self.by,))

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        found = _sum_by(logs, f"slice.{self.number}")
        return {"slices": dict(sorted(found.items(), key=lambda one: -one[1])[:SLICES])}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        known = fixed["slices"]
        texts = np.asarray(logs[f"slice.{self.number}"].to_pylist(), dtype=object)
        names, code = np.unique(texts, return_inverse=True)
        size = np.array([float(known.get(name, 0.0)) for name in names] or [0.0])[code]
        rate: FloatArray = np.minimum(1.0, self.at_least / np.maximum(size, 1e-9))
        if f"nth.{self.number}" in logs.column_names:
            nth = logs[f"nth.{self.number}"].to_numpy()
            rate = rate * np.minimum(1.0, np.maximum(self.at_least, SLACK * size) / nth) ** 2

        def why(row: int) -> str:
            which = f"{', '.join(self.by)} {str(names[code[row]]).replace(chr(31), ', ')!r}"
            if not size[row]:
                return f"{which} is new"
            return f"{which} has {size[row]:.0f} a day"

        return Rates(rate, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverse:
    """Spread over what users ask: each cell of the space of meanings gets the same number."""

    name: str
    share: float
    scaling: Scaling = "share"

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"kind": "diverse", "share": self.share}

    def needs(self) -> Needs:
        return Needs(cell=True)

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        found = _sum_by(logs, "cell")
        each = places / max(len(found), 1)
        rarest = each / max(min(found.values(), default=1.0), 1.0)
        return {"cells": {cell: [each / max(n, 1.0), n] for cell, n in found.items()}, "other": rarest}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        cells, code = np.unique(logs["cell"].to_numpy(), return_inverse=True)
        known = [fixed["cells"].get(str(cell), [fixed["other"], 0.0]) for cell in cells.tolist()]
        rate: FloatArray = np.array([rate for rate, _ in known] or [0.0])[code]

        def why(row: int) -> str:
            count = known[code[row]][1]
            return f"cell {cells[code[row]]} has {count:.0f} a day" if count else "a cell of its own"

        return Rates(rate, why)


def counts(logs: pa.Table) -> FloatArray:
    """How many logs each row stands for."""
    number: FloatArray = logs["logs"].to_numpy()
    return number


def _holds(logs: pa.Table, name: str) -> FloatArray:
    holds: FloatArray = logs[f"when.{name}"].to_numpy().astype(np.float64)
    return holds


def _doubt(chance: FloatArray) -> FloatArray:
    doubt: FloatArray = np.sqrt(chance * (1 - chance))
    return doubt


def _sum_by(logs: pa.Table, column: str) -> dict[str, float]:
    found = logs.group_by(column).aggregate([("logs", "sum")])
    number: FloatArray = found["logs_sum"].to_numpy()
    return {str(key): n for key, n in zip(found[column].to_pylist(), number.tolist(), strict=True)}
