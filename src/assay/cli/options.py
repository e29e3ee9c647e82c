"""Options that several commands share, and what they mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from assay.app.requests import Span
from assay.errors import CallerError
from assay.records.window import FIRST, LAST

DAY = timedelta(days=1)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="assay.toml, or the folder it is in.", show_default="the nearest one"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="NAME=COLUMN: the file's column for one of assay's names.", show_default=False
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since", help="From when: 2026-11-01, 2026-11-01T08:00, 7d or 24h ago.", show_default=False
    ),
]
Until = Annotated[
    str, typer.Option("--until", help="Until when, likewise; a date is taken to its end.", show_default=False)
]


def to_span(since: str, until: str, now: datetime) -> Span:
    """The range that --since and --until name.

    Raises CallerError with the text that is not understood, and where the range ends before it starts."""
    start, end = parse_time(since, now), parse_time(until, now)
    whole = end is not None and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", until.strip()) is not None
    for text, time in ((since, start), (until, end)):
        if time is not None and not FIRST <= time <= (LAST - DAY if whole else LAST):
            raise CallerError(f"`{text}` is out of reach; use a time from 1970 to 2199")
    if end is not None and whole:
        end += DAY
    if start is not None and end is not None and (end < start or (whole and end == start)):
        raise CallerError(
            f"the range ends ({until.strip()}) before it starts ({since.strip()}); swap --since and --until"
        )
    return Span(since=start, until=end)


def parse_time(text: str, now: datetime) -> datetime | None:
    """An ISO 8601 date or time (UTC where no zone is said), or `7d`, `24h`, `30m` before `now`."""
    text = text.strip()
    if not text:
        return None
    try:
        if ago := re.fullmatch(r"(\d+)([dhm])", text):
            unit = {"d": "days", "h": "hours", "m": "minutes"}[ago[2]]
            return now - timedelta(**{unit: int(ago[1])})
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CallerError(
            f"`{text}` is no time; write 2026-11-01, 2026-11-01T08:00, 7d, 24h or 30m"
        ) from None
