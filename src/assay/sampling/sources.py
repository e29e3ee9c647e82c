"""What a policy's decisions draw upon beside the logs: fixed days, models, past scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from assay.records import MetricInfo, Stage
from assay.sampling.base import Parameters, Risk


class Days(Protocol):
    """Where the parameters of policies' days are kept."""

    def read(self, policy: str, version: str, stage: Stage, day: date) -> Parameters:
        """What is fixed of the day; empty if nothing is."""
        ...

    def write(
        self, policy: str, version: str, stage: Stage, day: date, parameters: Parameters, known: Parameters
    ) -> Parameters:
        """Fix the day's parameters, made where `known` were fixed; returns what is fixed now. Where somebody
        has fixed others meanwhile, those stand."""
        ...


class OwnDays:
    """Kept as long as this object."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, Stage, date], Parameters] = {}

    def read(self, policy: str, version: str, stage: Stage, day: date) -> Parameters:
        return self._kept.get((policy, version, stage, day), {})

    def write(
        self, policy: str, version: str, stage: Stage, day: date, parameters: Parameters, known: Parameters
    ) -> Parameters:
        if self.read(policy, version, stage, day) == known:
            self._kept[policy, version, stage, day] = parameters
        return self.read(policy, version, stage, day)


def _no_risk(metric: str, day: date, version: str) -> Risk | None:
    return None


def _no_metric(name: str) -> MetricInfo | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """`risk` finds the model of a metric ("" is the headline) that serves a day, or the very `version`
    that it was decided with; `metric` what is known of one by name; `embedder` names the vectors whose
    cells `diverse` goes by."""

    days: Days = field(default_factory=OwnDays)
    risk: Callable[[str, date, str], Risk | None] = _no_risk
    metric: Callable[[str], MetricInfo | None] = _no_metric
    embedder: str = ""
