"""A filter as a tree of frozen records: what `parse` makes and the stores compile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value = str | float | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A fact of the log, by the name it has in `assay.query.fields`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What the application sent beside the facts: `attr["key"]`. A missing one equals ""."""

    key: str


Subject = Field | Attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """False wherever the fact is not known, whatever the operator."""

    subject: Subject
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class InList:
    """The fact equals one of the values, which are all texts or all numbers."""

    subject: Subject
    values: tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """The text holds this part, upper and lower case alike."""

    subject: Subject
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """The text holds a phrase of the named word list, as whole words, in upper or lower case."""

    subject: Subject
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The text holds this phrase as whole words, upper and lower case alike."""

    subject: Subject
    phrase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """One of the log's tags is exactly this."""

    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsKnown:
    """Something is known of the fact; of a text, that it is not empty."""

    subject: Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIs:
    """The signal is raised on the log."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreIs:
    """`score`: the newest machine score of the metric, of any version; `label`: the mean human
    one. False of a log without."""

    source: Literal["score", "label"]
    metric: str
    operator: Operator
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HasScore:
    """`score`: some metric has scored the log (`judged`); `label`: some person has (`labelled`)."""

    source: Literal["score", "label"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The policy of that name, or any where it is "", has drawn the log, for a judge or for people."""

    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """Started within this time before now."""

    ago: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyTurn:
    """Of a conversation: the part holds of one of its interactions. Of an interaction: of itself."""

    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class InConversation:
    """Of an interaction: the part holds of its conversation. Of a conversation: of itself."""

    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """Two parts or more."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """Two parts or more."""

    parts: tuple[Condition, ...]


Condition = (
    And
    | Or
    | Not
    | AnyTurn
    | InConversation
    | Compare
    | InList
    | Contains
    | Says
    | Mentions
    | Tagged
    | IsKnown
    | SignalIs
    | ScoreIs
    | HasScore
    | Selected
    | Last
)


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything inside it, outermost first."""
    yield condition
    match condition:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from walk(part)
        case Not(part=part) | AnyTurn(part=part) | InConversation(part=part):
            yield from walk(part)
        case _:
            pass
