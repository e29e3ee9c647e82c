"""How much texts resemble each other: by their telling words, and by runs of words that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from assay.store.telemetry.connection import Telemetry

STEM: Final = 6
"""Words of two requests are the same if they share this many first letters."""

COMPARED: Final = 50
"""Earlier requests of the conversation that one is compared with."""

COMPARED_CHARS: Final = 4_000
"""How much of a request is compared: longer ones carry documents."""

RUN: Final = 8
"""So many words in a row are no coincidence."""


def words_of(folded: str, chars: int = COMPARED_CHARS) -> str:
    """The words of a folded text's beginning, and empty ones at both ends."""
    return f"splitByChar(' ', substringUTF8({folded}, 1, {chars}))"


def stems_of(words: str) -> str:
    """The words that say something, as a sorted set of hashes."""
    telling = f"arrayFilter(word -> word NOT IN {{common:Array(String)}}, {words})"
    return f"arraySort(arrayDistinct(arrayMap(word -> {stem('word')}, {telling})))"


def stem(word: str) -> str:
    """A word as similarity knows it: an odd hash of the whole of one that holds a digit, an even one of the
    first letters of another."""
    whole = f"bitOr(cityHash64({word}), 1)"
    return f"if(match({word}, '[0-9]'), {whole}, cityHash64(substringUTF8({word}, 1, {STEM})) * 2)"


def hash_stems(t: Telemetry, stems: Sequence[str]) -> list[int]:
    """What the store makes of stems, of which each is a word's first letters, or all of one with digits."""
    sql = f"SELECT arrayMap(word -> {stem('word')}, {{stems:Array(String)}}) AS hashes"
    hashes: list[int] = t.query(sql, {"stems": list(stems)}).to_pylist()[0]["hashes"] if stems else []
    return hashes


def highest(stems: str, others: str) -> str:
    """The highest Dice coefficient of a text's words and those of another one.

    Texts that each name a number which the other does not are about two things: they share nothing."""
    counts = f"(least(length({stems}), length(other)) >= 3 OR (length({stems}) = 2 AND {stems} = other))"
    shared = f"arrayIntersect({stems}, other)"
    fewest = f"least({_numbers(stems)}, {_numbers('other')})"
    dice = f"2 * length({shared}) / (length({stems}) + length(other))"
    alike = f"if({counts} AND {_numbers(shared)} >= {fewest}, {dice}, 0.)"
    return f"arrayMax(arrayPushBack(arrayMap(other -> {alike}, {others}), 0.))"


def _numbers(stems: str) -> str:
    """How many words with digits are among them."""
    return f"arrayCount(hash -> bitTest(hash, 0), {stems})"


def runs_of(words: str, seed: str) -> str:
    """A hash of each run of `RUN` words; with another seed another hash.

    A run of two is made of two words, one of four of two runs of two: three passes, whatever the length."""
    hashes = f"arrayMap(word -> cityHash64(word, {seed}), arrayFilter(word -> word != '', {words}))"
    for step in (1, 2, 4):
        ahead = f"arraySlice(h, {step + 1})"
        here = f"arraySlice(h, 1, greatest(toInt64(length(h)) - {step}, 0))"
        hashes = f"arrayMap(h -> arrayMap((a, b) -> intHash64(a) + 3 * b, {here}, {ahead}), [{hashes}])[1]"
    return hashes
