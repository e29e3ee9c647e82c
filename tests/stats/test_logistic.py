"""Against statsmodels' fits, the conditions of an optimum, and worlds whose chances are known."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.api import GLM, families

from assay.stats import logistic
from assay.stats.logistic import (
    Line,
    Logistic,
    Prior,
    Rows,
    chances,
    cross_fit,
    fit_logistic,
    log_loss,
    logits,
    recalibrate,
    to_matrix,
)
from assay.stats.wilson import FloatArray

SEED = 20261126


def dense(x: FloatArray) -> Rows:
    n, width = x.shape
    return Rows(np.arange(0, n * width + 1, width), np.tile(np.arange(width), n), x.ravel(), width)


def world(n: int = 400, width: int = 5) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(n, width))
    y = (rng.random(n) < expit(-1.0 + x @ np.linspace(-1, 1, width))).astype(np.float64)
    return x, y


def test_without_a_ridge_it_is_statsmodels_maximum_likelihood() -> None:
    x, y = world()
    flat = Prior(np.zeros(5), np.full(5, 1e-9), 0.0, 1e-9)
    found = fit_logistic(dense(x), y, flat)
    design = np.column_stack([np.ones(y.size), x])
    other = GLM(y, design, family=families.Binomial()).fit()
    assert [found.intercept, *found.weights] == pytest.approx(other.params.tolist(), abs=1e-5)


def test_with_a_ridge_every_gradient_is_zero_at_the_optimum() -> None:
    x, y = world()
    prior = Prior(np.full(5, 0.3), np.array([0.1, 1.0, 10.0, 100.0, 1e4]), -2.0, 5.0)
    found = fit_logistic(dense(x), y, prior)
    gap = expit(found.intercept + x @ found.weights) - y
    slope = x.T @ gap + prior.ridge * (found.weights - prior.centre)
    assert np.abs(slope).max() < 1e-3
    assert abs(gap.sum() + 5.0 * (found.intercept + 2.0)) < 1e-3
    assert found.weights[4] == pytest.approx(0.3, abs=0.02)


def test_a_fit_from_elsewhere_ends_where_one_from_the_prior_does() -> None:
    x, y = world()
    prior = Prior(np.full(5, 0.3), np.array([0.1, 1.0, 10.0, 100.0, 1e4]), -2.0, 5.0)
    found = fit_logistic(dense(x), y, prior)
    other = fit_logistic(dense(x), y, prior, start=Logistic(np.array([3.0, -3.0, 3.0, -3.0, 3.0]), 4.0))
    assert other.weights == pytest.approx(found.weights, abs=1e-4)
    assert other.intercept == pytest.approx(found.intercept, abs=1e-4)


def test_more_columns_than_rows_and_separated_outcomes_still_have_one_answer() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(30, 500))
    y = (x[:, 0] > 0).astype(np.float64)
    found = fit_logistic(dense(x), y, Prior(np.zeros(500), np.ones(500), 0.0, 1.0))
    assert np.isfinite(found.weights).all()
    assert np.argmax(found.weights) == 0


def test_a_column_of_no_row_keeps_what_the_prior_says_and_no_row_at_all_is_the_prior() -> None:
    rows = Rows(np.array([0, 1, 2]), np.array([0, 0]), np.ones(2), 2)
    prior = Prior(np.array([0.0, 1.5]), np.ones(2), -1.0, 1.0)
    assert fit_logistic(rows, np.array([0.0, 1.0]), prior).weights[1] == 1.5
    empty = Rows(np.array([0]), np.array([], dtype=np.intp), np.array([]), 2)
    found = fit_logistic(empty, np.array([]), prior)
    assert (found.weights.tolist(), found.intercept) == ([0.0, 1.5], -1.0)


def test_the_logits_are_those_of_the_matrix() -> None:
    x, y = world(50)
    found = fit_logistic(dense(x), y, Prior(np.zeros(5), np.ones(5), 0.0, 1.0))
    assert logits(dense(x), found) == pytest.approx(x @ found.weights + found.intercept)
    taken = dense(x).take(np.array([3, 1]))
    assert to_matrix(taken).toarray() == pytest.approx(x[[3, 1]])


def test_chances_that_are_right_are_left_as_they_are() -> None:
    rng = np.random.default_rng(SEED)
    eta = rng.normal(-2, 1, 20_000)
    y = (rng.random(eta.size) < expit(eta)).astype(np.float64)
    line = recalibrate(eta, y)
    assert line.slope == pytest.approx(1.0, abs=0.06)
    assert line.intercept == pytest.approx(0.0, abs=0.12)


def test_boasting_chances_are_made_right_and_the_order_is_never_turned_round() -> None:
    rng = np.random.default_rng(SEED)
    eta = rng.normal(-2, 1, 20_000)
    y = (rng.random(eta.size) < expit(eta)).astype(np.float64)
    line = recalibrate(3 * eta + 1, y)
    assert line.slope == pytest.approx(1 / 3, abs=0.03)
    mended = chances(line.slope * (3 * eta + 1) + line.intercept)
    assert mended.mean() == pytest.approx(y.mean(), abs=0.003)
    assert recalibrate(-eta, y).slope == 0.0


def test_a_handful_of_rows_moves_the_line_little() -> None:
    line = recalibrate(np.array([-2.0, 2.0]), np.array([1.0, 0.0]))
    assert line.slope > 0.3
    assert Line(1.0, 0.0) == recalibrate(np.array([]), np.array([]))


def test_the_prior_that_foretells_best_is_found_and_rows_of_one_fold_stay_together() -> None:
    x, y = world(600, 3)
    noise = np.random.default_rng(1).normal(size=(600, 60))
    rows = dense(np.hstack([x, noise]))
    priors = [Prior(np.zeros(63), np.full(63, ridge), 0.0, 1.0) for ridge in (1e6, 10.0, 1e-3)]
    fold = np.arange(600) % 5
    found = cross_fit(rows, y, priors, fold)
    assert found.best == 1
    assert found.loss == pytest.approx(log_loss(found.eta, y))
    inside = np.flatnonzero(fold == 2)
    fit = fit_logistic(rows.take(np.flatnonzero(fold != 2)), y[fold != 2], priors[1])
    assert found.eta[inside] == pytest.approx(logits(rows.take(inside), fit), abs=1e-3)
    with pytest.raises(ValueError, match="at least one prior"):
        cross_fit(rows, y, [], fold)


def test_where_a_weaker_prior_does_worse_no_yet_weaker_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is tried begins where the stronger one ended."""
    x, y = world(600, 3)
    rows = dense(np.hstack([x, np.random.default_rng(1).normal(size=(600, 60))]))
    tried = []

    def fit(rows: Rows, outcome: FloatArray, prior: Prior, **how: Any) -> Logistic:
        done = fit_logistic(rows, outcome, prior, **how)
        tried.append((float(prior.ridge[0]), how["start"], done))
        return done

    monkeypatch.setattr(logistic, "fit_logistic", fit)
    priors = [Prior(np.zeros(63), np.full(63, ridge), 0.0, 1.0) for ridge in (1e6, 10.0, 1e-3, 1e-4)]
    assert cross_fit(rows, y, priors, np.arange(600) % 5).best == 1
    assert [ridge for ridge, _, _ in tried] == [1e6] * 5 + [10.0] * 5 + [1e-3] * 5
    assert [start for _, start, _ in tried[:5]] == [None] * 5
    assert all(now[1] is before[2] for before, now in itertools.pairwise(tried[::5]))
