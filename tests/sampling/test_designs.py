"""Every way to draw, a thousand times: totals are right on average, and vary as theory says, no less
and no more."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assay.sampling import Chances, Composed, Day, decide, load_policy
from assay.sampling.allocate import allocate, pool_deviations
from assay.sampling.base import FloatArray, IntArray
from assay.sampling.systematic import draw_systematic

DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 6, 1, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
TIMES = 1000
LOGS = 1500
PARTS: list[dict[str, Any]] = [
    {"kind": "exhaustive", "when": "errors > 0"},
    {"kind": "uniform", "share": 0.3},
    {"kind": "importance", "share": 0.5},
    {"kind": "rare", "by": "version", "at_least": 10},
    {"kind": "diverse", "share": 0.1},
    {"kind": "stratified", "share": 0.2, "strata": [{"name": "long", "when": "turns > 5"}]},
]


def make_logs(seed: int = 5) -> tuple[pa.Table, FloatArray]:
    """Logs with all that parts need, and which of them fail: those of high chance more often."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.6, 8, LOGS).clip(1e-4, 0.99)
    logs = pa.table(
        {
            "log_id": [f"log{n}" for n in range(LOGS)],
            "started": pa.array([NOW] * LOGS, TIME),
            "facts_at": pa.array([NOW] * LOGS, TIME),
            "when.exhaustive": pa.array(rng.random(LOGS) < 0.01),
            "when.stratified.long": pa.array(rng.random(LOGS) < 0.2),
            "slice.0": pa.array(np.where(rng.random(LOGS) < 0.01, "v2", "v1").tolist(), pa.string()),
            "cell": pa.array(rng.choice([0, 1001, 1002], LOGS, p=[0.2, 0.7, 0.1])),
            "chance": pa.array(chance),
            "logs": pa.array(np.ones(LOGS)),
        }
    )
    return logs, (rng.random(LOGS) < chance).astype(float)


LOGS_OF_A_DAY, FAILS = make_logs()
TRUTH = FAILS.sum()


def composed(budget: float, **others: Any) -> Composed:
    policy = load_policy("daily", {"budget": budget, "parts": PARTS} | others)
    assert isinstance(policy, Composed)
    return policy


def chances_of(policy: Composed, logs: pa.Table = LOGS_OF_A_DAY) -> Chances:
    return policy.chances("judge", logs, policy.fix("judge", Day(day=DAY, logs=logs)))


def check_totals(totals: FloatArray, variance: float, truth: float = TRUTH) -> None:
    """Right on average (4 standard errors), and as spread as `variance` says (chi-square, 4 sigma)."""
    n = len(totals)
    assert abs(totals.mean() - truth) < 4 * (variance / n) ** 0.5
    assert abs(totals.var(ddof=1) / variance - 1) < 4 * _spread_of_variance(totals)


def _spread_of_variance(totals: FloatArray) -> float:
    """The relative standard error of a variance, from the fourth moment."""
    centred = totals - totals.mean()
    kurtosis = (centred**4).mean() / (centred**2).mean() ** 2
    return float(((kurtosis - 1) / len(totals)) ** 0.5)


def check_counts(counts: FloatArray, probability: FloatArray, times: int = TIMES) -> None:
    """Each log was drawn as often as its probability says: no more and no less than chance allows."""
    z = (counts - times * probability) / np.sqrt(times * probability * (1 - probability) + 1e-9)
    open_ended = probability < 1
    assert (counts[~open_ended] == times).all()
    assert np.abs(z[open_ended]).max() < 5.5
    assert 0.9 < (z[open_ended] ** 2).mean() < 1.1


def test_a_composed_policy_weighs_up_to_the_whole() -> None:
    rng, found = np.random.default_rng(11), chances_of(composed(150))
    p = found.probability
    drawn = rng.random((TIMES, LOGS)) < p
    check_totals((drawn * FAILS / p).sum(axis=1), float(((1 - p) / p * FAILS).sum()))
    check_counts(drawn.sum(axis=0), p)
    size = drawn.sum(axis=1)
    assert abs(size.mean() - 150) < 4 * ((p * (1 - p)).sum() / TIMES) ** 0.5
    # Twice as many failures are found as by an even draw of the same size, and unweighted they lie.
    assert (drawn * FAILS).sum(axis=1).mean() > 2 * 150 * FAILS.mean()
    assert (drawn * FAILS).sum() / drawn.sum() > 2 * FAILS.mean()


# --- systematic ----------------------------------------------------------------------------------


