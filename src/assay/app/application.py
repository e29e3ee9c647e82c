"""The application: one project, open in this process."""

from __future__ import annotations

from collections.abc import Mapping
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
    flow,
    intake,
    keeping,
    marks,
    meaning,
    plans,
    signals,
    tallies,
    upkeep,
)
from assay.app.backup import back_up
from assay.app.cache import ReportCache
from assay.app.changed import Files
from assay.app.desk import Desk
from assay.app.door import Door, open_door
from assay.app.export import read_out
from assay.app.operations import run_operation
from assay.app.parts import Parts
from assay.app.requests import (
    BackfillRequest,
    BackupRequest,
    EmbedRequest,
    EstimateRequest,
    EvaluateRequest,
    ExamineRequest,
    ExportRequest,
    ForgetRequest,
    Located,
    LocateRequest,
    NeighboursRequest,
    PlanRequest,
    RecordRequest,
    RemapRequest,
    ReportRequest,
    RetainRequest,
    SampleRequest,
    SettleRequest,
    SignalsRequest,
    Span,
    SpansRequest,
    Todo,
    TodoRequest,
    Written,
)
from assay.app.turns import if_free, in_turn, in_turns, new_turn
from assay.errors import CallerError
from assay.metrics.base import Metric
from assay.query import suggest
from assay.records import (
    Arrival,
    BackfillReport,
    BackupReport,
    Check,
    EmbedReport,
    Estimate,
    ForgetReport,
    HourAccounting,
    IngestStatus,
    MetricReport,
    Neighbourhood,
    PolicyBooks,
    Progress,
    Received,
    RemapReport,
    Report,
    RetainReport,
    RunReport,
    SamplePlan,
    SampleReport,
    SettleReport,
    SignalTable,
    Window,
    no_progress,
)
from assay.store.telemetry.export import Exported
from assay.store.telemetry.spans import locate_spans


class Application(Desk):
    """Everything that can be done with a project, for the command line and the web alike.

    Thread-safe. Each step that writes (`settle`, `sample`, `evaluate`) runs once at a time; a long
    run of metrics keeps no conversation from getting its signals."""

    def __init__(self, parts: Parts, *, token: str = "", journal: Path | None = None) -> None:
        super().__init__(parts)
        self._token = token
        self._door = open_door(parts, journal)
        self._settling, self._deciding, self._judging, self._keeping = (
            new_turn(parts, name) for name in ("settle", "sample", "evaluate", "keep")
        )
        self._embedding = new_turn(parts, "embed")
        self._reports = ReportCache()
        self._files = Files(parts.settings)

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
            with in_turn(self._embedding, progress):
                meaning.try_to_embed(self._parts, progress)
            window = self._window(request.range, whole=True)
            done = tuple(flow.sample(self._parts, policy, window, progress) for policy in policies)
        self._reports.clear()
        return done

    def plan(self, request: PlanRequest, progress: Progress = no_progress) -> tuple[SamplePlan, ...]:
        """What policies would draw, cost and tell; no decision is made."""
        self._files.refuse_changed()
        return plans.plan(self._parts, request, self._window(request.range, whole=True))

    def decide(self) -> tuple[SampleReport, ...]:
        """What policies make of what was settled since they last looked; nothing while another decides."""
        self._files.refuse_changed()
        with if_free(self._deciding) as free:
            done = deciding.decide_new(self._parts) if free else ()
        if any(report.decided for report in done):
            self._reports.expire()
        return done

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
            in_turn(self._embedding, progress),
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
        window = self._window(request.range, whole=True)
        done = signals.backfill(
            self._parts, request.names, window, progress, lambda: in_turns(self._settling, progress)
        )
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


def utc_now() -> datetime:
    """The clock that applications use; tests hand in their own."""
    return datetime.now(UTC)
