"""How chances fall where a day turns out larger than was expected: a bad forecast costs little.

They fall with counts of logs and with earlier probabilities, never with what was drawn: each is known when
it is used."""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np
import pyarrow as pa

from assay.sampling.base import BoolArray, FloatArray, IntArray

SLACK: Final = 1.25
"""How far above what was expected a day may come before chances fall."""

BRAKE: Final = 5.0
"""How fast they fall then: at three times the logs 1.7 times the budget is drawn, at a hundred times 2.5."""


def slow_by_number(number: FloatArray, expected: float) -> FloatArray:
    """What the chance of a log is multiplied by that is the `number`-th where so many are `expected`.

    >>> slow_by_number(np.array([1.0, 125.0, 145.0, 10_000.0]), 100.0).round(3).tolist()
    [1.0, 1.0, 0.5, 0.002]
    """
    slower: FloatArray = 1 / (1 + BRAKE * np.maximum(0.0, number / expected - SLACK))
    return slower


def slow_by_sum(
    chance: FloatArray, least: FloatArray, had: FloatArray, spent: float, budget: float
) -> FloatArray:
    """The chances once more than the `budget` is `spent`, those of earlier rows added in turn, but at
    least `least`. A row that `had` a chance before adds what is above it.

    With S spent, in budgets, a chance is divided by exp(b (S - s)), so S grows with the logarithm of what
    would have been spent, A: S = s + ln(1 + b (A - s)) / b."""
    result: FloatArray = np.maximum(chance, least)
    added = np.maximum(0.0, result - had) / budget
    before = spent / budget + np.cumsum(added) - added
    beyond = np.flatnonzero(before > SLACK)
    if not beyond.size:
        return result
    first = int(beyond[0])
    so_far, slowed = float(before[first]), []
    rows = zip(chance[first:].tolist(), least[first:].tolist(), had[first:].tolist(), strict=True)
    for free, floor, earlier in rows:
        given = max(floor, free * exp(-BRAKE * (so_far - SLACK)))
        so_far += max(0.0, given - earlier) / budget
        slowed.append(given)
    result[first:] = slowed
    return result


def number_within(group: IntArray, first: BoolArray, before: FloatArray) -> FloatArray:
    """Each row's number within its group, from 1, of which so many came `before`. One that is not there for
    the `first` time comes last and takes no number.

    >>> first = np.array([True, True, False, True])
    >>> number_within(np.array([0, 1, 0, 0]), first, np.array([5.0, 0.0])).tolist()
    [6.0, 1.0, 6.0, 7.0]
    """
    order = np.argsort(group, kind="stable")
    sorted_group, new = group[order], first[order].astype(np.float64)
    begins = np.concatenate([[True], sorted_group[1:] != sorted_group[:-1]])[: len(group)]
    counted = np.cumsum(new)
    earlier = (counted - new)[begins][np.cumsum(begins) - 1]
    number: FloatArray = np.empty(len(group))
    number[order] = np.maximum(1.0, before[sorted_group] + counted - earlier)
    return number


def first_time(logs: pa.Table) -> BoolArray:
    """Which rows are decided on for the first time."""
    if "occasion" not in logs.column_names:
        return np.ones(logs.num_rows, dtype=np.bool_)
    first: BoolArray = logs["occasion"].to_numpy() == 0
    return first


def chance_before(logs: pa.Table) -> FloatArray:
    """What chance each row had on earlier occasions, 0 if there are none."""
    if "missed" not in logs.column_names:
        return np.zeros(logs.num_rows)
    had: FloatArray = np.where(first_time(logs), 0.0, 1 - logs["missed"].to_numpy())
    return had
