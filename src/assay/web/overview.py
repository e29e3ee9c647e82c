"""The first page: how are we doing overall, and where should we focus?"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import UnknownName
from assay.records import MetricReport, Report, Window
from assay.web.base import Site
from assay.web.formula import formula_of
from assay.web.period import period_of, window_of


def overview(site: Site, request: Request) -> Response:
    """The report. `metric` chooses another one than the headline for trend and focus."""
    window = window_of(request.query_params)
    report = site.app.report(window)
    period = period_of(report.window, given=window is not None)
    chosen = _chosen(report, request.query_params.get("metric", ""))
    if chosen is None or (report.totals.interactions == 0 and window is None):
        here = str(request.base_url).rstrip("/")
        return site.render.page(request, "empty.html", report=report, here=here)
    return site.render.page(
        request,
        "overview.html",
        report=report,
        period=period,
        metric=chosen,
        chart=site.charts.trend(chosen.trend),
        headline=chosen is report.metrics[0],
    )


def metrics(site: Site, request: Request) -> Response:
    """Every metric beside every other."""
    window = window_of(request.query_params)
    report = site.app.report(window)
    period = period_of(report.window, given=window is not None)
    return site.render.page(request, "metrics.html", report=report, period=period)


def explain(site: Site, request: Request) -> Response:
    """Why this number?"""
    window = window_of(request.query_params)
    metric = site.app.explain(request.path_params["metric"], window)
    shown = window or _trend_window(metric)
    return site.render.page(
        request,
        "explain.html",
        metric=metric,
        formula=formula_of(metric.overall),
        period=period_of(shown, given=window is not None) if shown else None,
        chart=site.charts.trend(metric.trend),
    )


def _trend_window(metric: MetricReport) -> Window | None:
    """The days that the trend covers: the period, where the address names none."""
    days = [entry.day for entry in metric.trend]
    if not days:
        return None
    return Window(start=Window.of_day(min(days)).start, end=Window.of_day(max(days)).end)


def _chosen(report: Report, name: str) -> MetricReport | None:
    if not name:
        return report.metrics[0] if report.metrics else None
    for metric in report.metrics:
        if metric.info.name == name:
            return metric
    known = ", ".join(metric.info.name for metric in report.metrics) or "none yet"
    raise UnknownName(f"no metric {name[:100]!r}; there are: {known}")
