"""What a sampling policy is: what it must know of a log, and what chance it gives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from assay.errors import ConfigError
from assay.records import Stage, Unit

MIN_PROBABILITY = 1e-6
"""No log's chance is smaller: a weight of a million is as much as an estimate can bear."""

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

Parameters = Mapping[str, Any]
"""The numbers from which a policy computes chances: JSON, kept per version, stage and UTC day."""

Drawing = Literal["poisson", "systematic"]
"""`poisson`: each log by its own permanent random number. `systematic`: a day's logs together, so
that their number is fixed; only once the day is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a policy must know of each log, and in which column of Arrow it gets it.

    - `conditions`, filters by name: column `when.NAME`, true where it holds.
    - `counted`, some of these: column `nth.when.NAME`, the log's number among those of which it holds.
    - `slices`, each of one fact or several (`version`, `attr["tenant"]`): column `slice.N`, their text,
      N from 0, and column `nth.N`, the log's number within its slice.
    - `risk`, a metric's name ("" is the headline): column `chance`, that the log fails it.
    - `cell`: column `cell`, where it lies in the space of meanings, 0 if unknown.
    - `spread`, a metric's name ("" is the headline): `Day.spread`, how its past scores differ.
    - `again`: a log whose facts have changed, once more.

    Beside these stand the columns `nth`, the log's number, `occasion` and `missed` (how often it was decided
    on, and the chance that it was not drawn), and, the same for all logs that come together, what came
    before the first of them: `spent`, how many are expected to be drawn, and `decided.GROUP`, how many this
    version has decided on in each group. Numbers go from 1, by UTC day and stage, in the order in which
    logs are decided on; one that is decided on again has the number that was reached. All but those that
    are asked for are missing where a day is only planned.
    """

    conditions: Mapping[str, str] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    slices: tuple[tuple[str, ...], ...] = ()
    risk: str | None = None
    cell: bool = False
    spread: str | None = None
    again: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is known of a UTC day when its parameters are fixed, once the share `over` of it has passed.

    `logs`: the columns that the policy needs and `logs`, how many have them (at stage `label`: the
    expected number drawn for the judge, with their `stratum` there); `before` the same of the day
    before (at stage `label` only where this version decided nearly all of it), `usual` how many there were
    a week before (at stage `label`: the day before), 0 if unknown. What needs the whole day waits for
    its end, unless `include_open`. `known` are the parameters that are fixed already; `decided`, of a
    policy that has one probability in each group, those that it has decided with. `risk` is the
    model's version, "" where there is none, and `metric` whose failures it foretells; `spread` has the
    columns `when.NAME`, `logs`, `mean` and `deviation` of past scores.
    """

    day: date
    logs: pa.Table
    over: float = 1.0
    include_open: bool = False
    before: pa.Table | None = None
    usual: int = 0
    known: Parameters = field(default_factory=dict)
    decided: Mapping[str, float] = field(default_factory=dict)
    risk: str = ""
    metric: str = ""
    spread: pa.Table | None = None


class Chances(NamedTuple):
    """Of each log: its `probability`, NaN where it must wait, and the `group` (an index into the policy's
    groups) that gave it. `explain` says why, in words, for some of the rows."""

    probability: FloatArray
    group: IntArray
    explain: Callable[[IntArray], list[str]]


class Policy(Protocol):
    """Which logs are looked at, and with what probability. Logs outside `where` (filter language;
    empty means all) are no concern of it.

    `groups` names the strata or parts, in order, `stages` what takes place: the judge, people.
    `definition` is all that decides what is drawn, as JSON; equal policies have equal ones."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> Unit: ...

    @property
    def where(self) -> str: ...

    @property
    def drawing(self) -> Drawing: ...

    @property
    def stages(self) -> tuple[Stage, ...]: ...

    @property
    def groups(self) -> tuple[str, ...]: ...

    @property
    def definition(self) -> Mapping[str, Any]: ...

    def needs(self, stage: Stage) -> Needs:
        """What it must know of the logs at that stage."""
        ...

    def fix(self, stage: Stage, day: Day) -> Parameters:
        """The day's parameters: all that are known, as they are, and those that can be fixed now. `risk`
        and `metric` among them are the model that makes `chance`; where `risk` is "" none does, whatever
        comes to be known later."""
        ...

    def chances(self, stage: Stage, logs: pa.Table, parameters: Parameters) -> Chances:
        """Each log's probability, in [1e-6, 1], from what it needs and the day's parameters alone."""
        ...


class Risk(Protocol):
    """What predicts the failures of a metric, learned from logs begun before the day it serves."""

    @property
    def version(self) -> str: ...

    def chances(self, features: pa.Table) -> FloatArray:
        """Of each row, the chance that the log fails, in (0, 1)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of a group is drawn: a `rate` (each log's probability) or a `size` (the expected
    number of a UTC day, from which the probability follows once the day's logs are counted).

    Raises ConfigError unless exactly one is given, and for a rate outside [1e-6, 1]: a group that
    is never looked at would be missing from every answer to "how are we doing overall".
    """

    rate: float | None = None
    size: float | None = None

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.size is None):
            raise ConfigError(f"give either a rate or a size, got rate={self.rate} and size={self.size}")
        if self.rate is not None and not MIN_PROBABILITY <= self.rate <= 1:
            raise ConfigError(
                f"a rate must lie between {MIN_PROBABILITY:g} and 1, got {self.rate:g}: logs that are "
                "never drawn would bias every estimate; use `where` to leave logs out altogether"
            )
        if self.size is not None and not 0 < self.size < float("inf"):
            raise ConfigError(f"a size must be a number a day above 0, got {self.size:g}")

    def probability(self, logs: float) -> float:
        """The chance of each of `logs` logs, in [1e-6, 1]."""
        if self.rate is not None:
            return self.rate
        assert self.size is not None
        return max(MIN_PROBABILITY, min(1.0, self.size / logs)) if logs > 0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """A group of logs: those of which `when` (filter language) holds and no earlier group has.

    `judge` draws those to be scored, `label`, of those drawn, the ones for people. `when` is empty
    in a policy's last stratum alone, which takes the rest.
    """

    name: str
    when: str
    judge: Quota
    label: Quota | None = None

    def quota(self, stage: Stage) -> Quota | None:
        """How much is drawn at that stage; None where the stage doesn't take place."""
        return self.judge if stage == "judge" else self.label


def version_of(policy: Policy) -> str:
    """12 hexadecimal digits that change whenever the policy's definition does."""
    text = json.dumps(dict(policy.definition), sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()[:12]
