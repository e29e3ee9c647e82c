"""A project that another process serves, with the same operations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

import httpx
import msgspec

from assay import errors
from assay.app.hold import Holder
from assay.app.operations import to_json
from assay.app.requests import (
    EstimateRequest,
    EvaluateRequest,
    LogsRequest,
    RecordRequest,
    ReportRequest,
    SampleRequest,
    SettleRequest,
    SpansRequest,
    Todo,
    TodoRequest,
    Written,
)
from assay.records import (
    Estimate,
    LogPage,
    Progress,
    Report,
    RunReport,
    SampleReport,
    SettleReport,
    no_progress,
)

Answer = TypeVar("Answer")


class RemoteApplication:
    """Talks to the server that `holder` names. Raises what the application itself would raise."""

    def __init__(self, holder: Holder, transport: httpx.BaseTransport | None = None) -> None:
        self.address = holder.address
        self._http = httpx.Client(
            base_url=holder.address,
            headers={"X-Assay-Token": holder.token},
            timeout=httpx.Timeout(10.0, read=None),
            transport=transport,
            trust_env=False,
        )

    def spans(self, request: SpansRequest, progress: Progress = no_progress) -> Written:
        return self._call("spans", request, progress, Written)

    def settle(self, request: SettleRequest, progress: Progress = no_progress) -> SettleReport:
        return self._call("settle", request, progress, SettleReport)

    def sample(self, request: SampleRequest, progress: Progress = no_progress) -> tuple[SampleReport, ...]:
        return self._call("sample", request, progress, tuple[SampleReport, ...])

    def evaluate(self, request: EvaluateRequest, progress: Progress = no_progress) -> tuple[RunReport, ...]:
        return self._call("evaluate", request, progress, tuple[RunReport, ...])

    def record(self, request: RecordRequest, progress: Progress = no_progress) -> Written:
        return self._call("record", request, progress, Written)

    def estimate(self, request: EstimateRequest, progress: Progress = no_progress) -> Estimate:
        return self._call("estimate", request, progress, Estimate)

    def report(self, request: ReportRequest, progress: Progress = no_progress) -> Report:
        return self._call("report", request, progress, Report)

    def logs(self, request: LogsRequest, progress: Progress = no_progress) -> LogPage:
        return self._call("logs", request, progress, LogPage)

    def todo(self, request: TodoRequest, progress: Progress = no_progress) -> Todo:
        return self._call("todo", request, progress, Todo)

    def close(self) -> None:
        self._http.close()

    def _call(self, name: str, request: object, progress: Progress, answer: type[Answer]) -> Answer:
        try:
            with self._http.stream("POST", f"/api/run/{name}", json=to_json(request)) as response:
                if response.status_code != 200:
                    response.read()
                    raise _refusal(self.address, response)
                for message in _messages(response):
                    if "progress" in message:
                        progress(*message["progress"])
                    elif "error" in message:
                        raise _rebuilt(message["error"])
                    elif "result" in message:
                        return msgspec.convert(message["result"], answer)
        except httpx.HTTPError as error:
            raise errors.StoreError(
                f"the server at {self.address} stopped answering: {error}; run it again"
            ) from error
        raise errors.StoreError(f"the server at {self.address} closed the connection before an answer came")


def _messages(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The answer's JSON lines. They end with a newline alone: httpx would also break a line at the
    other separators that Unicode knows, and logs may hold them."""
    line = bytearray()
    for chunk in response.iter_bytes():
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line += end
            yield json.loads(line)
            line.clear()
        line += rest


def _refusal(address: str, response: httpx.Response) -> errors.AssayError:
    """Why nothing was run: the server's own error where it sent one."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        return _rebuilt(response.json()["error"])
    return errors.StoreError(f"{address} answered {response.status_code}: {response.text[:300]}")


def _rebuilt(error: dict[str, str]) -> errors.AssayError:
    """The error that the server met, of its own class, so that exit codes agree."""
    kind = getattr(errors, error.get("type", ""), errors.AssayError)
    if not (isinstance(kind, type) and issubclass(kind, errors.AssayError)):
        kind = errors.AssayError
    return kind(error.get("message", "unknown error"))
