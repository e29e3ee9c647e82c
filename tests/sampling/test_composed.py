"""Many reasons under one budget: what each part gives, what they give together, what is refused."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import ConfigError
from assay.sampling import Chances, Composed, Day, load_policy, version_of
from assay.sampling.base import FloatArray
from assay.sampling.composed import LEAST_EVEN

DAY = date(2026, 5, 4)
EVEN: dict[str, Any] = {"kind": "uniform", "share": 0.3}
RISKY: dict[str, Any] = {"kind": "importance", "share": 0.5}
URGENT: dict[str, Any] = {"kind": "exhaustive", "when": "errors > 0"}
SMALL: dict[str, Any] = {"kind": "rare", "by": "version", "at_least": 10}
SPREAD: dict[str, Any] = {"kind": "diverse", "share": 0.1}
GROUPS: dict[str, Any] = {
    "kind": "stratified",
    "share": 0.3,
    "strata": [{"name": "long", "when": "turns > 5"}, {"name": "short", "when": "turns < 3"}],
}


def composed(*parts: dict[str, Any], budget: float = 200, **others: Any) -> Composed:
    policy = load_policy("daily", {"budget": budget, "parts": list(parts), **others})
    assert isinstance(policy, Composed)
    return policy


def world(logs: int = 5000, seed: int = 3) -> pa.Table:
    """Logs with all columns that parts may need; each row is one."""
    rng = np.random.default_rng(seed)
    version = np.where(np.arange(logs) < 7, "v3", np.where(rng.random(logs) < 0.02, "v2", "v1"))
    return pa.table(
        {
            "when.exhaustive": pa.array(rng.random(logs) < 0.004),
            "when.stratified.long": pa.array(rng.random(logs) < 0.1),
            "when.stratified.short": pa.array(rng.random(logs) < 0.5),
            "slice.0": pa.array(version.tolist(), pa.string()),
            "cell": pa.array(rng.choice([0, 1001, 1002, 1003], logs, p=[0.1, 0.7, 0.19, 0.01])),
            "chance": pa.array(rng.beta(0.5, 6, logs).clip(1e-4, 1 - 1e-4)),
            "stratum": pa.array(["uniform"] * logs),
            "logs": pa.array(np.ones(logs)),
        }
    )


def give(policy: Composed, logs: pa.Table, *, of: pa.Table | None = None, **day: Any) -> Chances:
    """The chances of `of`, where a day has these logs; parameters are kept as JSON between."""
    fixed = policy.fix("judge", Day(day=DAY, logs=logs, **day))
    return policy.chances("judge", logs if of is None else of, json.loads(json.dumps(fixed)))


def test_the_expected_number_is_the_budget_whatever_the_parts() -> None:
    logs = world()
    for parts in ([EVEN], [EVEN, RISKY], [URGENT, EVEN, RISKY, SMALL, SPREAD, GROUPS]):
        for budget in (30, 200, 2000):
            chances = give(composed(*parts, budget=budget), logs).probability
            assert chances.sum() == pytest.approx(budget, rel=1e-6)
            assert (chances >= 1e-6).all()
            assert (chances <= 1).all()


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.sampled_from([URGENT, RISKY, SMALL, SPREAD, GROUPS]), unique_by=id, max_size=5),
    share=st.floats(0.2, 5),
    budget=st.floats(1, 9000),
    number=st.integers(1, 400),
    seed=st.integers(0, 9),
)
def test_every_log_has_its_even_chance_and_the_budget_is_kept(
    parts: list[dict[str, Any]], share: float, budget: float, number: int, seed: int
) -> None:
    policy, logs = composed(EVEN | {"share": share}, *parts, budget=budget), world(number, seed)
    chances = give(policy, logs).probability
    floor = min(1.0, LEAST_EVEN * budget / number)
    assert (chances >= floor * (1 - 1e-9)).all()
    assert (chances <= 1).all()
    urgent = logs["when.exhaustive"].to_numpy() if URGENT in parts else np.zeros(number, bool)
    assert (chances[urgent] == 1).all()
    least = np.maximum(urgent, floor).sum()
    assert chances.sum() == pytest.approx(max(least, min(budget, number)), rel=1e-6)


def test_a_day_that_is_smaller_than_the_budget_is_drawn_whole() -> None:
    logs = world(150)
    found = give(composed(EVEN, RISKY, SMALL, URGENT), logs)
    assert (found.probability == 1).all()
    # Of reasons that all draw it for certain, the most specific is named.
    urgent, small = logs["when.exhaustive"].to_numpy(), np.array(logs["slice.0"].to_pylist()) != "v1"
    assert (found.group[urgent] == 3).all()
    assert (found.group[small & ~urgent] == 2).all()
    assert set(found.group[~small & ~urgent]) == {0, 1}


def test_importance_follows_the_chance_of_failure_or_the_doubt() -> None:
    logs = world()
    h: FloatArray = logs["chance"].to_numpy()
    for part, size in (
        (RISKY, h),
        (RISKY | {"power": 2}, h**2),
        (RISKY | {"by": "doubt"}, np.sqrt(h * (1 - h))),
    ):
        found = give(composed(EVEN, part), logs)
        own = (found.group == 1) & (found.probability < 1)
        ratio = found.probability[own] / size[own]
        assert own.sum() > 100
        assert ratio == pytest.approx(np.full(own.sum(), ratio[0]))
    even = found.probability[found.group == 0]
    assert even == pytest.approx(np.full(len(even), even[0]))


def test_why_is_said_with_the_numbers() -> None:
    logs = world()
    policy = composed(URGENT, EVEN, RISKY, SMALL, SPREAD, GROUPS | {"allocation": "proportional"})
    found = give(policy, logs)
    words = found.explain(np.arange(logs.num_rows))
    by = {policy.groups[group]: word for group, word in zip(found.group, words, strict=True)}
    assert by["exhaustive"] == "exhaustive: every one, probability 1"
    assert by["rare"].startswith("rare: version 'v")
    assert by["diverse"].startswith("diverse: cell 1003 has ")
    row = int(np.flatnonzero(found.group == policy.groups.index("importance"))[0])
    chance, p = logs["chance"][row].as_py(), found.probability[row]
    assert words[row] == f"importance: chance of failure {chance:.2g}, probability {p:.2g}"
    even = give(composed(EVEN), logs)
    assert even.explain(np.array([0])) == ["uniform: probability 0.04"]


def test_small_slices_get_their_number_and_large_ones_no_more() -> None:
    logs = world()
    version = np.array(logs["slice.0"].to_pylist())
    found = give(composed(EVEN, SMALL), logs).probability
    assert (found[version == "v3"] == 1).all()
    assert found[version == "v2"].sum() == pytest.approx(10, rel=1e-6)
    without = give(composed(EVEN), logs).probability
    assert found[version == "v1"].mean() == pytest.approx(without.mean(), rel=0.1)


def test_promised_numbers_yield_where_they_would_eat_the_budget() -> None:
    slices = [f"tenant{number % 1000}" for number in range(5000)]
    logs = world().drop_columns(["slice.0"]).append_column("slice.0", pa.array(slices))
    found = give(composed(EVEN, SMALL, RISKY), logs)
    assert found.probability.sum() == pytest.approx(200, rel=1e-6)
    assert 0.2 < (found.group == 2).mean() < 0.8


def test_a_new_slice_gets_its_number_and_at_most_twice_as_many() -> None:
    policy = composed(EVEN, SMALL)
    late = world(4000).drop_columns(["slice.0"]).append_column("slice.0", pa.array(["v9"] * 4000))
    late = late.append_column("nth.0", pa.array(range(1, 4001)))
    found = give(policy, world(), of=late)
    even = found.probability[-1]
    assert (found.probability[:10] == 1).all()
    assert (np.diff(found.probability) <= 0).all()
    assert 15 < (found.probability - even).sum() <= 20
    assert found.explain(np.array([0])) == ["rare: version 'v9' is new, probability 1"]


def test_a_slice_that_outgrows_what_was_expected_does_not_eat_the_budget() -> None:
    late = world(4000).drop_columns(["slice.0"]).append_column("slice.0", pa.array(["v3"] * 4000))
    late = late.append_column("nth.0", pa.array(range(1, 4001)))
    found = give(composed(EVEN, SMALL), world(), of=late).probability
    assert (found[:10] == 1).all()
    assert found.sum() < 4000 * found[-1] + 20


def test_cells_get_the_same_number_each() -> None:
    logs = world()
    cell, policy = logs["cell"].to_numpy(), composed(EVEN | {"share": 0.5}, SPREAD | {"share": 4.5})
    found = give(policy, logs)
    drawn = {int(c): found.probability[cell == c].sum() for c in np.unique(cell)}
    assert drawn[1001] == pytest.approx(drawn[1002], rel=1e-6)
    assert drawn[1002] == pytest.approx(drawn[0], rel=1e-6)
    assert drawn[1003] == pytest.approx(min(drawn[1001], (cell == 1003).sum()), rel=0.05)
    new = logs.set_column(logs.column_names.index("cell"), "cell", pa.array([2001] * logs.num_rows))
    unknown = give(policy, logs, of=new).probability
    assert unknown == pytest.approx(np.full(len(unknown), found.probability[cell == 1003][0]))


def test_exhaustive_takes_all_unless_it_may_not() -> None:
    logs = world()
    urgent = logs["when.exhaustive"].to_numpy()
    assert (give(composed(URGENT, EVEN), logs).probability[urgent] == 1).all()
    few = give(composed(URGENT | {"at_most": 6}, EVEN), logs)
    assert few.probability[urgent].sum() == pytest.approx(6)
    said = few.explain(np.flatnonzero(urgent)[:1])
    assert said == [f"exhaustive: 6 a day of {urgent.sum()}, probability {6 / urgent.sum():.2g}"]


def test_where_all_is_urgent_the_even_part_stays() -> None:
    logs = world()
    everywhere = logs.set_column(0, "when.exhaustive", pa.array(np.arange(5000) < 1000))
    found = give(composed(URGENT, EVEN, RISKY), everywhere).probability
    assert (found[:1000] == 1).all()
    assert found[1000:] == pytest.approx(np.full(4000, LEAST_EVEN * 200 / 5000))


# --- open days -----------------------------------------------------------------------------------


def test_an_open_day_goes_by_the_day_before_and_by_the_weekday() -> None:
    policy, yesterday, today = composed(EVEN, RISKY), world(5000), world(40, seed=4)
    closed = give(policy, yesterday, of=today).probability
    here: dict[str, Any] = {"over": 0.1, "include_open": True, "before": yesterday}
    assert give(policy, today, **here).probability == pytest.approx(closed)
    monday = give(policy, today, usual=10_000, **here).probability
    assert monday == pytest.approx(closed / 2)
    wild = give(policy, today, usual=10**9, **here).probability
    assert wild == pytest.approx(closed / 4)


def test_a_first_day_is_projected_from_what_it_has() -> None:
    policy = composed(EVEN)
    so_far = give(policy, world(1000), over=0.25, include_open=True).probability
    assert so_far == pytest.approx(np.full(1000, 200 / 4000))
    empty = world(0)
    first = give(policy, world(1000), over=0.25, include_open=True, before=empty).probability
    assert first == pytest.approx(so_far)


@pytest.mark.parametrize("how", [{}, {"draw": "systematic"}])
def test_what_must_know_the_whole_day_waits(how: dict[str, Any]) -> None:
    policy = composed(EVEN, **how)
    for include_open in (False, True):
        waits = policy.drawing == "systematic" or not include_open
        found = give(policy, world(9), over=0.99, include_open=include_open).probability
        assert np.isnan(found).all() == waits


def test_what_is_fixed_stays_fixed() -> None:
    policy = composed(EVEN, RISKY, label_budget=30)
    for stage in policy.stages:
        known = policy.fix(stage, Day(day=DAY, logs=world()))
        assert policy.fix(stage, Day(day=DAY, logs=world(90, seed=9), known=known)) == known


def test_a_day_with_far_more_logs_than_expected_is_slowed_down() -> None:
    """Ten times the logs: less than a third of what would be drawn, and exhaustive ones all the same."""
    policy, yesterday = composed(URGENT, EVEN, RISKY), world(2000)
    rush = world(20_000, seed=8)
    free = give(policy, yesterday, of=rush)
    fixed = policy.fix("judge", Day(day=DAY, logs=yesterday))
    spent, drawn = 0.0, []
    for start in range(0, 20_000, 500):
        batch = rush.slice(start, 500)
        some = batch.append_column("spent", pa.array(np.full(500, spent)))
        drawn.append(policy.chances("judge", some, fixed).probability)
        spent += float(drawn[-1].sum())
    found = np.concatenate(drawn)
    assert free.probability.sum() > 1900
    assert 300 < spent < 650
    assert found[:2000] == pytest.approx(free.probability[:2000])
    assert (found[rush["when.exhaustive"].to_numpy()] == 1).all()
    assert found.min() >= LEAST_EVEN * 200 / 2000 * (1 - 1e-9)


# --- people --------------------------------------------------------------------------------------


def test_people_get_their_number_of_those_drawn() -> None:
    policy = composed(EVEN, RISKY, label_budget=30)
    assert policy.stages == ("judge", "label")
    judged = world(600).append_column("drawn", pa.array(np.full(600, 0.25)))
    logs = judged.drop_columns(["logs"]).rename_columns(
        ["logs" if name == "drawn" else name for name in judged.drop_columns(["logs"]).column_names]
    )
    fixed = policy.fix("label", Day(day=DAY, logs=logs))
    found = policy.chances("label", world(3), fixed)
    assert found.probability == pytest.approx(np.full(3, 30 / 150))
    assert found.explain(np.array([0])) == ["30 of 150.0 drawn a day, probability 0.2"]
    assert composed(EVEN).stages == ("judge",)


# --- settings ------------------------------------------------------------------------------------


def test_without_parts_a_budget_is_even() -> None:
    policy = load_policy("daily", {"budget": 50})
    assert isinstance(policy, Composed)
    assert policy.groups == ("uniform",)


def test_a_version_changes_with_what_is_drawn_and_only_then() -> None:
    parts = [URGENT, EVEN, RISKY, SMALL, SPREAD, GROUPS]
    version = version_of(composed(*parts))
    assert version == version_of(composed(*parts, label_budget=None, draw="poisson", metric=""))
    changed = [
        composed(*parts, budget=201),
        composed(*parts, label_budget=9),
        composed(*parts, draw="systematic"),
        composed(*parts, metric="resolved"),
        composed(*parts, where="turns > 1"),
        composed(*parts, unit="interaction"),
        composed(*parts[1:]),
        composed(*reversed(parts)),
        composed(URGENT | {"at_most": 5}, *parts[1:]),
        composed(*parts[:2], RISKY | {"power": 2.0}, *parts[3:]),
        composed(*parts[:2], RISKY | {"by": "doubt"}, *parts[3:]),
        composed(*parts[:3], SMALL | {"by": ["version", "service"]}, *parts[4:]),
        composed(*parts[:5], GROUPS | {"allocation": "equal"}),
        composed(*parts[:5], GROUPS | {"rest": "others"}),
    ]
    assert len({version, *(version_of(policy) for policy in changed)}) == len(changed) + 1


def test_two_rare_parts_look_at_slices_of_their_own() -> None:
    policy = composed(EVEN, SMALL, SMALL | {"name": "tenants", "by": ['attr["tenant"]', "service"]})
    assert policy.needs("judge").slices == (("version",), ('attr["tenant"]', "service"))
    assert policy.groups == ("uniform", "rare", "tenants")
    tenants = pa.array((["a\x1fchat"] * 3 + ["b\x1fchat"] * 4997), pa.string())
    found = give(policy, world().append_column("slice.1", tenants))
    assert (found.probability[:3] == 1).all()
    other = world(9, seed=5).append_column("slice.1", pa.array(["a\x1fchat"] * 9))
    (why,) = give(policy, world().append_column("slice.1", tenants), of=other).explain(np.array([8]))
    assert why == "tenants: attr[\"tenant\"], service 'a, chat' has 3 a day, probability 1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": [RISKY]}, "policy daily: parts need one of kind `uniform` with a share of at least 0.1"),
        ({"parts": [EVEN | {"share": 0.04}, RISKY]}, "parts need one of kind `uniform`"),
        ({"parts": [EVEN, EVEN]}, "two parts or strata are named 'uniform'"),
        ({"parts": [EVEN, GROUPS, GROUPS | {"name": "more"}]}, "two parts or strata are named 'long'"),
        (
            {"parts": [EVEN, {"kind": "importanc"}]},
            "part 2: no such kind `importanc`; did you mean `importance`",
        ),
        ({"parts": [EVEN, {"kind": "rare", "at_least": 3}]}, "part rare: `by` is empty"),
        (
            {"parts": [EVEN, {"kind": "rare", "by": "version"}]},
            "part rare: at_least must be a number above 0",
        ),
        ({"parts": [EVEN, {"kind": "exhaustive"}]}, "part exhaustive: `when` is empty"),
        ({"parts": [EVEN, {"kind": "stratified"}]}, "part stratified: `strata` is empty"),
        ({"parts": [EVEN | {"when": "errors > 0"}]}, "part uniform: `when` means nothing to kind uniform"),
        ({"parts": [EVEN | {"shar": 1}]}, "part uniform: no such key `shar`; there are kind, name, share"),
        ({"parts": [EVEN | {"share": 0}]}, "part uniform: share must be a number above 0"),
        ({"parts": [EVEN, RISKY | {"by": "luck"}]}, "by must be failure or doubt, got 'luck'"),
        ({"parts": [EVEN, RISKY | {"power": 9}]}, "power must lie between 0.5 and 4"),
        (
            {"parts": [EVEN, GROUPS | {"allocation": "fair"}]},
            "allocation must be proportional, equal or neyman",
        ),
        ({"parts": [EVEN, GROUPS | {"strata": [{"name": "x"}]}]}, "stratum x: give it a name and a `when`"),
        ({"size": 5}, "a budget is for all parts together; leave out size"),
        ({"strata": [{"name": "x", "when": "errors > 0"}]}, "strata belong into a part of kind `stratified`"),
        ({"budget": None}, "policy daily: parts need a budget"),
        ({"budget": None, "parts": (), "rate": 0.1, "draw": "systematic"}, "only a budget can be drawn"),
        ({"budget": float("inf")}, "budget must be a number above 0"),
        ({"budget": True}, "budget must be a number above 0"),
    ],
)
def test_what_can_not_be_drawn_honestly_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_policy("daily", {"budget": 100, "parts": [EVEN], **changes})
    assert message in str(raised.value)
