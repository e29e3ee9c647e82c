from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

from assay.stats.prediction import Slope, regression_mean, shrunken_slope
from assay.stats.weighted import weighted_mean

Floats = NDArray[np.float64]


def draw(seed: int, size: int = 4_000, share: float = 0.1) -> tuple[Floats, Floats, Floats]:
    """Truth, a graded judge that follows it, and the truth where a label was drawn."""
    rng = np.random.default_rng(seed)
    y = (rng.random(size) < 0.3).astype(float)
    h = np.clip(0.25 + 0.5 * y + 0.2 * rng.normal(size=size), 0.0, 1.0)
    return y, h, np.where(rng.random(size) < share, y, np.nan)


def test_uniform_census_of_judgements_is_ppi_plus_plus() -> None:
    """The reference implementation of arXiv:2311.01453, at the slope that we use before shrinking."""
    _, h, seen = draw(1)
    known = ~np.isnan(seen)
    lam = shrunken_slope(seen[known], h[known], np.ones(known.sum())).lam
    for slope in (0.0, 1.0, lam):
        ours = regression_mean(
            seen, h, np.ones(4_000), np.full(4_000, 0.1), population=4_000, slope=Slope(slope, 0.5)
        )
        theirs = ppi_mean_pointestimate(seen[known], h[known], h, lam=slope)
        assert ours.interval.value == pytest.approx(float(np.squeeze(theirs)), abs=1e-12)


def test_the_slope_is_the_power_tuned_one_up_to_shrinkage() -> None:
    """PPI++ tunes lambda for n labels beside N others, cov / (var (1 + n/N)); ours has N of them known."""
    _, h, seen = draw(2)
    known = ~np.isnan(seen)
    n = int(known.sum())
    slope = shrunken_slope(seen[known], h[known], np.ones(n))
    plain = slope.lam / (1.0 - 1.0 / (n * slope.r2))
    assert plain == pytest.approx(np.cov(seen[known], h[known])[0, 1] / np.var(h[known], ddof=1))
    ours = regression_mean(seen, h, np.ones(4_000), np.full(4_000, 0.1), population=4_000)
    low, high = (float(np.squeeze(end)) for end in ppi_mean_ci(seen[known], h[known], h, alpha=0.05))
    # theirs is Wald for an infinite population, ours WilsonT for the finite one
    assert (ours.interval.high - ours.interval.low) / (high - low) == pytest.approx(0.96, abs=0.08)
    assert ours.interval.value == pytest.approx((low + high) / 2, abs=0.003)


def test_shrinkage_drops_a_judge_that_says_nothing() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 400).astype(float)
    assert shrunken_slope(y, rng.permutation(y), np.ones(400)).lam < 0.1
    assert shrunken_slope(y, 1.0 - y, np.ones(400)).lam == 0.0
    assert shrunken_slope(y, np.full(400, 0.7), np.ones(400)) == Slope(0.0, 0.0)
    assert shrunken_slope(np.ones(400), y, np.ones(400)) == Slope(0.0, 0.0)


def test_without_a_judge_it_is_the_weighted_mean_of_the_labels() -> None:
    rng = np.random.default_rng(4)
    y, p = rng.integers(0, 2, 300).astype(float), rng.choice([0.1, 0.6], 300)
    fit = regression_mean(y, None, p, np.ones(300), population=900)
    plain = weighted_mean(y, p, population=900)
    assert fit.interval.value == pytest.approx(plain.value)
    assert fit.interval.low == pytest.approx(plain.low, abs=0.002)
    assert fit.slope.lam == 0.0


def test_labels_on_everything_leave_no_doubt() -> None:
    y, h, _ = draw(5, size=200)
    fit = regression_mean(y, h, np.ones(200), np.ones(200), population=200)
    assert (fit.interval.low, fit.interval.high) == (fit.interval.value, fit.interval.value)
    assert fit.interval.value == pytest.approx(y.mean())


@pytest.mark.parametrize("cheap", [False, True])
def test_three_phases_are_unbiased_with_the_right_variance(cheap: bool) -> None:
    """Unequal probabilities in both phases, a biased judge, with and without a cheap prediction for all."""
    rng = np.random.default_rng(6)
    y, h, _ = draw(6, size=3_000)
    h = np.clip(h + 0.15, 0.0, 1.0)
    g = np.clip(0.4 + 0.2 * y + 0.2 * rng.normal(size=3_000), 0.0, 1.0)
    p1 = rng.choice([0.3, 0.9], 3_000)
    p2 = np.where(h > 0.5, 0.5, 0.2)
    values, variances = [], []
    for _ in range(300):
        first = rng.random(3_000) < p1
        seen = np.where(rng.random(3_000) < p2, y, np.nan)[first]
        fit = regression_mean(
            seen,
            h[first],
            p1[first],
            p2[first],
            population=3_000,
            cheap=g[first] if cheap else None,
            cheap_mean=float(g.mean()) if cheap else None,
        )
        values.append(fit.interval.value)
        variances.append(fit.interval.variance)
        assert 0.0 < fit.judged_variance < fit.interval.variance
    assert abs(np.mean(values) - y.mean()) < 0.003
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.3)


def test_a_missing_judgement_is_imputed_and_costs_no_bias() -> None:
    rng = np.random.default_rng(7)
    y, h, _ = draw(7, size=3_000)
    h = np.where((y == 0.0) & (rng.random(3_000) < 0.4), np.nan, h)
    values = []
    for _ in range(200):
        seen = np.where(rng.random(3_000) < 0.1, y, np.nan)
        fit = regression_mean(seen, h, np.ones(3_000), np.full(3_000, 0.1), population=3_000)
        values.append(fit.interval.value)
    assert abs(np.mean(values) - y.mean()) < 0.004


def test_too_few_labels_and_half_given_cheap_predictions_are_refused() -> None:
    seen, one = np.array([1.0, np.nan, 0.0]), np.ones(3)
    with pytest.raises(ValueError, match="at least 3 labels"):
        regression_mean(seen, None, one, one, population=3)
    with pytest.raises(ValueError, match="without cheap_mean"):
        regression_mean(one, None, one, one, population=3, cheap=one)
    with pytest.raises(ValueError, match="without cheap"):
        regression_mean(one, None, one, one, population=3, cheap_mean=0.5)


def test_probabilities_of_unlabelled_rows_are_not_read() -> None:
    y, h, seen = draw(8, size=500)
    p2 = np.where(np.isnan(seen), np.nan, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = regression_mean(seen, h, np.ones(500), p2, population=500)
    assert fit.interval.low <= y.mean() <= fit.interval.high
