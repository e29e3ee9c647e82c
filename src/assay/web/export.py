"""`GET /api/export/{kind}`: rows of any kind, as they are read."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectSendStream
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from assay.app.export import FORMS, write_rows
from assay.app.requests import ExportRequest, Span
from assay.errors import CallerError
from assay.store.telemetry.export import Exported
from assay.web.api import unit_of
from assay.web.base import Site
from assay.web.problems import answer, problem_of

MEDIA = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}


async def export_rows(site: Site, request: Request) -> Response:
    """The rows in the form that `form` names, Parquet where it names none.

    What is wrong before the first row is a plain status. Where reading fails later the connection is
    cut, so that nobody takes a part for the whole."""
    kind, form = request.path_params["kind"], request.query_params.get("form", "parquet")
    try:
        if form not in FORMS:
            raise CallerError(f"form={form[:40]!r} is unknown; there are {', '.join(FORMS)}")
        asked = ExportRequest(
            kind=kind,
            unit=unit_of(request.query_params.get("unit", "")),
            filter=request.query_params.get("q", ""),
            range=Span(
                since=_time(request.query_params, "since"), until=_time(request.query_params, "until")
            ),
        )
        exported = await anyio.to_thread.run_sync(site.app.export, asked)
    except Exception as error:  # every view ends here: a caller must learn what happened
        return answer(request, problem_of(error, site.rng), site.render)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.{form}"', "Cache-Control": "no-store"}
    return StreamingResponse(_sent(exported, form), media_type=MEDIA[form], headers=headers)


class Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        piece = bytes(content)  # type: ignore[call-overload]  # whatever has a buffer
        self._waiting.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken, self._waiting = b"".join(self._waiting), []
        return taken


async def _sent(exported: Exported, form: str) -> AsyncIterator[bytes]:
    send, receive = anyio.create_memory_object_stream[bytes](2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_work, exported, form, send)
        async with receive:
            async for piece in receive:
                yield piece


async def _work(exported: Exported, form: str, send: MemoryObjectSendStream[bytes]) -> None:
    async with send:
        try:
            await anyio.to_thread.run_sync(_write, exported, form, send)
        except anyio.BrokenResourceError:
            return  # the caller went away


def _write(exported: Exported, form: str, send: MemoryObjectSendStream[bytes]) -> None:
    """In one thread from beginning to end, as fast as the caller reads."""
    sink = Sink()
    for _ in write_rows(exported, form, sink):  # type: ignore[arg-type]  # raw files are binary files
        if piece := sink.take():
            anyio.from_thread.run(send.send, piece)
    if piece := sink.take():
        anyio.from_thread.run(send.send, piece)


def _time(query: QueryParams, name: str) -> datetime | None:
    text = query.get(name, "")
    try:
        time = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise CallerError(f"{name}={text[:40]!r} is no ISO 8601 time") from None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