def test_systematic_draws_have_their_probabilities_and_a_fixed_number() -> None:
    rng, p = np.random.default_rng(12), chances_of(composed(150)).probability
    order = LOGS_OF_A_DAY["chance"].to_numpy()
    ties = rng.random(LOGS)
    drawn = np.array([draw_systematic(p, order, ties, start) < p for start in rng.random(TIMES)])
    assert set(drawn.sum(axis=1)) == {150}
    check_counts_systematic(drawn, p)
    totals = (drawn * FAILS / p).sum(axis=1)
    assert abs(totals.mean() - TRUTH) < 4 * totals.std(ddof=1) / TIMES**0.5
    # A fixed number in order of risk varies no more than as many independent draws.
    assert totals.var(ddof=1) < 1.1 * ((1 - p) / p * FAILS).sum()


def check_counts_systematic(drawn: Any, probability: FloatArray) -> None:
    """As `check_counts`, where the draws of one time hang together but each log's are independent."""
    counts = drawn.sum(axis=0)
    z = (counts - TIMES * probability) / np.sqrt(TIMES * probability * (1 - probability) + 1e-9)
    assert (counts[probability == 1] == TIMES).all()
    assert np.abs(z[probability < 1]).max() < 5.5
    assert 0.7 < (z[probability < 1] ** 2).mean() < 1.3


@given(
    p=st.lists(st.floats(1e-6, 1), min_size=1, max_size=40),
    start=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 99),
)
def test_systematic_draws_are_numbers_that_anybody_can_check(p: list[float], start: float, seed: int) -> None:
    probability, order = np.array(p), np.random.default_rng(seed).integers(0, 5, len(p)).astype(float)
    ties = np.random.default_rng(seed + 1).random(len(p))
    draws = draw_systematic(probability, order, ties, start)
    assert ((draws >= 0) & (draws < 1)).all()
    assume((np.abs(draws - probability) > 1e-9).all() and (draws > 1e-9).all() and (draws < 1 - 1e-9).all())
    number, total = int((draws < probability).sum()), probability.sum()
    assert total - 1 - 1e-9 < number < total + 1 + 1e-9


def test_systematic_draws_spread_over_the_order() -> None:
    """Of every tenth in order of risk, the number drawn is its sum of probabilities, give or take one."""
    p = chances_of(composed(150)).probability
    order = LOGS_OF_A_DAY["chance"].to_numpy()
    tenths = np.argsort(order, kind="stable").reshape(10, -1)
    for start in np.random.default_rng(2).random(50):
        drawn = draw_systematic(p, order, np.arange(LOGS, dtype=float), start) < p
        for tenth in tenths:
            assert abs(drawn[tenth].sum() - p[tenth].sum()) < 1 + 1e-9


# --- Neyman --------------------------------------------------------------------------------------

SIZES = np.array([9000.0, 800.0, 200.0])
RATES = np.array([0.01, 0.3, 0.5])
SPREADS = np.sqrt(RATES * (1 - RATES))


def variance_of(rates: FloatArray) -> float:
    """Of the total, with so many of each stratum: sum of N^2 S^2 / n, for n expected draws."""
    return float((SIZES * SPREADS**2 / rates).sum())


def test_neyman_s_allocation_is_the_best_there_is() -> None:
    best = allocate(SIZES, SPREADS, 300, "neyman")
    assert (SIZES * best).sum() == pytest.approx(300)
    others = [allocate(SIZES, SPREADS, 300, "proportional"), allocate(SIZES, SPREADS, 300, "equal")]
    rng = np.random.default_rng(4)
    for _ in range(200):
        changed = best * np.exp(rng.normal(0, 0.3, 3))
        others.append(changed * 300 / (SIZES * changed).sum())
    for other in others:
        assert (SIZES * other).sum() == pytest.approx(300)
        assert variance_of(best) < variance_of(other)
    assert variance_of(best) < 0.65 * variance_of(others[0])


