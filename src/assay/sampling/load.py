"""Policies from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import ConfigError
from assay.records import Unit
from assay.sampling.base import Policy, Quota, Stratum
from assay.sampling.stratified import Stratified
from assay.sampling.uniform import Uniform

UNITS: Mapping[str, Unit] = {"conversation": "conversation", "interaction": "interaction"}
DRAWS = frozenset({"size", "rate", "label_size", "label_rate"})
POLICY_KEYS = DRAWS | {"unit", "where", "strata"}
STRATUM_KEYS = DRAWS | {"name", "when"}


def load_policy(name: str, settings: Mapping[str, Any]) -> Policy:
    """The policy that a `[policies.NAME]` table describes: stratified where it has `strata`.

    Raises ConfigError with the policy, the stratum and the key."""
    here = f"policy {name}"
    _refuse_unknown(here, settings, POLICY_KEYS)
    unit = UNITS.get(str(settings.get("unit", "conversation")))
    if unit is None:
        raise ConfigError(f"{here}: unit must be conversation or interaction, got {settings['unit']!r}")
    where = str(settings.get("where") or "").strip()
    judge, label = _draws(here, settings)
    strata: Sequence[Mapping[str, Any]] = settings.get("strata") or ()
    if not strata:
        return Uniform(name=name, unit=unit, judge=judge, label=label, where=where)
    groups = tuple(_load_stratum(here, number, stratum) for number, stratum in enumerate(strata, start=1))
    return Stratified(name=name, unit=unit, groups=groups, judge=judge, label=label, where=where)


def _load_stratum(here: str, number: int, settings: Mapping[str, Any]) -> Stratum:
    name = str(settings.get("name") or "")
    here = f"{here}, stratum {name or number}"
    _refuse_unknown(here, settings, STRATUM_KEYS)
    judge, label = _draws(here, settings)
    return Stratum(name=name, when=str(settings.get("when") or "").strip(), judge=judge, label=label)


def _draws(here: str, settings: Mapping[str, Any]) -> tuple[Quota, Quota | None]:
    judge = _quota(here, settings, "rate", "size")
    if judge is None:
        raise ConfigError(f"{here}: give a size (expected number a day) or a rate (probability)")
    return judge, _quota(here, settings, "label_rate", "label_size")


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


def _refuse_unknown(here: str, settings: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in settings:
        if key not in known:
            raise ConfigError(f"{here}: no such key `{key}`; there are {', '.join(sorted(known))}")
