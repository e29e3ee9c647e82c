"""The period in an address: `from` and `to` are UTC days, both included; `since` and `until` are times,
the second excluded; `last` is a length of time up to now."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from starlette.datastructures import QueryParams

from assay.errors import CallerError
from assay.records import Window
from assay.web.numbers import span

PRESETS_DAYS = (1, 7, 14, 30, 90)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


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

    Raises CallerError where a day or time can't be read or they are in the wrong order."""
    exact = _times(query) or _last(query, now or datetime.now(UTC))
    if exact is not None:
        return exact
    first, last = _day(query, "from"), _day(query, "to")
    if first is None and last is None:
        return None
    first = first or last or date.min
    last = last or first
    if last < first:
        raise CallerError(f"the period ends ({last}) before it starts ({first}); swap from and to")
    try:
        end = datetime.combine(last, time(), tzinfo=UTC) + timedelta(days=1)
    except OverflowError:
        raise CallerError(f"to={last} is too far in the future; use a day before 9999-12-31") from None
    return Window(start=datetime.combine(first, time(), tzinfo=UTC), end=end)


def period_of(window: Window, *, given: bool) -> Period:
    """What to show for the window on the page; the presets end on its last day."""
    days = window.days() or [Window.of_day(window.start.astimezone(UTC).date())]
    last = days[-1].start.date()
    presets = []
    for length in PRESETS_DAYS:
        first = last - timedelta(days=length - 1)
        label = "1 day" if length == 1 else f"{length} days"
        presets.append(Preset(label, first.isoformat(), last.isoformat(), len(days) == length))
    first = days[0].start.date()
    return Period(span(window), first.isoformat(), last.isoformat(), given, tuple(presets))


def _times(query: QueryParams) -> Window | None:
    since, until = time_of(query, "since"), time_of(query, "until")
    if since is None and until is None:
        return None
    since, until = since or FIRST, until or LAST
    if until < since:
        raise CallerError(f"the period ends ({until}) before it starts ({since}); swap since and until")
    return Window(start=since, end=until)


def _last(query: QueryParams, now: datetime) -> Window | None:
    last = query.get("last", "")
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
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CallerError(f"{name}={text[:40]!r} is no ISO 8601 time; write it as 2025-11-30T14:00") from None


def _day(query: QueryParams, name: str) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CallerError(f"{name}={text[:40]!r} is not a day; write it as 2025-11-30") from None
