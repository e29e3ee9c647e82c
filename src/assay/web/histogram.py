"""Logs over time as a row of bars, each a link to its own time; a small SVG without a script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup, escape

from assay.records import Breakdown, TimeBar, Window
from assay.web.numbers import count, day, moment

HEIGHT = 40.0
MOST = 240
TICKS = 6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Histogram(NamedTuple):
    """The drawing, its axis, where it begins and what of time it counts: a stretch of it can be chosen."""

    drawing: Markup
    axis: Markup
    start: datetime
    step_minutes: int
    bars: int
    most: int
    shown: Window


def bars_of(made: Breakdown) -> list[TimeBar]:
    """Every step of the time that is shown, also those without a log."""
    length = timedelta(minutes=made.step_minutes)
    if not made.bars or made.shown.start >= made.shown.end:
        return []
    first = EPOCH + (made.shown.start - EPOCH) // length * length
    found = {bar.at: bar for bar in made.bars}
    steps = -((first - made.shown.end) // length)
    every = [first + length * step for step in range(min(steps, MOST))]
    return [found.get(at) or TimeBar(at=at, logs=0, failed=0) for at in every]


def draw(made: Breakdown, link: Callable[[datetime, datetime], str]) -> Histogram | None:
    """The bars; None where there is nothing to compare. `link` is the address of a stretch of time.

    The first and last bar lead to what of them was counted: a window may begin and end within a bar."""
    bars = bars_of(made)
    if len(bars) < 2:
        return None
    most, length = max(bar.logs for bar in bars) or 1, timedelta(minutes=made.step_minutes)
    total, failed = sum(bar.logs for bar in bars), sum(bar.failed for bar in bars)
    label = f"{count(total)} logs over time, {count(failed)} of them with an error"
    drawn = (
        f'<svg class="timeline" role="group" viewBox="0 0 {len(bars) * 10} {int(HEIGHT)}" '
        f'preserveAspectRatio="none" aria-label="{label}">'
    )
    shown = made.shown
    shapes = [
        _bar(
            bar,
            place,
            most,
            link(max(bar.at, shown.start), min(bar.at + length, shown.end)),
            made.step_minutes,
            stop=place == len(bars) - 1,
        )
        for place, bar in enumerate(bars)
    ]
    drawing = Markup(f"{drawn}{''.join(shapes)}</svg>")  # noqa: S704  numbers, and links that are escaped
    return Histogram(
        drawing, _axis(bars, made.step_minutes), bars[0].at, made.step_minutes, len(bars), most, shown
    )


def _bar(bar: TimeBar, place: int, most: int, link: str, minutes: int, *, stop: bool) -> str:
    high = max(HEIGHT * bar.logs / most, 1.0) if bar.logs else 0.0
    bad = max(high * bar.failed / bar.logs, 0.8) if bar.failed else 0.0
    name = day(bar.at) if minutes >= 1440 else moment(bar.at)
    return (
        f'<a href="{escape(link)}" tabindex="{0 if stop else -1}">'
        f"<title>{name}: {count(bar.logs)} logs, {count(bar.failed)} with an error</title>"
        f"{_rect('hit', place, HEIGHT)}{_rect('all', place, high)}{_rect('bad', place, bad)}</a>"
    )


def _rect(name: str, place: int, high: float) -> str:
    return (
        f'<rect class="{name}" x="{place * 10 + 1}" y="{HEIGHT - high:.2f}" width="8" height="{high:.2f}"/>'
    )


def _axis(bars: list[TimeBar], minutes: int) -> Markup:
    """A few times below the bars that they stand for; each day is named where it begins."""
    apart = max(1, -(-len(bars) // TICKS))
    texts, before = [], None
    for place in range(0, len(bars), apart):
        at = bars[place].at
        if len(bars) - place < apart / 2:
            break
        text = day(at) if minutes >= 1440 else f"{at:%H:%M}" if before == at.date() else moment(at)
        before = at.date()
        texts.append(f'<text x="{100 * place / len(bars):.2f}%" y="11">{text}</text>')
    axis = f'<svg class="axis" aria-hidden="true" width="100%" height="15">{"".join(texts)}</svg>'
    return Markup(axis)  # noqa: S704  times alone
