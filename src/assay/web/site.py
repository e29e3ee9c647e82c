"""Every page and every address, on one screen."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from assay.web import (
    api,
    assets,
    conversation,
    desk,
    export,
    feedback,
    ingest,
    logs,
    operations,
    overview,
    receive,
    run,
)
from assay.web.base import Pages, Site
from assay.web.body import MEBIBYTE, Intake
from assay.web.charts import Charts
from assay.web.guard import Guard, host_checker
from assay.web.problems import answer, problem_of
from assay.web.render import Renderer

log = logging.getLogger("assay.web")

View = Callable[[Site, Request], Response]
"""Synchronous: the framework runs it in a thread, so that it may wait for the store."""


def create_web(
    app: Pages,
    *,
    allowed_hosts: Collection[str] = (),
    warm: bool = True,
    rng: random.Random | None = None,
    charts: Charts | None = None,
    decides: bool = True,
    most_request_bytes: int = 64 * MEBIBYTE,
    most_waiting_bytes: int = 256 * MEBIBYTE,
) -> ASGIApp:
    """The pages, the API and the trace receiver of a project, as an ASGI application.

    Host names beside this machine's own must be in `allowed_hosts`. `decides` says whether policies decide
    here by themselves. `warm` loads the chart
    libraries in the background at start-up, so that the first page need not wait for them."""
    site = Site(
        app=app,
        render=Renderer(app.project),
        charts=charts or Charts(),
        rng=rng or random.Random(),
        decides=decides,
    )
    payloads = Intake(most=512 * MEBIBYTE, most_waiting=1024 * MEBIBYTE)

    def view(function: View) -> Callable[[Request], Response]:
        return partial(_show, site, function)

    routes = [
        Route("/", view(overview.overview)),
        Route("/logs", view(logs.logs)),
        Route("/logs/summary", view(logs.summary)),
        *desk.routes(site, logs.show),
        Route("/conversations", view(conversation.conversation)),
        Route("/conversations/{id:path}", view(conversation.conversation)),
        Route("/spans", view(conversation.spans)),
        Route("/texts", view(conversation.texts)),
        Route("/neighbours", view(conversation.neighbours)),
        Route("/metrics", view(overview.metrics)),
        Route("/explain/{metric}", view(overview.explain)),
        Route("/operations", view(operations.operations)),
        Route("/operations/ingest", view(ingest.ingest)),
        *(Route(path, _no_other_method, methods=["POST"]) for path in receive.PATHS),
        *feedback.routes(site),
        Route("/api/report", view(api.report)),
        Route("/api/estimate/{metric}", view(api.estimate)),
        Route("/api/accounting/policies/{policy}", view(api.policy_books)),
        Route("/api/accounting/{metric}", view(api.accounting)),
        Route("/api/policies", view(api.policies)),
        Route("/api/logs", view(api.logs)),
        Route("/api/complete", view(api.complete)),
        Route("/api/arrivals", view(api.open_logs)),
        Route("/api/breakdown", view(api.breakdown)),
        Route("/api/series", view(api.series)),
        Route("/api/conversations", view(api.conversation)),
        Route("/api/conversations/{id:path}", view(api.conversation)),
        Route("/api/spans", view(api.spans)),
        Route("/api/neighbours", view(api.neighbours)),
        Route("/api/ingest", view(api.ingest)),
        Route("/api/export/{kind}", export.Exports(site).rows, methods=["GET", "POST"]),
        Route("/api/run/{operation}", partial(run.run_operation, site, payloads), methods=["POST"]),
        Route("/healthz", lambda request: PlainTextResponse("ok\n")),
        Route("/static/vega.js", view(assets.chart_script)),
        Mount("/static", assets.Assets()),
    ]

    pages = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, allowed_hosts=allowed_hosts)],
        exception_handlers={HTTPException: partial(_explain, site)},
        lifespan=partial(_lifespan, site.charts, warm),
    )
    return receive.Receiver(
        pages,
        lambda: app.door,
        host_allowed=host_checker(allowed_hosts),
        rng=site.rng,
        most_request_bytes=most_request_bytes,
        most_waiting_bytes=most_waiting_bytes,
    )


async def _no_other_method(request: Request) -> Response:
    """Reached only where the host is refused, which the guard does first: OTLP is answered before."""
    raise HTTPException(404)


def _show(site: Site, view: View, request: Request) -> Response:
    """The view's answer, or what went wrong with its status: never a bare traceback."""
    try:
        return view(site, request)
    except Exception as error:  # every view ends here: a page must say what happened
        return _explain(site, request, error)


def _explain(site: Site, request: Request, error: Exception) -> Response:
    response = answer(request, problem_of(error, site.rng), site.render)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


@asynccontextmanager
async def _lifespan(charts: Charts, warm: bool, app: Starlette) -> AsyncIterator[None]:
    """Load the chart libraries beside the first requests, not before them."""
    thread = threading.Thread(target=_warm, args=(charts,), name="assay-warm", daemon=True)
    if warm:
        thread.start()
    yield
    if warm:
        await anyio.to_thread.run_sync(thread.join)


def _warm(charts: Charts) -> None:
    try:
        charts.warm()
    except Exception:  # pages draw for themselves then, and say what is wrong
        log.warning("the charts could not be prepared", exc_info=True)
