"""The Logs page of a large store: its list at any depth, its counts cold and remembered, the whole page.

    python -m bench.scale make FOLDER --interactions 2500000     (a million conversations)
    python -m bench.logs FOLDER [--requests 11]

Each question is asked in this process, so that its processor time is its own. The yardstick is the plain
count of the store's conversations, which reads one column."""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from assay.app.application import Application
from assay.app.days import DayCache
from assay.app.open import open_application
from assay.config import load_settings
from assay.records import Unit, Window
from assay.store.telemetry import logs as store
from assay.web.base import Site
from assay.web.charts import Charts
from assay.web.logs import logs as page_of
from assay.web.render import Renderer

FILTERS = ("", "signal.refusal", 'model = "small" and turns > 2', 'input says "refund please"')
PAGE = 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.logs", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=11)
    given = parser.parse_args()
    application = open_application(load_settings(given.folder / "assay.toml"), "bench")
    try:
        _measure(application, given.requests)
    finally:
        application.close()


def _measure(application: Application, requests: int) -> None:
    parts = application._parts
    every = store.data_window(parts.telemetry)
    if every is None:
        raise SystemExit("there are no logs: make some with `python -m bench.scale make`")
    yard = _asked(lambda: store.count_logs(parts.telemetry, "conversation", every), requests)
    total = store.count_logs(parts.telemetry, "conversation", every)
    print(f"{total:,} conversations; counting them is 1.0: {yard * 1e3:.0f} ms of processor time")
    print(f"{'question':<44}{'CPU ms':>8}{'x count':>9}")

    def say(name: str, took_s: float) -> None:
        print(f"{name:<44}{took_s * 1e3:>8.0f}{took_s / yard:>9.1f}", flush=True)

    for depth in (1, 100, 10_000):
        after = _cursor(application, every, (depth - 1) * PAGE)
        took_s = _asked(partial(application.list_logs, "conversation", "", after=after), requests)
        say(f"list, page {depth:,}", took_s)
    site = Site(app=application, render=Renderer("bench"), charts=Charts(), rng=random.Random(1))
    of: Unit = "conversation"
    for text in FILTERS:
        cold = _asked(partial(_forgetful, application, partial(application.break_down, of, text)), 3)
        soon = _asked(partial(_forgetful, application, partial(page_of, site, _request(text))), 3)
        application.break_down(of, text)
        warm = _asked(partial(application.break_down, of, text), requests)
        whole = _asked(partial(page_of, site, _request(text)), requests)
        name = text or "(no filter)"
        print(name)
        say("  all facets and bars, counted", cold)
        say("  all facets and bars, remembered", warm)
        say("  the page, nothing remembered", soon)
        say("  the page, remembered", whole)


def _forgetful(application: Application, ask: Callable[[], Any]) -> None:
    object.__setattr__(application._parts, "days", DayCache())
    ask()


def _cursor(application: Application, every: Window, logs: int) -> str | None:
    """Where a list goes on after so many logs: found by halving time, for the list itself gives no
    such page."""
    if logs == 0:
        return None
    low, high = every.start, every.end
    for _ in range(40):
        middle = low + (high - low) / 2
        newer = application.break_down("conversation", "", Window(start=middle, end=every.end)).total
        low, high = (middle, high) if newer > logs else (low, middle)
        if abs(newer - logs) < PAGE or high - low < timedelta(seconds=1):
            break
    page = application.list_logs("conversation", "", window=Window(start=every.start, end=high), limit=1)
    return page.next


def _asked(ask: Callable[[], Any], requests: int) -> float:
    """The median processor time of one request, in seconds, all threads together."""
    took = []
    for _ in range(requests):
        began = _cpu_s()
        ask()
        took.append(_cpu_s() - began)
    return median(took)


def _cpu_s() -> float:
    time.sleep(0.01)  # what the engine still does for the request before is not this one's
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _request(text: str) -> Request:
    query = urlencode({"q": text}).encode()
    scope = {"type": "http", "method": "GET", "path": "/logs", "query_string": query, "headers": []}
    return Request(scope | {"server": ("localhost", 80), "scheme": "http"})


if __name__ == "__main__":
    main()
