"""Word lists heard in one pass over a text, and the language that it is in.

All lists that are listened for in a column are patterns of one automaton (hyperscan), so that a list more
costs next to nothing. A language is known by the words that stand in almost every sentence of it, or by the
script in which it alone is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from assay.query import Condition, fold_words, phrases_of
from assay.records import Signal, Unit
from assay.store.telemetry.condition import PHRASES, Heard, listens
from assay.store.telemetry.dialect import Stage

SCRIPT: Final = "script:"
"""What begins the word of a language that names a script."""

SPOKEN: Final = 2
"""So many different words of a language must stand in a text before it counts as being in it."""

WRITTEN: Final = 0.3
"""And so much of its letters must be of the language's script: Japanese is written with Chinese ones too."""

READ_CHARS: Final = 2_000
"""How much of a text is looked at for its script."""

ANY_LETTER: Final = "\\\\pL"
FOREIGN: Final = "[\\\\x{370}-\\\\x{1CFF}\\\\x{2E80}-\\\\x{D7FF}\\\\x{FB1D}-\\\\x{FDFF}]"
"""Letters that are not Latin."""

MAX_LANGUAGES: Final = 31
MAX_WORDS: Final = 255
"""Languages known by words, and words of one: each is counted in a byte of one number."""


class Ears(NamedTuple):
    """`hits` are columns to compute from the folded texts `folded_input` and `folded_output`; `heard` asks
    them for a list, by column and list; `params` are the values bound in both."""

    hits: dict[str, str]
    heard: Heard
    params: dict[str, Any]


def listen(conditions: Sequence[Condition], words: Mapping[str, Sequence[str]]) -> Ears:
    """What has to be heard, and how to ask for it, so that all of these conditions are answered."""
    pairs = sorted({pair for condition in conditions for pair in listens(condition)})
    hits: dict[str, str] = {}
    heard: dict[tuple[str, str], str] = {}
    params: dict[str, Any] = {}
    for column in ("input", "output"):
        patterns: list[str] = []
        for name in (name for of, name in pairs if of == column):
            first = len(patterns) + 1
            patterns += _patterns(phrases_of(words, name))
            places = list(range(first, len(patterns) + 1))
            heard[column, name] = f"hasAny(hits_{column}, {places})" if places else "0"
        if patterns:
            params[f"ears_{column}"] = patterns
            hits[f"hits_{column}"] = f"multiMatchAllIndices(folded_{column}, {{ears_{column}:Array(String)}})"
    return Ears(hits, heard, params)


def listen_for(
    signals: Sequence[tuple[Signal, Condition | None]], unit: Unit, words: Mapping[str, Sequence[str]]
) -> Ears:
    """What the unit's signals listen for."""
    return listen([condition for signal, condition in signals if condition and signal.unit == unit], words)


def _patterns(phrases: Sequence[str]) -> list[str]:
    """A folded phrase is letters, marks, digits and spaces: nothing in it means anything in a pattern."""
    folded = sorted({fold_words(phrase) for phrase in phrases})
    return ["|".join(folded[start : start + PHRASES]) for start in range(0, len(folded), PHRASES)]


class Tongues(NamedTuple):
    """How languages are told apart: by words, and by scripts that a language alone is written in."""

    codes: tuple[str, ...]
    params: dict[str, Any]
    scripts: dict[str, str]


def learn(languages: Mapping[str, Sequence[str]]) -> Tongues:
    """Languages by code, each with its words or scripts, as the store asks for them.

    A word is worth 1 in the byte of each of its languages, so that one sum counts for all of them."""
    scripts: dict[str, str] = {}
    spoken: list[str] = []
    worth: dict[str, int] = {}
    for code in sorted(languages):
        own = [word.removeprefix(SCRIPT) for word in languages[code] if word.startswith(SCRIPT)]
        words = {fold_words(word) for word in languages[code] if not word.startswith(SCRIPT)} - {" "}
        if own:
            scripts[code] = "".join(f"\\\\p{{{script}}}" for script in own)
        if words and len(spoken) < MAX_LANGUAGES:
            for word in sorted(words)[:MAX_WORDS]:
                worth[word] = worth.get(word, 0) + (1 << 8 * len(spoken))
            spoken.append(code)
    params = {
        "tongue_words": list(worth),
        "tongue_worth": list(worth.values()),
        "tongue_codes": spoken,
    }
    return Tongues(tuple(spoken), params if spoken else {}, scripts)


def tell_language(tongues: Tongues, column: str) -> tuple[Stage, Stage]:
    """Two stages from a text and its folded words to `spoken_COLUMN`, the code of its language or ''."""
    if not tongues.codes:
        return {}, {f"spoken_{column}": _by_script(tongues, column, "''")}
    worth = (
        "arraySum(arrayMap(i -> {tongue_worth:Array(UInt256)}[i], "
        f"multiMatchAllIndices(folded_{column}, {{tongue_words:Array(String)}})))"
    )
    counts = (
        f"arrayMap(l -> toUInt8(bitAnd(bitShiftRight(worth_{column}, 8 * l), 255)), "
        f"range({len(tongues.codes)}))"
    )
    clear = f"arrayMax(c) >= {SPOKEN} AND countEqual(c, arrayMax(c)) = 1"
    code = f"if({clear}, {{tongue_codes:Array(String)}}[indexOf(c, arrayMax(c))], '')"
    by_words = f"arrayMap(c -> {code}, [{counts}])[1]"
    return {f"worth_{column}": worth}, {f"spoken_{column}": _by_script(tongues, column, by_words)}


def _by_script(tongues: Tongues, column: str, otherwise: str) -> str:
    """The first language whose script enough letters are of; texts in Latin letters are not looked at."""
    if not tongues.scripts:
        return otherwise
    text = f"substringUTF8({column}, 1, {READ_CHARS})"
    others = f"arrayFilter(t -> match(t, '{FOREIGN}'), if(isValidASCII({column}), [], [{text}]))"
    letters = "lengthUTF8(replaceRegexpAll(t, '[^{0}]+', ''))"
    every = f"{letters.format(ANY_LETTER)} * {WRITTEN}"
    found = ", ".join(f"{letters.format(script)} > a, '{code}'" for code, script in tongues.scripts.items())
    script = f"arrayMap(t -> arrayMap(a -> multiIf({found}, ''), [{every}])[1], {others})[1]"
    return f"arrayMap(s -> if(s != '', s, {otherwise}), [{script}])[1]"
