"""Numbers as a reader wants them, and addresses that lead back to what they name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.web.fake import WINDOW, estimate

from assay.records import Window
from assay.web import numbers
from assay.web.bars import FULL, axis_of, range_bar

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "–"),
        (0.0, "0.0 %"),
        (0.00001, "< 0.1 %"),
        (0.00051, "0.1 %"),
        (0.914, "91.4 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_percent_never_rounds_to_certainty(rate: float | None, shown: str) -> None:
    assert numbers.percent(rate) == shown.replace(" ", NBSP)


def test_estimates_show_the_digits_that_they_support() -> None:
    wide, narrow = estimate(0.874, 0.1), estimate(0.874, 0.001)
    assert (numbers.value(wide), numbers.interval(wide)) == (f"87{NBSP}%", f"77{NBSP}to{NBSP}98{NBSP}%")
    assert (numbers.value(narrow), numbers.interval(narrow)) == (
        f"87.40{NBSP}%",
        f"87.30{NBSP}to{NBSP}87.50{NBSP}%",
    )
    assert (numbers.value(estimate(None)), numbers.interval(estimate(None))) == ("–", "–")
    assert (numbers.value(estimate(0.874, 0.0)), numbers.interval(estimate(0.874, 0.0))) == (
        f"87.4{NBSP}%",
        "exact",
    )
    assert numbers.level(wide) == f"95{NBSP}%"


def test_the_correction_has_a_sign_and_a_unit() -> None:
    assert numbers.correction(estimate(0.874, 0.024, raw=0.931)) == f"−5.7{NBSP}points"
    assert numbers.correction(estimate(0.95, 0.1, raw=0.931)) == f"+2{NBSP}points"
    assert numbers.correction(estimate(0.9)) == ""


def test_money_and_durations() -> None:
    assert [numbers.money(usd) for usd in (0, 0.00001, 0.0041, 0.5, 1234.5)] == [
        "$0",
        "<$0.0001",
        "$0.0041",
        "$0.500",
        "$1,234.50",
    ]
    assert [numbers.duration(ms) for ms in (840, 3_200, 125_000, 7_500_000)] == [
        "840 ms",
        "3.2 s",
        "2 min 5 s",
        "2 h 5 min",
    ]


def test_spans_of_days() -> None:
    assert numbers.span(WINDOW) == "7 – 20 Nov 2025"
    day = Window.of_day(WINDOW.start.date())
    assert numbers.span(day) == "7 Nov 2025"
    assert numbers.span(Window(start=day.start, end=day.start)) == "7 Nov 2025"
    across = Window(start=datetime(2024, 12, 30, tzinfo=UTC), end=datetime(2025, 1, 3, tzinfo=UTC))
    assert numbers.span(across) == "30 Dec 2024 – 2 Jan 2025"
    assert numbers.span(replace(WINDOW, start=WINDOW.start - timedelta(days=10))) == "28 Oct – 20 Nov 2025"


def test_axis_holds_every_interval() -> None:
    axis = axis_of([estimate(0.874, 0.024, raw=0.931), None, estimate(None)])
    assert (axis.low, axis.high) == (0.8, 0.95)
    assert axis_of([]) == FULL
    assert axis_of([estimate(0.0, 0.01)]).low == 0.0
    assert axis_of([estimate(1.0, 0.0)]) == (0.95, 1.0)


def test_range_bar_says_in_words_what_it_draws() -> None:
    bar = str(range_bar(estimate(0.874, 0.024), mark=0.931, mark_name='the "judge" says')).replace(NBSP, " ")
    assert 'aria-label="87.4 %, 95 % interval 85.0 to 89.8 %, the &#34;judge&#34; says 93.1 %"' in bar
    assert "style=" not in bar
    assert "interval" not in range_bar(estimate(None)).split("<title>")[1].split("</title>")[1]


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_234, "1.2 kB"), (256e6, "256.0 MB"), (7.25e9, "7.2 GB")],
)
def test_sizes(size_bytes: float, shown: str) -> None:
    assert numbers.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "1 minute"),
        (15, "15 minutes"),
        (60, "1 hour"),
        (360, "6 hours"),
        (1440, "1 day"),
        (4320, "3 days"),
    ],
)
def test_a_stride_is_said_in_its_largest_unit(minutes: int, said: str) -> None:
    assert numbers.stride(minutes) == said
