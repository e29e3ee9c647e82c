"""A project that another process serves, with the same operations."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec

from assay import errors
from assay.app.hold import Holder
from assay.app.operations import to_json
from assay.app.requests import (
    BackfillRequest,
    BackupRequest,
    BreakdownRequest,
    EmbedRequest,
    EstimateRequest,
    EvaluateRequest,
    ExamineRequest,
    ExportRequest,
    FiltersRequest,
    ForgetRequest,
    Located,
    LocateRequest,
    LogsRequest,
    NeighboursRequest,
    Picked,
    PickRequest,
    PicksRequest,
    PlanRequest,
    PoliciesRequest,
    PrioritiesRequest,
    RecordRequest,
    RemapRequest,
    RemoveFilterRequest,
    RemovePolicyRequest,
    ReportRequest,
    RetainRequest,
    SampleRequest,
    SaveFilterRequest,
    SavePolicyRequest,
    SettleRequest,
    SignalsRequest,
    SpansRequest,
    Todo,
    TodoRequest,
    Written,
)
from assay.records import (
    BackfillReport,
    BackupReport,
    Breakdown,
    Check,
    EmbedReport,
    Estimate,
    ForgetReport,
    LogPage,
    Neighbourhood,
    Pick,
    PolicyInfo,
    PriorityCount,
    Progress,
    Received,
    RemapReport,
    Report,
    RetainReport,
    RunReport,
    SamplePlan,
    SampleReport,
    SavedFilter,
    SettleReport,
    SignalTable,
    no_progress,
)

if TYPE_CHECKING:
    from assay.store.telemetry.export import Exported

Answer = TypeVar("Answer")

WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)
MOST_WAIT_S = 60.0
RETRIED = (429, 502, 503, 504)
FORBIDDEN = 403


class RemoteApplication:
    """Talks to the server that `holder` names, or to the one that `find` finds once that is gone.
    Raises what the application itself would raise."""

    def __init__(
        self,
        holder: Holder,
        transport: httpx.BaseTransport | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        find: Callable[[], Holder | None] = lambda: None,
    ) -> None:
        self.address, self._token = holder.address, holder.token
        self._sleep = sleep
        self._find = find
        self._asked_s = 0.0
        self._http = httpx.Client(
            base_url=holder.address,
            headers={"X-Assay-Token": holder.token},
            timeout=httpx.Timeout(10.0, read=None),
            transport=transport,
            trust_env=False,
        )

    def spans(self, request: SpansRequest, progress: Progress = no_progress) -> Written:
        return self._insist("spans", request, progress, Written)

    def locate(self, request: LocateRequest, progress: Progress = no_progress) -> Located:
        return self._insist("locate", request, progress, Located)

    def settle(self, request: SettleRequest, progress: Progress = no_progress) -> SettleReport:
        return self._call("settle", request, progress, SettleReport)

    def sample(self, request: SampleRequest, progress: Progress = no_progress) -> tuple[SampleReport, ...]:
        return self._call("sample", request, progress, tuple[SampleReport, ...])

    def plan(self, request: PlanRequest, progress: Progress = no_progress) -> tuple[SamplePlan, ...]:
        return self._call("plan", request, progress, tuple[SamplePlan, ...])

    def embed(self, request: EmbedRequest, progress: Progress = no_progress) -> EmbedReport:
        return self._call("embed", request, progress, EmbedReport)

    def neighbours(self, request: NeighboursRequest, progress: Progress = no_progress) -> Neighbourhood:
        return self._call("neighbours", request, progress, Neighbourhood)

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

    def breakdown(self, request: BreakdownRequest, progress: Progress = no_progress) -> Breakdown:
        return self._call("breakdown", request, progress, Breakdown)

    def pick(self, request: PickRequest, progress: Progress = no_progress) -> Picked:
        return self._call("pick", request, progress, Picked)

    def picks(self, request: PicksRequest, progress: Progress = no_progress) -> tuple[Pick, ...]:
        return self._call("picks", request, progress, tuple[Pick, ...])

    def filters(self, request: FiltersRequest, progress: Progress = no_progress) -> tuple[SavedFilter, ...]:
        return self._call("filters", request, progress, tuple[SavedFilter, ...])

    def save_filter(self, request: SaveFilterRequest, progress: Progress = no_progress) -> SavedFilter:
        return self._call("save_filter", request, progress, SavedFilter)

    def remove_filter(self, request: RemoveFilterRequest, progress: Progress = no_progress) -> Written:
        return self._call("remove_filter", request, progress, Written)

    def todo(self, request: TodoRequest, progress: Progress = no_progress) -> Todo:
        return self._call("todo", request, progress, Todo)

    def policies(self, request: PoliciesRequest, progress: Progress = no_progress) -> tuple[PolicyInfo, ...]:
        return self._call("policies", request, progress, tuple[PolicyInfo, ...])

    def save_policy(self, request: SavePolicyRequest, progress: Progress = no_progress) -> PolicyInfo:
        return self._call("save_policy", request, progress, PolicyInfo)

    def remove_policy(self, request: RemovePolicyRequest, progress: Progress = no_progress) -> Written:
        return self._call("remove_policy", request, progress, Written)

    def priorities(
        self, request: PrioritiesRequest, progress: Progress = no_progress
    ) -> tuple[PriorityCount, ...]:
        return self._call("priorities", request, progress, tuple[PriorityCount, ...])

    def retain(self, request: RetainRequest, progress: Progress = no_progress) -> RetainReport:
        return self._call("retain", request, progress, RetainReport)

    def forget(self, request: ForgetRequest, progress: Progress = no_progress) -> ForgetReport:
        return self._call("forget", request, progress, ForgetReport)

    def remap(self, request: RemapRequest, progress: Progress = no_progress) -> RemapReport:
        return self._call("remap", request, progress, RemapReport)

    def signals(self, request: SignalsRequest, progress: Progress = no_progress) -> SignalTable:
        return self._call("signals", request, progress, SignalTable)

    def backfill(self, request: BackfillRequest, progress: Progress = no_progress) -> BackfillReport:
        return self._call("backfill", request, progress, BackfillReport)

    def backup(self, request: BackupRequest, progress: Progress = no_progress) -> BackupReport:
        return self._call("backup", request, progress, BackupReport)

    def examine(self, request: ExamineRequest, progress: Progress = no_progress) -> tuple[Check, ...]:
        return self._call("examine", request, progress, tuple[Check, ...])

    def receive(self, body: bytes, content_type: str, content_encoding: str) -> Received:
        """Send an OTLP trace request, as an application would."""
        headers = {"Content-Type": content_type, "Content-Encoding": content_encoding or "identity"}
        try:
            response = self._http.post("/v1/traces", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise errors.StoreError(f"{self.address}/v1/traces gave no answer: {error}") from error
        if response.status_code != 200:
            raise _refusal(self.address, response)
        return Received(accepted=1)

    def export(self, request: ExportRequest) -> Exported:
        """The rows as the server sends them, batch by batch."""
        from assay.app.served import read_served  # loads Arrow: not needed above

        return read_served(self._http, request, partial(_refusal, self.address))

    def close(self) -> None:
        self._http.close()

    def _insist(self, name: str, request: object, progress: Progress, answer: type[Answer]) -> Answer:
        """Call it again for a while where the server is full, busy or away: it may be repeated."""
        for wait_s in WAITS_S:
            try:
                return self._call(name, request, progress, answer)
            except errors.AssayError as error:
                is_new = self._turn_to(self._find())
                if error.http_status not in RETRIED and not (error.http_status == FORBIDDEN and is_new):
                    raise
                progress("waiting for the server", 0, None)
                self._sleep(max(wait_s, self._asked_s))
                self._turn_to(self._find())
        return self._call(name, request, progress, answer)

    def _turn_to(self, holder: Holder | None) -> bool:
        """A server that was started again may listen elsewhere, and has another token."""
        if holder is None or (holder.address, holder.token) == (self.address, self._token):
            return False
        self.address, self._token = holder.address, holder.token
        self._http.base_url = httpx.URL(holder.address)
        self._http.headers["X-Assay-Token"] = holder.token
        return True

    def _call(self, name: str, request: object, progress: Progress, answer: type[Answer]) -> Answer:
        self._asked_s = 0.0
        try:
            with self._http.stream("POST", f"/api/run/{name}", json=to_json(request)) as response:
                if response.status_code != 200:
                    response.read()
                    self._asked_s = _seconds(response.headers.get("retry-after", ""))
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
        error = _rebuilt(response.json()["error"])
        error.http_status = response.status_code
        return error
    return errors.StoreError(f"{address} answered {response.status_code}: {response.text[:300]}")


def _seconds(text: str) -> float:
    """What `Retry-After` asks for, as far as anybody would wait."""
    return min(float(text), MOST_WAIT_S) if text.strip().isdigit() else 0.0


def _rebuilt(error: dict[str, str]) -> errors.AssayError:
    """The error that the server met, of its own class, so that exit codes agree."""
    kind = getattr(errors, error.get("type", ""), errors.AssayError)
    if not (isinstance(kind, type) and issubclass(kind, errors.AssayError)):
        kind = errors.AssayError
    return kind(error.get("message", "unknown error"))
