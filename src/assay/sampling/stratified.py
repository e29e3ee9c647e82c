"""Looking harder where trouble is likelier, without biasing the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.records import Unit
from assay.sampling.base import Quota, Stratum, check_policy
from assay.sampling.uniform import describe_draw

REST = "rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """Each log belongs to the first of the `groups` whose `when` holds of it, else to the `rest`,
    which has the draws `judge` and `label`. Every group is drawn from, so that a weighted answer
    holds for all logs."""

    name: str
    unit: Unit
    groups: tuple[Stratum, ...]
    judge: Quota
    label: Quota | None = None
    where: str = ""

    def __post_init__(self) -> None:
        check_policy(self)

    def strata(self) -> tuple[Stratum, ...]:
        return (*self.groups, Stratum(name=REST, when="", judge=self.judge, label=self.label))

    def definition(self) -> Mapping[str, Any]:
        return {"kind": "stratified", **describe_draw(self.unit, self.where, self.strata())}
