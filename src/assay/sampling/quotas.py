"""Groups with a size or a rate each: what uniform and stratified policies have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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
    Quota,
    Stratum,
)
from assay.sampling.brake import first_time, number_within, slow_by_number

EARLY = 1 / 24
"""The first hour counts as whole: a few logs after midnight say little of the day to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """A policy whose strata have a size or a rate each; `judge` and `label` are those of the last, which
    takes the rest."""

    kind: ClassVar[str]

    name: str
    unit: Unit
    judge: Quota
    label: Quota | None = None
    where: str = ""
    again: bool = True

    def __post_init__(self) -> None:
        check_strata(self.name, self.strata)

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """In order of precedence; the last takes the rest."""
        raise NotImplementedError

    @property
    def drawing(self) -> Drawing:
        return "poisson"

    @property
    def stages(self) -> tuple[Stage, ...]:
        return ("judge",) if self.label is None else ("judge", "label")

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(stratum.name for stratum in self.strata)

    @property
    def definition(self) -> Mapping[str, Any]:
        once = {} if self.again else {"again": False}
        return {"kind": self.kind, **describe_draw(self.unit, self.where, self.strata), **once}

    def needs(self, stage: Stage) -> Needs:
        return Needs(
            conditions={stratum.name: stratum.when for stratum in self.strata[:-1]}, again=self.again
        )

    def fix(self, stage: Stage, day: Day) -> Parameters:
        return fix_strata(self.strata, stage, day)

    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        return give_chances(self.strata, stage, logs, parameters)


def fix_strata(strata: Sequence[Stratum], stage: Stage, day: Day) -> Parameters:
    """One probability for each stratum that has a size and whose number of logs is known.

    What is fixed stays, so that late logs of the day get the chance of the others. A size needs to
    know the day: while that isn't over its strata wait, or, with `include_open`, go by the day before,
    or failing that by the logs so far, projected to the whole day."""
    counts = _count(strata, day.logs)
    before = {} if day.before is None else _count(strata, day.before)
    known = {name: {"probability": p, "how": "known"} for name, p in day.decided.items()} | dict(day.known)
    for stratum in strata:
        quota = stratum.quota(stage)
        if quota is None or quota.size is None or stratum.name in known or not counts.get(stratum.name):
            continue
        logs, how = counts[stratum.name], "counted"
        if day.over < 1:
            if not day.include_open:
                continue
            if before.get(stratum.name):
                logs, how = before[stratum.name], "before"
            else:
                logs, how = logs / max(day.over, EARLY), "projected"
        known[stratum.name] = {"probability": quota.probability(logs), "logs": logs, "how": how}
    return known


