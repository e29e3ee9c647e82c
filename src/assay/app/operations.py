"""Every operation by name. The API, the command line and the client of a running server all speak
through these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

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
from assay.errors import CallerError, UnknownName
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


class Operations(Protocol):
    """What can be done with a project, in process or through its server."""

    def spans(self, request: SpansRequest, progress: Progress = no_progress) -> Written: ...

    def locate(self, request: LocateRequest, progress: Progress = no_progress) -> Located: ...

    def settle(self, request: SettleRequest, progress: Progress = no_progress) -> SettleReport: ...

    def sample(
        self, request: SampleRequest, progress: Progress = no_progress
    ) -> tuple[SampleReport, ...]: ...

    def plan(self, request: PlanRequest, progress: Progress = no_progress) -> tuple[SamplePlan, ...]: ...

    def embed(self, request: EmbedRequest, progress: Progress = no_progress) -> EmbedReport: ...

    def neighbours(self, request: NeighboursRequest, progress: Progress = no_progress) -> Neighbourhood: ...

    def evaluate(
        self, request: EvaluateRequest, progress: Progress = no_progress
    ) -> tuple[RunReport, ...]: ...

    def record(self, request: RecordRequest, progress: Progress = no_progress) -> Written: ...

    def estimate(self, request: EstimateRequest, progress: Progress = no_progress) -> Estimate: ...

    def report(self, request: ReportRequest, progress: Progress = no_progress) -> Report: ...

    def logs(self, request: LogsRequest, progress: Progress = no_progress) -> LogPage: ...

    def breakdown(self, request: BreakdownRequest, progress: Progress = no_progress) -> Breakdown: ...

    def pick(self, request: PickRequest, progress: Progress = no_progress) -> Picked: ...

    def picks(self, request: PicksRequest, progress: Progress = no_progress) -> tuple[Pick, ...]: ...

    def filters(
        self, request: FiltersRequest, progress: Progress = no_progress
    ) -> tuple[SavedFilter, ...]: ...

    def save_filter(self, request: SaveFilterRequest, progress: Progress = no_progress) -> SavedFilter: ...

    def remove_filter(self, request: RemoveFilterRequest, progress: Progress = no_progress) -> Written: ...

    def todo(self, request: TodoRequest, progress: Progress = no_progress) -> Todo: ...

    def policies(
        self, request: PoliciesRequest, progress: Progress = no_progress
    ) -> tuple[PolicyInfo, ...]: ...

    def save_policy(self, request: SavePolicyRequest, progress: Progress = no_progress) -> PolicyInfo: ...

    def remove_policy(self, request: RemovePolicyRequest, progress: Progress = no_progress) -> Written: ...

    def priorities(
        self, request: PrioritiesRequest, progress: Progress = no_progress
    ) -> tuple[PriorityCount, ...]: ...

    def retain(self, request: RetainRequest, progress: Progress = no_progress) -> RetainReport: ...

    def forget(self, request: ForgetRequest, progress: Progress = no_progress) -> ForgetReport: ...
    def remap(self, request: RemapRequest, progress: Progress = no_progress) -> RemapReport: ...

    def signals(self, request: SignalsRequest, progress: Progress = no_progress) -> SignalTable: ...

    def backfill(self, request: BackfillRequest, progress: Progress = no_progress) -> BackfillReport: ...

    def backup(self, request: BackupRequest, progress: Progress = no_progress) -> BackupReport: ...

    def examine(self, request: ExamineRequest, progress: Progress = no_progress) -> tuple[Check, ...]: ...

    def receive(self, body: bytes, content_type: str, content_encoding: str) -> Received: ...

    def export(self, request: ExportRequest) -> Exported: ...

    def close(self) -> None: ...


REQUESTS: Mapping[str, type[Any]] = {
    "spans": SpansRequest,
    "locate": LocateRequest,
    "settle": SettleRequest,
    "sample": SampleRequest,
    "plan": PlanRequest,
    "embed": EmbedRequest,
    "neighbours": NeighboursRequest,
    "evaluate": EvaluateRequest,
    "record": RecordRequest,
    "estimate": EstimateRequest,
    "report": ReportRequest,
    "logs": LogsRequest,
    "breakdown": BreakdownRequest,
    "pick": PickRequest,
    "picks": PicksRequest,
    "filters": FiltersRequest,
    "save_filter": SaveFilterRequest,
    "remove_filter": RemoveFilterRequest,
    "todo": TodoRequest,
    "policies": PoliciesRequest,
    "save_policy": SavePolicyRequest,
    "remove_policy": RemovePolicyRequest,
    "priorities": PrioritiesRequest,
    "retain": RetainRequest,
    "forget": ForgetRequest,
    "remap": RemapRequest,
    "signals": SignalsRequest,
    "backfill": BackfillRequest,
    "backup": BackupRequest,
    "examine": ExamineRequest,
}
"""Every operation's name and what it takes; its answer is its method's."""


def to_json(record: object) -> Any:
    """A record as plain JSON values: times as ISO 8601, bytes as base64."""
    return msgspec.to_builtins(record)


def run_operation(project: Operations, name: str, payload: Any, progress: Progress = no_progress) -> Any:
    """Run the operation of that name on a JSON payload; its answer as JSON values.

    Raises UnknownName, and CallerError where the payload does not fit."""
    if name not in REQUESTS:
        raise UnknownName(f"no operation `{name}`; there are {', '.join(REQUESTS)}")
    try:
        request = msgspec.convert(payload, REQUESTS[name])
    except msgspec.ValidationError as error:
        raise CallerError(f"operation `{name}`: {error}") from None
    method: Callable[[Any, Progress], object] = getattr(project, name)
    return to_json(method(request, progress))
