"""`WilsonT`: the score-shaped interval that every weighted rate ends in.

A Wald interval around a rare rate collapses when no failure was drawn: prediction-powered Wald
intervals cover 62 % at 50 labels where they promise 95 %. Here the design variance is never trusted
below a model variance, the quantile is Student's with the residuals that carry the variance as
degrees of freedom, and the shape is Wilson's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
FlagArray = NDArray[np.bool_]
CodeArray = NDArray[np.intp]

MODEL_DF = 10.0
"""Weight of the model variance, in residuals (nu0)."""


class Interval(NamedTuple):
    """A rate with its interval. `n_effective`: the simple random sample that would be as precise."""

    value: float
    low: float
    high: float
    variance: float
    n_effective: float
    df: float


class Bounds(NamedTuple):
    """Arrays of one shape: the interval, the variance behind it, its degrees of freedom."""

    low: FloatArray
    high: FloatArray
    variance: FloatArray
    df: FloatArray


def wilson_t(
    value: FloatArray | float,
    design_variance: FloatArray | float,
    model_variance: FloatArray | float,
    carriers: FloatArray | float,
    n: FloatArray | float,
    *,
    level: float = 0.95,
) -> Bounds:
    """Wilson's interval with a variance that has few degrees of freedom; vectorised.

    V = max(Vd, (m Vd + nu0 Vm) / (m + nu0)), t on m + nu0 - 1 df, Wilson at n = p(1-p)/V, where m
    (`carriers`) is how many residuals effectively carry Vd. Assumes values in [0, 1]. Wilson (1927);
    the shrinkage is Satterthwaite's. No variance at all (a census) gives the value itself.

    >>> bounds = wilson_t(0.10, 0.0009, 0.0009, 100.0, 100.0)
    >>> round(float(bounds.low), 3), round(float(bounds.high), 3)
    (0.055, 0.175)
    """
    from scipy.special import stdtrit

    given = (value, design_variance, model_variance, carriers, n)
    theta, vd, vm, m, size = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in given))
    theta = np.clip(theta, 0.0, 1.0)
    variance = np.maximum(vd, (m * vd + MODEL_DF * vm) / (m + MODEL_DF))
    df = m + MODEL_DF - 1.0
    t = stdtrit(df, 0.5 + level / 2.0)
    edge = np.minimum(0.3 / np.maximum(size, 1.0), 0.5)
    p = np.clip(theta, edge, 1.0 - edge)
    spread = p * (1.0 - p)
    a = t**2 * variance / spread
    centre = (p + a / 2.0) / (1.0 + a)
    half = np.sqrt(a * spread + a**2 / 4.0) / (1.0 + a)
    low = np.where(variance > 0.0, np.minimum(np.maximum(centre - half, 0.0), theta), theta)
    high = np.where(variance > 0.0, np.maximum(np.minimum(centre + half, 1.0), theta), theta)
    return Bounds(low, high, variance, df)


def carriers_of(contributions: FloatArray) -> float:
    """How many rows effectively carry a sum: (sum c)^2 / sum c^2; 0 for a sum of nothing.

    Assumes non-negative contributions. Kish (1965), applied to residuals.

    >>> carriers_of(np.array([1.0, 1.0, 1.0, 0.0]))
    3.0
    """
    squares = float(np.sum(contributions**2))
    return float(np.sum(contributions)) ** 2 / squares if squares > 0.0 else 0.0


def effective_size(spread: float, variance: float, population: float) -> float:
    """The simple random sample, drawn without replacement, with this variance of its mean.

    n = s2 / (V + s2/N): V = 0 is the whole population. Cochran (1977), 2.6.

    >>> round(effective_size(0.09, 0.0009, float("inf")))
    100
    """
    floor = variance + spread / population
    return min(spread / floor, population) if floor > 0.0 else population
