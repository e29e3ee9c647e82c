"""Opening a project: settings become stores, policies, signals and metrics."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from assay.app.application import Application, utc_now
from assay.app.hold import Hold, acquire_hold, hold_folder
from assay.app.parts import Parts
from assay.app.policies import PolicyShelf
from assay.app.priorities import make_rules
from assay.app.raising import Raising
from assay.config import Settings
from assay.discovery.base import Embedder
from assay.discovery.endpoint import Vectorizer
from assay.discovery.load import load_embedder
from assay.errors import ConfigError
from assay.ingest.people import open_finder
from assay.ingest.redact import Redactor, Rules
from assay.llm.base import Provider
from assay.llm.prices import merged, read_prices, shipped_prices
from assay.metrics.base import Metric
from assay.metrics.load import Team, load_team
from assay.query import Names, parse, suggest
from assay.records import MetricInfo, Price
from assay.sampling.base import Policy
from assay.sampling.groups import check_live, group_logs
from assay.sampling.load import load_policy
from assay.signals import (
    Thresholds,
    catalogue,
    define,
    find_stems,
    load_languages,
    load_words,
    parse_signals,
)
from assay.signals.familiar import read_requests
from assay.signals.parsed import Parsed
from assay.store.state import State, open_state
from assay.store.telemetry.connection import Telemetry, open_telemetry
from assay.store.telemetry.engine import Appetite
from assay.store.telemetry.own import checked


class OpenApplication(Application):
    """An application that holds its project until it is closed."""

    def __init__(self, parts: Parts, hold: Hold | None) -> None:
        super().__init__(parts, token=secrets.token_urlsafe(24))
        self._hold = hold

    def publish(self, address: str) -> None:
        """Let commands of this user find the server that this process is."""
        if self._hold is not None:
            self._hold.publish(address, self.token)

    def close(self) -> None:
        super().close()
        if self._hold is not None:
            self._hold.release()


def open_application(
    settings: Settings, command: str, clock: Callable[[], datetime] = utc_now
) -> OpenApplication:
    """Open the project here. `command` is what others are told while this process has it.

    Raises StoreHeld where another process has it, ConfigError and MetricError for what is wrong
    in assay.toml and metrics.py, StoreError for a store that can't be opened."""
    with ExitStack() as undo:
        hold = None
        if settings.telemetry_dsn.startswith("chdb:") or command == "serve":
            hold = acquire_hold(hold_folder(settings.folder), command)
            undo.callback(hold.release)
        state = open_state(settings.state_url)
        undo.callback(state.close)
        wired = wire(settings, state, clock)
        telemetry = open_telemetry(
            settings.telemetry_dsn,
            reserve_bytes=settings.store.reserve_mb * 1_000_000,
            appetite=Appetite(
                memory_mb=settings.store.memory_mb,
                threads=settings.store.threads,
                merge_threads=settings.store.merge_threads,
            ),
        )
        undo.callback(telemetry.close)
        application = OpenApplication(wired(telemetry), hold)
        undo.pop_all()
        return application


def wire(
    settings: Settings, state: State, clock: Callable[[], datetime] = utc_now
) -> Callable[[Telemetry], Parts]:
    """Everything but the telemetry store, checked before that is opened, which takes a second."""
    words = load_words(settings.words)
    team = load_team(settings.metrics_file) if settings.metrics_file.exists() else Team({}, {})
    metrics = team.metrics
    signals = make_signals(settings, team, words)
    policies = {name: load_policy(name, policy.model_dump()) for name, policy in settings.policies.items()}
    names = Names(signals=frozenset(signal.name for signal, _ in signals), words=frozenset(words))
    priorities = make_rules(settings.priorities, (signal for signal, _ in signals), names)
    names = names._replace(priorities=priorities)

    def check(policy: Policy) -> None:
        grouping = group_logs(policy, lambda text: parse(text, names), words)
        if settings.server.sample:
            check_live(policy, grouping)

    for policy in policies.values():
        check(policy)
    shelf = PolicyShelf(policies, state, settings.project.name, check)
    declared = _declared(settings, metrics, shelf)
    prices = load_prices(settings)
    redactor = make_redactor(settings)
    embedder = make_embedder(settings, words)
    file = settings.reference.file
    familiar = find_stems(read_requests(settings.folder / file), words) if file else ()
    return lambda telemetry: Parts(
        settings=settings,
        telemetry=telemetry,
        state=state,
        metrics=metrics,
        declared=declared,
        policies=shelf,
        priorities=priorities,
        signals=compile_signals(telemetry, signals),
        words=words,
        raising=Raising(team.signals, clock),
        languages=load_languages(),
        familiar=familiar,
        prices=prices,
        redactor=redactor,
        provider=lambda: make_provider(settings),
        clock=clock,
        embedder=embedder,
    )


