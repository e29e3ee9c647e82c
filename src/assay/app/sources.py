"""What policies draw upon beside the logs, from the parts of a project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from assay.app.parts import Parts
from assay.records import MetricInfo, Stage
from assay.sampling import risk
from assay.sampling.base import Parameters, Policy, Risk
from assay.sampling.sources import Sources
from assay.store.state.days import read_policy_day, write_policy_day


def make_sources(parts: Parts, policy: Policy, *, keep: bool = True) -> Sources:
    """The policy's days in the state store, models of the metrics that it serves, and the vectors' name.
    Without `keep` a model that is fitted now is forgotten."""
    models: dict[tuple[str, date, str], Risk | None] = {}

    def find_metric(name: str) -> MetricInfo | None:
        """The metric of that name, or the first, of the policy's unit, that goes by the policy."""
        infos = parts.infos()
        if name:
            return parts.info(name)
        served = (info for info in infos.values() if info.unit == policy.unit)
        return next((info for info in served if parts.policy_of(info).name == policy.name), None)

    def find_risk(name: str, day: date, version: str) -> Risk | None:
        key = (name, day, version)
        if key not in models:
            kept = risk.load(parts.state, parts.project, name, day, version) if name and version else None
            models[key] = kept or _risk(parts, find_metric(name), day, version, keep=keep)
        return models[key]

    return Sources(
        days=StateDays(parts),
        risk=find_risk,
        metric=find_metric,
        embedder="" if parts.embedder is None else parts.embedder.model,
    )


def _risk(parts: Parts, info: MetricInfo | None, day: date, version: str, *, keep: bool) -> Risk | None:
    if info is None:
        return None
    if version and (kept := risk.load(parts.state, parts.project, info.name, day, version)) is not None:
        return kept
    severities = {signal.name: signal.severity for signal, _ in parts.signals}
    now = parts.clock()
    return risk.ready(parts.telemetry, parts.state, parts.project, info, severities, day, now, keep=keep)


@dataclass(frozen=True, slots=True)
class StateDays:
    """Policies' days in the state store."""

    parts: Parts

    def read(self, policy: str, version: str, stage: Stage, day: date) -> Parameters:
        parts = self.parts
        return read_policy_day(
            parts.state, parts.project, policy=policy, version=version, stage=stage, day=day
        )

    def write(
        self, policy: str, version: str, stage: Stage, day: date, parameters: Parameters, known: Parameters
    ) -> Parameters:
        return write_policy_day(
            self.parts.state,
            self.parts.project,
            policy=policy,
            version=version,
            stage=stage,
            day=day,
            parameters=parameters,
            known=known,
            now=self.parts.clock(),
        )