def give_chances(strata: Sequence[Stratum], stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
    """Every log has the chance of its stratum, less where that has had far more logs than were expected."""
    chances: FloatArray = np.full(len(strata), np.nan)
    for number, stratum in enumerate(strata):
        quota = stratum.quota(stage)
        if quota is not None and quota.rate is not None:
            chances[number] = quota.rate
        elif stratum.name in parameters:
            chances[number] = parameters[stratum.name]["probability"]
    group = divide(strata, logs)
    slower = _slow(strata, stage, logs, group, chances)
    words = [_words(stratum, stage, parameters.get(stratum.name, {})) for stratum in strata]

    def explain(rows: IntArray) -> list[str]:
        return [
            words[group[row]] + ("" if slower[row] == 1 else f", slowed down to {given[row]:.3g}")
            for row in rows.tolist()
        ]

    given: FloatArray = np.where(
        slower < 1, np.maximum(MIN_PROBABILITY, chances[group] * slower), chances[group]
    )
    return Chances(given, group, explain)


def _slow(
    strata: Sequence[Stratum], stage: Stage, logs: pa.Table, group: IntArray, chances: FloatArray
) -> FloatArray:
    """By what chances fall, of logs that come after as many as their stratum's size foresaw."""
    slower: FloatArray = np.ones(logs.num_rows)
    if not all(f"decided.{stratum.name}" in logs.column_names for stratum in strata) or not logs.num_rows:
        return slower
    before = np.array([logs[f"decided.{stratum.name}"][0].as_py() for stratum in strata])
    number = number_within(group, first_time(logs), before)
    for place, stratum in enumerate(strata):
        quota = stratum.quota(stage)
        if quota is not None and quota.size is not None and not np.isnan(chances[place]):
            here = group == place
            slower[here] = slow_by_number(number[here], quota.size / chances[place])
    return slower


def divide(strata: Sequence[Stratum], logs: pa.Table) -> IntArray:
    """Of each row the number of its stratum: the one it has been given, else the first that holds."""
    group: IntArray = np.full(logs.num_rows, len(strata) - 1, dtype=np.int64)
    for number in range(len(strata) - 2, -1, -1):
        holds = logs[f"when.{strata[number].name}"].to_numpy().astype(bool)
        group[holds] = number
    if "stratum" in logs.column_names:
        given = logs["stratum"].to_numpy()
        for number, stratum in enumerate(strata):
            group[given == stratum.name] = number
    return group


def check_strata(name: str, strata: Sequence[Stratum]) -> None:
    """Raises ConfigError where strata can't be drawn from without bias."""
    if not name:
        raise ConfigError("a policy needs a name")
    where = f"policy {name}"
    if not strata or strata[-1].when:
        raise ConfigError(f"{where}: the last stratum must take the rest, so it has no `when`")
    names = [stratum.name for stratum in strata]
    for number, stratum in enumerate(strata):
        if not stratum.name:
            raise ConfigError(f"{where}: stratum {number + 1} has no name")
        if stratum.name in names[:number]:
            raise ConfigError(f"{where}: two strata are named {stratum.name!r}; rename one")
        if not stratum.when and stratum is not strata[-1]:
            raise ConfigError(f"{where}, stratum {stratum.name}: `when` is empty; say which logs it takes")
    without = [stratum.name for stratum in strata if stratum.label is None]
    if without and len(without) < len(strata):
        raise ConfigError(
            f"{where}: people get logs of some strata, but none of {', '.join(without)}; give each a "
            "label_size or a label_rate, or what people find there would be missing from every estimate"
        )


def describe_draw(unit: Unit, where: str, strata: Sequence[Stratum]) -> dict[str, Any]:
    """What a policy of that unit, filter and strata draws, as JSON."""
    return {
        "unit": unit,
        "where": where,
        "strata": [
            {
                "name": stratum.name,
                "when": stratum.when,
                "size": stratum.judge.size,
                "rate": stratum.judge.rate,
                "label_size": stratum.label.size if stratum.label else None,
                "label_rate": stratum.label.rate if stratum.label else None,
            }
            for stratum in strata
        ],
    }


def _count(strata: Sequence[Stratum], logs: pa.Table) -> dict[str, float]:
    if not logs.num_rows:
        return {}
    counts = np.bincount(divide(strata, logs), weights=logs["logs"].to_numpy(), minlength=len(strata))
    return {stratum.name: float(count) for stratum, count in zip(strata, counts, strict=True)}


def _words(stratum: Stratum, stage: Stage, fixed: Mapping[str, Any]) -> str:
    here, quota = f"stratum {stratum.name}", stratum.quota(stage)
    if quota is None:
        return ""
    if quota.rate is not None:
        return f"{here}: rate {quota.rate:.3g}"
    if not fixed:
        return ""
    p, how = fixed["probability"], fixed["how"]
    if how == "known":
        return f"{here}: probability {p:.3g}, as for the day's others"
    if how == "before":
        return f"{here}: probability {p:.3g}, as the day before"
    when = " by the day's end" if how == "projected" else ""
    logs = fixed["logs"]
    of = f"{logs:.0f}{when}" if stage == "judge" else f"{logs:.1f} expected{when}"
    return f"{here}: {quota.size:g} a day of {of}, probability {p:.3g}"
