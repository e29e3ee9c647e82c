"""Range bars: an estimate and its interval on one line, drawn as a small SVG without a script.

Attributes carry positions and classes carry colours, so neither inline styles nor scripts are
needed and both themes share one drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup

from assay.records import Estimate
from assay.web.numbers import interval, level, percent, value

WIDTH = 100.0
MARGIN = 0.2
"""Of a step of the axis, so that no interval seems to be cut off by its end."""


class Axis(NamedTuple):
    """The part of [0, 1] that a group of bars shares, so that they can be compared by eye."""

    low: float
    high: float

    def at(self, rate: float) -> float:
        """The position of a rate, in hundredths of the width, kept inside."""
        return min(1.0, max(0.0, (rate - self.low) / (self.high - self.low))) * WIDTH


FULL = Axis(0.0, 1.0)


def axis_of(estimates: Iterable[Estimate | None]) -> Axis:
    """The smallest round axis that holds all intervals; from 0 where they start below a half."""
    ends: list[float] = []
    for estimate in estimates:
        if estimate is not None and estimate.value is not None:
            ends += [end for end in (estimate.low, estimate.value, estimate.high) if end is not None]
    if not ends:
        return FULL
    step = 0.05 if max(ends) - min(ends) < 0.3 else 0.1
    high = min(1.0, math.ceil(max(ends) / step + MARGIN) * step)
    low = max(0.0, math.floor(min(ends) / step - MARGIN) * step)
    if low < 0.3:
        low = 0.0
    return Axis(round(low, 4), round(high, 4))


def range_bar(
    estimate: Estimate, axis: Axis = FULL, *, mark: float | None = None, mark_name: str = "", size: str = ""
) -> Markup:
    """The bar of one estimate. `mark` is a rate to compare with, drawn as a tick."""
    label = f"{value(estimate)}, {level(estimate)} interval {interval(estimate)}"
    if mark is not None:
        label += f", {mark_name or 'compared with'} {percent(mark)}"
    kind = "svg" if estimate.value is not None else "svg unknown"
    parts = [
        f'<svg class="range {size} {kind}" role="img" viewBox="0 0 100 12" preserveAspectRatio="none" '
        f'aria-label="%s"><title>%s</title><rect class="track" x="0" y="5" width="100" height="2"/>'
    ]
    if estimate.value is not None:
        if estimate.low is not None and estimate.high is not None:
            left, right = axis.at(estimate.low), axis.at(estimate.high)
            parts.append(
                f'<rect class="interval" x="{left:.2f}" y="3" height="6" '
                f'width="{max(right - left, 0.4):.2f}"/>'
            )
        if mark is not None:
            parts.append(_tick("compare", axis.at(mark), 1, 10))
        parts.append(_tick("value", axis.at(estimate.value), 0, 12))
    drawing = Markup("".join([*parts, "</svg>"]))  # noqa: S704  numbers only; % escapes the label
    return drawing % (label, label)


def _tick(name: str, x: float, y: float, height: float) -> str:
    at = min(max(x, 0.6), WIDTH - 0.6)
    return (
        f'<line class="{name}" x1="{at:.2f}" x2="{at:.2f}" y1="{y}" y2="{y + height}" '
        'vector-effect="non-scaling-stroke"/>'
    )
