"""The control of the coverage tests is the real thing."""

from __future__ import annotations

import numpy as np
import pytest
from ppi_py import ppi_mean_ci
from tests.coverage.worlds import binary_world, ppi_wald


def test_our_control_is_ppi_py() -> None:
    sample = binary_world(
        np.random.default_rng(1), rate=0.2, sensitivity=0.8, false_alarm=0.1, labels=200, size=3_000
    )
    known = ~np.isnan(sample.label)
    low, high = ppi_mean_ci(sample.label[known], sample.judge[known], sample.judge, alpha=0.05)
    ours = ppi_wald(sample)
    assert ours is not None
    assert ours[1] == pytest.approx(float(np.squeeze(low)), abs=0.002)
    assert ours[2] == pytest.approx(float(np.squeeze(high)), abs=0.002)
