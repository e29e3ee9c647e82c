"""A condition as text, and the two ways in which texts are compared."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from itertools import groupby
from typing import Final

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
    Value,
)

TAG_PATTERN: Final = r"""[^][",' \t\r\n](?:[^][",\t\r\n]*[^][",' \t\r\n])?"""
"""One tag in the attribute `tags`, which is a JSON list of texts, or texts with commas between them."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def to_text(condition: Condition) -> str:
    """The condition in the filter language; `parse` of it gives an equal condition."""
    match condition:
        case And(parts=parts):
            return " and ".join(_inside(part) for part in parts)
        case Or(parts=parts):
            return " or ".join(_inside(part) for part in parts)
        case Not(part=part):
            return f"not {_inside(part)}"
        case Compare(subject=subject, operator=operator, value=value):
            return f"{_subject(subject)} {operator} {_value(value)}"
        case InList(subject=subject, values=values):
            return f"{_subject(subject)} in ({', '.join(_value(value) for value in values)})"
        case Contains(subject=subject, part=part):
            return f"{_subject(subject)} contains {quote(part)}"
        case Says(subject=subject, phrase=phrase):
            return f"{_subject(subject)} says {quote(phrase)}"
        case Tagged(tag=tag):
            return f"tag = {quote(tag)}"
        case IsKnown(subject=subject):
            return f"{_subject(subject)} is known"
        case AnyTurn(part=part):
            return f"any({to_text(part)})"
        case InConversation(part=part):
            return f"conversation({to_text(part)})"
        case Selected(policy=policy):
            return f"selected.{policy}" if policy else "selected"
        case Mentions(subject=subject, words=words):
            return f"{_subject(subject)} mentions @{words}"
        case SignalIs(name=name):
            return f"signal.{name}"
        case ScoreIs(source=source, metric=metric, operator=operator, value=value):
            return f"{source}.{metric} {operator} {_value(value)}"
        case HasScore(source=source):
            return "judged" if source == "score" else "labelled"
        case Last(ago=ago):
            return f"last {_span(ago)}"


def quote(text: str) -> str:
    """The text as a string of the filter language."""
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def fold(text: str) -> str:
    """Lower case: what `contains` compares."""
    return text.lower()


def fold_words(text: str) -> str:
    """Lower-case words between single spaces, with one at each end: what `mentions` and `says` compare.

    Whatever is no letter, mark or number parts words, so `can't` and `can’t` are the same two. The store
    does the same by its own tables of Unicode: of characters that one of the two does not know yet, they
    may think differently.
    """
    runs = groupby(text.lower(), key=lambda letter: unicodedata.category(letter)[0] in "LMN")
    words = " ".join("".join(letters) for inside, letters in runs if inside)
    return f" {words} " if words else " "


def tags_of(text: str) -> list[str]:
    """The tags that the attribute `tags` lists."""
    return re.findall(TAG_PATTERN, text)


def _inside(part: Condition) -> str:
    return f"({to_text(part)})" if isinstance(part, And | Or) else to_text(part)


def _subject(subject: Subject) -> str:
    return f"attr[{quote(subject.key)}]" if isinstance(subject, Attribute) else subject.name


def _value(value: Value) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return quote(value.isoformat())


def _span(ago: timedelta) -> str:
    minutes = int(ago.total_seconds() // 60)
    for length, unit in ((10_080, "w"), (1_440, "d"), (60, "h")):
        if minutes and minutes % length == 0:
            return f"{minutes // length}{unit}"
    return f"{minutes}m"
