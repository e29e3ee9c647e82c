"""Numbers, times and addresses as a reader wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import quote, urlencode

from assay.estimates import wording
from assay.records import Estimate, Unit, Window

NO_VALUE = "–"


def percent(rate: float | None, digits: int = 1) -> str:
    """0.914 as `91.4 %`. What is not quite 0 or 1 is never rounded to it: `< 0.1 %`, `> 99.9 %`."""
    return NO_VALUE if rate is None else _unbroken(wording.percent(rate, digits))


def level(estimate: Estimate) -> str:
    """`95 %`."""
    return _unbroken(f"{100 * estimate.level:g} %")


def value(estimate: Estimate) -> str:
    """The value with the digits that its interval supports, or a dash."""
    return NO_VALUE if estimate.value is None else _unbroken(wording.value_text(estimate))


def interval(estimate: Estimate) -> str:
    """`88.9 to 93.6 %`, `exact`, `all judged`, or a dash."""
    text = wording.interval_text(estimate)
    words = ("", wording.EXACT, wording.ALL_JUDGED)
    return _unbroken(f"{text} %") if text not in words else text or NO_VALUE


def correction(estimate: Estimate) -> str:
    """How far the labels moved the judge's own rate, `−5.7 points`; nothing where they can't have."""
    if estimate.raw is None or estimate.raw.value is None or estimate.value is None:
        return ""
    difference = 100 * (estimate.value - estimate.raw.value)
    return _unbroken(f"{difference:+.{wording.supported_digits(estimate)}f} points".replace("-", "−"))


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


def size(size_bytes: float) -> str:
    """1234567 as `1.2 MB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def day(when: date | datetime) -> str:
    """`7 Nov`."""
    when = when.astimezone(UTC) if isinstance(when, datetime) else when
    return f"{when.day} {when:%b}"


def moment(when: datetime) -> str:
    """`7 Nov 14:03`, UTC."""
    return f"{day(when)} {when.astimezone(UTC):%H:%M}"


def minute(when: datetime) -> str:
    """`2025-11-07T14:03`, UTC: what a field for a time is given."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M}"


def stride(minutes: int) -> str:
    """15 as `15 minutes`, 60 as `1 hour`, 2880 as `2 days`."""
    for length, name in ((1_440, "day"), (60, "hour")):
        if minutes % length == 0:
            steps = minutes // length
            return f"{steps} {plural(name, steps)}"
    return f"{minutes} {plural('minute', minutes)}"


def exact(when: datetime) -> str:
    """`2025-11-07 14:03:21 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(window: Window) -> str:
    """`7 – 20 Nov 2025`: the days that a window touches."""
    first, last = window.first_day, window.last_day
    if first == last:
        return f"{day(first)} {first.year}"
    left = str(first.day) if (first.year, first.month) == (last.year, last.month) else day(first)
    year = f" {first.year}" if first.year != last.year else ""
    return f"{left}{year} – {day(last)} {last.year}"


def plural(unit: Unit | str, number: float = 2) -> str:
    """`conversation` or `conversations`."""
    return unit if number == 1 else f"{unit}s"


def conversation_path(conversation_id: str, turn: str = "") -> str:
    """The page of a conversation, or of a long one that page on which the turn is. Ids that no path can
    carry, or that a browser would read as a step in one, go in the query."""
    anchor = f"#turn-{quote(turn, safe='')}" if turn else ""
    wanted = {"turn": turn} if turn else {}
    if conversation_id in ("", ".", "..") or "\n" in conversation_id:
        return f"/conversations?{urlencode({'id': conversation_id, **wanted})}{anchor}"
    query = f"?{urlencode(wanted)}" if wanted else ""
    return f"/conversations/{quote(conversation_id, safe='')}{query}{anchor}"


def address(path: str, **query: str | None) -> str:
    """A path with those query parameters that have a value; the same address means the same page."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _unbroken(text: str) -> str:
    """With spaces at which no line breaks."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