def test_neyman_s_allocation_from_past_scores_is_unbiased_and_narrower() -> None:
    """Strata of a composed policy, weighed by scores of other days: both ways, from the same world."""
    rng = np.random.default_rng(21)
    stratum = np.repeat([0, 1, 2], SIZES.astype(int))
    fails = (rng.random(len(stratum)) < RATES[stratum]).astype(float)
    logs = pa.table(
        {
            "when.stratified.a": pa.array(stratum == 1),
            "when.stratified.b": pa.array(stratum == 2),
            "logs": pa.array(np.ones(len(stratum))),
        }
    )
    spread = pa.table(
        {
            "when.stratified.a": [False, True, False],
            "when.stratified.b": [False, False, True],
            "logs": [4000.0, 350.0, 90.0],
            "mean": RATES.tolist(),
            "deviation": SPREADS.tolist(),
        }
    )
    strata = [{"name": "a", "when": "errors > 0"}, {"name": "b", "when": "turns > 9"}]
    found = {}
    for allocation in ("neyman", "proportional"):
        part = {"kind": "stratified", "share": 0.9, "strata": strata, "allocation": allocation}
        settings = {"budget": 900, "parts": [{"kind": "uniform", "share": 0.1}, part]}
        policy = load_policy("daily", settings)
        fixed = policy.fix("judge", Day(day=DAY, logs=logs, spread=spread))
        p = policy.chances("judge", logs, fixed).probability
        assert p.sum() == pytest.approx(900, rel=1e-6)
        drawn = rng.random((TIMES, len(p))) < p
        # Weighted within each stratum, whose size is known: the number drawn is no source of variance.
        totals = np.zeros(TIMES)
        for number, size in enumerate(SIZES):
            here = stratum == number
            counts = drawn[:, here].sum(axis=1)
            assert counts.min() > 0
            totals += size * (drawn[:, here] * fails[here]).sum(axis=1) / counts
        truth = fails.sum()
        assert abs(totals.mean() - truth) < 4 * totals.std(ddof=1) / TIMES**0.5
        found[allocation] = (totals.var(ddof=1), p)
    ratio = found["neyman"][0] / found["proportional"][0]
    assert 0.4 < ratio < 0.8
    by_stratum = [found["neyman"][1][stratum == number].mean() for number in range(3)]
    assert by_stratum[0] < by_stratum[1] < by_stratum[2]


def test_a_stratum_without_failures_so_far_is_not_left_alone() -> None:
    spread = pa.table({"logs": [4.0, 200.0], "mean": [1.0, 0.8], "deviation": [0.0, 0.4]})
    few, many = pool_deviations(np.array([0, 1]), spread, 2)
    assert 0.3 < few < many < 0.45
    assert pool_deviations(np.empty(0, dtype=int), None, 2).tolist() == [1.0, 1.0]
    everywhere = pool_deviations(np.array([0, 0]), spread, 3)
    assert everywhere[1] == everywhere[2] > 0


# --- more than one decision about a log, and more than one version -------------------------------


def decide_at(policy: Composed, version: str, logs: pa.Table, p: FloatArray, draws: FloatArray) -> pa.Table:
    chances = Chances(p, np.zeros(len(p), dtype=int), lambda rows: ["" for _ in rows])
    rows = logs.append_column("draw", pa.array(draws))
    return decide(policy, version, "judge", rows, chances, decided_at=NOW)


def first_time(logs: pa.Table) -> pa.Table:
    rows = logs.append_column("occasion", pa.array(np.zeros(logs.num_rows), pa.uint32()))
    return rows.append_column("missed", pa.array(np.ones(logs.num_rows)))


class Decided:
    """What has been decided of each log: drawn on any occasion, and with what chance in all."""

    def __init__(self) -> None:
        self.drawn = np.zeros(LOGS, bool)
        self.missed = np.ones(LOGS)
        self.only_last = np.ones(LOGS)
        self.place = {log_id: number for number, log_id in enumerate(LOGS_OF_A_DAY["log_id"].to_pylist())}

    def take(self, rows: pa.Table) -> None:
        at = np.array([self.place[log_id] for log_id in rows["log_id"].to_pylist()], dtype=int)
        p, selected = rows["probability"].to_numpy(), rows["selected"].to_numpy().astype(bool)
        newly = selected & ~self.drawn[at]
        self.only_last[at[newly]] = p[newly]
        self.drawn[at] |= selected
        self.missed[at] *= 1 - p

    def total(self, fails: FloatArray = FAILS) -> float:
        return float((self.drawn * fails / (1 - self.missed)).sum())

    def naive(self) -> float:
        """By the probability of the occasion that drew it, as if there had been no other."""
        return float((self.drawn * FAILS / self.only_last).sum())


def late_facts(seed: int = 6) -> tuple[pa.Table, IntArray]:
    """The same day after thumbs-down came in: half of the failures, and a few others, look worse."""
    rng = np.random.default_rng(seed)
    told = rng.random(LOGS) < np.where(FAILS > 0, 0.5, 0.03)
    chance = np.where(told, 0.8, LOGS_OF_A_DAY["chance"].to_numpy())
    place = LOGS_OF_A_DAY.column_names.index("chance")
    return LOGS_OF_A_DAY.set_column(place, "chance", pa.array(chance)), np.flatnonzero(told)


