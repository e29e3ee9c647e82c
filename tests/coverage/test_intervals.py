"""Do the intervals hold their level? Seeded, and bounded from both sides: too wide is wrong too."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
from tests.coverage.worlds import (
    DESIGNS,
    Sample,
    binary_world,
    chosen,
    graded_world,
    labels_only,
    measure,
    ppi_wald,
    regression,
    stratified_world,
)

from assay.stats.weighted import weighted_mean

JUDGES = ((0.9, 0.05), (0.75, 0.1), (0.6, 0.02))
SMOKE_CELLS = [
    (rate, judge, labels, halves)
    for rate, labels, halves in product((0.02, 0.2), (30, 200), (False, True))
    for judge in (JUDGES[0], JUDGES[2])
]


def test_small_numbers_of_labels_keep_the_level() -> None:
    """A corner of the grid: 16 cells of rate, judge, labels and draw, 250 worlds each."""
    shares = []
    for index, (rate, (sensitivity, false_alarm), labels, halves) in enumerate(SMOKE_CELLS):
        rng = np.random.default_rng([1, index])
        [found] = measure(
            partial(
                binary_world,
                rng,
                rate=rate,
                sensitivity=sensitivity,
                false_alarm=false_alarm,
                labels=labels,
                halves=halves,
                size=3_000,
            ),
            [chosen],
            250,
        )
        shares.append(found.share)
    assert min(shares) >= 0.90
    assert 0.935 <= np.mean(shares) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("labels", [20, 30, 50, 100, 200, 400])
def test_the_whole_grid_keeps_the_level(labels: int) -> None:
    """7 rates, 3 judges, 2 draws, 1,000 worlds each."""
    shares = []
    grid = product((0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4), JUDGES, (False, True))
    for index, (rate, (sensitivity, false_alarm), halves) in enumerate(grid):
        rng = np.random.default_rng([2, labels, index])
        [found] = measure(
            partial(
                binary_world,
                rng,
                rate=rate,
                sensitivity=sensitivity,
                false_alarm=false_alarm,
                labels=labels,
                halves=halves,
            ),
            [chosen],
            1_000,
        )
        shares.append(found.share)
    assert min(shares) >= 0.91
    assert 0.94 <= np.mean(shares) <= 0.975


@pytest.mark.parametrize("name", DESIGNS)
def test_unequal_probabilities_in_both_phases_keep_the_level(name: str) -> None:
    """1,000 worlds: stratified Poisson draws for the judge, then for the labels."""
    rng = np.random.default_rng([3, *name.encode()])
    found, alone = measure(lambda: stratified_world(rng, DESIGNS[name]), [chosen, labels_only], 1_000)
    assert 0.93 <= found.share <= 0.995
    assert alone.share >= 0.93
    assert found.width < 0.9 * alone.width


@pytest.mark.parametrize("signal", [1.0, 2.5])
@pytest.mark.parametrize("halves", [False, True])
def test_a_graded_judge_keeps_the_level(signal: float, halves: bool) -> None:
    shares = []
    for index, (rate, labels) in enumerate([(0.05, 60), (0.2, 60), (0.2, 300)]):
        rng = np.random.default_rng([4, index, int(signal), halves])
        [found] = measure(
            partial(graded_world, rng, rate=rate, signal=signal, labels=labels, halves=halves, size=3_000),
            [chosen],
            400,
        )
        shares.append(found.share)
    assert min(shares) >= 0.92
    assert np.mean(shares) <= 0.99


@pytest.mark.parametrize("labels", [60, 300])
def test_a_useless_judge_costs_little(labels: int) -> None:
    """Verdicts that have nothing to do with the truth: about as wide as the labels alone, and right."""
    rng = np.random.default_rng([5, labels])
    found, alone = measure(
        lambda: binary_world(rng, rate=0.15, sensitivity=0.3, false_alarm=0.3, labels=labels),
        [chosen, labels_only],
        400,
    )
    assert found.share >= 0.93
    assert found.width <= 1.1 * alone.width
    assert found.rmse <= 1.1 * alone.rmse


@pytest.mark.parametrize("labels", [60, 300])
def test_a_useless_graded_judge_costs_little(labels: int) -> None:
    rng = np.random.default_rng([6, labels])

    def shuffled() -> Sample:
        made = graded_world(rng, rate=0.3, signal=2.0, labels=labels)
        return made._replace(judge=rng.permutation(made.judge))

    found, alone = measure(shuffled, [chosen, labels_only], 500)
    assert found.share >= 0.93
    assert found.width <= 1.1 * alone.width


def test_the_usual_interval_fails_where_ours_holds() -> None:
    """The control: PPI++ with Wald's interval at a 2 % failure rate promises 95 %."""
    for labels, at_most in ((50, 0.75), (100, 0.90)):
        rng = np.random.default_rng([7, labels])
        found, wald = measure(
            partial(binary_world, rng, rate=0.02, sensitivity=0.9, false_alarm=0.05, labels=labels),
            [chosen, ppi_wald],
            500,
        )
        assert found.share >= 0.93
        assert wald.share <= at_most


def test_a_regression_on_rare_misses_fails_where_post_strata_hold() -> None:
    """Why a yes/no judge is never regressed on: the miss that was not drawn is in no residual."""
    rng = np.random.default_rng(9)
    draw = partial(binary_world, rng, rate=0.005, sensitivity=0.6, false_alarm=0.02, labels=400, halves=True)
    found, regressed = measure(draw, [chosen, regression], 400)
    assert found.share >= 0.93
    assert regressed.share <= 0.6
    assert found.rmse <= 1.05 * regressed.rmse


@pytest.mark.parametrize("name", DESIGNS)
def test_the_judges_own_rate_keeps_the_level(name: str) -> None:
    """The weighted rate of what the judge would say of all rows."""
    rng = np.random.default_rng([8, *name.encode()])
    design = DESIGNS[name]
    hits, runs = 0, 1_000
    for _ in range(runs):
        stratum = rng.choice(len(design.share), p=design.share, size=design.size)
        flagged = (rng.random(design.size) < np.array(design.rate)[stratum]).astype(float)
        p1 = np.array(design.p1)[stratum]
        drawn = rng.random(design.size) < p1
        rate = weighted_mean(flagged[drawn], p1[drawn], population=design.size)
        hits += rate.low <= flagged.mean() <= rate.high
    assert 0.93 <= hits / runs <= 0.995
