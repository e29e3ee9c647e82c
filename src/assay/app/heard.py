"""Which words of a turn raised which of its signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.app.parts import Parts
from assay.query import Condition, Contains, Field, Mentions, Not, walk
from assay.query.evaluate import phrases_of
from assay.query.places import Place, find_phrases
from assay.query.tree import Says
from assay.records import Heard, Turn

MOST_CHARS = 20_000
"""How much of a text is looked through: a page shows no more of it at once."""

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "text": ("input", "output"),
}


def hear(parts: Parts, turn: Turn, raised: Sequence[str]) -> tuple[Heard, ...]:
    """Where the words stand by which these signals of the turn were raised, in order; signals that go by
    other facts have none."""
    conditions = {signal.name: condition for signal, condition in parts.signals}
    found: list[Heard] = []
    for name in raised:
        condition = conditions.get(name)
        if condition is not None:
            found += _of_signal(name, condition, turn, parts.words)
    return tuple(sorted(found, key=lambda one: (one.subject, one.start, -one.end)))


def _of_signal(
    name: str, condition: Condition, turn: Turn, words: Mapping[str, Sequence[str]]
) -> list[Heard]:
    found = []
    denied = {id(part) for whole in walk(condition) if isinstance(whole, Not) for part in walk(whole.part)}
    for part in walk(condition):
        if id(part) in denied or not isinstance(part, Mentions | Says | Contains):
            continue
        subjects = SUBJECTS.get(part.subject.name, ()) if isinstance(part.subject, Field) else ()
        for subject in subjects:
            text = (turn.input if subject == "input" else turn.output)[:MOST_CHARS]
            found += [
                Heard(signal=name, subject=subject, start=place.start, end=place.end)
                for place in _places(text, part, words)
            ]
    return found


def _places(text: str, part: Mentions | Says | Contains, words: Mapping[str, Sequence[str]]) -> list[Place]:
    match part:
        case Mentions(words=listed):
            return find_phrases(text, phrases_of(words, listed))
        case Says(phrase=phrase):
            return find_phrases(text, [phrase])
        case Contains(part=wanted):
            at = text.lower().find(wanted.lower()) if len(text.lower()) == len(text) else -1
            return [Place(at, at + len(wanted))] if at >= 0 else []
