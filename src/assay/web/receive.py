"""`POST /v1/traces`: OTLP over HTTP, protobuf or JSON. A 200 means the spans are on disk."""

from __future__ import annotations

import anyio.to_thread
import pyarrow as pa
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from assay.ingest.otlp import Decoded, error_body, response_type, success_body
from assay.web.base import Site
from assay.web.body import Intake
from assay.web.problems import problem_of


class Receiver:
    """Takes trace requests. Its own limiter keeps senders that wait for the disk from taking the
    threads that answer pages."""

    def __init__(self, site: Site, intake: Intake, threads: int = 32) -> None:
        self._site = site
        self._intake = intake
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    async def receive(self, request: Request) -> Response:
        """ExportTraceServiceResponse, or google.rpc.Status with a status that says whether to retry."""
        content_type = request.headers.get("content-type", "")
        encoding = request.headers.get("content-encoding", "")
        limiter = self._limiter = self._limiter or anyio.CapacityLimiter(self._threads)
        try:
            async with self._intake.read(request) as body:
                received = await anyio.to_thread.run_sync(
                    self._site.app.receive, body, content_type, encoding, limiter=limiter
                )
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except Exception as error:  # a sender must always learn whether to send again
            return self._refusal(error, content_type)
        answer = success_body(
            Decoded(pa.table({}), received.accepted, received.rejected, received.reasons), content_type
        )
        return Response(answer, media_type=response_type(content_type))

    def _refusal(self, error: Exception, content_type: str) -> Response:
        problem = problem_of(error, self._site.rng)
        headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
        return Response(
            error_body(problem.message, content_type),
            status_code=problem.status,
            media_type=response_type(content_type),
            headers=headers,
        )
