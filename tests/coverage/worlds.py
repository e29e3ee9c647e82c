"""Simulated worlds with known truth, and how often an interval finds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.stats.choose import corrected_mean
from assay.stats.prediction import regression_mean

Floats = NDArray[np.float64]


class Sample(NamedTuple):
    """What an estimator is given (one entry per judged row), and the truth it should find."""

    label: Floats
    judge: Floats
    p1: Floats
    p2: Floats
    design: NDArray[np.intp]
    population: int
    truth: float


class Coverage(NamedTuple):
    """Share of intervals that hold the truth, their mean width, root mean squared error of the value."""

    share: float
    width: float
    rmse: float
    runs: int


Interval = tuple[float, float, float]
Estimator = Callable[[Sample], Interval | None]


def chosen(sample: Sample) -> Interval | None:
    """What assay says: value, low, high."""
    found = corrected_mean(
        sample.label, sample.judge, sample.p1, sample.p2, population=sample.population, design=sample.design
    )
    return None if found is None else (found.interval.value, found.interval.low, found.interval.high)


def labels_only(sample: Sample) -> Interval | None:
    found = corrected_mean(sample.label, None, sample.p1, sample.p2, population=sample.population)
    return None if found is None else (found.interval.value, found.interval.low, found.interval.high)


def regression(sample: Sample) -> Interval | None:
    """The regression with its Wilson-t interval, wherever it applies or not."""
    if np.count_nonzero(~np.isnan(sample.label)) < 3:
        return None
    fit = regression_mean(sample.label, sample.judge, sample.p1, sample.p2, population=sample.population)
    return fit.interval.value, fit.interval.low, fit.interval.high


def ppi_wald(sample: Sample) -> Interval | None:
    """PPI++ with Wald's interval, as it is commonly shipped, for uniform draws."""
    known = ~np.isnan(sample.label)
    y, f, judge = sample.label[known], sample.judge[known], sample.judge
    n, size = y.size, judge.size
    if n < 2:
        return None
    spread = float(np.var(judge))
    covariance = float(np.mean((y - y.mean()) * (f - f.mean())))
    lam = min(max(covariance / (spread * (1 + n / size)), 0.0), 1.0) if spread > 0 else 0.0
    value = lam * judge.mean() + float(np.mean(y - lam * f))
    half = 1.959964 * float(np.sqrt(lam**2 * spread / size + np.var(y - lam * f) / n))
    return value, value - half, value + half


def measure(draw: Callable[[], Sample], estimators: Sequence[Estimator], runs: int) -> list[Coverage]:
    """Each estimator on the same draws. Draws where one has no value do not count for it."""
    hits = np.zeros((len(estimators), 4))
    for _ in range(runs):
        sample = draw()
        for place, estimator in enumerate(estimators):
            found = estimator(sample)
            if found is None:
                continue
            value, low, high = found
            inside = low - 1e-12 <= sample.truth <= high + 1e-12
            hits[place] += (1.0, inside, high - low, (value - sample.truth) ** 2)
    return [Coverage(k / n, width / n, float(np.sqrt(square / n)), int(n)) for n, k, width, square in hits]


def binary_world(
    rng: np.random.Generator,
    *,
    rate: float,
    sensitivity: float,
    false_alarm: float,
    labels: int,
    halves: bool = False,
    size: int = 5_000,
) -> Sample:
    """Every row judged yes or no; labels uniform, or half of them for either verdict."""
    y = (rng.random(size) < rate).astype(float)
    flagged = np.where(y == 1.0, rng.random(size) < sensitivity, rng.random(size) < false_alarm)
    count = int(flagged.sum())
    if halves:
        p2 = np.where(
            flagged, min(1.0, labels / 2 / max(count, 1)), min(1.0, labels / 2 / max(size - count, 1))
        )
    else:
        p2 = np.full(size, labels / size)
    seen = np.where(rng.random(size) < p2, y, np.nan)
    nothing = np.zeros(size, dtype=np.intp)
    return Sample(seen, flagged.astype(float), np.ones(size), p2, nothing, size, float(y.mean()))


