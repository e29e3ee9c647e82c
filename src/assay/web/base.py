"""What the pages and the API need of the application, and what each view is handed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from assay.records import MetricReport, Progress, Report, Unit, Window
from assay.records.page import ConversationPage, HourAccounting, LogPage, Received
from assay.web.charts import Charts
from assay.web.render import Renderer


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
    ) -> LogPage:
        """Logs that the filter holds of, newest first; here `window` None means all time."""
        ...

    def conversation(self, conversation_id: str) -> ConversationPage | None:
        """A conversation with its turns, or None where there is none of that id."""
        ...

    def receive(self, body: bytes, content_type: str, content_encoding: str) -> Received:
        """Decode an OTLP trace request; its spans are durable when it returns.

        Raises PayloadError with its status, StoreFull or another StoreError."""
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
