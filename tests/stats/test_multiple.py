from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from assay.stats.multiple import benjamini_hochberg, p_value_higher


def test_benjamini_hochberg_agrees_with_scipy_and_statsmodels() -> None:
    p = np.random.default_rng(1).random(200) ** 3
    found = benjamini_hochberg(p, rate=0.1)
    np.testing.assert_allclose(found.adjusted, false_discovery_control(p))
    rejected = multipletests(p, alpha=0.1, method="fdr_bh")[0]
    np.testing.assert_array_equal(found.rejected, rejected)


def test_what_was_not_tested_does_not_count() -> None:
    found = benjamini_hochberg(np.array([np.nan, 0.06, np.nan]))
    assert found.rejected.tolist() == [False, True, False]
    assert benjamini_hochberg(np.array([np.nan])).rejected.tolist() == [False]
    assert benjamini_hochberg(np.empty(0)).rejected.size == 0


def test_the_comparison_is_the_g_test_and_close_to_z_for_large_counts() -> None:
    ours = float(p_value_higher(*(np.array([each]) for each in (0.2, 200.0, 90 / 800, 800.0)))[0])
    table = [[40, 160], [90, 710]]
    g_test = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert ours == pytest.approx(g_test.pvalue / 2)
    z, p = proportions_ztest([40, 90], [200, 800], alternative="larger")
    assert z > 0
    assert 0.3 < ours / float(p) < 3.0


def test_equal_or_lower_rates_and_empty_sides_are_no_discovery() -> None:
    p = p_value_higher(
        np.array([0.1, 0.0, np.nan, 0.1]),
        np.array([50.0, 20.0, 0.0, 50.0]),
        np.array([0.3, 0.0, 0.1, np.nan]),
        np.array([50.0, 90.0, 50.0, 0.0]),
    )
    assert p[0] > 0.9
    assert p[1:].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("inside", [12, 40, 300])
@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3])
def test_equal_rates_are_as_seldom_called_different_as_promised(inside: int, rate: float) -> None:
    """20,000 pairs with one rate: the error at 5 %, and in the tail where many comparisons decide."""
    rng = np.random.default_rng(inside)
    a, b = rng.binomial(inside, rate, 20_000) / inside, rng.binomial(900, rate, 20_000) / 900
    p = p_value_higher(a, np.full(20_000, float(inside)), b, np.full(20_000, 900.0))
    assert 0.02 <= np.mean(p <= 0.05) <= 0.055
    assert np.mean(p <= 0.001) <= 0.002
