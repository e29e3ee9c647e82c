"""Many comparisons at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.stats.wilson import FloatArray


class Discoveries(NamedTuple):
    """Adjusted p-values, and which hypotheses fall, in the order they were given."""

    adjusted: FloatArray
    rejected: NDArray[np.bool_]


def benjamini_hochberg(p_values: FloatArray, *, rate: float = 0.1) -> Discoveries:
    """Keeps the expected share of false discoveries at `rate`; a NaN is never a discovery.

    Adjusted p of the i-th smallest of m: min over j >= i of m p_j / j. Assumes independent tests or
    positive regression dependence. Benjamini and Hochberg (1995). A NaN does not count in m.

    >>> benjamini_hochberg(np.array([0.001, 0.04, 0.9, np.nan])).rejected
    array([ True,  True, False, False])
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if tested.size:
        order = tested[np.argsort(p[tested], kind="stable")]
        scaled = p[order] * tested.size / np.arange(1, tested.size + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return Discoveries(adjusted, np.nan_to_num(adjusted, nan=2.0) <= rate)


def p_value_higher(
    inside: FloatArray, n_inside: FloatArray, outside: FloatArray, n_outside: FloatArray
) -> FloatArray:
    """One-sided p-values for "the rate inside is not higher than outside"; vectorised.

    z = (a - b) / sqrt(p(1-p)(1/na + 1/nb) n/(n-1)), p pooled, n Kish's effective sizes: the score test
    with Campbell's (2007) small-sample factor, with Rao and Scott's (1981) correction for weights. Assumes
    independent rows and asks about the process behind them, not this finite population: a census with
    0.1 points of difference is no discovery. 1 where both rates are equal or a side is empty.

    >>> p_value_higher(np.array([0.4]), np.array([50.0]), np.array([0.1]), np.array([500.0])) < 1e-6
    array([ True])
    """
    from scipy.special import ndtr

    a, na, b, nb = (np.asarray(each, dtype=np.float64) for each in (inside, n_inside, outside, n_outside))
    ok = (na > 0.0) & (nb > 0.0)
    a, b, na, nb = np.where(ok, a, 0.0), np.where(ok, b, 0.0), np.where(ok, na, 1.0), np.where(ok, nb, 1.0)
    n = na + nb
    pooled = (a * na + b * nb) / n
    variance = pooled * (1.0 - pooled) * (1.0 / na + 1.0 / nb) * n / np.maximum(n - 1.0, 1.0)
    testable = ok & (variance > 0.0)
    z = np.divide(a - b, np.sqrt(variance), out=np.zeros_like(variance), where=testable)
    return np.where(testable, ndtr(-z), 1.0)
