"""Which interval when, and how many labels are missing."""

from __future__ import annotations

from math import ceil
from typing import Literal, NamedTuple

import numpy as np

from assay.stats.prediction import regression_mean, shrunken_slope
from assay.stats.small import exact_mean, poststrata, poststratified_mean
from assay.stats.weighted import checked_probability
from assay.stats.wilson import CodeArray, FloatArray, Interval

Method = Literal["regression", "poststratified", "exact"]
JudgeShape = Literal["none", "binary", "graded"]

LABELS_MINIMUM = 10
"""Fewer labels give no value. Ten good ones still allow a rate of up to 31 %, and ten mixed ones
an interval that is 60 points wide: a number that can't tell bad from good should not be printed."""

REGRESSION_MINIMUM = 30

OUTCOMES_MINIMUM = 5
"""Labels of each outcome that a regression needs within each verdict. Where the judge's misses are so
rare that hardly one was drawn, their variance is not in the data: with labels drawn half and half
by verdict, 400 labels and 0.5 % failures the regression's interval covers 35 %, MOVER-Jeffreys 98 %."""


class Corrected(NamedTuple):
    """An interval and how it was made. `fixed`: the share of its variance that labels can't reduce."""

    interval: Interval
    method: Method
    labels: int
    fixed: float


def choose_method(labels: int, judge: JudgeShape, scarcest: int = 0) -> Method | None:
    """The method for this many labels, or None below `LABELS_MINIMUM`.

    A binary judge is a post-stratification, where MOVER-Jeffreys holds its level from 20 labels to
    thousands. A graded one is worth a regression with `WilsonT` from 30 labels on, if `scarcest`, the
    least number of labels with one outcome under one verdict, reaches `OUTCOMES_MINIMUM`. Without a
    judge: the exact binomial interval below 30 labels, the regression on nothing from there on.

    >>> [choose_method(n, "none") for n in (9, 10, 30)]
    [None, 'exact', 'regression']
    >>> choose_method(100, "binary"), choose_method(100, "graded", 5), choose_method(100, "graded", 4)
    ('poststratified', 'regression', 'poststratified')
    """
    if labels < LABELS_MINIMUM:
        return None
    if judge == "none":
        return "exact" if labels < REGRESSION_MINIMUM else "regression"
    if judge == "graded" and labels >= REGRESSION_MINIMUM and scarcest >= OUTCOMES_MINIMUM:
        return "regression"
    return "poststratified"


def judge_shape(judge: FloatArray | None) -> JudgeShape:
    """Whether a judge says only 0 and 1, more than that, or (None, or NaN throughout) nothing.

    >>> judge_shape(np.array([0.0, 1.0, np.nan])), judge_shape(np.array([0.2, 1.0])), judge_shape(None)
    ('binary', 'graded', 'none')
    """
    if judge is None:
        return "none"
    seen = judge[~np.isnan(judge)]
    if seen.size == 0:
        return "none"
    return "binary" if bool(np.all((seen == 0.0) | (seen == 1.0))) else "graded"


def corrected_mean(
    truth: FloatArray,
    judge: FloatArray | None,
    p1: FloatArray,
    p2: FloatArray,
    *,
    population: float,
    design: CodeArray | None = None,
    level: float = 0.95,
) -> Corrected | None:
    """The mean of the truth by the method that fits; None with too few labels.

    One entry per row of phase 1; NaN in `truth` where there is no label, in `judge` where there is no
    prediction; `design` codes the strata that the rows were drawn from. Formulas, assumptions and
    papers: `regression_mean`, `poststratified_mean`, `exact_mean`.

    >>> y, h = np.tile([1.0, np.nan, 0.0, np.nan], 10), np.tile([1.0, 1.0, 0.0, 0.0], 10)
    >>> corrected_mean(y, h, np.ones(40), np.full(40, 0.5), population=40).method
    'poststratified'
    """
    known = ~np.isnan(truth)
    labels = int(np.count_nonzero(known))
    shape = judge_shape(judge)
    method = choose_method(labels, shape, 0 if judge is None else _scarcest(truth[known], judge[known]))
    if method is None:
        return None
    if method == "exact":
        tau = p1[known] * p2[known]
        return Corrected(
            exact_mean(truth[known], tau, population=population, level=level), method, labels, 0.0
        )
    if method == "poststratified" and judge is not None:
        strata = poststrata(judge, known, design)
        post = poststratified_mean(
            truth, strata, p1, p2, population=population, judged=~np.isnan(judge), level=level
        )
        return Corrected(post.interval, method, labels, _share(post.judged_variance, post.interval.variance))
    used = None if shape == "none" else judge
    fit = regression_mean(truth, used, p1, p2, population=population, level=level)
    return Corrected(fit.interval, method, labels, _share(fit.judged_variance, fit.interval.variance))


