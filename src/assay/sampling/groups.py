"""A policy's filters, parsed: what the store must know to ask them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from assay.errors import ConfigError, FilterError
from assay.query import (
    FIELDS,
    Attribute,
    Condition,
    Field,
    HasScore,
    Last,
    ScoreIs,
    Selected,
    Subject,
    suggest,
    walk,
)
from assay.query.names import ALIASES
from assay.records import EVENTS, Stage
from assay.sampling.base import Policy, version_of
from assay.store.telemetry.grouping import Grouping

ATTRIBUTE: Final = re.compile(r'attr\["(.+)"\]', re.DOTALL)
EVALUATED: Final = "evaluation."
"""So begin the names of attributes that hold what somebody said of a log."""


def group_logs(
    policy: Policy,
    parse: Callable[[str], Condition],
    words: Mapping[str, Sequence[str]] | None = None,
    stage: Stage = "judge",
    embedder: str = "",
) -> Grouping:
    """What the store must know of the policy at a stage, its filters parsed.

    Raises ConfigError where one doesn't parse or asks for what a policy must not depend on, with
    policy, part and what is wrong."""
    named = f"policy {policy.name}"
    needs = policy.needs(stage)
    conditions = tuple(
        (name, _read(f"{named}, {_called(policy, name)}", when, parse))
        for name, when in needs.conditions.items()
    )
    where = _read_where(f"{named}, where", policy.where, parse) if policy.where else None
    slices = tuple(tuple(_subject(named, fact) for fact in by) for by in needs.slices)
    changing = bool(conditions or slices or needs.risk is not None)
    drawn = any(_tells_draws(condition) for _, condition in conditions)
    drawn |= any(_is_evaluation(subject) for by in slices for subject in by)
    return Grouping(
        policy=policy.name,
        version=version_of(policy),
        unit=policy.unit,
        where=where,
        conditions=conditions,
        slices=slices,
        cell=needs.cell,
        features=needs.risk is not None,
        again=needs.again and changing and not drawn,
        embedder=embedder,
        words=words or {},
    )


def check_live(policy: Policy, grouping: Grouping) -> None:
    """Raises ConfigError where a condition goes by scores: a server decides on a log before it has any."""
    for name, condition in grouping.conditions:
        if tells_scores(condition):
            raise ConfigError(
                f"policy {policy.name}, {_called(policy, name)}: a server decides on a log before anything "
                "is judged or labelled, so this never holds there; ask for signals and facts, or set "
                "[server] sample = false and run `assay sample` once there are scores"
            )


def _read(where: str, text: str, parse: Callable[[str], Condition]) -> Condition:
    try:
        condition = parse(text)
    except FilterError as error:
        raise ConfigError(f"{where}: {error}") from error
    if any(isinstance(part, Last) for part in walk(condition)):
        raise ConfigError(f"{where}: `last` depends on when it is asked, and a policy must not")
    if any(isinstance(part, Selected) for part in walk(condition)):
        raise ConfigError(f"{where}: `selected` is what policies decide, so none may depend on it")
    return condition


def _read_where(where: str, text: str, parse: Callable[[str], Condition]) -> Condition:
    """Which logs a policy is about must not depend on what was drawn: scored ones would leave or enter, and
    no weight would be right."""
    condition = _read(where, text, parse)
    if tells_scores(condition):
        raise ConfigError(
            f"{where}: scores and labels are there of logs that were drawn, so they can't say which logs a "
            "policy is about"
        )
    return condition


def _called(policy: Policy, name: str) -> str:
    """What settings call the condition of that name."""
    part, _, stratum = name.partition(".")
    kind = policy.definition.get("kind")
    if kind != "composed":
        return f"stratum {name}"
    return f"part {part}, stratum {stratum}" if stratum else f"part {part}"


def tells_scores(condition: Condition) -> bool:
    """Whether it asks for scores or labels."""
    return any(isinstance(part, ScoreIs | HasScore) for part in walk(condition))


def _tells_draws(condition: Condition) -> bool:
    """Whether it may depend on what was drawn: such a log's chance must not be looked at again."""
    said = any(_is_evaluation(getattr(part, "subject", None)) for part in walk(condition))
    return said or tells_scores(condition)


def _is_evaluation(subject: Subject | None) -> bool:
    """Whether it is what somebody evaluated; what merely happened (`EVENTS`) is not."""
    if not isinstance(subject, Attribute) or not subject.key.startswith(EVALUATED):
        return False
    return subject.key.removeprefix(EVALUATED) not in EVENTS


def _subject(where: str, fact: str) -> Subject:
    if found := ATTRIBUTE.fullmatch(fact):
        return Attribute(key=found[1])
    name = ALIASES.get(fact, fact)
    if name not in FIELDS or FIELDS[name].kind in ("said", "time"):
        raise ConfigError(
            f'{where}: `by` names a fact or attr["key"]; no fact `{fact}`; {suggest(fact, FIELDS)}'
        )
    return Field(name=name)
