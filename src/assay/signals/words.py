"""The word lists and the languages that come with assay: data files, so that a language is added
without code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from assay.query import fold_words

SCRIPT = "script:"
"""What begins the line of a languages file that names a script instead of a word."""

NEAR = "near:"
"""What begins one that names a language too much alike for a mix-up of the two to be told."""

STEM = 6
"""Words of two requests are the same if they share this many first letters."""

DIGIT = re.compile("[0-9]")
"""What a word holds that counts as a number: it is compared whole."""


def load_words(own: Mapping[str, Sequence[str]] | None = None) -> dict[str, tuple[str, ...]]:
    """Every list by name: the built-in ones, then the team's `own`, which may replace one.

    `refusal` and `refusal.es` are one list, `refusal`, which is what is said in any language."""
    given = own or {}
    whole = {name: tuple(phrases) for name, phrases in given.items() if "." not in name}
    lists: dict[str, tuple[str, ...]] = {}
    for name, phrases in (*_read("words"), *sorted(given.items())):
        plain = name.partition(".")[0]
        if plain not in whole:
            lists[plain] = tuple(dict.fromkeys((*lists.get(plain, ()), *phrases)))
    for name, phrases in whole.items():
        more = (phrase for other, some in given.items() if other.startswith(f"{name}.") for phrase in some)
        lists[name] = tuple(dict.fromkeys((*phrases, *more)))
    return lists


def load_languages() -> dict[str, tuple[str, ...]]:
    """By code, how each language is known: the words that stand in almost every sentence of it, folded,
    or `script:NAME`, the script in which it is written; and `near:CODE`, the languages too much alike."""
    return {
        code: tuple(line if line.startswith((SCRIPT, NEAR)) else fold_words(line).strip() for line in lines)
        for code, lines in _read("languages")
    }


def list_translations() -> dict[str, tuple[str, ...]]:
    """By list, the languages in which it comes: `en`, then those of its further files."""
    found: dict[str, tuple[str, ...]] = {}
    for name, _ in _read("words"):
        plain, _, language = name.partition(".")
        found[plain] = (*found.get(plain, ()), language or "en")
    return found


def find_stems(requests: Sequence[str], words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What the requests are about: the first letters of every word that says something, and the whole of one
    with digits, each once."""
    common = {word for phrase in words.get("common", ()) for word in fold_words(phrase).split()}
    said = {word for request in requests for word in fold_words(request).split()} - common
    return tuple(sorted({word if DIGIT.search(word) else word[:STEM] for word in said}))


def _read(folder: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    entries = [entry for entry in files("assay.signals").joinpath(folder).iterdir() if entry.is_file()]
    for name, entry in sorted((entry.name.removesuffix(".txt"), entry) for entry in entries):
        lines = (line.strip() for line in entry.read_text(encoding="utf-8").splitlines())
        yield name, tuple(line for line in lines if line and not line.startswith("#"))
