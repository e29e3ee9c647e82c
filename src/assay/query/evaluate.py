"""What a condition says of one log, in Python. The store says the same in SQL."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from assay.errors import FilterError
from assay.query.text import fold, fold_words, tags_of
from assay.query.tree import (
    And,
    AnyTurn,
    Attribute,
    Compare,
    Condition,
    Contains,
    HasScore,
    InConversation,
    InList,
    IsKnown,
    Last,
    Mentions,
    Not,
    Or,
    Says,
    ScoreIs,
    Selected,
    SignalIs,
    Subject,
    Tagged,
)

NUMBER_PATTERN: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"
"""Which attributes are numbers: what compares with one is a plain decimal."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(
    condition: Condition,
    row: Mapping[str, Any],
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    now: datetime | None = None,
) -> bool:
    """Whether the condition holds of a row: the facts by name, `attributes` and `signals`.

    `scores` and `labels` map metrics to values; `selected` names the policies that drew the log;
    `said`, every text of a conversation, is what `text` searches besides input and output. The rows of
    a conversation's `interactions` answer `any(...)`, the row of an interaction's `conversation`
    answers `conversation(...)`. Raises FilterError for an unknown word list, for `last` where `now`
    is not given, and for those two where their rows are not.
    """

    def see(part: Condition) -> bool:
        match part:
            case And(parts=parts):
                return all(see(inner) for inner in parts)
            case Or(parts=parts):
                return any(see(inner) for inner in parts)
            case Not(part=inner):
                return not see(inner)
            case AnyTurn() | InConversation():
                return any(holds(part.part, other, words=words, now=now) for other in _beside(part, row))
            case Tagged(tag=tag):
                return tag in tags_of(row["attributes"].get("tags", ""))
            case IsKnown(subject=subject):
                return _fact(subject, row) not in (None, "")
            case Selected(policy=policy):
                found = row.get("selected", ())
                return policy in found if policy else bool(found)
            case SignalIs(name=name):
                return name in row["signals"]
            case ScoreIs(source=source, metric=metric, operator=sign, value=value):
                found = row.get(f"{source}s", {}).get(metric)
                return found is not None and _COMPARE[sign](found, value)
            case HasScore(source=source):
                return bool(row.get(f"{source}s"))
            case Last(ago=ago):
                if now is None:
                    raise FilterError("`last` can't be asked here: it depends on when it is asked")
                return bool(row["started"] >= now - ago)
            case Compare() | InList():
                return _compare(part, row)
            case Contains(subject=subject, part=text):
                return any(fold(text) in fold(found) for found in _texts(subject, row))
            case Says(subject=subject, phrase=phrase):
                said = fold_words(phrase)
                return any(said in fold_words(found) for found in _texts(subject, row))
            case Mentions(subject=subject, words=name):
                phrases = _folded(_listed(words or {}, name))
                folded = [fold_words(found) for found in _texts(subject, row)]
                return any(phrase in text for text in folded for phrase in phrases)

    return see(condition)


def phrases_of(words: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """The phrases of the list that hold a word at all. Raises FilterError for an unknown list."""
    return [phrase for phrase in _listed(words, name) if fold_words(phrase).strip()]


def _listed(words: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    if name not in words:
        raise FilterError(f"unknown word list `{name}`; there are {', '.join(sorted(words)) or 'none'}")
    return tuple(words[name])


@lru_cache(maxsize=1_024)
def _folded(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """The phrases of a list as texts are compared with them, once for all texts."""
    return tuple(folded for phrase in phrases if (folded := fold_words(phrase)).strip())


def _beside(part: AnyTurn | InConversation, row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The rows that the part asks about: the row itself where it is of that unit."""
    wanted, key = (
        ("interaction", "interactions") if isinstance(part, AnyTurn) else ("conversation", "conversation")
    )
    if row["unit"] == wanted:
        return (row,)
    if key not in row:
        word = "any(...)" if isinstance(part, AnyTurn) else "conversation(...)"
        raise FilterError(f"`{word}` can't be asked here: only the log itself is known")
    found = row[key]
    return found if isinstance(part, AnyTurn) else (found,) if found is not None else ()


def _compare(part: Compare | InList, row: Mapping[str, Any]) -> bool:
    wanted = part.values[0] if isinstance(part, InList) else part.value
    found = _fact(part.subject, row)
    if isinstance(part.subject, Attribute) and isinstance(wanted, float):
        found = float(found) if re.match(NUMBER_PATTERN[:-1] + r"\Z", found) else None
    if found is None:
        return False
    return found in part.values if isinstance(part, InList) else _COMPARE[part.operator](found, part.value)


def _fact(subject: Subject, row: Mapping[str, Any]) -> Any:
    if isinstance(subject, Attribute):
        return row["attributes"].get(subject.key, "")
    if subject.name == "tokens":
        return row["input_tokens"] + row["output_tokens"]
    return row[subject.name]


def _texts(subject: Subject, row: Mapping[str, Any]) -> list[str]:
    if not isinstance(subject, Attribute) and subject.name == "text":
        return [row["input"], row["output"], *row.get("said", ())]
    return [_fact(subject, row)]
