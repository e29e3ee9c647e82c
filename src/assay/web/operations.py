"""The books: nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from assay.records import HourAccounting, HourPolicy, PolicyBooks, PolicyInfo, Report
from assay.web.base import Site
from assay.web.period import period_of, window_of

Hour = HourAccounting | HourPolicy


def operations(site: Site, request: Request) -> Response:
    """What became of every log, by policy and by metric; with `policy` or `metric` also by hour."""
    window = window_of(request.query_params)
    report = site.app.report(window)
    metric, policy = (request.query_params.get(name, "") for name in ("metric", "policy"))
    hours: Sequence[Hour] = site.app.accounting_by_hour(metric, window) if metric else ()
    if policy and not metric:
        hours = site.app.accounting_by_policy(policy, window).hours
    policies = [
        (one, site.app.accounting_by_policy(one.name, window))
        for one in site.app.policies()
        if not one.problem
    ]
    return site.render.page(
        request,
        "operations.html",
        report=report,
        period=period_of(report.window, given=window is not None),
        chosen=metric,
        chosen_policy="" if metric else policy,
        policies=policies,
        followed=_followed(report, policies),
        alarms=[*site.app.troubles(), *open_books(report, policies)],
        days=by_day(hours),
    )


def by_day(hours: Sequence[Hour]) -> list[tuple[date, list[Hour]]]:
    """The hours by their days, the newest first."""
    return [
        (day, list(entries)) for day, entries in groupby(reversed(hours), key=lambda entry: entry.hour.date())
    ]


def open_books(report: Report, policies: Sequence[tuple[PolicyInfo, PolicyBooks]]) -> list[str]:
    """What does not add up, and what to do about it."""
    found = [(f"policy `{one.name}`", books.accounting.lost) for one, books in policies]
    found += [(f"metric `{one.info.name}`", one.accounting.lost) for one in report.metrics]
    return [
        f"The books of {name} do not add up: of {lost} {'log' if lost == 1 else 'logs'} something was "
        "written and is gone. `assay sample` and `assay evaluate` make good what can be done again; "
        "`assay remap --again` does where facts are gone."
        if lost > 0
        else f"The books of {name} do not add up: {-lost} logs count twice. Please report this."
        for name, lost in found
        if lost
    ]


def _followed(report: Report, policies: Sequence[tuple[PolicyInfo, PolicyBooks]]) -> dict[str, str]:
    """By metric, the policy whose selections it scores."""
    known = {books.metric: one.name for one, of in policies for books in of.metrics}
    return {one.info.name: known.get(one.info.name, "") for one in report.metrics}
