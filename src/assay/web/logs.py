"""The list of logs, and the page of one conversation."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import FilterError, UnknownName
from assay.records.page import LogPage, Series, Step
from assay.web.api import limit_of, unit_of
from assay.web.base import Site
from assay.web.period import Period, period_of, window_of
from assay.web.steps import steps

MOST_TURNS = 300
HOURLY = timedelta(days=2)
"""A period no longer than this is drawn by the hour."""


def logs(site: Site, request: Request) -> Response:
    """Logs that a filter holds of, newest first. A filter that is wrong is shown with its place."""
    query = request.query_params
    if query.get("open", "") == "1":
        return _open(site, request)
    unit, text, window = unit_of(query.get("unit", "")), query.get("q", "").strip(), window_of(query)
    deep = query.get("deep", "") == "1"
    page: LogPage | None = None
    series: Series | None = None
    problem: FilterError | None = None
    try:
        page = site.app.list_logs(
            unit,
            text,
            window=window,
            limit=limit_of(query.get("limit", "")),
            after=query.get("after") or None,
            deep=deep,
        )
        by: Step = "hour" if window is not None and window.end - window.start <= HOURLY else "day"
        series = site.app.series("count", by, unit, text, window, soon=True)
    except FilterError as error:
        problem = error
    period: Period | None = None if window is None else period_of(window, given=True)
    return site.render.page(
        request,
        "logs.html",
        status=400 if problem else 200,
        unit=unit,
        filter=text,
        page=page,
        problem=problem,
        period=period,
        after=query.get("after", ""),
        open=site.app.open_logs(0),
        series=series,
        bars=steps(series, {"unit": unit, "q": text}) if series else "",
    )


def _open(site: Site, request: Request) -> Response:
    """What has arrived and is not settled yet."""
    limit = limit_of(request.query_params.get("limit", ""))
    return site.render.page(request, "open.html", page=site.app.open_logs(limit))


def conversation(site: Site, request: Request) -> Response:
    """The transcript, and beside it what is known of the conversation."""
    conversation_id = request.path_params.get("id", request.query_params.get("id", ""))
    page = site.app.conversation(conversation_id)
    if page is None:
        raise UnknownName(f"there is no conversation {conversation_id[:100]!r} in this project")
    return site.render.page(request, "conversation.html", page=page, most_turns=MOST_TURNS)
