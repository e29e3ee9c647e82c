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
from assay.store.telemetry.condition import Heard, folded_words, listens, patterns_of
from assay.store.telemetry.dialect import Stage
from assay.store.telemetry.search import SEARCHED

SCRIPT: Final = "script:"
"""What begins the word of a language that names a script."""

NEAR: Final = "near:"
"""What begins one that names a language too much alike."""

SPOKEN: Final = 3
"""So many different words of a language must stand in a text before it counts as being in it."""

AHEAD: Final = 2
"""And so many more than of any other language, but for those that are near to it: of them it has the most."""

WRITTEN: Final = 0.3
"""So much of a text's letters must be of the scripts of a language that is known by them."""

SHORT_CHARS: Final = 20
"""A text shorter than this in a script that another language is written with, among others, may be in that
one: a few Chinese signs are Japanese as well."""

READ_CHARS: Final = 2_000
"""How much of a text is looked at for its script."""

ANY_LETTER: Final = "\\\\pL"
FOREIGN: Final = "[\\\\x{370}-\\\\x{1CFF}\\\\x{2E80}-\\\\x{D7FF}\\\\x{FB1D}-\\\\x{FDFF}]"
"""Letters that are not Latin."""

MAX_LANGUAGES: Final = 31
MAX_WORDS: Final = 255
"""Languages known by words, and words of one: each is counted in a byte of one number."""


FOLDED: Final[Stage] = {f"folded_{column}": folded_words(column) for column in SEARCHED}
"""The folded texts that all of this is asked of."""


class Ears(NamedTuple):
    """`hits` are columns to compute from the texts in `FOLDED`; `heard` asks them for a list, by column and
    list; `params` are the values bound in both."""

    hits: dict[str, str]
    heard: Heard
    params: dict[str, Any]


def listen(conditions: Sequence[Condition], words: Mapping[str, Sequence[str]]) -> Ears:
    """What has to be heard, and how to ask for it, so that all of these conditions are answered."""
    pairs = sorted({pair for condition in conditions for pair in listens(condition)})
    hits: dict[str, str] = {}
    heard: dict[tuple[str, str], str] = {}
    params: dict[str, Any] = {}
    for column in SEARCHED:
        patterns: list[str] = []
        for name in (name for of, name in pairs if of == column):
            first = len(patterns) + 1
            patterns += patterns_of(phrases_of(words, name))
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


class Tongues(NamedTuple):
    """How languages are told apart: by words, and by scripts. `own` are the scripts in which a language alone
    is written, where it shares others: one letter of them is enough to tell."""

    codes: tuple[str, ...]
    params: dict[str, Any]
    scripts: dict[str, str]
    own: dict[str, str]


def learn(languages: Mapping[str, Sequence[str]]) -> Tongues:
    """Languages by code, each with its words or scripts, as the store asks for them.

    A word is worth 1 in the byte of each of its languages, so that one sum counts for all of them."""
    written = {code: _marked(languages[code], SCRIPT) for code in languages}
    spoken: list[str] = []
    worth: dict[str, int] = {}
    for code in sorted(languages):
        words = {fold_words(word) for word in languages[code] if not word.startswith((SCRIPT, NEAR))} - {" "}
        if words and len(spoken) < MAX_LANGUAGES:
            for word in sorted(words)[:MAX_WORDS]:
                worth[word] = worth.get(word, 0) + (1 << 8 * len(spoken))
            spoken.append(code)
    params = {
        "tongue_words": list(worth),
        "tongue_worth": list(worth.values()),
        "tongue_codes": spoken,
        "tongue_kin": [_kin(code, spoken, languages) for code in spoken],
    }
    # Of two languages of which one has all scripts of the other, the one with more is asked for first.
    scripts = {code: written[code] for code in sorted(written, key=lambda c: (-len(written[c]), c))}
    shared = {code: _of_others(code, written) for code in scripts}
    alike = {(code, near) for code in languages for near in _marked(languages[code], NEAR)}
    parts = {(code, other) for code in scripts for other in shared[code] if scripts[code] < scripts[other]}
    return Tongues(
        tuple(spoken),
        (params if spoken else {})
        | {"tongue_near": sorted({f"{a} {b}" for pair in alike for a, b in (pair, pair[::-1])})}
        | {"tongue_parts": sorted(f"{part} {whole}" for part, whole in parts)},
        {code: _letters(some) for code, some in scripts.items() if some},
        {
            code: _letters(own)
            for code, others in shared.items()
            if others and (own := scripts[code] - frozenset().union(*(scripts[other] for other in others)))
        },
    )


def _marked(lines: Sequence[str], mark: str) -> frozenset[str]:
    return frozenset(line.removeprefix(mark) for line in lines if line.startswith(mark))


def _kin(code: str, spoken: Sequence[str], languages: Mapping[str, Sequence[str]]) -> int:
    """The language itself and those near to it, a bit each, by their places."""
    near = {code, *_marked(languages[code], NEAR)}
    return sum(1 << place for place, other in enumerate(spoken) if other in near)


def _of_others(code: str, written: Mapping[str, frozenset[str]]) -> list[str]:
    """The other languages that are written in one of its scripts."""
    return [other for other in sorted(written) if other != code and written[other] & written[code]]


def _letters(scripts: frozenset[str]) -> str:
    return "".join(f"\\\\p{{{script}}}" for script in sorted(scripts))


def tell_other_language() -> str:
    """Whether the answer is in another language than the request: not where either is unknown, or the two
    are easily taken for each other."""
    near = "has({tongue_near:Array(String)}, concat(spoken_input, ' ', spoken_output))"
    short = (
        f"(has({{tongue_parts:Array(String)}}, concat(spoken_{a}, ' ', spoken_{b})) "
        f"AND lengthUTF8({a}) < {SHORT_CHARS})"
        for a, b in (("input", "output"), ("output", "input"))
    )
    return (
        "toUInt8(spoken_input != '' AND spoken_output != '' AND spoken_input != spoken_output "
        f"AND NOT ({' OR '.join((near, *short))}))"
    )


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
    kin = "{tongue_kin:Array(UInt32)}[indexOf(c, arrayMax(c))]"
    strange = f"NOT bitTest({kin}, toUInt8(l - 1))"
    beside = f"arrayExists((n, l) -> n + {AHEAD} > arrayMax(c) AND {strange}, c, arrayEnumerate(c))"
    clear = f"arrayMax(c) >= {SPOKEN} AND countEqual(c, arrayMax(c)) = 1 AND NOT {beside}"
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
    told = {code: f" AND match(t, '[{own}]')" for code, own in tongues.own.items()}
    found = ", ".join(
        f"{letters.format(script)} > a{told.get(code, '')}, '{code}'"
        for code, script in tongues.scripts.items()
    )
    script = f"arrayMap(t -> arrayMap(a -> multiIf({found}, ''), [{every}])[1], {others})[1]"
    return f"arrayMap(s -> if(s != '', s, {otherwise}), [{script}])[1]"
