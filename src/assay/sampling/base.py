"""What a sampling policy is: groups of logs, and how many of each group are looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from assay.errors import ConfigError
from assay.records import Stage, Unit

MIN_PROBABILITY = 1e-6
"""No log's chance is smaller: a weight of a million is as much as an estimate can bear."""


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


class Policy(Protocol):
    """Which logs are looked at, and with what probability. Logs outside `where` (filter language;
    empty means all) are no concern of it."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> Unit: ...

    @property
    def where(self) -> str: ...

    def strata(self) -> tuple[Stratum, ...]:
        """In order of precedence; the last takes the rest."""
        ...

    def definition(self) -> Mapping[str, Any]:
        """All that decides what is drawn, as JSON; equal policies have equal definitions."""
        ...


def version_of(policy: Policy) -> str:
    """12 hexadecimal digits that change whenever the policy's definition does."""
    text = json.dumps(dict(policy.definition()), sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()[:12]


def check_policy(policy: Policy) -> Policy:
    """The policy itself. Raises ConfigError where its strata can't be drawn from without bias."""
    if not policy.name:
        raise ConfigError("a policy needs a name")
    where, strata = f"policy {policy.name}", policy.strata()
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
    return policy
