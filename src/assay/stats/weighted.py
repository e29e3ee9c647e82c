"""Means and rates from rows that were drawn with known, unequal probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.stats.wilson import FloatArray, Interval, carriers_of, effective_size, wilson_t


def weighted_mean(
    values: FloatArray, probability: FloatArray, *, population: float, level: float = 0.95
) -> Interval:
    """The inverse-probability mean of a finite population, with its `WilsonT` interval.

    m = sum(y/p) / sum(1/p),  V = sum((1-p)/p^2 (y-m)^2) / (sum 1/p)^2. Assumes Poisson sampling (each
    row on its own) and values in [0, 1]; rows with p = 1 add no doubt, so a census has none.
    Hájek (1971); Särndal, Swensson and Wretman (1992), 5.7. Raises ValueError for no rows.

    >>> rate = weighted_mean(np.array([1.0] * 8 + [0.0] * 92), np.full(100, 0.1), population=1_000)
    >>> [round(each, 3) for each in (rate.value, rate.low, rate.high)]
    [0.08, 0.041, 0.152]
    """
    y = np.asarray(values, dtype=np.float64)
    p = checked_probability(probability)
    if y.size == 0:
        raise ValueError("a mean of no rows has no value: ask for the number of rows first")
    w = 1.0 / p
    total = float(np.sum(w))
    value = float(np.sum(w * y)) / total
    doubt = (1.0 - p) * w**2
    contributions = doubt * (y - value) ** 2
    edge = min(0.2 / y.size, 0.5)
    q = min(max(value, edge), 1.0 - edge)
    small = y.size / max(y.size - 1.0, 1.0)
    bounds = wilson_t(
        value,
        small * float(np.sum(contributions)) / total**2,
        float(np.sum(doubt)) * q * (1.0 - q) / total**2,
        carriers_of(contributions),
        float(y.size),
        level=level,
    )
    spread = float(np.sum(w * (y - value) ** 2)) / total or q * (1.0 - q)
    variance = float(bounds.variance)
    size = effective_size(spread, variance, max(float(population), float(y.size)))
    return Interval(value, float(bounds.low), float(bounds.high), variance, size, float(bounds.df))


def checked_probability(probability: FloatArray) -> FloatArray:
    """The array as float64; ValueError unless every probability lies in (0, 1].

    >>> checked_probability(np.array([0.5, 1.0]))
    array([0.5, 1. ])
    """
    p = np.asarray(probability, dtype=np.float64)
    if p.size and not (np.min(p) > 0.0 and np.max(p) <= 1.0):
        raise ValueError(
            f"inclusion probabilities must lie in (0, 1], got {np.min(p)} to {np.max(p)}: "
            "use the probability that was recorded with the decision"
        )
    return p


class Sums(NamedTuple):
    """Additive sums over groups of rows with y in {0, 1} and probability p; w = 1/p.

    Whatever is asked of a group, or of all rows outside it, follows from these by adding and
    subtracting, so that a million rows in a thousand groups are read once.
    """

    rows: FloatArray
    weight: FloatArray
    weight_failing: FloatArray
    square: FloatArray
    doubt: FloatArray
    doubt_failing: FloatArray
    doubt_square: FloatArray
    doubt_square_failing: FloatArray


def row_sums(failing: FloatArray, probability: FloatArray) -> Sums:
    """The summands of `Sums`, row by row, to be added up by group.

    1, w, wy, w^2, k = (1-p)w^2, ky, k^2, k^2 y. Assumes y in {0, 1}.

    >>> float(row_sums(np.array([1.0]), np.array([0.5])).doubt[0])
    2.0
    """
    y = np.asarray(failing, dtype=np.float64)
    p = checked_probability(probability)
    w = 1.0 / p
    k = (1.0 - p) * w**2
    return Sums(np.ones_like(w), w, w * y, w**2, k, k * y, k**2, k**2 * y)


class Rates(NamedTuple):
    """Arrays, one entry a group; NaN where a group has no rows. `n_kish` ignores that it is finite."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    n_kish: FloatArray


def rates_of_groups(sums: Sums, *, level: float = 0.95) -> Rates:
    """`weighted_mean` of many groups at once, for y in {0, 1}.

    From k(y-m)^2 = ky(1-2m) + km^2 and its square. Assumes and cites what `weighted_mean` does.

    >>> one = Sums(*(np.array([each.sum()]) for each in row_sums(np.ones(5), np.full(5, 0.5))))
    >>> float(rates_of_groups(one).value[0])
    1.0
    """
    n, total = sums.rows, np.where(sums.rows > 0.0, sums.weight, np.nan)
    value = sums.weight_failing / total
    carried = sums.doubt_failing * (1.0 - 2.0 * value) + sums.doubt * value**2
    # (y-m)^4 is m^4 for y = 0 and (1-m)^4 for y = 1
    squares = sums.doubt_square * value**4 + sums.doubt_square_failing * ((1.0 - value) ** 4 - value**4)
    carried, squares = np.maximum(carried, 0.0), np.maximum(squares, 0.0)
    carriers = np.divide(carried**2, squares, out=np.zeros_like(carried), where=squares > 0.0)
    edge = np.minimum(0.2 / np.maximum(n, 1.0), 0.5)
    q = np.clip(value, edge, 1.0 - edge)
    small = n / np.maximum(n - 1.0, 1.0)
    bounds = wilson_t(
        value, small * carried / total**2, sums.doubt * q * (1.0 - q) / total**2, carriers, n, level=level
    )
    n_kish = np.divide(total**2, sums.square, out=np.zeros_like(value), where=sums.square > 0.0)
    return Rates(value, bounds.low, bounds.high, n_kish)
