"""Rows that a server sends, read while they come."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import Any, cast

import httpx
import pyarrow as pa

from assay.app.requests import ExportRequest
from assay.errors import AssayError, StoreError
from assay.store.telemetry.export import Exported

Refusal = Callable[[httpx.Response], AssayError]


def read_served(http: httpx.Client, request: ExportRequest, refusal: Refusal) -> Exported:
    """The rows of `GET /api/export/KIND`. Raises what the server says, and StoreError where it breaks off."""
    asked = {"unit": request.unit, "q": request.filter, "form": "arrow"}
    ends = {"since": request.range.since, "until": request.range.until}
    asked |= {name: at.isoformat() for name, at in ends.items() if at}
    rows = _read(http, f"/api/export/{request.kind}", asked, request.log_ids, refusal)
    schema = next(rows)
    return Exported(cast("pa.Schema", schema), cast("Generator[pa.RecordBatch]", rows))


def _read(
    http: httpx.Client, path: str, asked: dict[str, str], log_ids: tuple[str, ...], refusal: Refusal
) -> Generator[pa.Schema | pa.RecordBatch]:
    """The columns, then the batches: the connection ends with the generator."""
    try:
        method, form = ("POST", {"id": list(log_ids)}) if log_ids else ("GET", None)
        with http.stream(method, path, params=asked, data=form) as response:
            if response.status_code != 200:
                response.read()
                raise refusal(response)
            with pa.ipc.open_stream(pa.PythonFile(_Body(response), mode="r")) as reader:
                yield reader.schema
                yield from reader
    except (httpx.HTTPError, pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"the server broke off: {error}; run it again") from error


class _Body(io.RawIOBase):
    """A response's bytes, to be read in pieces of any size."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks, self._rest = response.iter_bytes(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
