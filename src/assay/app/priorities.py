"""What the team calls critical: rules in the filter language, the first that holds tells a log's priority."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from assay.config.settings import PrioritySettings
from assay.errors import ConfigError, FilterError
from assay.query import Condition, Last, Names, Or, Selected, SignalIs, parse, walk
from assay.records import Level, Severity, Signal

Rules = tuple[tuple[Level, Condition], ...]

USUAL: Final[tuple[tuple[Level, Severity], ...]] = (("high", "high"), ("medium", "medium"))
"""Without rules of the team's own: a log has the priority of the gravest signal that is raised on it."""


def make_rules(given: Sequence[PrioritySettings], signals: Iterable[Signal], names: Names) -> Rules:
    """The rules of assay.toml, read and checked; where it has none, those that go by severity.

    Raises ConfigError with the rule's number and the position of what is wrong."""
    if not given:
        return tuple(_usual(tuple(signals)))
    alone = names._replace(priorities=None, saved=None)
    return tuple((rule.level, _read(number, rule.when, alone)) for number, rule in enumerate(given, start=1))


def _usual(signals: tuple[Signal, ...]) -> Iterable[tuple[Level, Condition]]:
    for level, severity in USUAL:
        parts = tuple(SignalIs(name=signal.name) for signal in signals if signal.severity == severity)
        if parts:
            yield level, parts[0] if len(parts) == 1 else Or(parts=parts)


def _read(number: int, text: str, names: Names) -> Condition:
    here = f"priorities, rule {number}"
    try:
        condition = parse(text, names)
    except FilterError as error:
        raise ConfigError(f"{here}: {error}") from error
    for part in walk(condition):
        if isinstance(part, Last):
            raise ConfigError(f"{here}: `last` depends on when it is asked, and a priority must not")
        if isinstance(part, Selected):
            raise ConfigError(f"{here}: policies go by priorities, so a priority can't ask for `selected`")
    return condition
