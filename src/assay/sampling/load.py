"""Policies from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from assay.errors import ConfigError
from assay.records import Unit
from assay.sampling.base import Policy, Quota, Stratum
from assay.sampling.compose import compose
from assay.sampling.stratified import Stratified
from assay.sampling.uniform import Uniform

UNITS: Final[Mapping[str, Unit]] = {"conversation": "conversation", "interaction": "interaction"}
DRAWS: Final = frozenset({"size", "rate", "label_size", "label_rate"})
COMPOSED: Final = frozenset({"budget", "label_budget", "draw", "metric", "parts"})
POLICY_KEYS: Final = DRAWS | COMPOSED | {"unit", "where", "strata", "again"}
STRATUM_KEYS: Final = DRAWS | {"name", "when"}


def load_policy(name: str, settings: Mapping[str, Any]) -> Policy:
    """The policy that a `[policies.NAME]` table describes: composed where it has a `budget`, stratified
    where it has `strata`.

    Raises ConfigError with the policy, the stratum or part, and the key."""
    here = f"policy {name}"
    refuse_unknown(here, settings, POLICY_KEYS)
    unit = UNITS.get(str(settings.get("unit", "conversation")))
    if unit is None:
        raise ConfigError(f"{here}: unit must be conversation or interaction, got {settings['unit']!r}")
    where = str(settings.get("where") or "").strip()
    again = settings.get("again", True)
    if not isinstance(again, bool):
        raise ConfigError(f"{here}: again must be true or false, got {again!r}")
    strata: Sequence[Mapping[str, Any]] = settings.get("strata") or ()
    if settings.get("budget") is not None:
        if others := [key for key in sorted(DRAWS) if settings.get(key) is not None]:
            raise ConfigError(f"{here}: a budget is for all parts together; leave out {', '.join(others)}")
        if strata:
            raise ConfigError(f"{here}: with a budget, strata belong into a part of kind `stratified`")
        return compose(name, unit, where, settings)
    if given := [key for key in ("label_budget", "parts", "metric") if settings.get(key)]:
        raise ConfigError(f"{here}: {', '.join(given)} need a budget: the expected number of logs a day")
    if settings.get("draw", "poisson") != "poisson":
        raise ConfigError(f"{here}: only a budget can be drawn systematically; give one instead of sizes")
    judge, label = _draws(here, settings)
    if not strata:
        return Uniform(name=name, unit=unit, judge=judge, label=label, where=where, again=again)
    groups = tuple(_load_stratum(here, number, stratum) for number, stratum in enumerate(strata, start=1))
    return Stratified(name=name, unit=unit, given=groups, judge=judge, label=label, where=where, again=again)


def _load_stratum(here: str, number: int, settings: Mapping[str, Any]) -> Stratum:
    name = str(settings.get("name") or "")
    here = f"{here}, stratum {name or number}"
    refuse_unknown(here, settings, STRATUM_KEYS)
    judge, label = _draws(here, settings)
    return Stratum(name=name, when=str(settings.get("when") or "").strip(), judge=judge, label=label)


def _draws(here: str, settings: Mapping[str, Any]) -> tuple[Quota, Quota | None]:
    judge = _quota(here, settings, "rate", "size")
    if judge is None:
        raise ConfigError(f"{here}: give a size (expected number a day) or a rate (probability)")
    label = _quota(here, settings, "label_rate", "label_size")
    if judge.size is not None and label is not None and label.size is not None and label.size > judge.size:
        raise ConfigError(
            f"{here}: people get logs out of those that are drawn for the judge, so label_size = "
            f"{label.size:g} can't be more than size = {judge.size:g}"
        )
    return judge, label


def _quota(here: str, settings: Mapping[str, Any], rate_key: str, size_key: str) -> Quota | None:
    rate, size = settings.get(rate_key), settings.get(size_key)
    if rate is None and size is None:
        return None
    for key, value in ((rate_key, rate), (size_key, size)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{here}: {key} must be a number, got {value!r}")
    try:
        return Quota(rate=None if rate is None else float(rate), size=None if size is None else float(size))
    except ConfigError as error:
        raise ConfigError(f"{here}, {rate_key} and {size_key}: {error}") from None


def refuse_unknown(here: str, settings: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in settings:
        if key not in known:
            raise ConfigError(f"{here}: no such key `{key}`; there are {', '.join(sorted(known))}")
