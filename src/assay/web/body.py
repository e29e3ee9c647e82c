"""Request bodies: read whole, but never more than allowed, and never too many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.requests import Request

from assay.errors import PayloadError

MEBIBYTE = 1024 * 1024
PATIENCE_S = 30.0
"""A body of which nothing more comes for so long is given up, and its bytes no longer count as waiting."""


class Intake:
    """Holds the bytes of all requests that are being read or decoded below `most_waiting`."""

    def __init__(
        self,
        *,
        most: int = 64 * MEBIBYTE,
        most_waiting: int = 256 * MEBIBYTE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._most, self._patience_s = most, patience_s
        self._most_waiting = most_waiting
        self._waiting = 0

    def read(self, request: Request) -> AbstractAsyncContextManager[bytes]:
        """The body of a request, as `collect`."""
        return self.collect(request.headers.get("content-length", ""), request.stream())

    @asynccontextmanager
    async def collect(self, declared: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of a body, counted as waiting until the block ends; `declared` is its length as the
        sender gives it, if at all.

        Raises PayloadError: 413 where it is too large, 503 where too much is waiting already, 408
        where it stops coming."""
        counted = 0
        try:
            if declared.isdigit() and int(declared) > self._most:
                raise self._too_large()
            chunks: list[bytes] = []
            async with patience(self._patience_s) as waits:
                async for chunk in pieces:
                    waits()
                    counted += len(chunk)
                    self._waiting += len(chunk)
                    if counted > self._most:
                        raise self._too_large()
                    if self._waiting > self._most_waiting:
                        raise PayloadError(
                            "too many requests are waiting; send this one again", http_status=503
                        )
                    chunks.append(chunk)
            yield b"".join(chunks)
        finally:
            self._waiting -= counted

    def _too_large(self) -> PayloadError:
        limit = f"{self._most / MEBIBYTE:g} MiB"
        return PayloadError(f"the request is larger than {limit}; send smaller batches", http_status=413)


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[Callable[[], None]]:
    """For reading a body. Raises PayloadError (408) where what is given is not called for so long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds) as limit:
            yield lambda: limit.reschedule(loop.time() + seconds)
    except TimeoutError:
        raise PayloadError(
            f"nothing more of the request came for {seconds:g} s; send it again", http_status=408
        ) from None
