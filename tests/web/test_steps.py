"""Logs over time, what is still open, and how far a search has come: on the page and in the API."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from starlette.testclient import TestClient
from tests.web.fake import HOSTILE_ID, SCRIPT, START, FakePages

from assay.records import OpenPage, OpenRow, Series, SeriesPoint
from assay.web.steps import bars_of, steps

POINTS = (
    SeriesPoint(at=START, logs=10, failed=5),
    SeriesPoint(at=START + timedelta(days=2), logs=40, failed=0),
)
SERIES = Series(of="count", unit="conversation", by="day", filter="", points=POINTS)


def test_days_without_a_log_have_their_place() -> None:
    assert [(bar.at.day, bar.logs, bar.failed) for bar in bars_of(SERIES)] == [
        (7, 10, 5),
        (8, 0, 0),
        (9, 40, 0),
    ]


def test_each_bar_leads_to_its_day_and_keeps_the_filter() -> None:
    drawn = str(steps(SERIES, {"unit": "conversation", "q": SCRIPT}))
    assert drawn.count("<a ") == 3
    assert "from=2025-11-09&amp;to=2025-11-09" in drawn
    assert "<script>" not in drawn
    assert 'class="bad" x="1" y="35.00" width="8" height="5.00"' in drawn
    assert "50 logs by day, 5 of them with an error" in drawn


def test_one_bar_compares_nothing() -> None:
    one = Series(of="count", unit="conversation", by="day", filter="", points=POINTS[:1])
    assert str(steps(one, {})) == ""


def test_the_list_shows_its_logs_over_time(client: TestClient, pages: FakePages) -> None:
    body = client.get("/logs?q=turns > 1").text
    assert 'class="timeline"' in body
    assert pages.summed[-1] == ("count", "day", "conversation", "turns > 1", None)
    client.get("/logs?from=2025-11-07&to=2025-11-07")
    assert pages.summed[-1] == ("count", "hour", "conversation", "", pages.listed[-1]["window"])


def test_a_search_that_stopped_says_so(client: TestClient, pages: FakePages) -> None:
    assert "Searched back" not in client.get("/logs?q=turns > 1").text
    pages.page = {"total_since": START, "searched_to": START}
    body = client.get("/logs?q=turns > 1").text
    assert "More than 12,430" in body
    assert "Searched back to" in body
    assert "deep=1" in body


def test_what_is_open_is_counted_and_listed(client: TestClient, pages: FakePages) -> None:
    assert "Still open" not in client.get("/logs").text
    row = OpenRow(
        interaction_id="i-1",
        conversation_id=HOSTILE_ID,
        started=START,
        arrived=START,
        input=SCRIPT,
        output="",
        service="shop",
        errors=2,
    )
    pages.open = OpenPage(interactions=7, conversations=3, failed=1, rows=(row,), minutes=())
    assert "Still open: 3 conversations" in client.get("/logs").text
    body = client.get("/logs?open=1").text
    assert "<script>document" not in body
    assert "2 errors" in body
    found = msgspec.json.decode(client.get("/api/arrivals?limit=5").content, type=OpenPage)
    assert (found.interactions, found.rows) == (7, (row,))


def test_the_api_gives_numbers_over_time(client: TestClient, pages: FakePages) -> None:
    found = msgspec.json.decode(
        client.get("/api/series?of=latency_ms&by=hour&unit=interaction&q=errors > 0").content, type=Series
    )
    assert pages.summed[-1] == ("latency_ms", "hour", "interaction", "errors > 0", None)
    assert [point.logs for point in found.points] == [10, 30]
    wrong = client.get("/api/series?of=mood")
    assert wrong.status_code == 400
    assert "latency_ms" in wrong.text
