"""Numbers, times and addresses as a reader wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import quote, urlencode

from assay.records import Estimate, Unit, Window

NO_VALUE = "–"


def percent(rate: float | None, digits: int = 1) -> str:
    """0.914 as `91.4%`. Only an exact 0 or 1 is written 0% or 100%."""
    if rate is None:
        return NO_VALUE
    step = 10.0 ** -(digits + 2)
    if 0 < rate < step / 2:
        return f"<{step:.{digits}%}"
    if 1 - step / 2 <= rate < 1:
        return f">{1 - step:.{digits}%}"
    return "0%" if rate == 0 else "100%" if rate == 1 else f"{rate:.{digits}%}"


def interval(estimate: Estimate) -> str:
    """`88.9 – 93.6%`, with a second digit where the ends lie close together; or a dash."""
    if estimate.low is None or estimate.high is None:
        return NO_VALUE
    digits = 1 if estimate.high - estimate.low >= 0.004 else 2
    low, high = percent(estimate.low, digits), percent(estimate.high, digits)
    return f"{low.removesuffix('%')} – {high}"


def points(difference: float) -> str:
    """A difference of rates in percentage points, signed."""
    return f"{difference * 100:+.1f}".replace("-", "−") + " points"


def count(number: float | None) -> str:
    """12430 as `12,430`."""
    return NO_VALUE if number is None else f"{number:,.0f}"


def money(usd: float) -> str:
    """Dollars, with cents or as many digits as show that it is not nothing."""
    if usd == 0:
        return "$0"
    if usd < 0.0001:
        return "<$0.0001"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.3f}" if usd >= 0.01 else f"${usd:.4f}"


def duration(milliseconds: float) -> str:
    """840 as `840 ms`, 3200 as `3.2 s`, 125000 as `2 min 5 s`."""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def day(when: date | datetime) -> str:
    """`7 Nov`."""
    when = when.astimezone(UTC) if isinstance(when, datetime) else when
    return f"{when.day} {when:%b}"


def moment(when: datetime) -> str:
    """`7 Nov 14:03`, UTC."""
    return f"{day(when)} {when.astimezone(UTC):%H:%M}"


def exact(when: datetime) -> str:
    """`2025-11-07 14:03:21 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(window: Window) -> str:
    """`7 – 20 Nov 2025`: the days that a window touches."""
    days = window.days() or [Window.of_day(window.start.astimezone(UTC).date())]
    first, last = days[0].start, days[-1].start
    if first == last:
        return f"{day(first)} {first.year}"
    left = str(first.day) if (first.year, first.month) == (last.year, last.month) else day(first)
    year = f" {first.year}" if first.year != last.year else ""
    return f"{left}{year} – {day(last)} {last.year}"


def plural(unit: Unit | str, number: float = 2) -> str:
    """`conversation` or `conversations`."""
    return unit if number == 1 else f"{unit}s"


def conversation_path(conversation_id: str, turn: str = "") -> str:
    """The page of a conversation. Ids that no path can carry, or that a browser would read as a
    step in one, go in the query."""
    anchor = f"#turn-{quote(turn, safe='')}" if turn else ""
    if conversation_id in ("", ".", "..") or "\n" in conversation_id:
        return f"/conversations?{urlencode({'id': conversation_id})}{anchor}"
    return f"/conversations/{quote(conversation_id, safe='')}{anchor}"


def address(path: str, **query: str | None) -> str:
    """A path with those query parameters that have a value; the same address means the same page."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
