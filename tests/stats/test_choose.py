from __future__ import annotations

import numpy as np
import pytest

from assay.stats.choose import (
    LABELS_MINIMUM,
    choose_method,
    corrected_mean,
    labels_for_width,
    labels_from_rate,
    labels_needed,
)


def test_too_few_labels_give_no_method_whatever_the_judge() -> None:
    assert {choose_method(LABELS_MINIMUM - 1, judge, 9) for judge in ("none", "binary", "graded")} == {None}


def test_a_graded_judge_needs_misses_in_the_sample_before_it_may_regress() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(2_000) < 0.4).astype(float)
    h = np.clip(0.4 + 0.2 * y + 0.2 * rng.normal(size=2_000), 0.0, 1.0)
    seen = np.where(rng.random(2_000) < 0.1, y, np.nan)
    one, p2 = np.ones(2_000), np.full(2_000, 0.1)
    found = corrected_mean(seen, h, one, p2, population=2_000)
    assert found is not None
    assert found.method == "regression"
    never_wrong = np.where(y == 1.0, 0.9, 0.1 + 0.1 * rng.random(2_000))
    found = corrected_mean(seen, never_wrong, one, p2, population=2_000)
    assert found is not None
    assert found.method == "poststratified"


def test_without_a_judge_the_exact_interval_gives_way_to_the_weighted_one() -> None:
    rng = np.random.default_rng(2)
    for labels, method in ((9, None), (29, "exact"), (30, "regression")):
        seen = np.full(500, np.nan)
        seen[:labels] = rng.integers(0, 2, labels)
        for judge in (None, np.full(500, np.nan)):
            found = corrected_mean(seen, judge, np.ones(500), np.full(500, labels / 500), population=500)
            assert (found.method if found else None) == method


def test_labels_for_width_is_what_it_takes() -> None:
    """Quadruple the labels to halve the width; a finite population needs fewer; a floor is a floor."""
    assert labels_for_width(0.08, 0.04, 100, 1e9) == 400
    finite = labels_for_width(0.08, 0.04, 100, 1_000)
    assert finite == pytest.approx(1 / ((1 / 100 - 1 / 1_000) / 4 + 1 / 1_000), abs=1)
    assert labels_for_width(0.08, 0.10, 100, 1_000) == 100
    assert labels_for_width(0.08, 0.04, 100, 1e9, fixed=0.2) > 400
    assert labels_for_width(0.08, 0.04, 100, 1e9, fixed=0.25) == 0
    assert labels_for_width(0.08, 0.04, 100, 1e9, fixed=1.0) == 0
    with pytest.raises(ValueError, match="positive"):
        labels_for_width(0.08, 0.0, 100, 1e9)


def test_labels_from_a_guessed_rate() -> None:
    assert labels_from_rate(0.5, 0.05, 1e12) == 385
    assert labels_from_rate(0.5, 0.05, 400) < 200
    assert labels_from_rate(0.0, 0.05, 1e12) == labels_from_rate(0.05, 0.05, 1e12)


def test_labels_needed_counts_from_those_there_are() -> None:
    assert labels_needed(0) == LABELS_MINIMUM
    assert labels_needed(12) == 0
    assert labels_needed(12, wanted=60) == 48
