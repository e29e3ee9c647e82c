"""How many of each stratum: in proportion, as many of each, or by how much its scores differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from assay.sampling.base import FloatArray, IntArray, Needs
from assay.sampling.parts import Fixed, Rates, Scaling, counts

Allocation = Literal["proportional", "equal", "neyman"]

PRIOR: float = 20.0
"""Scores that the whole lends to a stratum: a few that are all alike don't say that it has no failures."""


def allocate(logs: FloatArray, deviation: FloatArray, places: float, allocation: Allocation) -> FloatArray:
    """The chance of a log of each stratum, so that `places` are expected in all (it may be above 1).

    `logs` are the strata's sizes, `deviation` the standard deviations of their scores. Neyman (1934):
    the estimate of the whole varies least where the number drawn goes with size times deviation.

    >>> allocate(np.array([900.0, 100.0]), np.array([0.1, 0.4]), 13.0, "neyman").round(3).tolist()
    [0.01, 0.04]
    """
    if allocation == "equal":
        equal: FloatArray = places / len(logs) / np.maximum(logs, 1.0)
        return equal
    weight = deviation if allocation == "neyman" and (logs * deviation).sum() > 0 else np.ones(len(logs))
    share: FloatArray = places * weight / max(float((logs * weight).sum()), 1e-9)
    return share


def pool_deviations(group: IntArray, spread: pa.Table | None, strata: int) -> FloatArray:
    """The standard deviation of each stratum's past scores, drawn towards that of all. `group` says to
    which stratum the rows of `spread` belong."""
    if spread is None or spread.num_rows == 0:
        return np.ones(strata)
    n, mean, deviation = (spread[name].to_numpy() for name in ("logs", "mean", "deviation"))
    whole = _variance(n, mean, deviation)
    pooled = np.full(strata, whole)
    for stratum in range(strata):
        here = group == stratum
        number = n[here].sum()
        if number:
            own = _variance(n[here], mean[here], deviation[here])
            pooled[stratum] = (number * own + PRIOR * whole) / (number + PRIOR)
    result: FloatArray = np.sqrt(pooled)
    return result


def _variance(n: FloatArray, mean: FloatArray, deviation: FloatArray) -> float:
    centre = (n * mean).sum() / n.sum()
    return float((n * (deviation**2 + (mean - centre) ** 2)).sum() / n.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """Groups by conditions (name, when): a log belongs to the first that holds, else to the `rest`."""

    name: str
    share: float
    strata: tuple[tuple[str, str], ...]
    allocation: Allocation
    metric: str
    rest: str = "rest"
    scaling: Scaling = "share"

    @property
    def groups(self) -> tuple[str, ...]:
        return (*(name for name, _ in self.strata), self.rest)

    @property
    def definition(self) -> Mapping[str, Any]:
        strata = [{"name": name, "when": when} for name, when in self.strata]
        how = {"strata": strata, "rest": self.rest, "allocation": self.allocation, "metric": self.metric}
        return {"kind": "stratified", "share": self.share, **how}

    def needs(self) -> Needs:
        return Needs(
            conditions={f"{self.name}.{name}": when for name, when in self.strata},
            spread=self.metric if self.allocation == "neyman" else None,
        )

    def fix(self, logs: pa.Table, places: float, spread: pa.Table | None) -> Fixed:
        sizes: FloatArray = np.bincount(
            self._divide(logs), weights=counts(logs), minlength=len(self.groups)
        ).astype(np.float64)
        group = np.empty(0, dtype=np.int64) if spread is None else self._divide(spread)
        deviation = pool_deviations(group, spread, len(self.groups))
        rates = allocate(sizes, deviation, places, self.allocation)
        given = zip(self.groups, rates.tolist(), sizes.tolist(), deviation.tolist(), strict=True)
        return {"strata": {name: list(numbers) for name, *numbers in given}}

    def rates(self, logs: pa.Table, fixed: Fixed) -> Rates:
        group = self._divide(logs)
        known = [fixed["strata"][name] for name in self.groups]

        def why(row: int) -> str:
            _, logs_a_day, deviation = known[group[row]]
            spread = f", its scores differ by {deviation:.2g}" if self.allocation == "neyman" else ""
            return f"stratum of {logs_a_day:.0f} a day{spread}"

        return Rates(np.array([rate for rate, _, _ in known])[group], why, group)

    def _divide(self, logs: pa.Table) -> IntArray:
        group: IntArray = np.full(logs.num_rows, len(self.strata), dtype=np.int64)
        for number in range(len(self.strata) - 1, -1, -1):
            holds = logs[f"when.{self.name}.{self.strata[number][0]}"].to_numpy().astype(bool)
            group[holds] = number
        return group
