from __future__ import annotations

from datetime import timedelta

import numpy as np
from tests.estimates.ledgers import JUDGE, START, ledger, row, simulate

from assay.estimates.metric import estimate_metric
from assay.estimates.trend import estimate_days


def test_each_day_stands_on_its_own_rows() -> None:
    import pyarrow.compute as pc

    drawn = simulate(np.random.default_rng(1), days=5)
    days = estimate_days(drawn.rows, drawn.seen_by_day, JUDGE)
    assert [each.day for each in days] == sorted(drawn.seen_by_day)
    third = START + timedelta(days=2)
    alone = drawn.rows.filter(pc.field("day") == third)
    assert days[2].estimate == estimate_metric(alone, drawn.seen_by_day[third], JUDGE)
    assert days[2].estimate.known


def test_a_day_with_few_labels_keeps_the_judges_rate_and_gives_no_value() -> None:
    rows = [row(i) for i in range(30)]
    rows += [row(100 + i, day=START + timedelta(days=1), p2=0.5, label=1.0) for i in range(30)]
    later = START + timedelta(days=2)
    days = estimate_days(ledger(rows), {later: 7, START: 30, START + timedelta(days=1): 30}, JUDGE)
    assert [each.estimate.known for each in days] == [False, True, False]
    assert days[0].estimate.raw is not None
    assert days[0].estimate.raw.known
    assert days[2].estimate.reason == "no log is selected yet"


def test_days_without_logs_are_no_days() -> None:
    assert estimate_days(ledger([]), {START: 0}, JUDGE) == ()
