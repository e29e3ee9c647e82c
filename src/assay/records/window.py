"""A span of time that a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between these a question may ask for logs: beyond them no log is kept by its time, and a window of all the
days that a calendar has would be built by whoever goes through its days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Half-open: `start` <= t < `end`, both UTC-aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window's start and end must be UTC-aware datetimes")
        if self.end < self.start:
            raise ValueError(f"a window can't end ({self.end}) before it starts ({self.start})")

    @classmethod
    def of_day(cls, day: date) -> Window:
        """The UTC day."""
        start = datetime.combine(day, time(), tzinfo=UTC)
        return cls(start=start, end=start + timedelta(days=1))

    @property
    def first_day(self) -> date:
        """The UTC day on which the window starts."""
        return self.start.astimezone(UTC).date()

    @property
    def last_day(self) -> date:
        """The last UTC day that the window touches; the first one where nothing lies in it."""
        end = self.end if self.end == self.start else self.end - timedelta(microseconds=1)
        return end.astimezone(UTC).date()

    @property
    def day_count(self) -> int:
        """How many UTC days it touches, at least one."""
        return (self.last_day - self.first_day).days + 1

    def days(self) -> list[Window]:
        """The UTC days that overlap this window, each whole."""
        first, days = self.start.astimezone(UTC).date(), []
        while (day := Window.of_day(first)).start < self.end:
            days.append(day)
            first += timedelta(days=1)
        return days
