"""Facts of an interaction that tell how its answer came about, from the stages of `interactions_final`."""

from __future__ import annotations

from typing import Final

from assay.store.telemetry.conventions import FINISHES, Field
from assay.store.telemetry.dialect import Stage, first_of, transform
from assay.store.telemetry.opinions import USERS
from assay.store.telemetry.usage import field_of

VARIABLE: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-f]{12,}|[0-9]{5,}"
"""What differs in the name of a step from one request to the next: ids, numbers of orders."""

MAX_ROUTE_CHARS: Final = 200
NOTHING_FOUND: Final = r'^[][{}\\s,0."]*$'
EMPTY_KEYS: Final = r'"[A-Za-z_ ]+"\\s*:|null|None|false'
"""What stands in a result beside the documents where there are none."""


def columns() -> Stage:
    """The columns, in the names that `signals` gives them."""
    return {
        "route": _route(),
        "finish_reason": _finish_reason(),
        "comment": _comment(),
        "repeated_calls": _repeated_calls(),
        "retrievals": "toUInt32(countEqual(all_kind, 'retrieval'))",
        "empty_retrievals": _empty_retrievals(),
    }


def first_error() -> str:
    """The message of the first error that says something, with its type where it does not name that."""
    said = "arrayFirst(x -> x NOT IN ('', 'error'), all_message)"
    return first_of(said, "arrayFirst(x -> x != '', all_message)")


def _route() -> str:
    steps = f"arrayMap((ms, r) -> if(r, {field_of(Field.STEP)}, ''), all_more, on_root)"
    step = f"replaceRegexpAll(arrayFirst(n -> n != '', {steps}), '{VARIABLE}', '*')"
    service = "arrayFirst(x -> x != '', all_service)"
    return f"substringUTF8(trimBoth(concat({service}, ' ', {step})), 1, {MAX_ROUTE_CHARS})"


def _finish_reason() -> str:
    """Of the last that says one; what a log record says only where no span does."""
    last = "arrayLast(t -> t != '', arrayMap({0} -> {1}, {2}))"
    own = last.format("ms", field_of(Field.FINISH), "all_more")
    told = last.format("r", field_of(Field.FINISH, "r.2.more"), "notes")
    bare = f"lower(extract({first_of(own, told)}, '(?:[A-Za-z_]+[.])*([A-Za-z][A-Za-z_ -]*)'))"
    word = f"replaceRegexpOne(replaceRegexpAll({bare}, '[ -]', '_'), '^(finish|stop)_?reason_', '')"
    return f"arrayMap(w -> {transform('w', dict(FINISHES), 'w')}, [{word}])[1]"


def _comment() -> str:
    """What users wrote to a rating, each once."""
    return (
        "arrayStringConcat(arrayDistinct(arrayMap(e -> e.4, "
        f"arrayFilter(e -> e.4 != '' AND ({USERS}), evaluations))), '\\n')"
    )


def _repeated_calls() -> str:
    """The same tool with the same arguments; where nobody wrote those down, calls are not compared."""
    same = "arrayMap(c -> cityHash64(c.1, c.2), arrayFilter(c -> c.2 != '', ran))"
    return f"toUInt32(arrayMax(arrayPushBack(arrayEnumerateUniq({same}), 0)))"


def _empty_retrievals() -> str:
    """Searches that say what was asked for, and no document."""
    left = f"replaceRegexpAll(substring(x.2.output, 1, 1000), '{EMPTY_KEYS}', '')"
    return (
        "toUInt32(arrayCount(x -> x.2.kind = 'retrieval' AND x.2.input != '' AND empty(x.2.documents) "
        f"AND NOT x.2.error AND match({left}, '{NOTHING_FOUND}'), lines))"
    )