def graded_world(
    rng: np.random.Generator,
    *,
    rate: float,
    signal: float,
    labels: int,
    halves: bool = False,
    size: int = 5_000,
) -> Sample:
    """Every row judged from 0 to 1 in tenths: the posterior of a normal score that is `signal` apart."""
    y = (rng.random(size) < rate).astype(float)
    score = signal * y + rng.normal(size=size)
    odds = np.log(rate / (1 - rate)) + signal * score - signal**2 / 2
    judge = np.round(1 / (1 + np.exp(-odds)), 1)
    high = judge >= 0.5
    count = int(high.sum())
    if halves:
        p2 = np.where(high, min(1.0, labels / 2 / max(count, 1)), min(1.0, labels / 2 / max(size - count, 1)))
    else:
        p2 = np.full(size, labels / size)
    seen = np.where(rng.random(size) < p2, y, np.nan)
    nothing = np.zeros(size, dtype=np.intp)
    return Sample(seen, judge, np.ones(size), p2, nothing, size, float(y.mean()))


class Design(NamedTuple):
    """Strata of a policy: share of the rows, failure rate, p1, and p2 where the judge passes or flags."""

    share: tuple[float, ...]
    rate: tuple[float, ...]
    p1: tuple[float, ...]
    p2_passed: tuple[float, ...]
    p2_flagged: tuple[float, ...]
    size: int = 4_000
    sensitivity: float = 0.8
    false_alarm: float = 0.06


DESIGNS = {
    "three strata, labels uniform": Design(
        (0.8, 0.15, 0.05), (0.02, 0.15, 0.5), (0.2, 0.5, 1.0), (0.15,) * 3, (0.15,) * 3
    ),
    "three strata, labels by verdict": Design(
        (0.8, 0.15, 0.05), (0.02, 0.15, 0.5), (0.2, 0.5, 1.0), (0.08,) * 3, (0.4,) * 3
    ),
    "three strata, labels by stratum and verdict": Design(
        (0.8, 0.15, 0.05), (0.01, 0.1, 0.4), (0.3, 0.6, 1.0), (0.06, 0.1, 0.3), (0.2, 0.2, 0.3)
    ),
    "the failures are where few look": Design(
        (0.5, 0.4, 0.1), (0.3, 0.05, 0.05), (0.05, 0.5, 1.0), (0.3, 0.1, 0.1), (0.3, 0.1, 0.1), 5_000
    ),
    "the same, a good judge": Design(
        (0.5, 0.5), (0.4, 0.02), (0.04, 1.0), (0.7, 0.05), (0.7, 0.05), 5_000, 0.95, 0.02
    ),
    "suspicious ones looked at, all of them labelled": Design(
        (0.9, 0.1), (0.03, 0.5), (0.04, 0.5), (1.0, 1.0), (1.0, 1.0), 5_000, 0.86
    ),
}


def stratified_world(rng: np.random.Generator, design: Design) -> Sample:
    """Stratified Poisson draws in both phases, with a binary judge."""
    stratum = rng.choice(len(design.share), p=design.share, size=design.size)
    y = (rng.random(design.size) < np.array(design.rate)[stratum]).astype(float)
    draws = rng.random((2, design.size))
    flagged = np.where(y == 1.0, draws[0] < design.sensitivity, draws[1] < design.false_alarm)
    p1 = np.array(design.p1)[stratum]
    p2 = np.where(flagged, np.array(design.p2_flagged)[stratum], np.array(design.p2_passed)[stratum])
    first = rng.random(design.size) < p1
    seen = np.where(rng.random(design.size) < p2, y, np.nan)
    return Sample(
        seen[first],
        flagged[first].astype(float),
        p1[first],
        p2[first],
        stratum[first].astype(np.intp),
        design.size,
        float(y.mean()),
    )
