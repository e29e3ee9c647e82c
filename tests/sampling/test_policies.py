"""Policies: what settings make of them, what is refused, when a version changes."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import ConfigError
from assay.sampling import Quota, Stratified, Stratum, Uniform, load_policy, version_of

TROUBLE = {"name": "trouble", "when": "errors > 0", "size": 60, "label_size": 10}
STRATIFIED = {"unit": "conversation", "strata": [TROUBLE], "size": 140, "label_size": 20}


def test_without_strata_a_policy_is_uniform() -> None:
    policy = load_policy("daily", {"unit": "interaction", "rate": 0.25, "where": ' service = "chat" '})
    assert policy == Uniform(
        name="daily", unit="interaction", judge=Quota(rate=0.25), where='service = "chat"'
    )
    (stratum,) = policy.strata
    assert (stratum.name, stratum.when, stratum.label) == ("all", "", None)


def test_with_strata_the_last_takes_the_rest() -> None:
    policy = load_policy("daily", STRATIFIED)
    assert isinstance(policy, Stratified)
    assert policy.strata == (
        Stratum(name="trouble", when="errors > 0", judge=Quota(size=60), label=Quota(size=10)),
        Stratum(name="rest", when="", judge=Quota(size=140), label=Quota(size=20)),
    )


def test_a_version_changes_with_what_is_drawn_and_only_then() -> None:
    version = version_of(load_policy("daily", STRATIFIED))
    assert version == version_of(load_policy("daily", {**STRATIFIED, "where": "", "rate": None}))
    assert len(version) == 12
    changes: list[dict[str, Any]] = [
        {"size": 141},
        {"size": None, "rate": 0.5},
        {"label_size": 21},
        {"where": "turns > 1"},
        {"unit": "interaction"},
        {"strata": [TROUBLE | {"when": "errors > 1"}]},
        {"strata": [TROUBLE | {"name": "bad"}]},
        {"strata": [TROUBLE, TROUBLE | {"name": "bad"}]},
    ]
    versions = [version_of(load_policy("daily", STRATIFIED | change)) for change in changes]
    assert len({version, *versions}) == len(changes) + 1


def test_the_order_of_strata_is_part_of_the_version() -> None:
    other = TROUBLE | {"name": "slow", "when": "latency_ms > 9"}
    one, two = ({**STRATIFIED, "strata": strata} for strata in ([TROUBLE, other], [other, TROUBLE]))
    assert version_of(load_policy("daily", one)) != version_of(load_policy("daily", two))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": None}, "policy daily: give a size"),
        ({"rate": 0.5}, "policy daily, rate and size: give either a rate or a size"),
        ({"size": None, "rate": 0.0}, "a rate must lie between 1e-06 and 1, got 0: logs that are never"),
        ({"size": None, "rate": 1.5}, "a rate must lie between"),
        ({"size": 0}, "a size must be a number a day above 0"),
        ({"size": float("nan")}, "a size must be a number a day above 0"),
        ({"size": "many"}, "policy daily: size must be a number, got 'many'"),
        ({"sice": 3}, "policy daily: no such key `sice`; there are again, budget, draw, label_budget"),
        ({"unit": "span"}, "unit must be conversation or interaction, got 'span'"),
        ({"label_size": None}, "none of rest; give each a label_size or a label_rate"),
        ({"strata": [TROUBLE, TROUBLE]}, "two strata are named 'trouble'"),
        ({"strata": [TROUBLE | {"name": "rest"}]}, "two strata are named 'rest'"),
        ({"strata": [TROUBLE | {"name": ""}]}, "stratum 1 has no name"),
        ({"strata": [TROUBLE | {"when": " "}]}, "stratum trouble: `when` is empty"),
        ({"strata": [TROUBLE | {"size": None}]}, "policy daily, stratum trouble: give a size"),
        ({"strata": [TROUBLE | {"wen": ""}]}, "policy daily, stratum trouble: no such key `wen`"),
        ({"strata": [TROUBLE | {"size": None, "rate": 0}]}, "stratum trouble, rate and size: a rate must"),
        ({"strata": [TROUBLE | {"label_size": None}]}, "none of trouble"),
    ],
)
def test_what_would_draw_wrongly_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_policy("daily", STRATIFIED | change)
    assert message in str(raised.value)


def test_a_size_gives_a_probability_that_is_never_0_and_never_above_1() -> None:
    assert Quota(size=60).probability(412) == 60 / 412
    assert Quota(size=60).probability(60) == Quota(size=60).probability(3) == 1.0
    assert Quota(size=60).probability(0) == 1.0
    assert Quota(size=1).probability(1e12) == 1e-6
    assert Quota(rate=0.3).probability(5) == 0.3
