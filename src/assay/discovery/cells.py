"""The space of requests, cut into cells: what lies in one is about the same thing."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from assay.discovery.base import Vectors, to_unit

FEWEST_LOGS = 200
"""Fewer vectors give cells that mean little."""

FEWEST_CELLS, MOST_CELLS = 8, 64
ROUNDS = 25
SAMPLE = 20_000
"""Vectors that centres are fitted to, at most."""

GROWTH = 10
"""Centres are fitted again once there are so many times the logs."""


def cells_for(logs: int) -> int:
    """How many cells so many logs are cut into."""
    return min(MOST_CELLS, max(FEWEST_CELLS, round(sqrt(logs))))


def is_due(logs: int, fitted_from: int) -> bool:
    """Whether centres are to be fitted: there are none and enough logs, or many more than then."""
    return logs >= max(FEWEST_LOGS, GROWTH * fitted_from)


def fit_centres(vectors: Vectors, cells: int, seed: int) -> Vectors:
    """Centres of unit vectors by spherical k-means (Dhillon & Modha 2001) from a k-means++ start.

    At most `cells`; fewer where there are fewer distinct vectors. The same input gives the same centres."""
    rng = np.random.default_rng(seed)
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 0]
    if not len(vectors):
        return np.zeros((0, vectors.shape[1]), np.float32)
    centres = _spread(vectors, cells, rng)
    before: NDArray[np.int64] | None = None
    for _ in range(ROUNDS):
        nearest = place(vectors, centres)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors)
        held = np.bincount(nearest, minlength=len(centres)) > 0
        centres = np.where(held[:, None], to_unit(sums), centres)
    return centres


def place(vectors: Vectors, centres: Vectors) -> NDArray[np.int64]:
    """The number of the centre nearest to each vector, from 0."""
    found: NDArray[np.int64] = np.argmax(vectors @ centres.T, axis=1)
    return found


def _spread(vectors: Vectors, cells: int, rng: np.random.Generator) -> Vectors:
    """Starting centres, each chosen with a chance that grows with its distance from those before it."""
    chosen = [int(rng.integers(len(vectors)))]
    gap = 1.0 - vectors @ vectors[chosen[0]]
    while len(chosen) < cells:
        chance = np.clip(gap, 0.0, None).astype(np.float64)
        if chance.sum() <= 1e-6 * len(vectors):
            break
        chosen.append(int(rng.choice(len(vectors), p=chance / chance.sum())))
        gap = np.minimum(gap, 1.0 - vectors @ vectors[chosen[-1]])
    return vectors[chosen].copy()
