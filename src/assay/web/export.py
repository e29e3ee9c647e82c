"""`GET /api/export/{kind}`: rows of any kind, as they are read."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from assay.app.export import FORMS, write_rows
from assay.app.requests import ExportRequest, Span
from assay.errors import CallerError, StoreError
from assay.store.telemetry.export import Exported
from assay.web.api import unit_of
from assay.web.base import Site
from assay.web.form import form_intake, read_form
from assay.web.period import window_of
from assay.web.problems import answer, problem_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

log = logging.getLogger("assay.web")

MEDIA = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
_CHUNK_BYTES = 256 * 1024
"""So much a caller must take at a time."""


class Exports:
    """Some at once, so that callers who read slowly leave the store to everybody else."""

    def __init__(self, site: Site, *, most: int = 2, patience_s: float = 60.0) -> None:
        self._site, self._most, self._patience_s = site, most, patience_s
        self._running = 0
        self._intake = form_intake()

    async def rows(self, request: Request) -> Response:
        """The rows in the form that `form` names, Parquet where it names none.

        What is wrong before the first row is a plain status. Where reading fails later, or the caller
        takes nothing for a while, the connection is cut, so that nobody takes a part for the whole."""
        kind, form = request.path_params["kind"], request.query_params.get("form", "parquet")
        with ExitStack() as place:
            try:
                self._enter(place)
                asked = _asked(request, kind, form)
                if request.method == "POST":
                    ids = (await read_form(request, self._intake)).every("id")
                    asked = replace(asked, log_ids=_some(ids))
                exported = await anyio.to_thread.run_sync(self._site.app.export, asked)
            except Exception as error:  # every view ends here: a caller must learn what happened
                return answer(request, problem_of(error, self._site.rng), self._site.render)
            name = f'attachment; filename="{kind}.{form}"'
            headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
            return _Download(exported, form, headers, place.pop_all(), self._patience_s)

    def _enter(self, place: ExitStack) -> None:
        if self._running >= self._most:
            raise StoreError(f"{self._most} exports are being read already; ask again when one has ended")
        self._running += 1
        place.callback(self._leave)

    def _leave(self) -> None:
        self._running -= 1


def _asked(request: Request, kind: str, form: str) -> ExportRequest:
    query = request.query_params
    if form not in FORMS:
        raise CallerError(f"form={form[:40]!r} is unknown; there are {', '.join(FORMS)}")
    window = window_of(query)
    return ExportRequest(
        kind=kind,
        unit=unit_of(query.get("unit", "")),
        filter=query.get("q", ""),
        range=Span() if window is None else Span(since=window.start, until=window.end),
    )


def _some(ids: tuple[str, ...]) -> tuple[str, ...]:
    """No log at all is a slip: without ids it would be every log."""
    if not ids:
        raise CallerError("no log is named: tick some, or export all that the filter holds of")
    return ids


class _Download(StreamingResponse):
    """Rows that are read in a thread, as fast as the caller takes them."""

    def __init__(
        self, exported: Exported, form: str, headers: Mapping[str, str], place: ExitStack, patience_s: float
    ) -> None:
        super().__init__((), headers=headers, media_type=MEDIA[form])
        self._exported, self._form, self._place, self._patience_s = exported, form, place, patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Ends in the task that it began in, also where the caller goes away: only so the thread ends."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        give, pieces = anyio.create_memory_object_stream[bytes](2)
        async with anyio.create_task_group() as tasks, pieces:
            tasks.start_soon(_work, self._exported, self._form, give)
            async for piece in pieces:
                if not await self._passed_on(piece, send):
                    log.warning("an export ended: nothing of it was taken for %g s", self._patience_s)
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _passed_on(self, piece: bytes, send: Send) -> bool:
        for start in range(0, len(piece), _CHUNK_BYTES):
            body = piece[start : start + _CHUNK_BYTES]
            with anyio.move_on_after(self._patience_s) as waiting:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            if waiting.cancelled_caught:
                return False
        return True


class Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Buffer) -> int:
        piece = bytes(content)
        self._waiting.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken, self._waiting = b"".join(self._waiting), []
        return taken


async def _work(exported: Exported, form: str, give: MemoryObjectSendStream[bytes]) -> None:
    async with give:
        await anyio.to_thread.run_sync(_write, exported, form, give)


def _write(exported: Exported, form: str, give: MemoryObjectSendStream[bytes]) -> None:
    """In one thread from beginning to end, which lets the store go."""
    sink = Sink()
    with closing(write_rows(exported, form, cast("BinaryIO", sink))) as steps:
        for _ in steps:
            if (piece := sink.take()) and not _given(piece, give):
                return
    if piece := sink.take():
        _given(piece, give)


def _given(piece: bytes, give: MemoryObjectSendStream[bytes]) -> bool:
    try:
        anyio.from_thread.run(give.send, piece)
    except (anyio.BrokenResourceError, CancelledError):  # the caller went away
        return False
    return True
