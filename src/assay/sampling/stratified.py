"""Looking harder where trouble is likelier, without biasing the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.sampling.base import Stratum
from assay.sampling.quotas import Quotas

REST = "rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified(Quotas):
    """Each log belongs to the first of `given` whose `when` holds of it, else to the `rest`. Every stratum
    is drawn from, so that a weighted answer holds for all logs."""

    kind: ClassVar[str] = "stratified"

    given: tuple[Stratum, ...]

    @property
    def strata(self) -> tuple[Stratum, ...]:
        return (*self.given, Stratum(name=REST, when="", judge=self.judge, label=self.label))
