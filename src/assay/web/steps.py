"""Logs over time as a row of bars, each a link to its day or hour; a small SVG without a script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

from assay.records import Series
from assay.web.numbers import address, count

HEIGHT = 40.0
MOST = 200
LENGTH = {"day": timedelta(days=1), "hour": timedelta(hours=1)}


class Bar(NamedTuple):
    """One step of time: how high it stands, and how much of that raised an error."""

    at: datetime
    logs: int
    failed: int


def bars_of(series: Series) -> list[Bar]:
    """Every step from the first to the last, also those without a log; the newest, where they are many."""
    if not series.points:
        return []
    found = {point.at: point for point in series.points}
    at, last = series.points[0].at, series.points[-1].at
    at = max(at, last - LENGTH[series.by] * (MOST - 1))
    made = []
    while at <= last:
        point = found.get(at)
        made.append(Bar(at, point.logs if point else 0, point.failed if point else 0))
        at += LENGTH[series.by]
    return made


def steps(series: Series, keep: Mapping[str, str]) -> Markup:
    """The drawing; nothing where there is nothing to compare. `keep` stays in the links' addresses."""
    bars = bars_of(series)
    if len(bars) < 2:
        return Markup("")
    most = max(bar.logs for bar in bars) or 1
    total, failed = sum(bar.logs for bar in bars), sum(bar.failed for bar in bars)
    label = f"{count(total)} logs by {series.by}, {count(failed)} of them with an error"
    drawn = Markup(
        '<svg class="timeline" role="img" viewBox="0 0 %s %s" preserveAspectRatio="none" aria-label="%s">'
    ) % (len(bars) * 10, int(HEIGHT), label)
    shapes = [_bar(bar, place, most, series, keep) for place, bar in enumerate(bars)]
    return Markup("").join([drawn, *shapes, Markup("</svg>")])


def _bar(bar: Bar, place: int, most: int, series: Series, keep: Mapping[str, str]) -> Markup:
    high = HEIGHT * bar.logs / most
    bad = high * bar.failed / bar.logs if bar.logs else 0.0
    day = bar.at.date().isoformat()
    name = day if series.by == "day" else f"{bar.at:%Y-%m-%d %H}:00"
    title = f"{name}: {count(bar.logs)} logs, {count(bar.failed)} with an error"
    link = address("/logs", **{**keep, "from": day, "to": day})
    shapes = [
        _rect("hit", place, HEIGHT, HEIGHT),
        _rect("all", place, high, high),
        _rect("bad", place, bad, bad),
    ]
    return Markup('<a href="%s"><title>%s</title>%s</a>') % (link, title, Markup("").join(shapes))


def _rect(name: str, place: int, high: float, top: float) -> Markup:
    return Markup('<rect class="%s" x="%s" y="%s" width="8" height="%s"/>') % (
        name,
        place * 10 + 1,
        f"{HEIGHT - top:.2f}",
        f"{high:.2f}",
    )
