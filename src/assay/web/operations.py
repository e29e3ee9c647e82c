"""The books: nothing is lost in silence."""

from __future__ import annotations

from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from assay.web.base import Site
from assay.web.period import period_of, window_of


def operations(site: Site, request: Request) -> Response:
    """What became of every log, by metric, and with `metric` also by hour."""
    window = window_of(request.query_params)
    report = site.app.report(window)
    chosen = request.query_params.get("metric", "")
    hours = site.app.accounting_by_hour(chosen, window) if chosen else ()
    return site.render.page(
        request,
        "operations.html",
        report=report,
        period=period_of(report.window, given=window is not None),
        chosen=chosen,
        days=[
            (day, list(entries))
            for day, entries in groupby(reversed(hours), key=lambda entry: entry.hour.date())
        ],
    )
