"""How the command line reads times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assay.cli.options import parse_time, to_span
from assay.errors import CallerError

NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("", None),
        ("2025-11-01", datetime(2025, 11, 1, tzinfo=UTC)),
        ("2025-11-01T08:00", datetime(2025, 11, 1, 8, tzinfo=UTC)),
        ("2025-11-01T08:00+02:00", datetime(2025, 11, 1, 6, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        (" 30m ", NOW - timedelta(minutes=30)),
    ],
)
def test_a_time_is_in_utc(text: str, time: datetime | None) -> None:
    assert parse_time(text, NOW) == time


@pytest.mark.parametrize("text", ["soon", "7w", "99999999999999999d", "4000000d", "0001-01-01T00:00+05:00"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(CallerError, match="is no time; write"):
        parse_time(text, NOW)


def test_a_date_to_the_end_of_a_range_is_meant_whole() -> None:
    whole = to_span("2026-11-01", "2026-11-01", NOW)
    assert (whole.since, whole.until) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    )
    assert to_span("", "2026-11-01T08:00", NOW).until == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert to_span("", "24h", NOW).until == NOW - timedelta(hours=24)
    assert to_span("2026-11-01T20:00", "2026-11-01", NOW).until == datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-25", "2026-11-24"),
        ("2026-11-25T08:00", "2026-11-25T07:59"),
        ("24h", "7d"),
        ("2026-11-25", "20261124"),
    ],
)
def test_a_range_that_ends_before_it_starts_is_refused(since: str, until: str) -> None:
    with pytest.raises(CallerError, match=r"before it starts .*swap --since and --until"):
        to_span(since, until, NOW)


@pytest.mark.parametrize(("since", "until"), [("0001-01-01", ""), ("", "9999-12-31"), ("", "2200-01-01")])
def test_a_time_that_no_log_has_is_refused(since: str, until: str) -> None:
    with pytest.raises(CallerError, match="is out of reach; use a time from 1970 to 2199"):
        to_span(since, until, NOW)
