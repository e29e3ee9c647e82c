"""The plainest policy: every log has the same chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.sampling.base import Stratum
from assay.sampling.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Quotas):
    """Draws `judge` of all logs, and of those drawn `label` for people."""

    kind: ClassVar[str] = "uniform"

    @property
    def strata(self) -> tuple[Stratum, ...]:
        return (Stratum(name="all", when="", judge=self.judge, label=self.label),)
