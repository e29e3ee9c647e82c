"""The application: one project, open in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.app import (
    answers,
    deciding,
    doctor,
    facets,
    filters,
    flow,
    intake,
    keeping,
    marks,
    meaning,
    picks,
    signals,
    tallies,
    timeline,
    upkeep,
    views,
)
from assay.app.backup import back_up
from assay.app.cache import ReportCache
from assay.app.changed import Files
from assay.app.door import Door, open_door
from assay.app.export import read_out
from assay.app.filters import Completing
from assay.app.operations import run_operation
from assay.app.parts import Parts
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
    Span,
    SpansRequest,
    Todo,
    TodoRequest,
    Written,
)
from assay.app.turns import in_turn, new_turn
from assay.errors import CallerError
from assay.metrics.base import Metric
from assay.query import suggest
from assay.query.complete import Completion
from assay.records import (
    Arrival,
    BackfillReport,
    BackupReport,
    Breakdown,
    Check,
    ConversationPage,
    EmbedReport,
    Estimate,
    Exploration,
    ForgetReport,
    HourAccounting,
    IngestStatus,
    LogPage,
    MetricReport,
    Neighbourhood,
    OpenPage,
    Pick,
    PolicyBooks,
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
    Series,
    SettleReport,
    Signal,
    SignalTable,
    SpanDetail,
    Timeline,
    Unit,
    Window,
    no_progress,
)
from assay.records.page import Step, Summed
from assay.store.telemetry.export import Exported
from assay.store.telemetry.spans import locate_spans

PAGE_MS = 100.0
"""How long a page may search, and how long it may count, by estimate: then it says how far it came."""


class Application:
    """Everything that can be done with a project, for the command line and the web alike.

    Thread-safe. Each step that writes (`settle`, `sample`, `evaluate`) runs once at a time; a long
    run of metrics keeps no conversation from getting its signals."""

    def __init__(self, parts: Parts, *, token: str = "", journal: Path | None = None) -> None:
        self._parts = parts
        self._token = token
        self._door = open_door(parts, journal)
        self._settling, self._deciding, self._judging, self._keeping = (
            new_turn(parts, name) for name in ("settle", "sample", "evaluate", "keep")
        )
        self._embedding = new_turn(parts, "embed")
        self._reports = ReportCache()
        self._completing = Completing(parts)
        self._files = Files(parts.settings)

    @property
    def project(self) -> str:
        return self._parts.project

    @property
    def token(self) -> str:
        return self._token

    # --- taking in ----------------------------------------------------------------------------

    @property
    def door(self) -> Door:
        """Where OTLP requests and feedback come in."""
        return self._door

    def receive(self, body: bytes, content_type: str, content_encoding: str) -> Received:
        """Take an OTLP trace request; it is on disk when this returns."""
        arrival = Arrival(body=body, content_type=content_type, content_encoding=content_encoding)
        return self._door.receive(arrival)

    def spans(self, request: SpansRequest, progress: Progress = no_progress) -> Written:
        """Spans, or log records, in the store's own columns; in the store when this returns."""
        try:
            table = pa.ipc.open_stream(BytesIO(request.arrow)).read_all()
        except pa.ArrowInvalid as error:
            raise CallerError(f"the spans are no Arrow stream: {error}") from None
        self._door.put(request.kind, table, "import")
        self._door.flush()
        return Written(rows=table.num_rows)

    def ingest_status(self, window: Window | None = None) -> IngestStatus:
        """How taking in goes: over the last hour, where no window is given."""
        now = self._parts.clock()
        return intake.status(
            self._parts.telemetry, self._door, window or Window(start=now - timedelta(hours=1), end=now), now
        )

    def locate(self, request: LocateRequest, progress: Progress = no_progress) -> Located:
        """Which traces these spans are of."""
        return Located(traces=locate_spans(self._parts.telemetry, request.span_ids))

    # --- the steps ----------------------------------------------------------------------------

    def settle(self, request: SettleRequest, progress: Progress = no_progress) -> SettleReport:
        self._door.flush()
        with in_turn(self._settling, progress):
            done = flow.settle(self._parts, progress, idle=not request.even_active, ended=request.ended)
        if done.conversations:
            self._reports.expire()
        return done

    def sample(self, request: SampleRequest, progress: Progress = no_progress) -> tuple[SampleReport, ...]:
        self._files.refuse_changed()
        names = [request.policy] if request.policy else list(self._parts.policies)
        policies = [self._parts.policy(name) for name in names]
        self._door.flush()
        with in_turn(self._deciding, progress):
            with in_turn(self._settling, progress):
                flow.settle(self._parts, progress)
            meaning.try_to_embed(self._parts, progress)
            window = self._window(request.range, whole=True)
            done = tuple(flow.sample(self._parts, policy, window, progress) for policy in policies)
        self._reports.clear()
        return done

    def plan(self, request: PlanRequest, progress: Progress = no_progress) -> tuple[SamplePlan, ...]:
        """What policies would draw, cost and tell; no decision is made."""
        self._refuse_changed()
        names = [request.policy] if request.policy else list(self._parts.policies)
        policies = [self._parts.policy(name) for name in names]
        window = self._window(request.range, whole=True)
        return tuple(plans.plan(self._parts, policy, request.range, window) for policy in policies)

    def embed(self, request: EmbedRequest, progress: Progress = no_progress) -> EmbedReport:
        """Vectors for requests that have none."""
        with in_turn(self._embedding, progress):
            return meaning.embed(self._parts, request.limit, progress)

    def neighbours(self, request: NeighboursRequest, progress: Progress = no_progress) -> Neighbourhood:
        return meaning.neighbours(self._parts, request)

    def evaluate(self, request: EvaluateRequest, progress: Progress = no_progress) -> tuple[RunReport, ...]:
        """The metrics one after another; what one has spent the next can't."""
        self._files.refuse_changed()
        metrics, left = self._metrics(request.metrics), request.budget_usd
        done: list[RunReport] = []
        with in_turn(self._judging, progress):
            window = self._window(request.range, whole=True)
            try:
                for metric in metrics:
                    asked = replace(request, budget_usd=left)
                    done.append(flow.evaluate(self._parts, metric, window, asked, progress))
                    left = None if left is None else max(0.0, left - done[-1].cost_usd)
            finally:
                self._reports.clear()
        return tuple(done)

    # --- policies and priorities ---------------------------------------------------------------

    def policies(
        self, request: PoliciesRequest | None = None, progress: Progress = no_progress
    ) -> tuple[PolicyInfo, ...]:
        return deciding.list_policies(self._parts)

    def save_policy(self, request: SavePolicyRequest, progress: Progress = no_progress) -> PolicyInfo:
        return deciding.save_policy(self._parts, request)

    def remove_policy(self, request: RemovePolicyRequest, progress: Progress = no_progress) -> Written:
        return deciding.remove_policy(self._parts, request)

    def priorities(
        self, request: PrioritiesRequest, progress: Progress = no_progress
    ) -> tuple[PriorityCount, ...]:
        return deciding.list_priorities(self._parts, request.unit, self._window(request.range, whole=True))

    def retain(self, request: RetainRequest, progress: Progress = no_progress) -> RetainReport:
        """Remove what is older than `[retention]` keeps."""
        with in_turn(self._settling, progress):
            done = keeping.retain_days(self._parts, dry_run=request.dry_run)
        if done.removed and not request.dry_run:
            self._reports.clear()
        return done

    def forget(self, request: ForgetRequest, progress: Progress = no_progress) -> ForgetReport:
        """Delete what is kept of a user or a conversation. Nothing else writes meanwhile."""
        with (
            in_turn(self._judging, progress),
            in_turn(self._deciding, progress),
            in_turn(self._settling, progress),
        ):
            done = keeping.forget(self._parts, self._door, request, progress)
        self._reports.clear()
        return done

    def record(self, request: RecordRequest, progress: Progress = no_progress) -> Written:
        done = marks.record(self._parts, request)
        self._reports.clear()
        return done

    def todo(self, request: TodoRequest, progress: Progress = no_progress) -> Todo:
        return marks.todo(self._parts, request, self._window(Span(), whole=True))

    # --- upkeep -------------------------------------------------------------------------------

    def remap(self, request: RemapRequest, progress: Progress = no_progress) -> RemapReport:
        def settle() -> int:
            return self.settle(SettleRequest(), progress).conversations

        with in_turn(self._keeping, progress):
            done = upkeep.remap(self._parts, settle, progress, again=request.again)
        self._reports.clear()
        return done

    def signals(self, request: SignalsRequest, progress: Progress = no_progress) -> SignalTable:
        """How often each signal was raised: in the last days that have logs, where no range is given."""
        asked = request.range
        if asked.since or asked.until:
            return signals.list_signals(self._parts, self._window(asked, whole=True))
        every = tallies.data_window(self._parts)
        return signals.list_signals(self._parts, signals.lately(every, self._parts.clock()))

    def backfill(self, request: BackfillRequest, progress: Progress = no_progress) -> BackfillReport:
        self._files.refuse_changed()
        with in_turn(self._settling, progress):
            window = self._window(request.range, whole=True)
            done = signals.backfill(self._parts, request.names, window, progress)
        if done.changed:
            self._reports.clear()
        return done

    def backup(self, request: BackupRequest, progress: Progress = no_progress) -> BackupReport:
        with in_turn(self._keeping, progress):
            return back_up(self._parts, self._door.folder, Path(request.path), progress)

    def examine(self, request: ExamineRequest, progress: Progress = no_progress) -> tuple[Check, ...]:
        with in_turn(self._settling, progress):  # no test span becomes a log
            return doctor.look_inside(
                self._parts, self._door, asked_at=request.asked_at, trace_id=request.trace_id
            )

    def export(self, request: ExportRequest) -> Exported:
        """Rows of any kind; read them to the end, or close them: they hold a handle of the store."""
        self._door.flush()
        return read_out(self._parts, request)

    # --- the answers --------------------------------------------------------------------------

    def estimate(self, request: EstimateRequest, progress: Progress = no_progress) -> Estimate:
        info = self._parts.info(request.metric)
        return answers.estimate(self._parts, info, self._window(request.range), request)

    def report(
        self, request: ReportRequest | Window | None = None, progress: Progress = no_progress
    ) -> Report:
        window = (
            request if isinstance(request, Window) else self._window(request.range if request else Span())
        )
        return self._reports.get(window, lambda: answers.report(self._parts, window))

    def prepare(self) -> None:
        """Make the first page's report, unless there is one."""
        window = self._window(Span())
        if window not in self._reports:
            self.report(window)

    def explain(self, metric: str, window: Window | None = None) -> MetricReport:
        self._parts.info(metric)
        found = {report.info.name: report for report in self.report(window).metrics}
        if metric not in found:  # it is newer than the report that was made
            self._reports.clear()
            found = {report.info.name: report for report in self.report(window).metrics}
        if metric not in found:
            self._parts.policy_of(self._parts.info(metric))  # says which policy is missing
        return found[metric]

    def accounting_by_hour(self, metric: str, window: Window | None = None) -> tuple[HourAccounting, ...]:
        info = self._parts.info(metric)
        return tallies.accounting_by_hour(self._parts, info, window or self._window(Span()))

    def accounting_by_policy(self, policy: str, window: Window | None = None) -> PolicyBooks:
        """What the policy did with every log, and the books of the metrics that follow it."""
        found = self._parts.policy(policy)
        return tallies.policy_books(self._parts, found, window or self._window(Span()))

    # --- the logs -----------------------------------------------------------------------------

    def logs(self, request: LogsRequest, progress: Progress = no_progress) -> LogPage:
        window = self._window(request.range, whole=True)
        return views.list_logs(
            self._parts,
            request.unit,
            request.filter,
            window,
            limit=request.limit,
            after=request.after or None,
        )

    def list_logs(
        self,
        unit: Unit,
        filter_text: str,
        *,
        window: Window | None = None,
        limit: int = 50,
        after: str | None = None,
        deep: bool = False,
    ) -> LogPage:
        window = window or self._window(Span(), whole=True)
        budget_ms = None if deep else PAGE_MS
        return views.list_logs(
            self._parts, unit, filter_text, window, limit=limit, after=after, budget_ms=budget_ms
        )

    def explore(
        self,
        unit: Unit,
        filter_text: str,
        *,
        window: Window | None = None,
        limit: int = 50,
        after: str | None = None,
        deep: bool = False,
    ) -> Exploration:
        window = window or self._window(Span(), whole=True)
        budget_ms = None if deep else PAGE_MS
        return views.explore(
            self._parts, unit, filter_text, window, limit=limit, after=after, budget_ms=budget_ms
        )

    def break_down(self, unit: Unit, filter_text: str, window: Window | None = None) -> Breakdown:
        return facets.break_down(self._parts, unit, filter_text, window or self._window(Span(), whole=True))

    def breakdown(self, request: BreakdownRequest, progress: Progress = no_progress) -> Breakdown:
        return self.break_down(request.unit, request.filter, self._window(request.range, whole=True))

    def pick(self, request: PickRequest, progress: Progress = no_progress) -> Picked:
        return picks.pick(self._parts, request)

    def picks(self, request: PicksRequest, progress: Progress = no_progress) -> tuple[Pick, ...]:
        return picks.picks(self._parts, request)

    def known_signals(self) -> dict[str, Signal]:
        return {signal.name: signal for signal, _ in self._parts.signals}

    def complete(self, text: str, cursor: int, unit: Unit) -> tuple[Completion, ...]:
        return self._completing.complete(text, cursor, unit)

    def filters(self, request: FiltersRequest, progress: Progress = no_progress) -> tuple[SavedFilter, ...]:
        return filters.filters(self._parts)

    def save_filter(self, request: SaveFilterRequest, progress: Progress = no_progress) -> SavedFilter:
        return filters.save(self._parts, request)

    def remove_filter(self, request: RemoveFilterRequest, progress: Progress = no_progress) -> Written:
        return filters.remove(self._parts, request)

    def open_logs(self, limit: int = 50) -> OpenPage:
        return views.open_logs(self._parts, limit)

    def series(
        self,
        of: Summed,
        by: Step,
        unit: Unit,
        filter_text: str = "",
        window: Window | None = None,
        *,
        soon: bool = False,
    ) -> Series:
        window = window or self._window(Span())
        budget_ms = PAGE_MS if soon else None
        return tallies.read_series(self._parts, unit, of, by, filter_text, window, budget_ms=budget_ms)

    def conversation(self, conversation_id: str) -> ConversationPage | None:
        return views.conversation(self._parts, conversation_id)

    def timelines(self, trace_ids: Sequence[str]) -> tuple[Timeline, ...]:
        return timeline.timelines(self._parts, trace_ids)

    def span(self, trace_id: str, span_id: str) -> SpanDetail | None:
        return timeline.span(self._parts, trace_id, span_id)

    # --- over HTTP, and the end ---------------------------------------------------------------

    def run_operation(self, name: str, payload: Mapping[str, Any], progress: Progress) -> Any:
        return run_operation(self, name, payload, progress)

    def close(self) -> None:
        """Store what is waiting, then let go of the stores."""
        self._door.close()
        self._parts.telemetry.close()
        self._parts.state.close()

    def _metrics(self, names: tuple[str, ...]) -> list[Metric]:
        """The metrics to run: the named ones, or all. Raises CallerError for one that can't be run."""
        for name in names:
            if name not in self._parts.metrics:
                info = self._parts.info(name)
                raise CallerError(
                    f"metric {name} is of kind {info.kind} and not defined in "
                    f"{self._parts.settings.metrics_file}: it can't be run; "
                    f"{suggest(name, self._parts.metrics)}"
                )
        return [self._parts.metrics[name] for name in names or self._parts.metrics]

    def _window(self, span: Span, *, whole: bool = False) -> Window:
        return answers.asked_window(self._parts, span, whole=whole)


def utc_now() -> datetime:
    """The clock that applications use; tests hand in their own."""
    return datetime.now(UTC)
