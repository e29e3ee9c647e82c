"""`POST /v1/feedback`, and what Langfuse's SDK asks for beside its traces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.ingest.feedback import read_feedback
from assay.ingest.langfuse import read_ingestion, read_scores
from assay.records import Feedback
from assay.web.base import Site
from assay.web.body import MEBIBYTE, Intake
from assay.web.problems import problem_of

MOST = 4 * MEBIBYTE
Read = Callable[[bytes], tuple[Sequence[Feedback], Response]]
"""From a body to what it says, and the answer once that is on disk."""


def routes(site: Site) -> list[Route]:
    """The addresses that take feedback and scores."""
    intake = Intake(most=MOST, most_waiting=16 * MOST)

    def takes(path: str, read: Read, transport: str) -> Route:
        return Route(path, partial(_take, site, intake, read, transport), methods=["POST"])

    return [
        takes("/v1/feedback", _own, "feedback"),
        takes("/api/public/scores", _scores, "langfuse"),
        takes("/api/public/ingestion", _ingestion, "langfuse"),
        Route("/api/public/health", _health),
        Route("/api/public/projects", partial(_projects, site)),
        takes("/api/public/media", _media, "langfuse"),
        Route("/api/public/media/{id}", _no_media, methods=["PATCH"]),
    ]


async def _take(site: Site, intake: Intake, read: Read, transport: str, request: Request) -> Response:
    """Read, have it written, answer."""
    agent = request.headers.get("user-agent", "")[:200]
    try:
        async with intake.read(request) as body:
            return await anyio.to_thread.run_sync(_put, site, read, body, transport, agent)
    except ClientDisconnect:
        return Response(status_code=499)  # nobody reads it
    except Exception as error:  # a sender must always learn whether to send again
        problem = problem_of(error, site.rng)
        site.app.door.refused(problem.status, transport, agent)
        after = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
        if problem.status == 408:  # what may come yet belongs to no request
            after["Connection"] = "close"
        content = {"message": problem.message, "error": problem.type}
        return JSONResponse(content, status_code=problem.status, headers=after)


def _put(site: Site, read: Read, body: bytes, transport: str, agent: str) -> Response:
    given, answer = read(body)
    if given:
        site.app.door.feedback(given, transport, agent)
    return answer


def _own(body: bytes) -> tuple[Sequence[Feedback], Response]:
    given = read_feedback(body)
    return given, JSONResponse({"accepted": len(given)})


def _scores(body: bytes) -> tuple[Sequence[Feedback], Response]:
    scores, errors, single = read_scores(body)
    if single:
        return scores, JSONResponse({"id": scores[0].id})
    if not errors:
        return scores, JSONResponse({"message": "Accepted"}, status_code=202)
    found = [{"message": message} for message in errors]
    content = {"accepted": len(scores), "rejected": len(errors), "errors": found}
    return scores, JSONResponse(content, status_code=207)


def _ingestion(body: bytes) -> tuple[Sequence[Feedback], Response]:
    scores, answers = read_ingestion(body)
    content: dict[str, list[Any]] = {"successes": [], "errors": []}
    for name, status, message in answers:
        if message:
            content["errors"].append({"id": name, "status": status, "message": message})
        else:
            content["successes"].append({"id": name, "status": status})
    return scores, JSONResponse(content, status_code=207)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "OK", "version": "3.0.0"})


async def _projects(site: Site, request: Request) -> Response:
    """The SDK's check of its keys: any are right, since there is no log-in."""
    name = site.app.project
    project = {"id": name, "name": name, "metadata": {}, "organization": {"id": "assay", "name": "assay"}}
    return JSONResponse({"data": [project]})


def _media(body: bytes) -> tuple[Sequence[Feedback], Response]:
    """Images and files are not kept: the SDK is told that this one is here already, so that it sends none."""
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        given = {}
    known = str(given.get("sha256Hash", "")) if isinstance(given, dict) else ""
    media_id = hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()[:22]
    return (), JSONResponse({"mediaId": media_id, "uploadUrl": None}, status_code=201)


async def _no_media(request: Request) -> Response:
    return Response(status_code=204)
