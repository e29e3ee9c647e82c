"""The page of what arrives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from tests.web.arrivals import HOUR, NOW, QUIET, STATUS
from tests.web.fake import FakePages
from tests.web.test_pages import read

from assay.records import Window
from assay.records.ingest import IngestMinute
from assay.web.ingest import MOST_BARS, alarms, draw_bars, group_minutes

PAGE = "/operations/ingest"


def test_the_page_says_what_arrives_and_what_was_turned_away(client: TestClient) -> None:
    text = read(client, PAGE).text
    for said in ("480 ms", "99 %: 1.4 s", "2.4 MB", "of 256.0 MB", "no valid trace id", "support-assistant"):
        assert said in text, said
    assert "shop.basket.N.sku" in text
    assert "340 metric points were accepted and dropped" in text
    assert "12 values were redacted" in text


def test_a_quiet_project_says_how_to_send(client: TestClient, pages: FakePages) -> None:
    pages.arrivals = QUIET
    text = read(client, PAGE).text
    assert "Nothing arrived in this period" in text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text
    assert "Nothing was turned away" in text


def test_the_stretch_of_time_is_the_one_asked_for(client: TestClient, pages: FakePages) -> None:
    for last, length in (("", 3_600), ("?last=15m", 900), ("?last=7d", 604_800)):
        read(client, PAGE + last)
        window = pages.asked_window
        assert window is not None
        assert window.end - window.start == timedelta(seconds=length)
    assert "there are 15m, 1h" in read(client, PAGE + "?last=2y", 400).text


def test_bars_hold_every_minute_once() -> None:
    bars = group_minutes(STATUS.minutes, HOUR)
    assert sum(bar.spans for bar in bars) == sum(one.spans for one in STATUS.minutes)
    assert sum(bar.rejected for bar in bars) == 3
    assert any(bar.items == 0 for bar in bars)


@pytest.mark.parametrize("hours", [0.25, 1, 24, 168])
def test_bars_are_never_more_than_can_be_seen(hours: float) -> None:
    window = Window(start=NOW - timedelta(hours=hours), end=NOW)
    last = IngestMinute(minute=NOW.replace(second=0, microsecond=0), spans=1)
    first = IngestMinute(minute=window.start.replace(second=0, microsecond=0), spans=1)
    outside = IngestMinute(minute=window.start - timedelta(days=30), spans=100)
    bars = group_minutes((outside, first, last), window)
    assert len(bars) <= MOST_BARS
    assert (bars[0].spans, bars[-1].spans) == (1, 1)
    assert sum(bar.spans for bar in bars) == 2
    assert {bar.minutes for bar in bars} == {bars[0].minutes}


def test_bars_of_nothing_can_be_drawn() -> None:
    drawing = draw_bars(group_minutes((), HOUR))
    assert "nan" not in drawing
    assert 'height="0.00"' in drawing


def test_what_needs_somebody_is_said_first() -> None:
    assert alarms(STATUS) == ()
    sick = replace(
        STATUS,
        problem="the disk is full",
        waiting_bytes=200_000_000,
        dead=2,
        dead_folder=".assay/journal/dead",
    )
    full, waiting, dead = alarms(sick)
    assert "the disk is full" in full
    assert "78 % full" in waiting
    assert ".assay/journal/dead" in dead


def test_operations_lead_to_it_and_back(client: TestClient) -> None:
    assert PAGE in read(client, "/operations").links()
    assert "/operations" in read(client, PAGE).links()
