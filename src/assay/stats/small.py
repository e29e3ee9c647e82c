"""Intervals for few labels, where no variance can be estimated yet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.stats.weighted import checked_probability
from assay.stats.wilson import CodeArray, FlagArray, FloatArray, Interval, effective_size

EMPTY_VALUE = 0.5
"""The rate of a verdict without labels: the middle of its interval [0, 1]. Nothing tells whether the judge is
right about a verdict that nobody has looked at, so neither its word nor the others' rate is taken."""


class Binomial(NamedTuple):
    """Lower and upper bounds, arrays of one shape."""

    low: FloatArray
    high: FloatArray


def jeffreys(failures: FloatArray, n: FloatArray, *, level: float = 0.95) -> Binomial:
    """Equal-tailed Beta(c + 1/2, n - c + 1/2), closed at the ends; [0, 1] where n = 0.

    Counts may be fractional (effective counts). Assumes independent draws. Brown, Cai and DasGupta
    (2001), who also say why c = 0 must reach 0 and c = n must reach 1.

    >>> bounds = jeffreys(np.array([0.0, 1.0]), np.array([10.0, 10.0]))
    >>> [round(float(each), 3) for each in bounds.high]
    [0.217, 0.381]
    """
    from scipy.special import betaincinv

    c, size = np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    low = np.where(c <= 0.0, 0.0, betaincinv(c + 0.5, size - c + 0.5, tail))
    high = np.where(c >= size, 1.0, betaincinv(c + 0.5, size - c + 0.5, 1.0 - tail))
    return Binomial(low, high)


