"""Composed policies from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from assay.errors import ConfigError
from assay.query import suggest
from assay.records import Unit
from assay.sampling.allocate import Strata
from assay.sampling.composed import Composed
from assay.sampling.parts import Diverse, Even, Exhaustive, Importance, Part, Rare

Given = Mapping[str, Any]
COMMON: Final = frozenset({"kind", "name"})
KEYS: Final[Mapping[str, frozenset[str]]] = {
    "uniform": frozenset({"share"}),
    "importance": frozenset({"share", "by", "power"}),
    "rare": frozenset({"by", "at_least"}),
    "diverse": frozenset({"share"}),
    "stratified": frozenset({"share", "strata", "rest", "allocation"}),
    "exhaustive": frozenset({"when", "at_most"}),
}
UNSET: Final[Mapping[str, Any]] = {"power": 1.0, "rest": "rest", "allocation": "neyman"}
"""What settings say of a key that was not given."""


def compose(name: str, unit: Unit, where: str, settings: Given) -> Composed:
    """The policy of a table that has a `budget`. Raises ConfigError with part and key."""
    here, metric = f"policy {name}", str(settings.get("metric") or "")
    parts: Sequence[Given] = settings.get("parts") or ({"kind": "uniform"},)
    made: list[Part] = []
    for number, part in enumerate(parts, start=1):
        kind = str(part.get("kind") or "")
        if kind not in KEYS:
            raise ConfigError(f"{here}, part {number}: no such kind `{kind}`; {suggest(kind, KEYS)}")
        label = str(part.get("name") or kind)
        at = f"{here}, part {label}"
        _refuse_foreign(at, kind, part)
        rares = sum(isinstance(one, Rare) for one in made)
        made.append(MAKERS[kind](at, label, part, metric, rares))
    return Composed(
        name=name,
        unit=unit,
        where=where,
        budget=_number(here, settings, "budget"),
        label_budget=_number(here, settings, "label_budget") if settings.get("label_budget") else None,
        drawing="systematic" if settings.get("draw") == "systematic" else "poisson",
        parts=tuple(made),
        again=settings.get("again") is not False,
    )


def _uniform(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    return Even(name=name, share=_share(at, part))


def _importance(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    by, power = str(part.get("by") or "failure"), float(part.get("power") or 1.0)
    if by not in ("failure", "doubt"):
        raise ConfigError(f"{at}: by must be failure or doubt, got {by!r}")
    if not 0.5 <= power <= 4:
        raise ConfigError(f"{at}: power must lie between 0.5 and 4, got {power:g}")
    share = _share(at, part)
    if by == "doubt":
        return Importance(name=name, share=share, metric=metric, by="doubt", power=power)
    return Importance(name=name, share=share, metric=metric, power=power)


def _rare(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    given = part.get("by") or ()
    by = (given,) if isinstance(given, str) else tuple(str(fact) for fact in given)
    if not by:
        raise ConfigError(f'{at}: `by` is empty; name the fact that makes slices, such as "version"')
    return Rare(name=name, number=rares, by=by, at_least=_number(at, part, "at_least"))


def _diverse(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    return Diverse(name=name, share=_share(at, part))


def _stratified(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    strata = tuple((str(one.get("name") or ""), str(one.get("when") or "").strip()) for one in _groups(part))
    if not strata:
        raise ConfigError(f"{at}: `strata` is empty; give groups with a name and a `when`")
    for number, (stratum, when) in enumerate(strata, start=1):
        if not stratum or not when:
            raise ConfigError(f"{at}, stratum {stratum or number}: give it a name and a `when`")
    how, rest = str(part.get("allocation") or "neyman"), str(part.get("rest") or "rest")
    share = _share(at, part)
    for allocation in ("proportional", "equal", "neyman"):
        if how == allocation:
            return Strata(
                name=name, share=share, strata=strata, allocation=allocation, metric=metric, rest=rest
            )
    raise ConfigError(f"{at}: allocation must be proportional, equal or neyman, got {how!r}")


def _exhaustive(at: str, name: str, part: Given, metric: str, rares: int) -> Part:
    when = str(part.get("when") or "").strip()
    if not when:
        raise ConfigError(f"{at}: `when` is empty; say which logs it takes")
    at_most = _number(at, part, "at_most") if part.get("at_most") is not None else None
    return Exhaustive(name=name, when=when, at_most=at_most)


MAKERS: Final[Mapping[str, Callable[[str, str, Given, str, int], Part]]] = {
    "uniform": _uniform,
    "importance": _importance,
    "rare": _rare,
    "diverse": _diverse,
    "stratified": _stratified,
    "exhaustive": _exhaustive,
}


def _refuse_foreign(at: str, kind: str, part: Given) -> None:
    known = KEYS[kind] | COMMON
    everything = frozenset[str]().union(*KEYS.values()) | COMMON
    for key, value in part.items():
        if key not in everything:
            raise ConfigError(f"{at}: no such key `{key}`; there are {', '.join(sorted(known))}")
        if key not in known and value not in (None, "", ()) and value != UNSET.get(key):
            raise ConfigError(
                f"{at}: `{key}` means nothing to kind {kind}; it has {', '.join(sorted(known))}"
            )


def _groups(part: Given) -> Sequence[Given]:
    return part.get("strata") or ()


def _share(at: str, part: Given) -> float:
    return 1.0 if part.get("share") is None else _number(at, part, "share")


def _number(at: str, given: Given, key: str) -> float:
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{at}: {key} must be a number above 0, got {value!r}")
    return float(value)
