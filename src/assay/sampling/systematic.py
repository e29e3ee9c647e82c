"""Systematic draws: as many as the probabilities add up to, no more and no fewer."""

from __future__ import annotations

import numpy as np

from assay.sampling.base import FloatArray


def draw_systematic(probability: FloatArray, order: FloatArray, ties: FloatArray, start: float) -> FloatArray:
    """A number in [0, 1) for each log, below its probability for exactly the systematic sample.

    Logs stand in a row, sorted by `order` and, where that is equal, by `ties`, each as long as its
    probability; a comb of teeth at distance 1 that begins at `start` falls upon them, and a tooth
    selects. A log with C before it has frac(start - C): uniform over [0, 1) as `start` is, so the
    probabilities hold, while the number drawn is their sum, rounded down or up (Madow 1949). Sorting
    spreads the sample evenly over `order`.

    >>> p = np.array([0.5, 0.25, 0.25, 1.0])
    >>> draws = draw_systematic(p, np.arange(4.0), np.zeros(4), 0.6)
    >>> (draws < p).tolist()
    [False, True, False, True]
    """
    place = np.lexsort((ties, order))
    lengths = probability[place]
    before = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    draws: FloatArray = np.empty(len(probability))
    draws[place] = np.mod(start - before, 1.0)
    return np.where(draws >= 1.0, 0.0, draws)
