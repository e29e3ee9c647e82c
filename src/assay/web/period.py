"""The period in an address: `from` and `to` are UTC days, both included; `since` and `until` are times,
the second excluded; `last` is a length of time up to now."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from starlette.datastructures import QueryParams

from assay.errors import CallerError
from assay.records import Window
from assay.records.window import FIRST, LAST
from assay.web.numbers import span

PRESETS_DAYS = (1, 7, 14, 30, 90)
WAYS = (("last",), ("since", "until"), ("from", "to"))
"""The ways to say a period."""

LASTS = {"1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720}
"""What `last` may say, in hours."""


class Preset(NamedTuple):
    """A period one click away."""

    label: str
    start: str
    end: str
    current: bool


class Period(NamedTuple):
    """What the period picker shows, and what links of the page carry on."""

    label: str
    start: str
    end: str
    given: bool
    presets: tuple[Preset, ...]

    @property
    def query(self) -> dict[str, str]:
        """The parameters for links, empty where the period is the default."""
        return {"from": self.start, "to": self.end} if self.given else {}


def window_of(query: QueryParams, now: datetime | None = None) -> Window | None:
    """The window that an address asks for; None where it asks for none.

    Raises CallerError where a day or time can't be read or is out of reach, where they are in the wrong
    order, and where two windows are asked for."""
    _one_of(query)
    exact = _times(query) or _last(query, now or datetime.now(UTC))
    if exact is not None:
        return exact
    first, last = _day(query, "from"), _day(query, "to")
    first, last = first or last, last or first
    if first is None or last is None:
        return None
    if last < first:
        raise CallerError(f"the period ends ({last}) before it starts ({first}); swap from and to")
    return Window(start=Window.of_day(first).start, end=Window.of_day(last).end)


def period_of(window: Window, *, given: bool) -> Period:
    """What to show for the window on the page; the presets end on its last day."""
    start, last = window.first_day.isoformat(), window.last_day
    presets = []
    for length in PRESETS_DAYS:
        first = last - timedelta(days=length - 1)
        label = "1 day" if length == 1 else f"{length} days"
        presets.append(Preset(label, first.isoformat(), last.isoformat(), window.day_count == length))
    return Period(span(window), start, last.isoformat(), given, tuple(presets))


def _one_of(query: QueryParams) -> None:
    """Raises CallerError where the label could say one window and the logs be of another."""
    given = [[name for name in names if query.get(name, "").strip()] for names in WAYS]
    if sum(1 for names in given if names) > 1:
        *names, last = [name for ways in given for name in ways]
        raise CallerError(f"{', '.join(names)} and {last} say more than one period; keep one of them")


def _times(query: QueryParams) -> Window | None:
    since, until = time_of(query, "since"), time_of(query, "until")
    if since is None and until is None:
        return None
    since, until = since or FIRST, until or LAST
    if until < since:
        raise CallerError(f"the period ends ({until}) before it starts ({since}); swap since and until")
    return Window(start=since, end=until)


def _last(query: QueryParams, now: datetime) -> Window | None:
    last = query.get("last", "").strip()
    if not last:
        return None
    if last not in LASTS:
        raise CallerError(f"last={last[:20]!r} is unknown; there are {', '.join(LASTS)}")
    return Window(start=now - timedelta(hours=LASTS[last]), end=now)


def time_of(query: QueryParams, name: str) -> datetime | None:
    """The time under that name, in UTC, also where it names no zone."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        time = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except ValueError:
        raise CallerError(f"{name}={text[:40]!r} is no ISO 8601 time; write it as 2025-11-30T14:00") from None
    except OverflowError:
        raise _beyond(name, text) from None
    if not FIRST <= time <= LAST:
        raise _beyond(name, text)
    return time


def _day(query: QueryParams, name: str) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CallerError(f"{name}={text[:40]!r} is not a day; write it as 2025-11-30") from None
    if not FIRST.date() <= day < LAST.date():
        raise _beyond(name, text)
    return day


def _beyond(name: str, text: str) -> CallerError:
    return CallerError(f"{name}={text[:40]} is out of reach; use a time from 1970 to 2199")
