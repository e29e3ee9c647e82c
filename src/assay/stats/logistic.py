"""Chances from many sparse columns and few outcomes: ridge logistic regression around a prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.stats.wilson import CodeArray, FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CHANCE_EDGE = 1e-4
"""No chance is nearer to 0 or 1: a thousand rows of the past promise no more."""

LOGIT_EDGE = 30.0
NEWTON_STEPS = 50
GRADIENT_STEPS = 200
TOLERANCE = 1e-6
CHOOSING = 1e-3
"""So much of the first slope may be left where fits are only compared: their losses agree to five digits."""


class Rows(NamedTuple):
    """A sparse matrix by rows: `indices[indptr[i]:indptr[i + 1]]` are the columns of row i."""

    indptr: CodeArray
    indices: CodeArray
    values: FloatArray
    width: int

    def take(self, rows: CodeArray) -> Rows:
        """Some rows, in that order."""
        part = to_matrix(self)[rows]
        return Rows(part.indptr.astype(np.intp), part.indices.astype(np.intp), part.data, self.width)


class Logistic(NamedTuple):
    """logit P(y = 1) = `intercept` + `weights` . x."""

    weights: FloatArray
    intercept: float


class Prior(NamedTuple):
    """Where the weights are drawn to, and how strongly; one entry a column, then the intercept's own."""

    centre: FloatArray
    ridge: FloatArray
    intercept: float
    intercept_ridge: float


def to_matrix(rows: Rows) -> csr_array:
    """The same as SciPy's.

    >>> to_matrix(Rows(np.array([0, 1]), np.array([1]), np.array([2.0]), 2)).toarray()
    array([[0., 2.]])
    """
    from scipy.sparse import csr_array

    shape = (rows.indptr.size - 1, rows.width)
    return csr_array((rows.values, rows.indices, rows.indptr), shape=shape)


def fit_logistic(
    rows: Rows,
    outcome: FloatArray,
    prior: Prior,
    *,
    start: Logistic | None = None,
    tolerance: float = TOLERANCE,
) -> Logistic:
    """The weights with the highest posterior: ridge towards the prior's centre, not towards 0.

    min sum (log(1 + e^eta) - y eta) + 1/2 sum ridge (b - centre)^2, eta = b0 + x b, by Newton's method with
    conjugate gradients (Steihaug, 1983), from `start` or else the prior, until the slope is that share of
    what it was at first. Without a row, the prior. Assumes y in [0, 1], independent rows. Hoerl and Kennard
    (1970); le Cessie and van Houwelingen (1992).

    >>> rows = Rows(np.array([0, 0, 1]), np.array([0]), np.array([1.0]), 1)
    >>> flat = Prior(np.array([2.0]), np.array([1e9]), 0.0, 1e9)
    >>> [round(float(each), 3) for each in fit_logistic(rows, np.array([0.0, 1.0]), flat).weights]
    [2.0]
    """
    y = np.asarray(outcome, dtype=np.float64)
    if y.size == 0:
        return Logistic(prior.centre.copy(), prior.intercept)
    used, places = np.unique(rows.indices, return_inverse=True)
    x = to_matrix(Rows(rows.indptr, places, rows.values, used.size))
    scale = 1.0 / np.sqrt(np.maximum(np.append(prior.ridge[used], prior.intercept_ridge), 1e-9))
    centre = np.append(prior.centre[used], prior.intercept)
    begin = centre if start is None else np.append(start.weights[used], start.intercept)
    b = _minimise(_Problem(x, x.T.tocsr(), y, centre, scale), begin, tolerance)
    weights = prior.centre.copy()
    weights[used] = b[:-1]
    return Logistic(weights, float(b[-1]))


class _Problem(NamedTuple):
    """In the coordinates u = (b - centre) / scale, where the ridge is 1 in every direction."""

    x: csr_array
    back: csr_array
    y: FloatArray
    centre: FloatArray
    scale: FloatArray

    def eta(self, u: FloatArray) -> FloatArray:
        b = self.centre + self.scale * u
        result: FloatArray = self.x @ b[:-1] + b[-1]
        return result

    def loss(self, u: FloatArray, eta: FloatArray) -> float:
        return float(np.sum(np.logaddexp(0.0, eta) - self.y * eta)) + 0.5 * float(u @ u)

    def pull(self, per_row: FloatArray) -> FloatArray:
        """Row terms summed by column."""
        result: FloatArray = self.scale * np.append(self.back @ per_row, float(np.sum(per_row)))
        return result


def _minimise(problem: _Problem, begin: FloatArray, tolerance: float) -> FloatArray:
    from scipy.special import expit

    u = (begin - problem.centre) / problem.scale
    eta = problem.eta(u)
    loss = problem.loss(u, eta)
    first = 0.0
    for _ in range(NEWTON_STEPS):
        p = expit(eta)
        slope = problem.pull(p - problem.y) + u
        size = float(np.linalg.norm(slope))
        first = first or size
        if size <= tolerance * max(first, 1.0):
            break
        step = _solve(problem, p * (1.0 - p), -slope, min(0.1, (size / first) ** 0.5))
        length, expected = 1.0, float(slope @ step)
        while True:
            tried = u + length * step
            eta = problem.eta(tried)
            reached = problem.loss(tried, eta)
            if reached <= loss + 1e-4 * length * expected or length < 1e-6:
                break
            length *= 0.5
        u, loss = tried, reached
    return problem.centre + problem.scale * u


