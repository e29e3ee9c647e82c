"""The plainest policy: every log has the same chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.records import Unit
from assay.sampling.base import Quota, Stratum, check_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Draws `judge` of all logs, and of those drawn `label` for people."""

    name: str
    unit: Unit
    judge: Quota
    label: Quota | None = None
    where: str = ""

    def __post_init__(self) -> None:
        check_policy(self)

    def strata(self) -> tuple[Stratum, ...]:
        return (Stratum(name="all", when="", judge=self.judge, label=self.label),)

    def definition(self) -> Mapping[str, Any]:
        return {"kind": "uniform", **describe_draw(self.unit, self.where, self.strata())}


def describe_draw(unit: Unit, where: str, strata: tuple[Stratum, ...]) -> dict[str, Any]:
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
