"""A few true labels, corrected by many predictions: the three-phase regression estimator.

Phase 0: a cheap prediction g for every row of the population (optional). Phase 1: the prediction h
(a judge) for rows drawn with probability p1. Phase 2: the truth Y for rows drawn, out of those, with
probability p2. Unbiased in large samples for any g and h, however wrong: a bad prediction costs width,
never truth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.stats.weighted import checked_probability
from assay.stats.wilson import FloatArray, Interval, carriers_of, effective_size, wilson_t


class Slope(NamedTuple):
    """How far the labels follow the prediction: the slope used, and the squared correlation."""

    lam: float
    r2: float


class Regression(NamedTuple):
    """The estimate, the slope behind it and the part of the variance that more labels can't reduce."""

    interval: Interval
    slope: Slope
    judged_variance: float


def shrunken_slope(truth: FloatArray, prediction: FloatArray, weight: FloatArray) -> Slope:
    """The weighted least-squares slope, clipped to [0, 1.5] and shrunk towards 0.

    lam = clip(sxy / sxx, 0, 1.5) max(0, 1 - 1/(n r2)), r2 = sxy^2 / (sxx syy). The factor is the
    positive part of James and Stein's (1961): a prediction that the labels do not follow is dropped.
    lam is 0 where either side does not vary.

    >>> y = np.tile([0.0, 1.0], 50)
    >>> shrunken_slope(y, y, np.ones(100))
    Slope(lam=0.99, r2=1.0)
    """
    total = float(np.sum(weight))
    dy = truth - float(np.sum(weight * truth)) / total
    df = prediction - float(np.sum(weight * prediction)) / total
    sxy, sxx, syy = (float(np.sum(weight * each)) for each in (dy * df, df * df, dy * dy))
    if min(sxx, syy) <= 1e-12 * total:
        return Slope(0.0, 0.0)
    r2 = min(sxy * sxy / (sxx * syy), 1.0)
    if r2 <= 0.0:
        return Slope(0.0, 0.0)
    return Slope(min(max(sxy / sxx, 0.0), 1.5) * max(0.0, 1.0 - 1.0 / (truth.size * r2)), r2)


def regression_mean(
    truth: FloatArray,
    judge: FloatArray | None,
    p1: FloatArray,
    p2: FloatArray,
    *,
    population: float,
    cheap: FloatArray | None = None,
    cheap_mean: float | None = None,
    level: float = 0.95,
    slope: Slope | None = None,
) -> Regression:
    """Three-phase GREG with the `WilsonT` interval; one entry per row of phase 1.

    theta = yb + lam (f_U - fb),  f_U = g_U + sum((h - g)/p1) / N, means weighted by 1/(p1 p2);
    Vd = n/(n-2) sum(w [(1/p1-1)(e + lam(h-g-f_U+g_U))^2 + (1/p1)(1/p2-1) e^2]) / (sum w)^2, w = 1/(p1 p2).
    `truth` is NaN where phase 2 did not reach (`p2` is not read there); a NaN `judge` is imputed by the
    weighted mean of the rest; without `cheap`, g is that constant. Assumes Poisson sampling in both phases.
    Särndal, Swensson, Wretman (1992), 9.6; Angelopoulos et al. (2023), arXiv:2311.01453.

    >>> y, h = np.tile([1.0, np.nan, 0.0, np.nan], 50), np.tile([1.0, 1.0, 0.0, 0.0], 50)
    >>> fit = regression_mean(y, h, np.ones(200), np.full(200, 0.5), population=200)
    >>> round(fit.interval.value, 3), round(fit.slope.lam, 2)
    (0.5, 0.99)
    """
    known = ~np.isnan(truth)
    n = int(np.count_nonzero(known))
    if n < 3:
        raise ValueError(f"a regression needs at least 3 labels, got {n}")
    first = checked_probability(p1)
    f_all, g_all, f_population, g_population = _predictions(judge, cheap, cheap_mean, first, population)
    y, f, gap = truth[known], f_all[known], (f_all - g_all)[known]
    a, b = first[known], checked_probability(p2[known])
    w = 1.0 / (a * b)
    total = float(np.sum(w))
    used = shrunken_slope(y, f, w) if slope is None else slope
    lam = used.lam
    mean_y, mean_f = float(np.sum(w * y)) / total, float(np.sum(w * f)) / total
    theta = mean_y + lam * (f_population - mean_f)

    e = y - theta - lam * (f - f_population)
    phase1 = w * (1.0 / a - 1.0) * (e + lam * (gap - (f_population - g_population))) ** 2
    contributions = phase1 + w / a * (1.0 / b - 1.0) * e**2
    design = n / (n - 2.0) * float(np.sum(contributions)) / total**2

    edge = min(0.2 / n, 0.5)
    q = np.clip(theta + lam * (f - f_population), edge, 1.0 - edge)
    spread = q * (1.0 - q)
    model = w * ((1.0 / a) * (1.0 / b - 1.0) * spread + (1.0 / a - 1.0) * (spread + lam**2 * gap**2))
    bounds = wilson_t(
        theta, design, float(np.sum(model)) / total**2, carriers_of(contributions), float(n), level=level
    )
    value = min(max(theta, 0.0), 1.0)
    spread_y = float(np.sum(w * (y - mean_y) ** 2)) / total
    edge = min(0.3 / n, 0.5)
    shape = spread_y or (p := min(max(value, edge), 1.0 - edge)) * (1.0 - p)
    variance = float(bounds.variance)
    size = effective_size(shape, variance, max(float(population), float(n)))
    interval = Interval(value, float(bounds.low), float(bounds.high), variance, size, float(bounds.df))
    return Regression(interval, used, float(np.sum(phase1)) / total**2)


class _Predictions(NamedTuple):
    judge: FloatArray
    cheap: FloatArray
    judge_mean: float
    cheap_mean: float


def _predictions(
    judge: FloatArray | None,
    cheap: FloatArray | None,
    cheap_mean: float | None,
    p1: FloatArray,
    population: float,
) -> _Predictions:
    """h and g for every row of phase 1, and their means over the population."""
    w1 = 1.0 / p1
    if cheap is None and cheap_mean is not None:
        raise ValueError("cheap_mean without cheap: give the cheap prediction of the rows of phase 1 too")
    if judge is None:
        h = np.zeros_like(p1) if cheap is None else np.asarray(cheap, dtype=np.float64)
    else:
        h = np.asarray(judge, dtype=np.float64)
        seen = ~np.isnan(h)
        filler = float(np.sum(w1[seen] * h[seen]) / np.sum(w1[seen])) if seen.any() else 0.0
        h = np.where(seen, h, filler)
    if cheap is None:
        constant = float(np.sum(w1 * h) / np.sum(w1))
        return _Predictions(h, np.full_like(h, constant), constant, constant)
    if cheap_mean is None:
        raise ValueError("cheap without cheap_mean: give its mean over the whole population")
    g = np.asarray(cheap, dtype=np.float64)
    return _Predictions(h, g, cheap_mean + float(np.sum(w1 * (h - g))) / population, cheap_mean)