def _solve(problem: _Problem, curvature: FloatArray, target: FloatArray, within: float) -> FloatArray:
    """(I + S X' C X S) step = target, by conjugate gradients, to that share of the target."""
    step, rest = np.zeros_like(target), target.copy()
    way, size = rest.copy(), float(rest @ rest)
    goal = (within**2) * size
    for _ in range(GRADIENT_STEPS):
        b = problem.scale * way
        bent = way + problem.pull(curvature * (problem.x @ b[:-1] + b[-1]))
        far = size / float(way @ bent)
        step += far * way
        rest -= far * bent
        now = float(rest @ rest)
        if now <= goal:
            break
        way = rest + (now / size) * way
        size = now
    return step


def logits(rows: Rows, fit: Logistic) -> FloatArray:
    """`intercept` + x b of each row, kept within 30 of 0.

    >>> logits(Rows(np.array([0, 1]), np.array([0]), np.array([2.0]), 1), Logistic(np.array([3.0]), 1.0))
    array([7.])
    """
    result: FloatArray = to_matrix(rows) @ fit.weights + fit.intercept
    return np.clip(result, -LOGIT_EDGE, LOGIT_EDGE)


def chances(eta: FloatArray) -> FloatArray:
    """1 / (1 + e^-eta), kept within [1e-4, 1 - 1e-4].

    >>> chances(np.array([0.0, -100.0]))
    array([5.e-01, 1.e-04])
    """
    from scipy.special import expit

    return np.clip(expit(eta), CHANCE_EDGE, 1.0 - CHANCE_EDGE)


class Line(NamedTuple):
    """Calibrated logit = `intercept` + `slope` * logit."""

    slope: float
    intercept: float


def recalibrate(eta: FloatArray, outcome: FloatArray, *, rows: float = 10.0) -> Line:
    """The line through out-of-sample logits that makes them chances, drawn to "leave it as it is".

    Logistic regression of y on eta with the prior slope 1 and shift 0, each worth about `rows` rows.
    Platt (1999); Cox (1958). Never turns the order round: a negative slope becomes 0.

    >>> recalibrate(np.array([]), np.array([]))
    Line(slope=1.0, intercept=0.0)
    """
    n = eta.size
    if n == 0:
        return Line(1.0, 0.0)
    middle = float(np.mean(eta))
    spread = float(np.mean((eta - middle) ** 2)) or 1.0
    columns = Rows(np.arange(n + 1), np.zeros(n, dtype=np.intp), eta - middle, 1)
    prior = Prior(np.ones(1), np.array([rows * spread / 4.0]), middle, rows / 4.0)
    fit = fit_logistic(columns, outcome, prior)
    slope = max(float(fit.weights[0]), 0.0)
    return Line(slope, fit.intercept - slope * middle)


class CrossFit(NamedTuple):
    """Logits of each row by a fit that never saw it, by the prior that did best: its place, its loss."""

    eta: FloatArray
    best: int
    loss: float


def cross_fit(rows: Rows, outcome: FloatArray, priors: Sequence[Prior], fold: CodeArray) -> CrossFit:
    """Which of the priors foretells rows best that it was not fitted on: the least log loss over folds.

    Assumes that rows of one fold tell nothing of another's beyond their columns: `fold` numbers each row's,
    and what belongs together (a conversation) needs one. Stone (1974). Give the strongest prior first: each
    fit begins where the stronger one ended, and where a weaker prior does worse no yet weaker one is tried.

    >>> rows = Rows(np.arange(9), np.zeros(8, dtype=np.intp), np.tile([0.0, 1.0], 4), 1)
    >>> priors = [Prior(np.zeros(1), np.full(1, ridge), 0.0, 1.0) for ridge in (1e6, 0.1)]
    >>> cross_fit(rows, np.tile([0.0, 1.0], 4), priors, np.arange(8) // 4).best
    1
    """
    parts = [(np.flatnonzero(fold == each), np.flatnonzero(fold != each)) for each in np.unique(fold)]
    path: list[Logistic | None] = [None] * len(parts)
    found: CrossFit | None = None
    for place, prior in enumerate(priors):
        eta = np.zeros(outcome.size)
        for number, (inside, outside) in enumerate(parts):
            fit = fit_logistic(
                rows.take(outside), outcome[outside], prior, start=path[number], tolerance=CHOOSING
            )
            eta[inside], path[number] = logits(rows.take(inside), fit), fit
        loss = log_loss(eta, outcome)
        if found is not None and loss >= found.loss:
            break
        found = CrossFit(eta, place, loss)
    if found is None:
        raise ValueError("give at least one prior to choose from")
    return found


def log_loss(eta: FloatArray, outcome: FloatArray) -> float:
    """The mean of log(1 + e^eta) - y eta.

    >>> round(log_loss(np.zeros(2), np.array([0.0, 1.0])), 4)
    0.6931
    """
    return float(np.mean(np.logaddexp(0.0, eta) - outcome * eta))