def test_late_facts_bring_logs_in_and_the_whole_stays_right() -> None:
    policy = composed(150)
    fixed = policy.fix("judge", Day(day=DAY, logs=LOGS_OF_A_DAY))
    changed, told = late_facts()
    before = policy.chances("judge", LOGS_OF_A_DAY, fixed).probability
    after = policy.chances("judge", changed, fixed).probability
    again = changed.take(told).append_column("occasion", pa.array(np.ones(len(told)), pa.uint32()))
    again = again.append_column("missed", pa.array(1 - before[told]))
    rng = np.random.default_rng(31)
    totals, naive, found_first, found_then = [], [], [], []
    for _ in range(TIMES):
        done = Decided()
        done.take(decide_at(policy, "v1", first_time(LOGS_OF_A_DAY), before, rng.random(LOGS)))
        found_first.append((done.drawn * FAILS).sum())
        done.take(decide_at(policy, "v1", again, after[told], rng.random(len(told))))
        found_then.append((done.drawn * FAILS).sum())
        totals.append(done.total())
        naive.append(done.naive())
    p = np.maximum(before, np.where(np.isin(np.arange(LOGS), told), after, 0))
    assert 1 - done.missed == pytest.approx(p)
    check_totals(np.array(totals), float(((1 - p) / p * FAILS).sum()))
    assert np.mean(found_then) > 1.3 * np.mean(found_first)
    # By the last occasion's probability alone the whole would be far too high.
    assert np.mean(naive) - TRUTH > 20 * np.std(naive) / TIMES**0.5


def test_giving_another_chance_only_to_those_not_drawn_would_be_wrong() -> None:
    """What the rule "whether or not it was drawn before" is for: without it, totals are off."""
    rng, p0, p = np.random.default_rng(32), 0.2, 0.7
    gain = (p - p0) / (1 - p0)
    right, wrong = [], []
    for _ in range(TIMES):
        first, second = rng.random(LOGS) < p0, rng.random(LOGS) < gain
        drawn = first | second
        right.append((drawn * FAILS / p).sum())
        wrong.append((FAILS * np.where(first, 1 / p0, drawn / p)).sum())
    assert abs(np.mean(right) - TRUTH) < 4 * np.std(right) / TIMES**0.5
    assert np.mean(wrong) - TRUTH > 50 * np.std(wrong) / TIMES**0.5


def test_a_version_that_changes_in_mid_day_does_not_mix_with_the_old_weights() -> None:
    """Half of the day is decided by one version, the rest, and late facts of the first half, by another.
    Each log is weighed by what it was decided with: a thousand days are right on average."""
    old, new = composed(60), composed(300, parts=[PARTS[1], PARTS[2] | {"power": 2, "share": 0.7}])
    half = LOGS // 2
    changed, told = late_facts()
    told = told[told < half]
    first = old.chances("judge", LOGS_OF_A_DAY, old.fix("judge", Day(day=DAY, logs=LOGS_OF_A_DAY)))
    fixed = new.fix("judge", Day(day=DAY, logs=LOGS_OF_A_DAY.slice(0, half), over=0.5, include_open=True))
    then = new.chances("judge", changed, fixed).probability
    again = changed.take(told).append_column("occasion", pa.array(np.ones(len(told)), pa.uint32()))
    again = again.append_column("missed", pa.array(1 - first.probability[told]))
    morning, evening = first_time(LOGS_OF_A_DAY.slice(0, half)), first_time(changed.slice(half))
    rng = np.random.default_rng(33)
    totals, mixed = [], []
    for _ in range(TIMES):
        done = Decided()
        done.take(decide_at(old, "v1", morning, first.probability[:half], rng.random(half)))
        done.take(decide_at(new, "v2", evening, then[half:], rng.random(LOGS - half)))
        done.take(decide_at(new, "v2", again, then[told], rng.random(len(told))))
        totals.append(done.total())
        mixed.append(float((done.drawn * FAILS / then).sum()))
    p = np.concatenate([first.probability[:half], then[half:]])
    p[told] = np.maximum(p[told], then[told])
    assert 1 - done.missed == pytest.approx(p)
    check_totals(np.array(totals), float(((1 - p) / p * FAILS).sum()))
    # Had the new version's weights been given to the old version's sample, days would be far off.
    assert abs(np.mean(mixed) - TRUTH) > 20 * np.std(mixed) / TIMES**0.5
