"""Failure rates of many groups of rows, and of the rows outside each, from sums that add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.stats.multiple import p_value_higher
from assay.stats.weighted import checked_probability
from assay.stats.wilson import FloatArray, wilson_t


class Sums(NamedTuple):
    """Additive sums over groups of rows with y in {0, 1} and probability p; w = 1/p.

    Whatever is asked of a group, or of all rows outside it, follows from these by adding and
    subtracting, so that a million rows in a thousand groups are read once.
    """

    rows: FloatArray
    failing: FloatArray
    weight: FloatArray
    weight_failing: FloatArray
    square: FloatArray
    doubt: FloatArray
    doubt_failing: FloatArray
    doubt_square: FloatArray
    doubt_square_failing: FloatArray


def row_sums(failing: FloatArray, probability: FloatArray) -> Sums:
    """The summands of `Sums`, row by row, to be added up by group.

    1, y, w, wy, w^2, k = (1-p)w^2, ky, k^2, k^2 y. Assumes y in {0, 1}.

    >>> float(row_sums(np.array([1.0]), np.array([0.5])).doubt[0])
    2.0
    """
    y = np.asarray(failing, dtype=np.float64)
    p = checked_probability(probability)
    w = 1.0 / p
    k = (1.0 - p) * w**2
    return Sums(np.ones_like(w), y, w, w * y, w**2, k, k * y, k**2, k**2 * y)


class Rates(NamedTuple):
    """Arrays, one entry a group; NaN where a group has no rows. `n_kish` ignores that it is finite."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    n_kish: FloatArray


def rates_of_groups(sums: Sums, *, level: float = 0.95) -> Rates:
    """`weighted_mean` of many groups at once, for y in {0, 1}.

    From k(y-m)^2 = ky(1-2m) + km^2 and its square. Assumes and cites what `weighted_mean` does.

    >>> one = Sums(*(np.array([each.sum()]) for each in row_sums(np.ones(5), np.full(5, 0.5))))
    >>> float(rates_of_groups(one).value[0])
    1.0
    """
    n, total = sums.rows, np.where(sums.rows > 0.0, sums.weight, np.nan)
    value = sums.weight_failing / total
    carried = sums.doubt_failing * (1.0 - 2.0 * value) + sums.doubt * value**2
    # (y-m)^4 is m^4 for y = 0 and (1-m)^4 for y = 1
    squares = sums.doubt_square * value**4 + sums.doubt_square_failing * ((1.0 - value) ** 4 - value**4)
    carried, squares = np.maximum(carried, 0.0), np.maximum(squares, 0.0)
    carriers = np.divide(carried**2, squares, out=np.zeros_like(carried), where=squares > 0.0)
    edge = np.minimum(0.2 / np.maximum(n, 1.0), 0.5)
    q = np.clip(value, edge, 1.0 - edge)
    small = n / np.maximum(n - 1.0, 1.0)
    bounds = wilson_t(
        value, small * carried / total**2, sums.doubt * q * (1.0 - q) / total**2, carriers, n, level=level
    )
    n_kish = np.divide(total**2, sums.square, out=np.zeros_like(value), where=sums.square > 0.0)
    return Rates(value, bounds.low, bounds.high, n_kish)


class Comparison(NamedTuple):
    """Arrays, one entry a group: the rate inside, outside, and whether inside is higher."""

    inside: Rates
    outside: Rates
    rows_outside: FloatArray
    p_value: FloatArray
    share_of_failures: FloatArray


def compare_groups(groups: Sums, everything: Sums, *, level: float = 0.95) -> Comparison:
    """Each group against all rows outside it; `everything` holds one entry, the sums over all rows.

    Rates as `rates_of_groups`; p as `p_value_higher` on Kish's sizes; share = sum(wy) inside / overall, NaN
    where nothing fails. Groups may overlap each other: each is compared with its own complement.

    >>> rows = row_sums(np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4))
    >>> first = Sums(*(np.array([each[:2].sum()]) for each in rows))
    >>> both = Sums(*(np.array([each.sum()]) for each in rows))
    >>> compare_groups(first, both).share_of_failures
    array([1.])
    """
    rows_outside = everything.rows - groups.rows
    some = rows_outside > 0.0
    outside = Sums(
        *(
            np.where(some, np.maximum(whole - part, 0.0), 0.0)
            for whole, part in zip(everything, groups, strict=True)
        )
    )
    inner, outer = rates_of_groups(groups, level=level), rates_of_groups(outside, level=level)
    p_value = p_value_higher(inner.value, inner.n_kish, outer.value, outer.n_kish)
    failing = np.broadcast_to(everything.weight_failing, groups.weight_failing.shape)
    share = np.divide(groups.weight_failing, failing, out=np.full(failing.shape, np.nan), where=failing > 0.0)
    return Comparison(inner, outer, rows_outside, p_value, share)
