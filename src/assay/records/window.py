"""A span of time that a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta


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

    def days(self) -> list[Window]:
        """The UTC days that overlap this window, each whole."""
        first, days = self.start.astimezone(UTC).date(), []
        while (day := Window.of_day(first)).start < self.end:
            days.append(day)
            first += timedelta(days=1)
        return days
