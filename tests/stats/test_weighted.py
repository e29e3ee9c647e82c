from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from assay.stats.groups import Sums, compare_groups, rates_of_groups, row_sums
from assay.stats.response import answered_probability, response_probability
from assay.stats.weighted import weighted_mean
from assay.stats.wilson import carriers_of, effective_size, wilson_t


def test_a_census_has_no_doubt() -> None:
    y = np.array([1.0, 0.0, 1.0, 1.0])
    rate = weighted_mean(y, np.ones(4), population=4)
    assert (rate.value, rate.low, rate.high) == (0.75, 0.75, 0.75)
    assert rate.n_effective == 4


def test_with_plenty_of_rows_and_a_tiny_fraction_it_is_wilsons_interval() -> None:
    """An independent implementation: statsmodels."""
    y = np.repeat([1.0, 0.0], [400, 3_600])
    rate = weighted_mean(y, np.full(4_000, 1e-4), population=40_000_000)
    low, high = proportion_confint(400, 4_000, method="wilson")
    assert rate.low == pytest.approx(low, abs=2e-4)
    assert rate.high == pytest.approx(high, abs=2e-4)
    assert rate.n_effective == pytest.approx(4_000, rel=0.01)


def test_no_failure_among_few_still_leaves_room_for_some() -> None:
    rate = weighted_mean(np.zeros(50), np.full(50, 0.01), population=5_000)
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert 0.02 < rate.high < 0.10


def test_the_mean_is_unbiased_and_its_variance_right_under_unequal_probabilities() -> None:
    rng = np.random.default_rng(11)
    y = (rng.random(3_000) < 0.2).astype(float)
    p = np.where(y == 1.0, 0.5, rng.choice([0.05, 0.4], 3_000))
    drawn = [np.flatnonzero(rng.random(3_000) < p) for _ in range(400)]
    rates = [weighted_mean(y[rows], p[rows], population=3_000) for rows in drawn]
    values = np.array([rate.value for rate in rates])
    assert abs(values.mean() - y.mean()) < 4 * values.std() / 20 + 0.002
    assert np.mean([rate.variance for rate in rates]) == pytest.approx(values.var(), rel=0.25)


def test_a_wrong_probability_is_refused() -> None:
    for wrong in ([0.0, 0.5], [0.5, 1.2], [0.5, np.nan]):
        with pytest.raises(ValueError, match="inclusion probabilities"):
            weighted_mean(np.zeros(2), np.array(wrong), population=10)
    with pytest.raises(ValueError, match="no rows"):
        weighted_mean(np.empty(0), np.empty(0), population=10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(0.5, 0.99))
def test_the_interval_holds_its_value_and_stays_inside(seed: int, n: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, n).astype(float), rng.uniform(0.01, 1.0, n)
    rate = weighted_mean(y, p, population=1_000, level=level)
    assert 0.0 <= rate.low <= rate.value <= rate.high <= 1.0
    wider = weighted_mean(y, p, population=1_000, level=0.995)
    assert wider.low <= rate.low + 1e-12
    assert rate.high <= wider.high + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80))
def test_rates_from_sums_are_the_rates_from_rows(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, n).astype(float), rng.choice([0.05, 0.3, 1.0], n)
    sums = Sums(*(np.array([part.sum()]) for part in row_sums(y, p)))
    many, one = rates_of_groups(sums), weighted_mean(y, p, population=1_000)
    assert many.value[0] == pytest.approx(one.value)
    assert many.low[0] == pytest.approx(one.low, abs=1e-6)
    assert many.high[0] == pytest.approx(one.high, abs=1e-6)


def test_a_group_is_compared_with_its_own_complement() -> None:
    rng = np.random.default_rng(5)
    y, p = (rng.random(500) < 0.3).astype(float), rng.choice([0.1, 0.5], 500)
    inside = rng.random(500) < 0.2
    parts = row_sums(y, p)
    found = compare_groups(
        Sums(*(np.array([part[inside].sum()]) for part in parts)),
        Sums(*(np.array([part.sum()]) for part in parts)),
    )
    rest = weighted_mean(y[~inside], p[~inside], population=500)
    assert found.outside.value[0] == pytest.approx(rest.value)
    assert found.outside.high[0] == pytest.approx(rest.high, abs=1e-6)
    assert found.rows_outside[0] == np.count_nonzero(~inside)
    weight = y / p
    assert found.share_of_failures[0] == pytest.approx(weight[inside].sum() / weight.sum())


def test_an_empty_group_has_no_rate_and_no_p_value_worth_a_look() -> None:
    nothing = Sums(*(np.zeros(1) for _ in Sums._fields))
    everything = Sums(*(np.array([part.sum()]) for part in row_sums(np.ones(20), np.ones(20))))
    found = compare_groups(nothing, everything)
    assert np.isnan(found.inside.value[0])
    assert found.p_value[0] == 1.0


def test_wilson_t_never_trusts_less_than_the_design_variance() -> None:
    trusting = wilson_t(0.1, 0.004, 0.0001, 5.0, 50.0)
    assert trusting.variance == pytest.approx(0.004)
    doubting = wilson_t(0.0, 0.0, 0.0009, 0.0, 50.0)
    assert doubting.variance == pytest.approx(0.0009)
    assert doubting.high > 0.04


def test_carriers_and_effective_size() -> None:
    assert carriers_of(np.array([4.0, 0.0])) == 1.0
    assert carriers_of(np.zeros(3)) == 0.0
    assert effective_size(0.09, 0.0, 700) == 700
    assert effective_size(0.09, 0.09 / 100 * (1 - 100 / 1_000), 1_000) == pytest.approx(100)


def test_rows_that_did_not_answer_lower_the_probability_of_those_that_did() -> None:
    cells = np.repeat([0, 1, 2], [10, 20, 3])
    answered = np.array([True] * 5 + [False] * 5 + [True] * 20 + [True, False, False])
    rates = response_probability(cells, answered)
    assert rates[0] == 0.5
    assert rates[10] == 1.0
    assert rates[-1] == pytest.approx(1 / 3)
    asked = np.arange(33) < 30
    p = answered_probability(np.full(33, 0.5), cells, asked, answered & asked)
    assert p[0] == 0.25
    assert p[-1] == 0.5
    assert response_probability(np.array([0]), np.array([False])).tolist() == [1.0]


def test_small_cells_are_pooled_with_their_neighbours_first() -> None:
    """Stratum 0: a day with 8 of 10, then ten days of one log, half of them answered. Stratum 1: whole."""
    cells = np.concatenate([np.zeros(10), np.arange(1, 11), np.full(3, 11)]).astype(np.intp)
    wider = np.repeat([0, 1], [20, 3])
    answered = np.concatenate([np.arange(10) < 8, np.arange(10) % 2 == 0, np.ones(3, dtype=bool)])
    rates = response_probability(cells, answered, wider)
    assert rates.tolist() == [0.8] * 10 + [0.5] * 10 + [1.0] * 3
