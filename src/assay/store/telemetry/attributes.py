"""From the attributes of a span or a log record to fields: one pass over the keys, whatever their number.

Each key gets a code: its field, and its place in the field's order of trust. What has a code is sorted by
it (numbers only, no text is copied); a field is then the first that has its number. So one more alias costs
nothing, and one more field two functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Final

from assay.store.telemetry.conventions import FREE, HIDDEN, KEYS, Field
from assay.store.telemetry.dialect import Stage

MORE: Final = "Array(Tuple(UInt16, String, String))"
"""Fields that are read later, as (code, key, value), most trusted first."""
TRUST: Final = 256
"""A code is the field's number times this, plus the place in its order of trust."""

NOTHING: Final = "('', 'null', '\"\"', '[]')"
"""Values that say nothing."""
RESOURCE: Final = (Field.VERSION, Field.ENVIRONMENT, Field.EXPLICIT)
"""What a resource may say of all its spans."""

_HEAD: Final = 9
_PREFIX: Final = "^(" + "|".join(prefix.replace(".", "[.]") for prefix in FREE) + ")"


def codes_of(attributes: str, asked: Iterable[Field]) -> str:
    """The code of each attribute, 0 where nobody asks for it or it says nothing.

    What may stand behind a free prefix is guessed by its first letters and checked where it is read."""
    every = tuple(asked)
    words = {
        word: field * TRUST + rank
        for field in every
        for rank, key in enumerate(KEYS.get(field, ()))
        for word in _spellings(key)
    }
    heads = {prefix[:_HEAD]: field * TRUST for prefix, field in FREE.items() if field in every}
    exact = f"transform(translate(k, '0123456789', 'NNNNNNNNNN'), {_lookup(words)})"
    guessed = f"transform(substring(k, 1, {_HEAD}), {_lookup(heads)})"
    code = f"if(v IN {NOTHING}, toUInt16(0), if(({exact} AS exact) > 0, exact, {guessed}))"
    return f"arrayMap((k, v) -> {code}, mapKeys({attributes}), mapValues({attributes}))"


def keep(attributes: str) -> tuple[Stage, ...]:
    """`codes` of these attributes; `fields` and `places`: what they say that is asked for, in order."""
    order = (
        "arraySort(arrayFilter(x -> x > 65535, arrayMap((c, i) -> "
        "toUInt32(c) * 65536 + least(i, 65535), codes, arrayEnumerate(codes))))"
    )
    return (
        {"codes": codes_of(attributes, Field)},
        {
            "fields": f"arrayMap(x -> toUInt8(bitShiftRight(x, 24)), {order})",
            "places": f"arrayMap(x -> toUInt16(x), {order})",
            "found": f"mapValues({attributes})",
        },
    )


def pick(field: Field) -> str:
    """The most trusted value of a field, '' where there is none."""
    return f"found[places[indexOf(fields, {int(field)})]]"


def chosen(attributes: str, first: Field, last: Field, *, codes: str = "codes") -> str:
    """The attributes whose fields lie between these, as (code, key, value)."""
    fits = f"c >= {first * TRUST} AND c < {(last + 1) * TRUST}"
    keys, values = f"mapKeys({attributes})", f"mapValues({attributes})"
    return (
        f"arrayZip(arrayFilter(c -> {fits}, {codes}), arrayFilter((k, c) -> {fits}, {keys}, {codes}), "
        f"arrayFilter((v, c) -> {fits}, {values}, {codes}))"
    )


def free_name(key: str) -> str:
    """The name behind a free prefix, '' where there is none or the name says nothing."""
    return f"if(match({key}, '{_PREFIX}{HIDDEN}'), '', regexpExtract({key}, '{_PREFIX}(.*)$', 2))"


def number_of(key: str) -> str:
    """The first number in a key."""
    return f"toUInt32OrZero(extract({key}, '[.]([0-9]+)'))"


def numbers_of(key: str) -> str:
    """The first and the second number in a key."""
    return f"({number_of(key)}, toUInt32OrZero(extract({key}, '[.][0-9]+[.].*?[.]([0-9]+)')))"


def _spellings(key: str) -> list[str]:
    """A key with each of its numbers as one digit, two or three."""
    parts = key.split(".N")
    gaps = product((".N", ".NN", ".NNN"), repeat=len(parts) - 1)
    return ["".join(part + gap for part, gap in zip(parts, (*some, ""), strict=True)) for some in gaps]


def _lookup(words: dict[str, int]) -> str:
    return f"{list(words)}, CAST({list(words.values())}, 'Array(UInt16)'), toUInt16(0)"
