"""A filter taken apart and put together again: what a click on a value adds to it or takes from it.

The words of whoever wrote the filter are kept: only the part that changes is written anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from assay.query.text import to_text
from assay.query.tree import And, Compare, Condition, InList, Not, Or, Subject

_TOKENS: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()\[\]]|\w+""", re.DOTALL)


class Part(NamedTuple):
    """One of the conditions that a filter joins with `and`, as it was written."""

    text: str
    condition: Condition


class Choice(NamedTuple):
    """What a filter says of one fact: these values only, or all but those."""

    chosen: tuple[str, ...]
    excluded: tuple[str, ...]


def read_parts(text: str, read: Callable[[str], Condition]) -> tuple[Part, ...]:
    """The parts of a filter that `read` understands, in order; none of an empty one. Raises FilterError."""
    if not text.strip():
        return ()
    whole = read(text)
    if isinstance(whole, And):
        pieces = _split(text)
        if pieces is not None and len(pieces) == len(whole.parts):
            return tuple(Part(*both) for both in zip(pieces, whole.parts, strict=True))
    return (Part(text.strip(), whole),)


def join(parts: Sequence[Part]) -> str:
    """The parts as one filter."""
    if len(parts) == 1:
        return parts[0].text
    return " and ".join(f"({part.text})" if _split(part.text) is None else part.text for part in parts)


def add(parts: Sequence[Part], condition: Condition, text: str = "") -> str:
    """The filter with one more part; `text` is how to write it."""
    return join([*parts, _part(condition, text)])


def narrow(text: str, more: str) -> str:
    """The filter that asks for `more` as well: by its words alone, also where nobody can read them here.

    >>> narrow("turns > 3 or judged", "signal.refusal")
    '(turns > 3 or judged) and signal.refusal'
    """
    if not text.strip():
        return more
    pieces = _split(text)
    if pieces is None:
        return f"({text.strip()}) and {more}"
    return text.strip() if more in pieces else f"{text.strip()} and {more}"


def words(text: str) -> tuple[str, ...]:
    """The words of a filter that stand in no quotes and are no part of a longer name.

    >>> words('signal.saved and input says "last words" and not judged')
    ('signal', 'and', 'input', 'says', 'and', 'not', 'judged')
    """
    found = (token for token in _TOKENS.finditer(text) if token[0][0].isalpha())
    return tuple(token[0] for token in found if text[: token.start()][-1:] not in (".", "@"))


def take(parts: Sequence[Part], *conditions: Condition) -> tuple[Part, ...]:
    """The parts that are none of these conditions."""
    return tuple(part for part in parts if part.condition not in conditions)


def said_of(parts: Sequence[Part], subject: Subject) -> Choice:
    """Which values of the fact the filter asks for, and which it leaves out."""
    chosen: list[str] = []
    excluded: list[str] = []
    for part in parts:
        sign, values = _values(part.condition, subject)
        (chosen if sign == "=" else excluded).extend(values)
    return Choice(tuple(dict.fromkeys(chosen)), tuple(dict.fromkeys(excluded)))


def without(parts: Sequence[Part], subject: Subject) -> tuple[Part, ...]:
    """The parts that say nothing of which value the fact has."""
    return tuple(part for part in parts if not _values(part.condition, subject)[0])


def choose(parts: Sequence[Part], subject: Subject, value: str) -> str:
    """The filter that asks for this value too; one that asks for it already no longer does."""
    chosen, excluded = said_of(parts, subject)
    left = tuple(one for one in chosen if one != value) if value in chosen else (*chosen, value)
    return _restated(parts, subject, Choice(left, tuple(one for one in excluded if one != value)))


def exclude(parts: Sequence[Part], subject: Subject, value: str) -> str:
    """The filter that leaves this value out; one that leaves it out already no longer does."""
    chosen, excluded = said_of(parts, subject)
    left = tuple(one for one in excluded if one != value) if value in excluded else (*excluded, value)
    return _restated(parts, subject, Choice(tuple(one for one in chosen if one != value), left))


def _restated(parts: Sequence[Part], subject: Subject, choice: Choice) -> str:
    """What is said of the fact, said anew where it was said first."""
    made: list[Part] = []
    if len(choice.chosen) == 1:
        made.append(_part(Compare(subject=subject, operator="=", value=choice.chosen[0])))
    elif choice.chosen:
        made.append(_part(InList(subject=subject, values=choice.chosen)))
    made += [_part(Compare(subject=subject, operator="!=", value=value)) for value in choice.excluded]
    places = [place for place, part in enumerate(parts) if _values(part.condition, subject)[0]]
    first = places[0] if places else len(parts)
    before, after = parts[:first], [part for part in parts[first:] if not _values(part.condition, subject)[0]]
    return join([*before, *made, *after])


def _values(condition: Condition, subject: Subject) -> tuple[str, tuple[str, ...]]:
    """`=` or `!=` and the values, where the condition says which of them the fact has."""
    match condition:
        case Compare(subject=asked, operator="=" | "!=" as sign, value=str(value)) if asked == subject:
            return sign, (value,)
        case InList(subject=asked, values=values) if asked == subject:
            return "=", tuple(value for value in values if isinstance(value, str))
        case Not(part=InList(subject=asked, values=values)) if asked == subject:
            return "!=", tuple(value for value in values if isinstance(value, str))
        case _:
            return "", ()


def _part(condition: Condition, text: str = "") -> Part:
    if text:
        return Part(text, condition)
    made = to_text(condition)
    return Part(f"({made})" if isinstance(condition, Or | And) else made, condition)


def _split(text: str) -> list[str] | None:
    """The texts between the `and`s that no bracket holds; None where an `or` stands beside them."""
    pieces, depth, start = [], 0, 0
    for token in _TOKENS.finditer(text):
        word = token[0].lower()
        if word in "([":
            depth += 1
        elif word in ")]":
            depth -= 1
        elif depth == 0 and word == "or":
            return None
        elif depth == 0 and word == "and":
            pieces.append(text[start : token.start()].strip())
            start = token.end()
    return [*pieces, text[start:].strip()]
