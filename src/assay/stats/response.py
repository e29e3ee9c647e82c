"""Rows that were asked for and did not, or not yet, answer."""

from __future__ import annotations

import numpy as np

from assay.stats.wilson import CodeArray, FlagArray, FloatArray

CELL_MINIMUM = 5
"""Fewer answers than this in a cell, and the cell borrows the rate of all such cells together."""


def response_probability(cells: CodeArray, answered: FlagArray, wider: CodeArray | None = None) -> FloatArray:
    """The probability, for each row that was asked, that it answered: the observed rate of its cell.

    r = answered / asked within the cell; cells with fewer than five answers are pooled, first those of one
    `wider` cell, then, unless complete, all; where even the pool has none, the overall rate counts. Assumes
    that inside a cell the missing rows are like those that answered. An inclusion probability times r is that
    of an answered row. Särndal, Swensson and Wretman (1992), 15.6 (response homogeneity groups).

    >>> response_probability(np.zeros(10, dtype=np.intp), np.arange(10) < 8)[0]
    np.float64(0.8)
    """
    codes = np.asarray(cells, dtype=np.intp)
    yes = np.asarray(answered, dtype=np.float64)
    if codes.size == 0 or yes.sum() == 0.0:
        return np.ones(codes.size)
    levels = [codes] if wider is None else [codes, np.asarray(wider, dtype=np.intp)]
    result, left = np.full(codes.size, yes.mean()), np.ones(codes.size, dtype=bool)
    for number, level in enumerate([*levels, np.zeros_like(codes)]):
        asked, given = np.bincount(level[left]), np.bincount(level[left], weights=yes[left])
        enough = given >= (CELL_MINIMUM if number < len(levels) else 1)
        if number == len(levels) - 1:
            # a cell that is complete needs no others; a day of one log that answered says nothing
            enough |= given == asked
        found = enough[level[left]]
        rows = np.flatnonzero(left)[found]
        result[rows] = (given / np.maximum(asked, 1))[level[left]][found]
        left[rows] = False
    return result


def answered_probability(
    probability: FloatArray,
    cells: CodeArray,
    asked: FlagArray,
    answered: FlagArray,
    wider: CodeArray | None = None,
) -> FloatArray:
    """`probability`, times `response_probability` where a row was asked; the other entries stay.

    Assumes and cites what `response_probability` does.

    >>> asked, answered = np.array([True] * 8 + [False]), np.array([True] * 6 + [False] * 3)
    >>> answered_probability(np.full(9, 0.4), np.zeros(9, dtype=np.intp), asked, answered)[[0, 8]].round(2)
    array([0.3, 0.4])
    """
    result = np.array(probability, dtype=np.float64)
    around = None if wider is None else wider[asked]
    result[asked] *= response_probability(cells[asked], answered[asked], around)
    return result
