from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binomtest
from statsmodels.stats.proportion import proportion_confint

from assay.stats.small import clopper_pearson, exact_mean, jeffreys, poststrata, poststratified_mean


@pytest.mark.parametrize("failures", [0, 1, 7, 20])
def test_jeffreys_agrees_with_statsmodels_inside_and_closes_the_ends(failures: int) -> None:
    low, high = proportion_confint(failures, 20, method="jeffreys")
    bounds = jeffreys(np.array([float(failures)]), np.array([20.0]))
    assert bounds.low[0] == (0.0 if failures == 0 else pytest.approx(low))
    assert bounds.high[0] == (1.0 if failures == 20 else pytest.approx(high))


@pytest.mark.parametrize("failures", [0, 1, 7, 20])
def test_clopper_pearson_agrees_with_scipy_and_statsmodels(failures: int) -> None:
    low, high = clopper_pearson(failures, 20, level=0.9)
    theirs = binomtest(failures, 20).proportion_ci(0.9, method="exact")
    assert [low, high] == pytest.approx([theirs.low, theirs.high])
    assert (low, high) == pytest.approx(proportion_confint(failures, 20, alpha=0.1, method="beta"))


def test_no_failure_of_thirty_is_the_rule_of_three() -> None:
    assert clopper_pearson(0, 30, level=0.90)[1] == pytest.approx(3 / 30, rel=0.06)


def test_exact_mean_uses_effective_counts_and_knows_a_finite_population() -> None:
    y = np.array([1.0] * 3 + [0.0] * 17)
    far = exact_mean(y, np.full(20, 1e-9), population=1e12)
    assert far.low == pytest.approx(float(beta.ppf(0.025, 3, 18)))
    half = exact_mean(y, np.full(20, 0.5), population=40)
    assert half.high - half.value == pytest.approx((far.high - far.value) * 0.5**0.5)
    census = exact_mean(y, np.ones(20), population=20)
    assert (census.low, census.high) == (0.15, 0.15)
    uneven = exact_mean(y, np.tile([1e-3, 1e-4], 10), population=1e5)
    assert uneven.high - uneven.low > far.high - far.low


def test_two_verdicts_by_hand() -> None:
    """40 passed logs with 10 labels (1 failure), 10 flagged ones with 5 labels (4 failures)."""
    verdict = np.repeat([0, 1], [4_000, 1_000])
    y = np.full(5_000, np.nan)
    y[:10], y[0] = 0.0, 1.0
    y[4_000:4_005], y[4_000] = 1.0, 0.0
    p2 = np.repeat([10 / 4_000, 5 / 1_000], [4_000, 1_000])
    found = poststratified_mean(y, verdict, np.ones(5_000), p2, population=5_000).interval
    assert found.value == pytest.approx(0.8 * 0.1 + 0.2 * 0.8)
    l0, u0 = (float(beta.ppf(q, 1.5, 9.5)) for q in (0.025, 0.975))
    l1, u1 = (float(beta.ppf(q, 4.5, 1.5)) for q in (0.025, 0.975))
    down = np.sqrt((0.8 * (0.1 - l0)) ** 2 * (1 - 10 / 4_000) + (0.2 * (0.8 - l1)) ** 2 * (1 - 5 / 1_000))
    up = np.sqrt((0.8 * (u0 - 0.1)) ** 2 * (1 - 10 / 4_000) + (0.2 * (u1 - 0.8)) ** 2 * (1 - 5 / 1_000))
    assert found.low == pytest.approx(found.value - down)
    assert found.high == pytest.approx(found.value + up)


def test_shares_from_a_judged_sample_add_their_own_doubt() -> None:
    verdict = np.repeat([0, 1], [80, 20])
    y = np.full(100, np.nan)
    y[:20], y[80:90] = 0.0, 1.0
    p2 = np.repeat([0.25, 0.5], [80, 20])
    known = poststratified_mean(y, verdict, np.ones(100), p2, population=100)
    sampled = poststratified_mean(y, verdict, np.full(100, 0.1), p2, population=1_000)
    assert known.judged_variance == 0.0
    assert sampled.judged_variance == pytest.approx(0.2 * 0.8 / 100 * 0.9)
    assert sampled.interval.high - sampled.interval.low > known.interval.high - known.interval.low


def test_a_stratum_without_labels_is_wide_and_not_an_error() -> None:
    verdict = np.repeat([0, 1], [90, 10])
    y = np.full(100, np.nan)
    y[:30] = 0.0
    found = poststratified_mean(y, verdict, np.ones(100), np.full(100, 1 / 3), population=100).interval
    assert found.value == pytest.approx(0.05)
    assert found.high >= 0.10
    assert found.low <= 0.001


