"""The page of one conversation, and what it asks for bit by bit: spans, long texts, neighbours."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from assay.app.requests import NeighboursRequest
from assay.errors import CallerError, UnknownName
from assay.records import Turn
from assay.records.page import ConversationPage
from assay.web.api import limit_of, unit_of
from assay.web.base import Site
from assay.web.marked import Room
from assay.web.talk import chances, draw, known, turns_of

MOST_TURNS: Final = 300
"""Turns on one page."""

AT_ONCE: Final = 8
"""Turns whose spans come with the page; those of the others are asked for when they are looked at."""


def conversation(site: Site, request: Request) -> Response:
    """The transcript, and beside it what is known of the conversation."""
    conversation_id = request.path_params.get("id", request.query_params.get("id", ""))
    page = _find(site, conversation_id)
    first = _first_shown(page, request)
    rows = site.app.hear(page.turns[first : first + MOST_TURNS])
    wanted = request.query_params.get("turn", "")
    ids = [row.turn.interaction_id for row in rows]
    now = dict.fromkeys([*ids[:AT_ONCE], *(one for one in ids if one == wanted)])
    signals = site.app.known_signals()
    room = Room([text for row in rows for text in (row.turn.input, row.turn.output)])
    turns = turns_of(
        rows,
        signals,
        site.app.timelines(tuple(now)),
        conversation_id=page.conversation_id,
        first=first + 1,
        room=room,
    )
    return site.render.page(
        request,
        "conversation.html",
        page=page,
        turns=turns,
        room=room,
        first=first,
        most=MOST_TURNS,
        scores=sorted(
            (score for score in page.scores if score.kind != "human"), key=lambda one: not one.failing
        ),
        raised=known(page.facts.signals, signals),
        chances={(one.policy, one.stage): one for one in chances(page.selections)},
        current=wanted or (ids[0] if ids else ""),
        back=_back(request),
    )


def spans(site: Site, request: Request) -> Response:
    """The timeline of a trace; with `span`, that span as it was delivered."""
    trace_id, span_id = request.query_params.get("trace", ""), request.query_params.get("span", "")
    if span_id:
        found = site.app.span(trace_id, span_id)
        if found is None:
            raise UnknownName(f"there is no span {span_id[:100]!r} of trace {trace_id[:100]!r} (any more)")
        return site.render.page(request, "span.html", span=found)
    lines = site.app.timelines((trace_id,))
    if not lines:
        raise UnknownName(f"there are no spans of trace {trace_id[:100]!r} (any more)")
    return site.render.page(request, "spans.html", drawn=draw(lines[0]))


def texts(site: Site, request: Request) -> Response:
    """One text of a turn, however long it is."""
    query = request.query_params
    page = _find(site, query.get("id", ""))
    turns = {row.turn.interaction_id: row.turn for row in page.turns}
    if query.get("turn", "") not in turns:
        raise UnknownName(f"the conversation has no turn {query.get('turn', '')[:100]!r}")
    turn = turns[query["turn"]]
    return site.render.page(
        request,
        "text.html",
        page=page,
        turn=turn,
        part=query.get("part", ""),
        text=text_of(turn, query.get("part", "")),
    )


def neighbours(site: Site, request: Request) -> Response:
    """The logs nearest in meaning."""
    query = request.query_params
    asked = NeighboursRequest(
        log_id=query.get("id", ""),
        unit=unit_of(query.get("unit", "")),
        limit=limit_of(query.get("limit", ""), 8),
    )
    return site.render.page(
        request, "neighbours.html", near=site.app.neighbours(asked), signals=site.app.known_signals()
    )


def text_of(turn: Turn, part: str) -> str:
    """`input`, `output`, `error`, `context.N`, `arguments.N` or `result.N`. Raises CallerError."""
    plain = {"input": turn.input, "output": turn.output, "error": turn.error}
    if part in plain:
        return plain[part]
    name, _, number = part.partition(".")
    if number.isascii() and number.isdigit() and len(number) < 6:
        lists = {
            "context": turn.context,
            "arguments": tuple(call.arguments for call in turn.tool_calls),
            "result": tuple(call.result for call in turn.tool_calls),
        }
        if name in lists and int(number) < len(lists[name]):
            return lists[name][int(number)]
    raise CallerError(f"a turn has no part {part[:40]!r}")


def _find(site: Site, conversation_id: str) -> ConversationPage:
    page = site.app.conversation(conversation_id)
    if page is None:
        raise UnknownName(f"there is no conversation {conversation_id[:100]!r} in this project")
    return page


def _first_shown(page: ConversationPage, request: Request) -> int:
    """The place of the first turn to show: that of the page which holds the turn that is asked for."""
    wanted, start = request.query_params.get("turn", ""), request.query_params.get("from", "")
    for place, row in enumerate(page.turns):
        if wanted and row.turn.interaction_id == wanted:
            return place // MOST_TURNS * MOST_TURNS
    if not start:
        return 0
    if not (start.isascii() and start.isdigit() and len(start) < 9):
        raise CallerError(f"from={start[:40]!r} must be the number of a turn")
    return min(max(int(start) - 1, 0), max(len(page.turns) - 1, 0)) // MOST_TURNS * MOST_TURNS


def _back(request: Request) -> str:
    """The list that the reader came from, with its filter; all logs where they came from elsewhere."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc == request.headers.get("host", "") and came.path == "/logs":
        return f"/logs?{came.query}" if came.query else "/logs"
    return "/logs"
