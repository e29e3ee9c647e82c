"""The time that an address asks for: what is out of reach is refused at once, on every page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient

from assay.errors import CallerError
from assay.records import Window
from assay.web.period import PRESETS_DAYS, period_of, window_of

ADDRESSES = (
    "/",
    "/metrics",
    "/explain/resolved",
    "/logs",
    "/logs/summary",
    "/operations",
    "/api/report",
    "/api/estimate/resolved",
    "/api/accounting/resolved",
    "/api/accounting/policies/daily",
    "/api/logs",
    "/api/breakdown",
    "/api/series",
    "/api/ingest",
)
BEYOND = (
    "from=0001-01-01",
    "to=0001-01-01",
    "to=9999-12-31",
    "from=0001-01-01&to=9999-12-30",
    "from=1969-12-31&to=2025-11-20",
    "from=2025-11-20&to=2200-01-01",
    "since=0001-01-01T00:00",
    "until=9999-12-31T23:59",
    "since=1969-12-31T23:59&until=2025-11-20T00:00",
    "since=2025-11-20T00:00&until=2200-01-01T00:01",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("query", BEYOND)
def test_a_time_that_no_log_has_is_refused(client: TestClient, address: str, query: str) -> None:
    answer = client.get(f"{address}?{query}")
    assert answer.status_code == 400, answer.text
    assert "use a time from 1970 to 2199" in answer.text


@pytest.mark.parametrize("address", ADDRESSES)
def test_all_the_time_that_there_may_be_is_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delattr(Window, "days")  # day by day, these are 84,006
    assert client.get(f"{address}?from=1970-01-01&to=2199-12-31").status_code == 200
    assert client.get(f"{address}?since=1970-01-01&until=2200-01-01").status_code == 200


@pytest.mark.parametrize("address", ["/", "/logs", "/api/logs", "/operations"])
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("last=24h&since=2025-11-20T00:00", "last and since"),
        ("last=24h&from=2025-11-20", "last and from"),
        ("since=2025-11-20T00:00&until=2025-11-21T00:00&to=2025-11-22", "since, until and to"),
    ],
)
def test_two_times_in_one_address_are_refused(
    client: TestClient, address: str, query: str, says: str
) -> None:
    answer = client.get(f"{address}?{query}")
    assert answer.status_code == 400
    assert says in answer.text


def test_fields_left_empty_ask_for_nothing() -> None:
    now = datetime(2025, 11, 20, tzinfo=UTC)
    window = window_of(QueryParams("last=24h&since=&until=&from=&to="), now)
    assert window == Window(start=now - timedelta(days=1), end=now)
    assert window_of(QueryParams("since=%20&from=")) is None


def test_what_is_refused_says_which_and_what_to_use() -> None:
    with pytest.raises(CallerError, match=r"^to=2200-01-01 is out of reach; use a time from 1970 to 2199$"):
        window_of(QueryParams("from=2025-01-01&to=2200-01-01"))


@pytest.mark.parametrize(
    ("start", "end", "first", "last", "days"),
    [
        (datetime(2025, 11, 7), datetime(2025, 11, 21), date(2025, 11, 7), date(2025, 11, 20), 14),
        (datetime(2025, 11, 7, 23, 59), datetime(2025, 11, 8, 0, 1), date(2025, 11, 7), date(2025, 11, 8), 2),
        (datetime(2025, 11, 7), datetime(2025, 11, 7), date(2025, 11, 7), date(2025, 11, 7), 1),
        (datetime(2025, 11, 7, 5), datetime(2025, 11, 7, 5), date(2025, 11, 7), date(2025, 11, 7), 1),
        (datetime(1970, 1, 1), datetime(2200, 1, 1), date(1970, 1, 1), date(2199, 12, 31), 84_006),
    ],
)
def test_the_days_of_a_window(start: datetime, end: datetime, first: date, last: date, days: int) -> None:
    window = Window(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC))
    assert (window.first_day, window.last_day, window.day_count) == (first, last, days)
    shown = period_of(window, given=True)
    assert (shown.start, shown.end) == (first.isoformat(), last.isoformat())
    assert [preset.current for preset in shown.presets] == [days == length for length in PRESETS_DAYS]
    assert {preset.end for preset in shown.presets} == {last.isoformat()}
