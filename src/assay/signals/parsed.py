"""Signals with their expressions read and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from assay.errors import ConfigError, FilterError
from assay.query import (
    And,
    Compare,
    Condition,
    Contains,
    Field,
    InList,
    IsKnown,
    Mentions,
    Names,
    Not,
    Or,
    Says,
    Tagged,
    parse,
    walk,
)
from assay.records import Signal

Parsed = tuple[Signal, Condition | None]
"""A signal and its condition: None where SQL, or a function of the team's, raises it."""


def parse_signals(signals: Iterable[Signal], words: Collection[str]) -> tuple[Parsed, ...]:
    """Each signal with its condition; `words` are the names of the word lists.

    Raises FilterError, with the signal's name and the position of the mistake, and ConfigError
    where two signals share a name, or one has both an expression and SQL.
    """
    names = Names(words=frozenset(words))
    pairs: list[Parsed] = []
    taken: dict[str, Signal] = {}
    for signal in signals:
        if signal.name in taken:
            raise ConfigError(
                f"signals.{signal.name}: {taken[signal.name].code} has this name already; choose another"
            )
        if signal.expression and signal.sql:
            raise ConfigError(f"signals.{signal.name}: give it an expression or sql, not both")
        taken[signal.name] = signal
        pairs.append((signal, _parse(signal, names) if signal.expression else None))
    return tuple(pairs)


def _parse(signal: Signal, names: Names) -> Condition:
    try:
        condition = parse(signal.expression, names)
    except FilterError as error:
        raise FilterError(f"signals.{signal.name}: {error}", position=error.position) from None
    for part in walk(condition):
        if not isinstance(
            part, And | Or | Not | Compare | InList | Contains | Says | Mentions | Tagged | IsKnown
        ):
            raise FilterError(
                f"signals.{signal.name}: a signal is made of a log's own facts; other signals, scores, "
                "labels, selections, other logs and `last` can't stand in it"
            )
        if signal.unit == "conversation" and _searches_everything(part):
            raise FilterError(
                f'signals.{signal.name}: `text` asks for every turn; give the signal unit = "interaction": '
                "a conversation carries the signals of its interactions"
            )
    return condition


def _searches_everything(part: Condition) -> bool:
    return isinstance(part, Contains | Says | Mentions) and part.subject == Field(name="text")
