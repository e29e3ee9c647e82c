"""The same answers as the pages, as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from assay.app.requests import NeighboursRequest
from assay.errors import CallerError, UnknownName
from assay.records import Accounting, PolicyAccounting, Unit
from assay.records.page import Step, Summed
from assay.web.base import Site
from assay.web.period import window_of

MOST_ROWS = 500


def report(site: Site, request: Request) -> Response:
    """All metrics over the period."""
    return _json(site.app.report(window_of(request.query_params)))


def estimate(site: Site, request: Request) -> Response:
    """One metric over the period: its estimate, trend, focus and books."""
    return _json(site.app.explain(request.path_params["metric"], window_of(request.query_params)))


def accounting(site: Site, request: Request) -> Response:
    """The books of one metric by hour."""
    window = window_of(request.query_params)
    hours = site.app.accounting_by_hour(request.path_params["metric"], window)
    return _json([{"hour": one.hour, "accounting": _told(one.accounting)} for one in hours])


def policy_books(site: Site, request: Request) -> Response:
    """The books of one policy, by hour, and of the metrics that follow it."""
    books = site.app.accounting_by_policy(request.path_params["policy"], window_of(request.query_params))
    hours = [{"hour": one.hour, "accounting": _told(one.accounting)} for one in books.hours]
    metrics = [_told(one) for one in books.metrics]
    return _json({"accounting": _told(books.accounting), "hours": hours, "metrics": metrics})


def policies(site: Site, request: Request) -> Response:
    """Every policy: those of assay.toml and the saved ones."""
    return _json(site.app.policies())


def logs(site: Site, request: Request) -> Response:
    """Logs that a filter holds of, newest first."""
    query = request.query_params
    page = site.app.list_logs(
        unit_of(query.get("unit", "")),
        query.get("q", ""),
        window=window_of(query),
        limit=limit_of(query.get("limit", "")),
        after=query.get("after") or None,
        deep=query.get("deep", "") == "1",
    )
    return _json(page)


def complete(site: Site, request: Request) -> Response:
    """What may stand at the cursor of a filter; at its end, where no cursor is given."""
    query = request.query_params
    text, cursor = query.get("q", ""), query.get("cursor", "")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise CallerError(f"cursor={cursor[:40]!r} must be a number: how many characters stand before it")
    place = int(cursor) if cursor else len(text)
    return _json(site.app.complete(text, place, unit_of(query.get("unit", ""))))


def breakdown(site: Site, request: Request) -> Response:
    """The logs that a filter holds of, counted by time and by facts."""
    query = request.query_params
    return _json(site.app.break_down(unit_of(query.get("unit", "")), query.get("q", ""), window_of(query)))


def open_logs(site: Site, request: Request) -> Response:
    """What has arrived and is not settled yet, the newest first."""
    return _json(site.app.open_logs(limit_of(request.query_params.get("limit", ""))))


def series(site: Site, request: Request) -> Response:
    """A number of the logs that a filter holds of, by day or by hour."""
    query = request.query_params
    found = site.app.series(
        cast(Summed, _choice("of", query.get("of") or "count", get_args(Summed))),
        cast(Step, _choice("by", query.get("by") or "day", get_args(Step))),
        unit_of(query.get("unit", "")),
        query.get("q", ""),
        window_of(query),
    )
    return _json(found)


def conversation(site: Site, request: Request) -> Response:
    """One conversation, whole."""
    conversation_id = request.path_params.get("id", request.query_params.get("id", ""))
    page = site.app.conversation(conversation_id)
    if page is None:
        raise UnknownName(f"no conversation {conversation_id[:100]!r}")
    return _json(replace(page, turns=site.app.hear(page.turns)))


def spans(site: Site, request: Request) -> Response:
    """The timeline of a trace; with `span`, that span as it was delivered."""
    trace_id, span_id = request.query_params.get("trace", ""), request.query_params.get("span", "")
    if not span_id:
        return _json(site.app.timelines((trace_id,)))
    found = site.app.span(trace_id, span_id)
    if found is None:
        raise UnknownName(f"no span {span_id[:100]!r} of trace {trace_id[:100]!r}")
    return _json(found)


def neighbours(site: Site, request: Request) -> Response:
    """The logs nearest in meaning to one."""
    query = request.query_params
    asked = NeighboursRequest(
        log_id=query.get("id", ""),
        unit=unit_of(query.get("unit", "")),
        limit=limit_of(query.get("limit", ""), 8),
    )
    return _json(site.app.neighbours(asked))


def ingest(site: Site, request: Request) -> Response:
    """How taking in goes: rates, lag, senders, and what was turned away; over the last hour."""
    return _json(site.app.ingest_status(window_of(request.query_params)))


def _told(account: Accounting | PolicyAccounting) -> dict[str, Any]:
    """An account with what its numbers leave open."""
    told: dict[str, Any] = msgspec.to_builtins(account)
    return told | {"lost": account.lost, "balanced": account.balanced}


def unit_of(text: str) -> Unit:
    """The unit that an address names; conversations where it names none."""
    if text and text not in get_args(Unit):
        raise CallerError(f"unit={text[:40]!r} is unknown; there are {' and '.join(get_args(Unit))}")
    return cast(Unit, text or "conversation")


def _choice(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise CallerError(f"{name}={text[:40]!r} is unknown; there are {', '.join(known)}")
    return text


def limit_of(text: str, default: int = 50) -> int:
    """How many rows an address asks for."""
    if not text:
        return default
    readable = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS))
    if not readable or not 1 <= int(text) <= MOST_ROWS:
        raise CallerError(f"limit={text[:40]!r} must be a number from 1 to {MOST_ROWS}")
    return int(text)


def _json(record: object) -> Response:
    body = msgspec.json.encode(record)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
