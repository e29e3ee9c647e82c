"""Where in a text the phrases of a word list stand, for people who want to see what was heard."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import NamedTuple

from assay.query.text import fold_words

_ASCII = re.compile(r"[A-Za-z0-9]+")

Phrases = Mapping[str, Sequence[tuple[str, ...]]]
"""Folded phrases by their first word, the longest first."""


class Place(NamedTuple):
    """From the first letter to behind the last one."""

    start: int
    end: int


class Words:
    """The words of a text, to be looked through for one list after another."""

    def __init__(self, text: str) -> None:
        lowered = text.lower()
        self._places: list[Place] = []
        self._more: Iterator[Place] = iter(())
        if len(lowered) == len(text):
            word = _ASCII if text.isascii() else _any_word()
            self._folded: list[str] = word.findall(lowered)
            self._more = (Place(*match.span()) for match in word.finditer(lowered))
        else:
            stretched = list(_stretched(text))
            self._folded = [folded for folded, _ in stretched]
            self._places = [place for _, place in stretched]
        self._known = set(self._folded)

    def find(self, phrases: Phrases) -> list[Place]:
        """Where any of the phrases stands as whole words, in order and without overlap: the longest first
        that begins earliest. It finds something exactly where `mentions` holds."""
        found: list[Place] = []
        begins = self._known & phrases.keys()
        behind = 0
        for at in [at for at, word in enumerate(self._folded) if word in begins] if begins else ():
            if at < behind:
                continue
            for phrase in phrases[self._folded[at]]:
                end = at + len(phrase)
                if tuple(self._folded[at:end]) == phrase:
                    found.append(Place(self._place(at).start, self._place(end - 1).end))
                    behind = end
                    break
        return found

    def _place(self, at: int) -> Place:
        """Where the word stands: most texts are never asked, and none beyond the last word that is."""
        self._places += islice(self._more, max(0, at + 1 - len(self._places)))
        return self._places[at]


@lru_cache(maxsize=1_024)
def compile_phrases(phrases: tuple[str, ...]) -> Phrases:
    """The phrases of a list folded, once for all texts in which they are looked for."""
    wanted: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for phrase in sorted({tuple(fold_words(phrase).split()) for phrase in phrases}, key=len, reverse=True):
        if phrase:
            wanted[phrase[0]].append(phrase)
    return dict(wanted)


def find_phrases(text: str, phrases: Sequence[str]) -> list[Place]:
    """Where any of the phrases stands in the text."""
    return Words(text).find(compile_phrases(tuple(phrases)))


def _stretched(text: str) -> Iterator[tuple[str, Place]]:
    """The words as `fold_words` has them, each with its place in the text as it was written: of a text that
    has letters which are two in lower case."""
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


@cache
def _any_word() -> re.Pattern[str]:
    """Letters, marks and numbers of any script."""
    ranges: list[str] = []
    first = None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] in "LMN"
        if inside and first is None:
            first = code
        elif not inside and first is not None:
            ranges.append(f"{re.escape(chr(first))}-{re.escape(chr(code - 1))}")
            first = None
    return re.compile(f"[{''.join(ranges)}]+")
