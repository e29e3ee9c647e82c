"""What arrives: how fast, from whom, how soon it can be queried, and what was turned away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import CallerError
from assay.records import Window
from assay.records.ingest import IngestMinute, IngestStatus
from assay.web.base import Site
from assay.web.numbers import count, moment

SPANS_S = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
"""The stretches of time that the page offers, by the name in its address."""
USUAL = "1h"
WIDE_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440)
"""How many minutes a bar may stand for."""
MOST_BARS = 75
WIDTH, HEIGHT = 600, 90


class Bar(NamedTuple):
    """What came in some minutes that lie side by side; `minutes` says how many."""

    start: datetime
    minutes: int
    spans: int
    records: int
    rejected: int

    @property
    def items(self) -> int:
        return self.spans + self.records + self.rejected


def ingest(site: Site, request: Request) -> Response:
    """The page, over the last minutes, hours or days (`last`)."""
    last = request.query_params.get("last") or USUAL
    if last not in SPANS_S:
        raise CallerError(f"last={last[:20]!r} is unknown; there are {', '.join(SPANS_S)}")
    now = datetime.now(UTC)
    window = Window(start=now - timedelta(seconds=SPANS_S[last]), end=now)
    status = site.app.ingest_status(window)
    bars = group_minutes(status.minutes, window)
    return site.render.page(
        request,
        "ingest.html",
        taking=status,
        last=last,
        choices=tuple(SPANS_S),
        now=now,
        bars=bars,
        chart=draw_bars(bars),
        alarms=alarms(status),
    )


def group_minutes(minutes: Sequence[IngestMinute], window: Window) -> tuple[Bar, ...]:
    """The window as bars of equally many minutes, those without any arrival too."""
    first = window.start.replace(second=0, microsecond=0)
    total = max(1, -int((first - window.end).total_seconds() // 60))
    wide = next((wide for wide in WIDE_MIN if total <= MOST_BARS * wide), WIDE_MIN[-1])
    sums = [[0, 0, 0] for _ in range(-(-total // wide))]
    for one in minutes:
        place = int((one.minute - first).total_seconds() // 60) // wide
        if 0 <= place < len(sums):
            for column, number in enumerate((one.spans, one.records, one.rejected)):
                sums[place][column] += number
    return tuple(
        Bar(first + timedelta(minutes=wide * place), wide, *numbers) for place, numbers in enumerate(sums)
    )


def draw_bars(bars: Sequence[Bar]) -> Markup:
    """The bars as an SVG without script or inline style; what was turned away stands on top."""
    highest = max((bar.items for bar in bars), default=0)
    step = WIDTH / max(len(bars), 1)
    opening = Markup(
        '<svg class="bars" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none" '
        'aria-label="What arrived over time; the highest bar is {} items">'
    ).format(WIDTH, HEIGHT, count(highest))
    drawn = (_draw(bar, place * step, step, HEIGHT / max(highest, 1)) for place, bar in enumerate(bars))
    return Markup("").join([opening, *drawn, Markup("</svg>")])


def alarms(status: IngestStatus) -> tuple[str, ...]:
    """What somebody should look at now, worst first."""
    found = []
    if status.problem:
        found.append(f"Nothing leaves the journal: {status.problem}")
    if status.waiting_limit_bytes and status.waiting_bytes > 0.5 * status.waiting_limit_bytes:
        share = status.waiting_bytes / status.waiting_limit_bytes
        found.append(
            f"The journal is {100 * share:.0f} % full (ingest.max_waiting_mb): "
            "when it is full, senders are told to wait."
        )
    if status.dead:
        found.append(
            f"The store refused {count(status.dead)} requests for good: "
            f"they are kept in {status.dead_folder}."
        )
    return tuple(found)


def _draw(bar: Bar, left: float, step: float, unit: float) -> Markup:
    """One bar, `unit` high for each item. A clear rectangle lets the pointer find a low one."""
    taken, turned = unit * (bar.spans + bar.records), unit * bar.rejected
    shapes = (
        _rect("reach", left, step, HEIGHT, HEIGHT),
        _rect("taken", left + 0.1 * step, 0.8 * step, taken, taken),
        _rect("turned", left + 0.1 * step, 0.8 * step, taken + turned, turned),
    )
    return Markup("<g><title>{}</title>{}</g>").format(_told(bar), Markup("").join(shapes))


def _rect(name: str, x: float, width: float, top: float, height: float) -> Markup:
    """A rectangle whose upper edge stands `top` above the ground."""
    return Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
        name, x, HEIGHT - top, width, height
    )


def _told(bar: Bar) -> str:
    end = bar.start + timedelta(minutes=bar.minutes)
    parts = [f"{count(bar.spans)} spans"]
    if bar.records:
        parts.append(f"{count(bar.records)} log records")
    if bar.rejected:
        parts.append(f"{count(bar.rejected)} turned away")
    return f"{moment(bar.start)} to {end:%H:%M}: {', '.join(parts)}"
