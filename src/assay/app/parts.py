"""The concrete parts of one project, made once and handed to whoever needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from assay.app.days import DayCache
from assay.app.policies import PolicyShelf
from assay.app.priorities import Rules
from assay.app.raising import Raising
from assay.config import Settings
from assay.discovery.apply import Memory
from assay.discovery.base import Embedder
from assay.errors import UnknownName
from assay.ingest.redact import Redactor
from assay.llm.base import Provider
from assay.metrics.base import Metric
from assay.query import Condition, Names, parse, suggest
from assay.records import MetricInfo, Price, Window
from assay.sampling.base import Policy
from assay.signals.parsed import Parsed
from assay.store.state import State, list_filters, list_metrics
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`metrics` are those of the team's file; `declared` those that only people answer. `signals`
    come with their parsed conditions, and `raising` runs those that are functions; `words` are every
    list that `mentions` may name, `languages` what each is known by, and `familiar` the stems of the
    reference set."""

    settings: Settings
    telemetry: Telemetry
    state: State
    metrics: Mapping[str, Metric]
    declared: Mapping[str, MetricInfo]
    policies: PolicyShelf
    signals: Sequence[Parsed]
    words: Mapping[str, Sequence[str]]
    prices: Sequence[Price]
    provider: Callable[[], Provider]
    clock: Callable[[], datetime]
    priorities: Rules = ()
    raising: Raising
    languages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    familiar: Sequence[str] = ()
    redactor: Redactor | None = None
    embedder: Embedder | None = None
    embedded: Memory = field(default_factory=dict)
    days: DayCache = field(default_factory=DayCache)

    @property
    def project(self) -> str:
        return self.settings.project.name

    def infos(self) -> dict[str, MetricInfo]:
        """Every metric's current version by name, the headline first: the team's own, those that
        people answer, then those that came in from outside."""
        found: dict[str, MetricInfo] = {name: metric.info for name, metric in self.metrics.items()}
        found |= self.declared
        known = list_metrics(self.state, self.project)
        for wanted in (("judge", "code"), ("human",)):
            for version in known:
                if version.info.kind in wanted:
                    found.setdefault(version.info.name, version.info)
        headline = self.settings.project.headline
        if headline and headline not in found:
            raise UnknownName(f"project.headline: no metric `{headline}`; {suggest(headline, found)}")
        return {name: found[name] for name in sorted(found, key=lambda name: name != headline)}

    def info(self, name: str) -> MetricInfo:
        """The current version of one metric. Raises UnknownName with the nearest known ones."""
        infos = self.infos()
        if name not in infos:
            raise UnknownName(f"no metric `{name}`; {suggest(name, infos)}")
        return infos[name]

    def policy_of(self, info: MetricInfo) -> Policy:
        """The policy whose selections the metric scores: the configured one, else the first of its unit.

        Raises UnknownName where there is none, with what to add."""
        given = self.settings.metrics.get(info.name)
        if given is not None and given.policy:
            return self.policy(given.policy)
        for policy in self.policies.values():
            if policy.unit == info.unit:
                return policy
        raise UnknownName(
            f"metric {info.name} is about {info.unit}s and no policy is; add one to assay.toml: "
            f'[policies.NAME] with unit = "{info.unit}" and a size or rate'
        )

    def is_drawn(self, info: MetricInfo) -> bool:
        """Whether some policy draws the logs that the metric is about."""
        return any(policy.unit == info.unit for policy in self.policies.values())

    def question(self, info: MetricInfo, window: Window) -> Question:
        """The metric over the window's logs, as its policy decides on them."""
        return Question(info, self.policy_of(info).name, window)

    def policy(self, name: str) -> Policy:
        """The policy of that name. Raises UnknownName with the nearest known ones."""
        if name not in self.policies:
            raise UnknownName(f"no policy `{name}`; {suggest(name, self.policies)}")
        return self.policies[name]

    def names(self) -> Names:
        """What filters may name."""
        return Names(
            signals=frozenset(signal.name for signal, _ in self.signals),
            metrics=frozenset(self.infos()),
            words=frozenset(self.words),
            policies=frozenset(self.policies),
            saved=self.saved(),
            priorities=self.priorities,
        )

    def saved(self) -> dict[str, str]:
        """The filters that somebody gave a name."""
        return {saved.name: saved.text for saved in list_filters(self.state, self.project)}

    def parse(self, text: str) -> Condition | None:
        """The condition that a filter says; None for an empty one. Raises FilterError."""
        return parse(text, self.names()) if text.strip() else None

    @property
    def idle_s(self) -> float:
        """How long a conversation must be idle to be settled."""
        return 60.0 * self.settings.conversation.idle_minutes

    @property
    def gap_s(self) -> float | None:
        """The pause that parts what one user asks; None where traces are not joined by their user."""
        conversation = self.settings.conversation
        return 60.0 * conversation.gap_minutes if conversation.by_user else None
