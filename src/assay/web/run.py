"""`POST /api/run/{operation}`: the command line's way in while a server has the project open."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec
from anyio.streams.memory import MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from assay.errors import PayloadError
from assay.web.base import Site
from assay.web.body import Intake
from assay.web.problems import Problem, answer, problem_of

Line = dict[str, Any]


class Aborted(ConnectionError):
    """The caller went away: the operation stops here. Every operation can be run again."""


async def run_operation(site: Site, intake: Intake, request: Request) -> Response:
    """Run it, answering line by line: `{"progress": [stage, done, total]}` as it goes, and last
    `{"result": ...}` or `{"error": ...}`. What is wrong before it starts is a plain status."""
    token = request.headers.get("x-assay-token", "")
    if not token or not hmac.compare_digest(token.encode(), site.app.token.encode()):
        message = "X-Assay-Token is missing or wrong; the file .assay/holder.json has the right one"
        return answer(request, Problem(403, message, "CallerError", 2), site.render)
    try:
        async with intake.read(request) as body:
            payload = await anyio.to_thread.run_sync(json_object, body)
    except PayloadError as error:
        return answer(request, problem_of(error, site.rng), site.render)
    name = request.path_params["operation"]
    return StreamingResponse(_lines(site, name, payload), media_type="application/x-ndjson")


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one where there is no body."""
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise PayloadError(f"the body is not a JSON object: {error}") from None


async def _lines(site: Site, name: str, payload: dict[str, Any]) -> AsyncIterator[bytes]:
    send, receive = anyio.create_memory_object_stream[Line](1024)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_work, site, name, payload, send)
        try:
            async with receive:
                async for line in receive:
                    yield json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        finally:
            receive.close()


async def _work(site: Site, name: str, payload: dict[str, Any], send: MemoryObjectSendStream[Line]) -> None:
    """The operation in a thread; its last line is its result or its error."""

    def progress(stage: str, done: int, total: int | None) -> None:
        anyio.from_thread.run_sync(_offer, send, {"progress": [stage, done, total]})

    async with send:
        try:
            result = await anyio.to_thread.run_sync(site.app.run_operation, name, payload, progress)
            line: Line = {"result": result}
        except Aborted:
            return
        except Exception as error:  # the stream has begun: every error must become its last line
            line = problem_of(error, site.rng).as_json()
        try:
            await send.send(line)
        except anyio.BrokenResourceError:
            return


def _offer(send: MemoryObjectSendStream[Line], line: Line) -> None:
    """Progress is news, not history: where the reader is slow, a line may be left out."""
    try:
        send.send_nowait(line)
    except anyio.WouldBlock:
        return
    except anyio.BrokenResourceError:
        raise Aborted("the caller went away") from None
