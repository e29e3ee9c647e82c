"""What the pages and the API need of the application, and what each view is handed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from assay.app.requests import ExportRequest
from assay.errors import AssayError
from assay.records import Arrival, Feedback, IngestStatus, MetricReport, Progress, Report, Unit, Window
from assay.records.page import (
    ConversationPage,
    HourAccounting,
    LogPage,
    OpenPage,
    Received,
    Series,
    Step,
    Summed,
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
