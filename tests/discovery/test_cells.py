"""Cells: the same vectors give the same ones, and what lies in one belongs together."""

from __future__ import annotations

import numpy as np
import pytest

from assay.discovery.base import Vectors, to_unit
from assay.discovery.cells import cells_for, fit_centres, is_due, place


def blobs(groups: int, each: int, *, noise: float, seed: int = 3) -> Vectors:
    rng = np.random.default_rng(seed)
    middles = to_unit(rng.normal(size=(groups, 32)).astype(np.float32))
    rows = np.repeat(middles, each, axis=0) + noise * rng.normal(size=(groups * each, 32)).astype(np.float32)
    return to_unit(rows.astype(np.float32))


def test_groups_that_lie_apart_are_told_apart() -> None:
    vectors = blobs(8, 50, noise=0.05)
    cell = place(vectors, fit_centres(vectors, 8, seed=0)).reshape(8, 50)
    assert all(len(set(row)) == 1 for row in cell.tolist())
    assert len({row[0] for row in cell.tolist()}) == 8


def test_the_same_vectors_give_the_same_centres() -> None:
    vectors = blobs(5, 40, noise=0.3)
    assert np.array_equal(fit_centres(vectors, 12, seed=7), fit_centres(vectors.copy(), 12, seed=7))


def test_centres_have_length_one_and_fit_better_than_where_they_began() -> None:
    vectors = blobs(20, 50, noise=0.25)
    centres = fit_centres(vectors, 20, seed=1)
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    worse = vectors[np.random.default_rng(1).choice(len(vectors), 20, replace=False)]
    assert (vectors @ centres.T).max(axis=1).mean() > (vectors @ worse.T).max(axis=1).mean()


@pytest.mark.parametrize("distinct", [0, 1, 3])
def test_fewer_meanings_than_cells_give_fewer_cells(distinct: int) -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32)[:distinct], 30, axis=0)
    silent = np.zeros((5, 4), np.float32)
    assert len(fit_centres(np.vstack([vectors, silent]), 8, seed=0)) == distinct


def test_more_logs_have_more_cells_up_to_a_limit() -> None:
    assert [cells_for(logs) for logs in (200, 2_000, 10_000, 10**6)] == [14, 45, 64, 64]


def test_centres_are_fitted_once_there_are_ten_times_the_logs() -> None:
    assert [is_due(logs, before) for logs, before in ((199, 0), (200, 0), (1_999, 200), (2_000, 200))] == [
        False,
        True,
        False,
        True,
    ]
