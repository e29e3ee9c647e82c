"""What a condition says of one log, in Python. The store says the same in SQL."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from assay.errors import FilterError
from assay.query.text import fold, fold_words
from assay.query.tree import (
    And,
    Attribute,
    Compare,
    Condition,
    Contains,
    HasScore,
    InList,
    Last,
    Mentions,
    Not,
    Or,
    ScoreIs,
    SignalIs,
    Subject,
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

    `scores` and `labels` map metrics to values. `said`, every text of a conversation, is what
    `text` searches besides input and output. Raises FilterError for an unknown word list, and
    for `last` where `now` is not given.
    """

    def see(part: Condition) -> bool:
        match part:
            case And(parts=parts):
                return all(see(inner) for inner in parts)
            case Or(parts=parts):
                return any(see(inner) for inner in parts)
            case Not(part=inner):
                return not see(inner)
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
            case Mentions(subject=subject, words=name):
                phrases = [fold_words(phrase) for phrase in phrases_of(words or {}, name)]
                folded = [fold_words(found) for found in _texts(subject, row)]
                return any(phrase in text for text in folded for phrase in phrases)

    return see(condition)


def phrases_of(words: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """The phrases of the list that hold a word at all. Raises FilterError for an unknown list."""
    if name not in words:
        raise FilterError(f"unknown word list `{name}`; there are {', '.join(sorted(words)) or 'none'}")
    return [phrase for phrase in words[name] if fold_words(phrase).strip()]


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
