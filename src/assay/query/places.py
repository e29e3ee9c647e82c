"""Where in a text the phrases of a word list stand, for people who want to see what was heard."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assay.query.text import fold_words

_ASCII = re.compile(r"[A-Za-z0-9]+")


class Place(NamedTuple):
    """From the first letter to behind the last one."""

    start: int
    end: int


def find_phrases(text: str, phrases: Sequence[str]) -> list[Place]:
    """Where any of the phrases stands as whole words, in order and without overlap: the longest first
    that begins earliest. It finds something exactly where `mentions` holds."""
    wanted: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for phrase in sorted({tuple(fold_words(phrase).split()) for phrase in phrases}, key=len, reverse=True):
        if phrase:
            wanted[phrase[0]].append(phrase)
    words = list(_words(text))
    folded = [word for word, _ in words]
    places: list[Place] = []
    at = 0
    while at < len(words):
        size = next(
            (len(one) for one in wanted.get(folded[at], ()) if tuple(folded[at : at + len(one)]) == one), 0
        )
        if size:
            places.append(Place(words[at][1].start, words[at + size - 1][1].end))
        at += size or 1
    return places


def _words(text: str) -> Iterator[tuple[str, Place]]:
    """The words as `fold_words` has them, each with its place in the text as it was written."""
    if text.isascii():
        for match in _ASCII.finditer(text):
            yield match[0].lower(), Place(match.start(), match.end())
        return
    letters: list[str] = []
    start = end = 0
    for index, character in enumerate(text):
        for letter in character.lower():
            if unicodedata.category(letter)[0] in "LMN":
                start = start if letters else index
                letters.append(letter)
                end = index + 1
            elif letters:
                yield "".join(letters), Place(start, end)
                letters = []
    if letters:
        yield "".join(letters), Place(start, end)
