"""What is foreseen of a sample is what samples then show."""

from __future__ import annotations

import numpy as np
import pytest

from assay.stats.design import foresee_mean
from assay.stats.prediction import regression_mean
from assay.stats.weighted import weighted_mean
from assay.stats.wilson import FloatArray

N = 20_000
RNG = np.random.default_rng(20261126)
CHANCE = np.where(RNG.random(N) < 0.1, 0.5, 0.03)
FAILED = (RNG.random(N) < CHANCE).astype(np.float64)

DESIGNS = {
    "uniform": np.full(N, 0.02),
    "by chance": np.clip(400 * (0.3 / N + 0.7 * CHANCE / CHANCE.sum()), 0, 1),
    "certain where likely": np.where(CHANCE > 0.1, 1.0, 0.01),
}


def draw(p: FloatArray, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(rng.random(N) < p)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_width_and_the_effect_are_those_of_samples(name: str) -> None:
    p, rng = DESIGNS[name], np.random.default_rng(1)
    foreseen = foresee_mean(CHANCE, np.ones(N), p)
    widths, values, sizes = [], [], []
    for _ in range(300):
        drawn = draw(p, rng)
        found = weighted_mean(FAILED[drawn], p[drawn], population=N)
        widths.append(found.high - found.low)
        values.append(found.value)
        sizes.append(drawn.sum())
    assert foreseen.drawn == pytest.approx(np.mean(sizes), rel=0.02)
    assert foreseen.width == pytest.approx(np.mean(widths), rel=0.12)
    # the variance of the estimate, against that of a simple random sample of this size
    even = FAILED.mean() * (1 - FAILED.mean()) * (1 / foreseen.drawn - 1 / N)
    assert foreseen.effect == pytest.approx(np.var(values) / even, rel=0.25)


def test_people_after_a_judge_make_the_width_that_samples_show() -> None:
    rng = np.random.default_rng(2)
    judge = np.where(FAILED == 1, rng.random(N) < 0.8, rng.random(N) < 0.05).astype(np.float64)
    explained = float(np.corrcoef(judge, FAILED)[0, 1] ** 2)
    p1, p2 = np.full(N, 0.2), np.full(N, 0.1)
    foreseen = foresee_mean(CHANCE, np.ones(N), p1, p2, explained=explained)
    widths = []
    for _ in range(200):
        first = draw(p1, rng)
        second = draw(p2, rng)[first]
        truth = np.where(second, FAILED[first], np.nan)
        found = regression_mean(truth, judge[first], p1[first], p2[first], population=N).interval
        widths.append(found.high - found.low)
    assert foreseen.drawn == pytest.approx(400)
    assert foreseen.width == pytest.approx(np.mean(widths), rel=0.15)
    alone = foresee_mean(CHANCE, np.ones(N), p1, p2)
    assert alone.width > foreseen.width


def test_a_census_has_no_width_and_rows_may_stand_for_many_logs() -> None:
    assert foresee_mean(np.array([0.2]), np.array([100.0]), np.ones(1)).width == 0.0
    single = foresee_mean(np.full(50, 0.2), np.ones(50), np.full(50, 0.5))
    counted = foresee_mean(np.array([0.2]), np.array([50.0]), np.array([0.5]))
    assert single == pytest.approx(counted)
    with pytest.raises(ValueError, match="no rows"):
        foresee_mean(np.array([]), np.array([]), np.array([]))
