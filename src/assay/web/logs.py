"""The list of logs, and the page of one conversation."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import FilterError, UnknownName
from assay.records.page import LogPage
from assay.web.api import limit_of, unit_of
from assay.web.base import Site
from assay.web.period import Period, period_of, window_of

MOST_TURNS = 300


def logs(site: Site, request: Request) -> Response:
    """Logs that a filter holds of, newest first. A filter that is wrong is shown with its place."""
    query = request.query_params
    unit, text, window = unit_of(query.get("unit", "")), query.get("q", "").strip(), window_of(query)
    page: LogPage | None = None
    problem: FilterError | None = None
    try:
        page = site.app.list_logs(
            unit,
            text,
            window=window,
            limit=limit_of(query.get("limit", "")),
            after=query.get("after") or None,
        )
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
    )


def conversation(site: Site, request: Request) -> Response:
    """The transcript, and beside it what is known of the conversation."""
    conversation_id = request.path_params.get("id", request.query_params.get("id", ""))
    page = site.app.conversation(conversation_id)
    if page is None:
        raise UnknownName(f"there is no conversation {conversation_id[:100]!r} in this project")
    return site.render.page(request, "conversation.html", page=page, most_turns=MOST_TURNS)
