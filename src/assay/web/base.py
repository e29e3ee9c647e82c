"""What the pages and the API need of the application, and what each view is handed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from assay.app.requests import (
    ExportRequest,
    FiltersRequest,
    NeighboursRequest,
    Picked,
    PickRequest,
    RemoveFilterRequest,
    SaveFilterRequest,
    SavePolicyRequest,
    Written,
)
from assay.errors import AssayError
from assay.query.complete import Completion
from assay.records import (
    Arrival,
    Breakdown,
    Exploration,
    Feedback,
    IngestStatus,
    MetricReport,
    Neighbourhood,
    PolicyInfo,
    Progress,
    Report,
    SavedFilter,
    Signal,
    SpanDetail,
    Timeline,
    Unit,
    Window,
)
from assay.records.page import (
    ConversationPage,
    HourAccounting,
    LogPage,
    OpenPage,
    PolicyBooks,
    Received,
    Series,
    Step,
    Summed,
    TurnRow,
)
from assay.store.telemetry.export import Exported
from assay.web.charts import Charts
from assay.web.render import Renderer


class Entrance(Protocol):
    """Where OTLP requests and feedback come in. Thread-safe.

    `answer` is called once, from another thread, when what was taken is on disk or can't be; what
    is wrong with a request is raised at once: PayloadError with its status, StoreFull or another
    StoreError."""

    def take(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> None: ...

    def take_soon(self, arrival: Arrival, answer: Callable[[Received | AssayError], None]) -> bool:
        """`take` it, if that is done so soon that nothing else need run meanwhile; False where it was
        left alone."""
        ...

    def feedback(self, given: Sequence[Feedback], transport: str, agent: str) -> None:
        """Returns once it is on disk."""
        ...

    def refused(self, status: int, transport: str, agent: str) -> None:
        """Count a request that was answered with an error."""
        ...


class Pages(Protocol):
    """A project as the web sees it. Every method is synchronous, thread-safe and may wait.

    `window` None means the window the project reports on by default. Methods raise UnknownName,
    FilterError, StoreError and their kin; the web turns each into its status and a sentence.
    `token` guards `POST /api/run/{operation}`.
    """

    @property
    def project(self) -> str: ...

    @property
    def token(self) -> str: ...

    def report(self, window: Window | None = None) -> Report:
        """All metrics over the window; the first one is the headline."""
        ...

    def explain(self, metric: str, window: Window | None = None) -> MetricReport:
        """One metric over the window; UnknownName where there is none."""
        ...

    def accounting_by_hour(self, metric: str, window: Window | None = None) -> tuple[HourAccounting, ...]:
        """The books of one metric, oldest hour first."""
        ...

    def accounting_by_policy(self, policy: str, window: Window | None = None) -> PolicyBooks:
        """What a policy did with every log, by the hour, and the books of the metrics that follow it."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """What goes wrong with the steps that the server takes by itself."""
        ...

    def policies(self) -> tuple[PolicyInfo, ...]:
        """Every policy, those of assay.toml first."""
        ...

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
        """Logs that the filter holds of, newest first; here `window` None means all time. Unless
        `deep`, a page of a large store is given soon and says how far it has searched and counted."""
        ...

    def complete(self, text: str, cursor: int, unit: Unit) -> tuple[Completion, ...]:
        """What may stand at the cursor of a filter that is being written, the likeliest first."""
        ...

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
        """A page of the list, what the list is made of, and which of the logs are picked: as `list_logs`."""
        ...

    def break_down(self, unit: Unit, filter_text: str, window: Window | None = None) -> Breakdown:
        """What the list is made of, all of it counted. Raises FilterError."""
        ...

    def known_signals(self) -> Mapping[str, Signal]:
        """Every signal by name."""
        ...

    def pick(self, request: PickRequest) -> Picked:
        """Put logs beside those drawn for people, or take them away again."""
        ...

    def filters(self, request: FiltersRequest) -> tuple[SavedFilter, ...]:
        """Every filter that has a name."""
        ...

    def save_filter(self, request: SaveFilterRequest) -> SavedFilter:
        """Give a filter a name. Raises CallerError, FilterError."""
        ...

    def remove_filter(self, request: RemoveFilterRequest) -> Written:
        """Forget a filter's name. Raises UnknownName, CallerError."""
        ...

    def save_policy(self, request: SavePolicyRequest) -> PolicyInfo:
        """Keep a policy, which decides from then on. Raises CallerError."""
        ...

    def open_logs(self, limit: int = 50) -> OpenPage:
        """What has arrived and is not settled yet, the newest first."""
        ...

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
        """A number of the logs that the filter holds of, over time; `soon`: of a large store only the
        newest days that can be read at once. Raises FilterError."""
        ...

    def conversation(self, conversation_id: str) -> ConversationPage | None:
        """A conversation with its turns, or None where there is none of that id."""
        ...

    def hear(self, rows: Sequence[TurnRow]) -> tuple[TurnRow, ...]:
        """These turns with the words in them that raised their signals."""
        ...

    def timelines(self, trace_ids: Sequence[str]) -> tuple[Timeline, ...]:
        """The spans of these interactions, of each that is kept."""
        ...

    def span(self, trace_id: str, span_id: str) -> SpanDetail | None:
        """One span as it was delivered; None where it is not kept."""
        ...

    def neighbours(self, request: NeighboursRequest) -> Neighbourhood:
        """The logs whose requests mean much the same, nearest first."""
        ...

    @property
    def door(self) -> Entrance: ...

    def ingest_status(self, window: Window | None = None) -> IngestStatus:
        """How taking in goes; here `window` None means the last hour."""
        ...

    def export(self, request: ExportRequest) -> Exported:
        """Rows of any kind, to be read to the end or closed. Raises CallerError, FilterError."""
        ...

    def run_operation(
        self, name: str, payload: Mapping[str, Any], progress: Progress
    ) -> Any:  # JSON values: what came out depends on the operation
        """Run an operation by name; its answer as JSON values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What each view is handed beside the request."""

    app: Pages
    render: Renderer
    charts: Charts
    rng: random.Random
    decides: bool = True
