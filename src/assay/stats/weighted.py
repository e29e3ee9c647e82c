"""Means of rows that were drawn with known, unequal probabilities."""

from __future__ import annotations

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