def clopper_pearson(failures: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval: never less than its level, whatever the rate.

    Beta(c, n-c+1) and Beta(c+1, n-c); 0 of n gives [0, about 3.7/n] at 95 % (one-sided: the rule of
    three). Assumes independent draws. Clopper and Pearson (1934).

    >>> [round(each, 3) for each in clopper_pearson(0, 20)]
    [0.0, 0.168]
    """
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2.0
    low = 0.0 if failures <= 0.0 else float(betaincinv(failures, n - failures + 1.0, tail))
    high = 1.0 if failures >= n else float(betaincinv(failures + 1.0, n - failures, 1.0 - tail))
    return low, high


def exact_mean(
    truth: FloatArray, probability: FloatArray, *, population: float, level: float = 0.95
) -> Interval:
    """A rate from few labels and nothing else: Clopper-Pearson on effective counts.

    Weighted mean m, Kish n = (sum w)^2 / sum w^2, bounds at c = n m; both distances shrink by
    sqrt(sum w^2 (1-p) / sum w^2), the finite population. Assumes values in [0, 1] (between 0 and 1 it is
    conservative) and weights unrelated to the truth inside the sample. Kish (1965), Korn and Graubard (1998).

    >>> rate = exact_mean(np.array([1.0] * 2 + [0.0] * 18), np.full(20, 1e-6), population=20_000_000)
    >>> [round(each, 3) for each in (rate.value, rate.low, rate.high)]
    [0.1, 0.012, 0.317]
    """
    y = np.asarray(truth, dtype=np.float64)
    p = checked_probability(probability)
    if y.size == 0:
        raise ValueError("an interval of no labels has no value: ask for their number first")
    w = 1.0 / p
    value = min(max(float(np.sum(w * y) / np.sum(w)), 0.0), 1.0)
    squares = float(np.sum(w**2))
    n = float(np.sum(w)) ** 2 / squares
    low, high = clopper_pearson(n * value, n, level=level)
    shrink = float(np.sqrt(np.sum(w**2 * (1.0 - p)) / squares))
    low, high = value - shrink * (value - low), value + shrink * (high - value)
    return _interval(value, low, high, population, level)


class Poststratified(NamedTuple):
    """The estimate, and the part of its variance that more labels can't reduce."""

    interval: Interval
    judged_variance: float


class _Strata(NamedTuple):
    share: FloatArray
    value: FloatArray
    n: FloatArray
    finite: FloatArray


def poststratified_mean(
    truth: FloatArray,
    stratum: CodeArray,
    p1: FloatArray,
    p2: FloatArray,
    *,
    population: float,
    judged: FlagArray | None = None,
    level: float = 0.95,
) -> Poststratified:
    """MOVER-Jeffreys: labels post-stratified by the judge's verdict; one entry per row of phase 1.

    theta = sum W p;  theta - sqrt(sum (W(p-l))^2 f + z^2 V), theta + sqrt(sum (W(u-p))^2 f + z^2 V), Jeffreys
    [l, u] per stratum; V = sum_i (1-p1) w^2 (p_i-theta)^2 / (sum w)^2, w = 1/p1, is the doubt in shares W
    that come from a sample. `truth` is NaN where no label is. Unequal probabilities: W and p are weighted,
    n is Kish's, f the weighted finite population factor. A stratum without labels is [0, 1], its p the mean
    of the others if it isn't `judged`. Assumes Poisson sampling, and weights unrelated to the truth inside a
    stratum. Zou and Donner (2008); Newcombe (1998).

    >>> y = np.tile([1.0, np.nan, 0.0, np.nan], 10)
    >>> verdict = np.tile([1, 1, 0, 0], 10)
    >>> rate = poststratified_mean(y, verdict, np.ones(40), np.full(40, 0.5), population=40).interval
    >>> [round(each, 2) for each in (rate.value, rate.low, rate.high)]
    [0.5, 0.42, 0.58]
    """
    from scipy.special import ndtri

    first = checked_probability(p1)
    w1 = 1.0 / first
    codes = np.unique(stratum, return_inverse=True)[1]
    strata = _strata(truth, codes, first, p2, np.ones(truth.size, dtype=bool) if judged is None else judged)
    theta = float(np.sum(strata.share * strata.value))
    low, high = jeffreys(strata.n * strata.value, strata.n, level=level)
    low, high = np.where(strata.n > 0.0, low, 0.0), np.where(strata.n > 0.0, high, 1.0)
    off = strata.value[codes] - theta
    between = float(np.sum(w1**2 * (1.0 - first) * off**2)) / float(np.sum(w1)) ** 2
    doubt = float(ndtri(0.5 + level / 2.0)) ** 2 * between
    down = np.sqrt(np.sum((strata.share * (strata.value - low)) ** 2 * strata.finite) + doubt)
    up = np.sqrt(np.sum((strata.share * (high - strata.value)) ** 2 * strata.finite) + doubt)
    return Poststratified(
        _interval(theta, theta - float(down), theta + float(up), population, level), between
    )


def _strata(
    truth: FloatArray, codes: CodeArray, p1: FloatArray, p2: FloatArray, judged: FlagArray
) -> _Strata:
    known = ~np.isnan(truth)
    if not known.any():
        raise ValueError("an interval of no labels has no value: ask for their number first")
    k = int(codes.max()) + 1
    share = np.bincount(codes, weights=1.0 / p1, minlength=k)
    tau = p1[known] * checked_probability(p2[known])
    w, y, where = 1.0 / tau, truth[known], codes[known]
    total = np.bincount(where, weights=w, minlength=k)
    squares = np.bincount(where, weights=w**2, minlength=k)
    sampled = np.bincount(where, weights=w**2 * (1.0 - tau), minlength=k)
    some = total > 0.0
    value = np.divide(
        np.bincount(where, weights=w * y, minlength=k), total, out=np.full(k, EMPTY_VALUE), where=some
    )
    silent = ~some & (np.bincount(codes, weights=judged, minlength=k) == 0.0)
    value[silent] = np.sum((share * value)[some]) / np.sum(share[some])
    n = np.divide(total**2, squares, out=np.zeros(k), where=some)
    finite = np.divide(sampled, squares, out=np.ones(k), where=some)
    return _Strata(share / np.sum(share), np.clip(value, 0.0, 1.0), n, finite)


def _interval(value: float, low: float, high: float, population: float, level: float) -> Interval:
    """With the variance of the interval's width, for planning and the effective size."""
    from scipy.special import ndtri

    low, high = max(0.0, min(low, value)), min(1.0, max(high, value))
    z = float(ndtri(0.5 + level / 2.0))
    variance = ((high - low) / (2.0 * z)) ** 2
    inside = min(max(value, low + (high - low) / 4.0), high - (high - low) / 4.0)
    size = effective_size(inside * (1.0 - inside), variance, population)
    return Interval(value, low, high, variance, size, size)


CELL_MINIMUM = 10
"""Labels that a verdict's own design stratum needs before it is a post-stratum by itself."""


def poststrata(judge: FloatArray, labelled: FlagArray, design: CodeArray | None = None) -> CodeArray:
    """The post-stratum of each row: the judge's verdict (from 0.5 on; or none), by design stratum.

    Rows of one verdict and one design stratum were drawn for one reason, so that weights vary less inside.
    Where a part draws by risk they still vary, and with few labels the value of a cell, a ratio, is drawn
    towards the rows that were likely to be drawn: a bias of the order of 1 / Kish's n, that the interval, by
    the same n, covers. A cell with fewer than ten labels joins the other small cells of its verdict. Where
    these together have fewer than five it joins the other verdict in its design stratum, where probabilities
    are alike and the verdict may be wrong; if that is small too, the whole verdict is one stratum. Cochran
    (1977), 5A.9.

    >>> poststrata(np.array([0.0, 1.0, np.nan, 0.7]), np.ones(4, dtype=bool))
    array([0, 1, 2, 1])
    """
    verdict = np.where(np.isnan(judge), 2, np.where(judge >= 0.5, 1, 0)).astype(np.intp)
    if design is None or design.size == 0 or int(design.max()) == 0:
        return verdict
    cells = int(design.max()) + 2
    own = verdict * cells + 1 + design
    labels = np.bincount(own[labelled], minlength=3 * cells)
    merged = np.where(labels[own] >= CELL_MINIMUM, own, verdict * cells)
    rest = np.bincount(merged[labelled], minlength=3 * cells)[verdict * cells]
    few = rest < CELL_MINIMUM // 2
    beside = (labels.reshape(3, cells).argmax(axis=0) * cells + np.arange(cells))[1 + design]
    alone = few & (merged == verdict * cells)
    merged = np.where(alone & (labels[beside] >= CELL_MINIMUM), beside, merged)
    leftover = np.bincount(merged, minlength=3 * cells)[verdict * cells] > 0
    return np.where(leftover & few, verdict * cells, merged).astype(np.intp)
