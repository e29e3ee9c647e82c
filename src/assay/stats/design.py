"""What a sample will be worth, before it is drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.stats.weighted import checked_probability
from assay.stats.wilson import FloatArray, wilson_t


class Foreseen(NamedTuple):
    """A rate's interval as it is to be expected, its design variance, and what that makes of the size.

    `effect`: the variance over that of a simple random sample as large as this one; above 1 the
    design costs precision (it was made to find, not to measure), below 1 it gains some.
    """

    low: float
    high: float
    drawn: float
    variance: float
    effect: float

    @property
    def width(self) -> float:
        return self.high - self.low


def foresee_mean(
    chance: FloatArray,
    logs: FloatArray,
    first: FloatArray,
    second: FloatArray | None = None,
    *,
    explained: float = 0.0,
    level: float = 0.95,
) -> Foreseen:
    """The interval of a rate that Poisson draws of one or two stages are expected to give.

    `logs` rows have the chance `chance` of a 1 and are drawn with probability `first`, then `second`:
    V = N^-2 sum logs ((1/p1 - 1) e + (1/p1)(1/p2 - 1)(1 - explained) e), e = q(1-q) + (q-m)^2, the expected
    square of y - m; `explained` is what the first stage's verdict explains of the last stage's (R^2). Then
    `WilsonT`, whose model variance has e = m(1-m). Assumes that the chances are right. Isaki and Fuller
    (1982); the effect: Kish (1965).

    >>> even = foresee_mean(np.array([0.1]), np.array([1e6]), np.array([1e-4]))
    >>> round(even.drawn), round(even.effect, 2), round(even.low, 2), round(even.high, 2)
    (100, 1.0, 0.05, 0.18)
    """
    p1 = checked_probability(first)
    p2 = np.ones_like(p1) if second is None else checked_probability(second)
    q, n = np.asarray(chance, dtype=np.float64), np.asarray(logs, dtype=np.float64)
    population = float(np.sum(n))
    if population <= 0.0:
        raise ValueError("an interval over no rows can't be foreseen: ask for their number first")
    mean = float(np.sum(n * q)) / population
    drawn = float(np.sum(n * p1 * p2))
    doubt = (1.0 / p1 - 1.0) + (1.0 - explained) / p1 * (1.0 / p2 - 1.0)
    design = float(np.sum(n * doubt * (q * (1.0 - q) + (q - mean) ** 2))) / population**2
    # few rows carry a weighted rate's variance: the 1s that had little chance
    fourth = q * (1.0 - mean) ** 4 + (1.0 - q) * mean**4
    squares = float(np.sum(n * doubt**2 / (p1 * p2) * fourth)) / population**4
    carriers = design**2 / squares if squares > 0.0 else 0.0
    spread = mean * (1.0 - mean)
    even = max(spread * (1.0 / max(drawn, 1e-9) - 1.0 / population), 0.0)
    model = float(np.sum(n * doubt)) * spread / population**2
    bounds = wilson_t(mean, design, model, carriers, drawn, level=level)
    effect = design / even if even > 0.0 else 1.0
    return Foreseen(float(bounds.low), float(bounds.high), drawn, design, effect)