def explained_share(truth: FloatArray, judge: FloatArray, p1: FloatArray, p2: FloatArray) -> float | None:
    """The share of the labels' variance that the judge explains: R^2, weighted by 1/(p1 p2).

    0 where the judge says the opposite, or follows the labels no closer than chance would. None with
    fewer than `REGRESSION_MINIMUM` labels, or `OUTCOMES_MINIMUM` of either outcome: nothing to tell it by.

    >>> y = np.tile([0.0, 1.0], 20)
    >>> one = np.ones(40)
    >>> [explained_share(each, y, one, one) for each in (y, 1 - y, one)]
    [1.0, 0.0, None]
    """
    known = ~np.isnan(truth) & ~np.isnan(judge)
    good = int(np.count_nonzero(truth[known] >= 0.5))
    labels = int(np.count_nonzero(known))
    if labels < REGRESSION_MINIMUM or min(good, labels - good) < OUTCOMES_MINIMUM:
        return None
    slope = shrunken_slope(truth[known], judge[known], 1.0 / checked_probability(p1[known] * p2[known]))
    return slope.r2 if slope.lam > 0.0 else 0.0


def _scarcest(truth: FloatArray, judge: FloatArray) -> int:
    """The least number of labels with one outcome under one verdict."""
    seen = ~np.isnan(judge)
    cell = 2 * (judge[seen] >= 0.5).astype(np.intp) + (truth[seen] >= 0.5)
    return int(np.bincount(cell, minlength=4).min())


def _share(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0.0 else 0.0


def labels_for_width(
    width: float, target: float, labels: int, population: float, *, fixed: float = 0.0
) -> int:
    """How many labels in all would bring an interval of this width to `target`; 0: none will.

    d^2 = A + B (1/n - 1/N), where A is the share `fixed` of the present d^2: the doubt that comes from
    judging a sample. Assumes that the new labels are drawn like the old ones. Cochran (1977), 12.3.

    >>> labels_for_width(0.04, 0.02, 100, 1e9)
    400
    >>> labels_for_width(0.04, 0.02, 100, 1e9, fixed=0.3)
    0
    """
    if target <= 0.0:
        raise ValueError(f"a target width must be positive, got {target}")
    if width <= target:
        return labels
    left = ((target / width) ** 2 - fixed) / (1.0 - fixed) if fixed < 1.0 else 0.0
    if left <= 0.0:
        return 0
    inverse = 1.0 / population
    per_label = max(1.0 / max(labels, 1) - inverse, 0.0)
    return max(ceil(round(1.0 / (per_label * left + inverse), 6)), labels)


def labels_from_rate(rate: float, target: float, population: float, *, level: float = 0.95) -> int:
    """How many labels a half-width of `target` takes at about this rate, without any help of a judge.

    n = z^2 p(1-p) / d^2, corrected for the finite population; p is kept within [0.05, 0.95]. Cochran
    (1977), 4.4.

    >>> labels_from_rate(0.5, 0.1, 1e9)
    97
    """
    from scipy.special import ndtri

    p = min(max(rate, 0.05), 0.95)
    n = float(ndtri(0.5 + level / 2.0)) ** 2 * p * (1.0 - p) / target**2
    return max(ceil(n / (1.0 + n / population)), LABELS_MINIMUM)


def labels_needed(labels: int, *, wanted: int = 0) -> int:
    """How many labels are missing to reach the minimum, or `wanted`, whichever is more.

    >>> labels_needed(4), labels_needed(40), labels_needed(40, wanted=100)
    (6, 0, 60)
    """
    return max(LABELS_MINIMUM - labels, wanted - labels, 0)
