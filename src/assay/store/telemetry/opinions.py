"""What anybody thought of an interaction: annotations, evaluations, feedback; from spans and log records."""

from __future__ import annotations

from typing import Final

from assay.records import EVENTS, USERS_OWN
from assay.store.telemetry.attributes import TRUST
from assay.store.telemetry.conventions import Field
from assay.store.telemetry.dialect import first_of

EVALUATIONS: Final = (
    "Array(Tuple(name String, value Nullable(Float64), label String, explanation String, source String))"
)
NAMELESS: Final = "'annotation'"
USERS: Final = "e.5 = 'human' OR (e.5 != 'annotator' AND positionCaseInsensitive(e.1, 'feedback') > 0)"
"""Whether evaluation `e` is what a user said. Who reviews logs sees those that were drawn: a fact made of
that would tell what was drawn, and no policy may go by it."""

_GROUP: Final = "^(event[.][0-9]+|(?:trace[.]|session[.])?[a-z]+[.][0-9]+)"


def evaluations(more: str) -> str:
    """Of arrays of what was passed on, one a span or a record, all evaluations.

    What belongs together stands under the same number, or in the same record."""
    own = f"m.1 >= {Field.OPINION_NAME * TRUST}"
    spoken = f"arrayFilter(os -> notEmpty(os), arrayMap(ms -> arrayFilter(m -> {own}, ms), {more}))"
    grouped = f"arrayMap(m -> (extract(m.2, '{_GROUP}'), intDiv(m.1, {TRUST}), m.3), os)"
    groups = "arraySort(arrayDistinct(arrayMap(o -> o.1, os)))"
    each = f"arrayMap(os -> arrayMap(g -> {_evaluation()}, {groups}), arrayMap(os -> {grouped}, {spoken}))"
    says = "isNotNull(e.2) OR e.3 != '' OR e.4 != ''"
    return f"arrayDistinct(arrayFilter(e -> {says}, arrayFlatten({each})))"


def _evaluation() -> str:
    def one(field: Field) -> str:
        return f"arrayFirst(o -> o.1 = g AND o.2 = {int(field)}, os).3"

    score = one(Field.OPINION_SCORE)
    value = f"transform(lower({score}), ['true', 'false'], ['1', '0'], {score})"
    number = f"arrayMap(v -> if(isFinite(toFloat64OrZero(v)), toFloat64OrNull(v), NULL), [{value}])[1]"
    name, by = first_of(one(Field.OPINION_NAME), NAMELESS), f"lower({one(Field.OPINION_BY)})"
    reviewed = (
        f"{by} = 'human' AND match(g, '(annotation|evaluation)s[.]') AND NOT match({name}, '{USERS_OWN}')"
    )
    return (
        f"({name}, {number}, {one(Field.OPINION_LABEL)}, {one(Field.OPINION_WHY)}, "
        f"if({reviewed}, 'annotator', {by}))"
    )


def opinion() -> str:
    """The lowest score in [0, 1] that a user gave, 2 without any; a thumb of -1 counts as 0. What merely
    happened (`EVENTS`) is no score."""
    own = f"arrayFilter(e -> isNotNull(e.2) AND e.2 <= 1 AND e.1 NOT IN {EVENTS} AND ({USERS}), evaluations)"
    scores = f"arrayMap(e -> assumeNotNull(e.2), {own})"
    return f"arrayMin(arrayMap(s -> greatest(s, 0.), arrayConcat([2.], {scores})))"
