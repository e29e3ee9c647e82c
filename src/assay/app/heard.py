"""Which words of a turn raised which of its signals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from assay.app.parts import Parts
from assay.query import Condition, Contains, Field, Mentions, Not, walk
from assay.query.places import Place, Words, compile_phrases
from assay.query.tree import Says
from assay.records import Heard
from assay.records.page import TurnRow

Listened = Mentions | Says | Contains
"""What asks for words."""

MOST_CHARS = 12_000
"""How much of a text is looked through: a page shows no more of it at once."""

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "text": ("input", "output"),
}


def hear(parts: Parts, rows: Iterable[TurnRow]) -> tuple[TurnRow, ...]:
    """The turns with where the words stand by which their signals were raised, in order; signals that go
    by other facts have none."""
    conditions = {
        signal.name: list(_listened(condition))
        for signal, condition in parts.signals
        if condition is not None
    }
    return tuple(replace(row, heard=_heard(row, conditions, parts.words)) for row in rows)


def _heard(
    row: TurnRow, conditions: Mapping[str, list[Listened]], words: Mapping[str, Sequence[str]]
) -> tuple[Heard, ...]:
    texts: dict[str, _Text] = {}
    found: list[Heard] = []
    for name in row.facts.signals if row.facts else ():
        for part in conditions.get(name, ()):
            for subject in SUBJECTS.get(part.subject.name, ()) if isinstance(part.subject, Field) else ():
                if subject not in texts:
                    texts[subject] = _Text(row.turn.input if subject == "input" else row.turn.output)
                found += [
                    Heard(signal=name, subject=subject, start=place.start, end=place.end)
                    for place in texts[subject].places(part, words)
                ]
    return tuple(sorted(found, key=lambda one: (one.subject, one.start, -one.end)))


def _listened(condition: Condition) -> Iterator[Listened]:
    """The parts of a condition that hold where a text has certain words."""
    denied = {id(part) for whole in walk(condition) if isinstance(whole, Not) for part in walk(whole.part)}
    for part in walk(condition):
        if id(part) not in denied and isinstance(part, Mentions | Says | Contains):
            yield part


class _Text:
    """A text of a turn, read once for all of the turn's signals."""

    def __init__(self, text: str) -> None:
        self._text = text[:MOST_CHARS]
        self._words: Words | None = None

    def places(self, part: Listened, words: Mapping[str, Sequence[str]]) -> list[Place]:
        match part:
            case Mentions(words=listed):
                return self._find(tuple(words.get(listed, ())))
            case Says(phrase=phrase):
                return self._find((phrase,))
            case Contains(part=wanted):
                lowered = self._text.lower()
                at = lowered.find(wanted.lower()) if len(lowered) == len(self._text) else -1
                return [Place(at, at + len(wanted))] if at >= 0 else []

    def _find(self, phrases: tuple[str, ...]) -> list[Place]:
        self._words = self._words or Words(self._text)
        return self._words.find(compile_phrases(phrases))
