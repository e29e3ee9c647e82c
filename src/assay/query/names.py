"""What else a filter may name: other words for a field, and what is no column of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from assay.query.fields import FIELDS
from assay.query.tree import And, Compare, Condition, Field, Not, Or

ALIASES: Final[Mapping[str, str]] = {
    "app_version": "version",
    "cost": "cost_usd",
    "latency": "latency_ms",
    "ttft": "ttft_ms",
    "user": "user_id",
    "env": "environment",
}
"""Other words for a field: a condition that is written out has the field's own."""

TAG: Final = "tag"
PRIORITY: Final = "priority"
VIRTUAL: Final[Mapping[str, str]] = {
    TAG: "a tag that the application gave it; one log may have several",
    PRIORITY: 'what the team\'s rules make of it: "high", "medium" or "low"',
}
"""What compares like a field, with = != and in, and is none."""

LEVELS: Final = ("high", "medium", "low")
"""What `priority` may be."""

ALWAYS: Final = Compare(subject=Field(name="turns"), operator=">=", value=0.0)
NEVER: Final = Not(part=ALWAYS)


class Names(NamedTuple):
    """What exists, to tell a typing error from an empty answer. None: don't check that kind.

    `saved` are filters by their names; `priorities` the rules, the first that holds tells a log's
    level, and what no rule takes is low. Without them `saved.NAME` and `priority` can't be asked."""

    signals: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    words: frozenset[str] | None = None
    policies: frozenset[str] | None = None
    saved: Mapping[str, str] | None = None
    priorities: tuple[tuple[str, Condition], ...] | None = None


def field_names() -> Iterator[str]:
    """Everything that may stand where a field stands."""
    yield from FIELDS
    yield from ALIASES
    yield from VIRTUAL


def priority_is(level: str, rules: tuple[tuple[str, Condition], ...]) -> Condition:
    """The condition that a log's priority is of that level.

    >>> priority_is("high", (("high", Compare(subject=Field(name="turns"), operator=">", value=9.0)),))
    Compare(subject=Field(name='turns'), operator='>', value=9.0)
    """
    if level == LEVELS[-1]:
        return Not(part=any_of([priority_is(other, rules) for other in LEVELS[:-1]]))
    taken = []
    for number, (own, rule) in enumerate(rules):
        if own == level:
            before = [earlier for other, earlier in rules[:number] if other != level]
            taken.append(And(parts=(rule, Not(part=any_of(before)))) if before else rule)
    return any_of(taken)


def any_of(parts: list[Condition]) -> Condition:
    """One condition that holds where one of these does: of none, where there are none."""
    if not parts:
        return NEVER
    return parts[0] if len(parts) == 1 else Or(parts=tuple(parts))