def test_rows_that_nobody_judged_or_labelled_do_not_pull_the_value_to_the_middle() -> None:
    """Nothing is known of them, so they are like the others, and may be anything."""
    stratum = np.repeat([0, 2], [90, 10])
    y = np.full(100, np.nan)
    y[:30] = 0.0
    judged = stratum == 0
    found = poststratified_mean(
        y, stratum, np.ones(100), np.full(100, 1 / 3), population=100, judged=judged
    ).interval
    assert found.value == 0.0
    assert found.high >= 0.10


def test_the_doubt_in_shares_is_that_of_the_rows_with_large_weights() -> None:
    """Two groups of equal share: one judged whole, all good; of the other one in fifty, half of them bad.
    Only the second is a sample, and its rows lie farther from the mean than all rows together."""
    p1 = np.repeat([1.0, 0.02], [1_000, 20])
    y = np.concatenate([np.zeros(1_000), np.tile([0.0, 1.0], 10)])
    found = poststratified_mean(y, (y + 2 * (p1 < 1)).astype(np.intp), p1, np.ones(1_020), population=2_000)
    by_hand = 0.98 * 50.0**2 * (10 * 0.25**2 + 10 * 0.75**2) / 2_000**2
    assert found.interval.value == pytest.approx(0.25)
    assert found.judged_variance == pytest.approx(by_hand)
    assert by_hand > 1.5 * (0.25 * 0.75 * 0.98 * 50.0**2 * 20 / 2_000**2)


def test_labels_that_all_agree_are_not_certain() -> None:
    """A zero-width interval from 20 equal labels is the classical mistake."""
    y = np.concatenate([np.zeros(20), np.full(980, np.nan)])
    verdict = np.zeros(1_000, dtype=np.intp)
    found = poststratified_mean(y, verdict, np.ones(1_000), np.full(1_000, 0.02), population=1_000).interval
    assert found.high > 0.1


def test_labels_on_everything_leave_no_doubt() -> None:
    y = np.tile([0.0, 1.0], 20)
    found = poststratified_mean(y, np.tile([0, 1], 20), np.ones(40), np.ones(40), population=40).interval
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)
    assert found.n_effective == 40


def test_no_labels_at_all_are_refused() -> None:
    nothing = np.full(3, np.nan)
    with pytest.raises(ValueError, match="no labels"):
        poststratified_mean(nothing, np.zeros(3, dtype=np.intp), np.ones(3), np.ones(3), population=3)
    with pytest.raises(ValueError, match="no labels"):
        exact_mean(np.empty(0), np.empty(0), population=3)


def test_a_rare_verdict_of_thinly_drawn_logs_is_not_taken_to_be_like_that_of_certain_ones() -> None:
    """The judge is right about the 80 that were drawn for certain, and wrong about the few of the rest."""
    judge = np.concatenate([np.ones(80), np.ones(4), np.zeros(100)])
    design = np.concatenate([np.zeros(80), np.ones(104)]).astype(np.intp)
    truth = np.concatenate([np.ones(80), np.full(4, np.nan), np.zeros(100)])
    p1 = np.concatenate([np.ones(80), np.full(104, 0.01)])
    codes = poststrata(judge, ~np.isnan(truth), design)
    found = poststratified_mean(truth, codes, p1, np.ones(184), population=10_480)
    true = 80 / 10_480
    assert found.interval.low <= true <= found.interval.high
    assert found.interval.value == pytest.approx(true, abs=1e-4)


def test_poststrata_split_a_verdict_by_design_only_where_labels_allow() -> None:
    judge = np.repeat([0.0, 1.0], 100)
    design = np.tile(np.repeat([0, 1], 50), 2).astype(np.intp)
    labelled = np.zeros(200, dtype=bool)
    labelled[:10] = labelled[50:70] = True
    labelled[100:103] = labelled[150:170] = True
    codes = poststrata(judge, labelled, design)
    assert len(set(codes[:100])) == 2
    # three labels are too few by themselves: they join those of the other verdict, drawn as they were
    assert set(codes[100:150]) == set(codes[:50])
    assert not set(codes[150:]) & set(codes[:150])
    labelled[:10] = False
    whole = poststrata(judge, labelled, design)
    assert len(set(whole[100:])) == 1
    assert not set(whole[:100]) & set(whole[100:])
    assert len(set(poststrata(np.where(np.arange(200) < 5, np.nan, judge), labelled))) == 3