def make_signals(settings: Settings, team: Team, words: Mapping[str, Sequence[str]]) -> tuple[Parsed, ...]:
    """The built-in signals, those of assay.toml, those of the team's file. Raises FilterError and
    ConfigError for a wrong one."""
    own = [
        define(
            name,
            signal.expression,
            sql=signal.sql,
            unit=signal.unit,
            severity=signal.severity,
            meaning=signal.meaning,
        )
        for name, signal in settings.signals.items()
    ]
    made = [batch.signal for batch in team.signals.values()]
    thresholds = Thresholds(**settings.thresholds.model_dump())
    return parse_signals((*catalogue(thresholds), *own, *made), words)


def compile_signals(telemetry: Telemetry, signals: Sequence[Parsed]) -> tuple[Parsed, ...]:
    """The signals with the team's SQL as the store has checked it. Raises FilterError for a wrong one."""
    sql = checked(telemetry, [signal for signal, _ in signals])
    return tuple(
        (replace(signal, sql=sql[signal.name]) if signal.sql else signal, condition)
        for signal, condition in signals
    )


def load_prices(settings: Settings) -> tuple[Price, ...]:
    """Prices by who says them: assay.toml, the team's file, the shipped table. Raises ConfigError."""
    own = [
        Price(model=model, input=price.input, output=price.output, cached=price.cached)
        for model, price in settings.prices.items()
    ]
    named = settings.project.prices
    return merged(own, read_prices(settings.folder / named) if named else (), shipped_prices())


def make_redactor(settings: Settings) -> Redactor | None:
    """What takes personal data out of whatever comes in; None where nothing is to be taken out.

    Raises ConfigError for a pattern that can't be used, ExtraMissing where names need Presidio."""
    given = settings.redaction
    methods = {given.method, *given.methods.values()}
    if methods == {"off"} and not (
        given.patterns or given.entities or given.hash_user_ids or given.content == "drop"
    ):
        return None
    return Redactor(
        Rules(
            method=given.method,
            methods=given.methods,
            patterns=given.patterns,
            drop_content=given.content == "drop",
            hash_user_ids=given.hash_user_ids,
            keep=given.keep,
            key=settings.redaction_key.encode(),
            finder=open_finder(given.entities, given.language) if given.entities else None,
        )
    )


def make_embedder(settings: Settings, words: Mapping[str, Sequence[str]]) -> Embedder | None:
    """What turns requests into vectors; None where that is off. Raises ConfigError, ExtraMissing."""
    given = settings.embeddings

    def endpoint() -> Vectorizer:
        from assay.llm.embed import OpenAIVectors

        return OpenAIVectors(model=given.model, base_url=given.base_url, api_key=settings.embedding_key)

    return load_embedder(given.embedder, common=words.get("common", ()), endpoint=endpoint)


def make_provider(settings: Settings) -> Provider:
    """The judge's endpoint: the team's own provider where one is named, else an OpenAI-compatible one.

    Raises ConfigError where the named one can't be loaded."""
    judge = settings.judge
    if not judge.provider:
        from assay.llm.openai import OpenAIProvider

        return OpenAIProvider(base_url=judge.base_url, api_key=settings.api_key)
    module, _, attribute = judge.provider.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
        provider: Provider = factory()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"judge.provider = {judge.provider!r} can't be loaded: {error}; "
            "give it as module:factory, where factory() returns a provider"
        ) from error
    return provider


def _declared(
    settings: Settings, metrics: dict[str, Metric], policies: Collection[str]
) -> dict[str, MetricInfo]:
    """The metrics that only people answer, as assay.toml declares them."""
    declared = {}
    for name, given in settings.metrics.items():
        if given.kind == "human" and name in metrics:
            raise ConfigError(
                f"metrics.{name}: it is in {settings.metrics_file.name} too; delete one of them"
            )
        if given.policy and given.policy not in policies:
            raise ConfigError(
                f"metrics.{name}: no policy `{given.policy}` in assay.toml, and none is saved; "
                f"{suggest(given.policy, policies)}"
            )
        if given.kind == "human":
            declared[name] = MetricInfo(
                name=name,
                version="human",
                kind="human",
                unit=given.unit or "conversation",
                goal=given.goal or "high",
                target=given.target,
            )
    return declared
