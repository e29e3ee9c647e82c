"""Reports are given at once where they are made, and made once where they are not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime

from assay.app.cache import ReportCache
from assay.records import Report, Totals, Window

DAY = Window.of_day(date(2026, 11, 1))
OTHER = Window.of_day(date(2026, 11, 2))


def counted() -> tuple[list[Report], Callable[[], Report]]:
    made: list[Report] = []

    def make() -> Report:
        totals = Totals(
            interactions=0, conversations=0, judged=0, labelled=0, cost_usd=0.0, first=None, last=None
        )
        now = datetime(2026, 11, 1, tzinfo=UTC)
        made.append(Report(project=str(len(made)), window=DAY, made_at=now, totals=totals, metrics=()))
        return made[-1]

    return made, make


def wait_for_renewal() -> None:
    for thread in threading.enumerate():
        if thread.name == "report":
            thread.join()


def test_fresh_report_is_made_once_a_window() -> None:
    cache, (made, make) = ReportCache(), counted()
    assert cache.get(DAY, make) is cache.get(DAY, make)
    cache.get(OTHER, make)
    assert len(made) == 2


def test_stale_report_is_given_at_once_and_renewed_behind() -> None:
    cache, (made, make) = ReportCache(), counted()
    first = cache.get(DAY, make)
    cache.expire()
    started, go = threading.Event(), threading.Event()

    def slow() -> Report:
        started.set()
        go.wait()
        return make()

    assert cache.get(DAY, slow) is first
    assert started.wait(10)
    assert cache.get(DAY, slow) is first
    go.set()
    wait_for_renewal()
    assert cache.get(DAY, make) is made[1]
    assert len(made) == 2


def test_cleared_report_is_never_given_again_even_by_one_who_was_making_it() -> None:
    cache, (made, make) = ReportCache(), counted()

    def overtaken() -> Report:
        cache.clear()
        return make()

    cache.get(DAY, overtaken)
    assert cache.get(DAY, make) is made[1]


def test_a_failed_renewal_does_not_stop_the_next() -> None:
    cache, (made, make) = ReportCache(), counted()

    def broken() -> Report:
        raise ValueError("the store is away")

    first = cache.get(DAY, make)
    cache.expire()
    assert cache.get(DAY, broken) is first
    wait_for_renewal()
    cache.get(DAY, make)
    wait_for_renewal()
    assert cache.get(DAY, make) is made[1]


def test_only_so_many_windows_are_kept() -> None:
    cache, (made, make) = ReportCache(most=1), counted()
    cache.get(DAY, make)
    cache.get(OTHER, make)
    cache.get(DAY, make)
    assert len(made) == 3
