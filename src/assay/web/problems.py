"""What went wrong, as a status and a sentence: one place for pages, API and trace receiver."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assay.errors import AssayError, StoreError
from assay.web.render import Renderer

log = logging.getLogger("assay.web")

TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not allowed",
    408: "Too slow",
    413: "Too large",
    500: "Something broke",
    503: "Not available just now",
}
PASSING = (OSError, MemoryError)
"""Faults of the machine rather than the request: a full disk, a lost connection, no memory."""


class Problem(NamedTuple):
    """`retry_after_s` where the same request may succeed later."""

    status: int
    message: str
    type: str
    exit_code: int = 1
    retry_after_s: int | None = None
    place: Mapping[str, Any] = MappingProxyType({})

    def as_json(self) -> dict[str, Any]:
        """What API and streams answer; `type` names the class in `assay.errors`."""
        fields = {"type": self.type, "message": self.message, "exit_code": self.exit_code, **self.place}
        return {"error": fields}


def problem_of(error: Exception, rng: random.Random) -> Problem:
    """The problem to report. What nobody foresaw is logged, and its text kept from the answer."""
    name = type(error).__name__
    if isinstance(error, HTTPException):
        return Problem(error.status_code, error.detail, "HTTPException")
    if isinstance(error, AssayError):
        status = 503 if isinstance(error, StoreError) else error.http_status
        places = ("position", "row", "column", "retryable", "address", "pid")
        place = {key: getattr(error, key) for key in places if getattr(error, key, None) is not None}
        after = rng.randint(1, 5) if status in (429, 503) else None
        return Problem(status, str(error), name, error.exit_code, after, place)
    if isinstance(error, PASSING):
        log.warning("a passing fault", exc_info=error)
        return Problem(503, "the machine could not do this just now; try again", name, 3, rng.randint(1, 5))
    log.error("an unforeseen error", exc_info=error)
    return Problem(500, f"an unforeseen error ({name}); the server's log has the details", name)


def answer(request: Request, problem: Problem, render: Renderer) -> Response:
    """The problem as JSON under /api/, as a page elsewhere."""
    response: Response
    if request.url.path.startswith("/api/"):
        response = JSONResponse(problem.as_json(), status_code=problem.status)
    else:
        title = TITLES.get(problem.status, "That did not work")
        response = render.page(
            request, "error.html", status=problem.status, title=title, message=problem.message
        )
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response
