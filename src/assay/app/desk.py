"""What people look up and keep: logs, filters, policies, picks. Nothing here decides, judges or pays."""

from __future__ import annotations

from collections.abc import Sequence

from assay.app import (
    answers,
    deciding,
    facets,
    filters,
    picks,
    tallies,
    timeline,
    views,
)
from assay.app.filters import Completing
from assay.app.heard import hear
from assay.app.parts import Parts
from assay.app.requests import (
    BreakdownRequest,
    FiltersRequest,
    LogsRequest,
    Picked,
    PickRequest,
    PicksRequest,
    PoliciesRequest,
    PrioritiesRequest,
    RemoveFilterRequest,
    RemovePolicyRequest,
    SaveFilterRequest,
    SavePolicyRequest,
    Span,
    Written,
)
from assay.query.complete import Completion
from assay.records import (
    Breakdown,
    ConversationPage,
    Exploration,
    LogPage,
    OpenPage,
    Pick,
    PolicyInfo,
    PriorityCount,
    Progress,
    SavedFilter,
    Series,
    Signal,
    SpanDetail,
    Timeline,
    Unit,
    Window,
    no_progress,
)
from assay.records.page import Step, Summed, TurnRow

PAGE_MS = 100.0
"""How long a page may search, and how long it may count, by estimate: then it says how far it came."""


class Desk:
    """A project as somebody reads it. Thread-safe; everything may be asked at any time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._completing = Completing(parts)
        self._troubles: dict[str, str] = {}

    @property
    def project(self) -> str:
        return self._parts.project

    def note_trouble(self, step: str, what: str) -> None:
        """What goes wrong with a step that a server takes by itself; an empty text: nothing any more."""
        self._troubles[step] = what

    def troubles(self) -> tuple[str, ...]:
        """What goes wrong with the steps that a server takes by itself."""
        return tuple(f"{step}: {what}" for step, what in self._troubles.items() if what)

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

    def hear(self, rows: Sequence[TurnRow]) -> tuple[TurnRow, ...]:
        return hear(self._parts, rows)

    def timelines(self, trace_ids: Sequence[str]) -> tuple[Timeline, ...]:
        return timeline.timelines(self._parts, trace_ids)

    def span(self, trace_id: str, span_id: str) -> SpanDetail | None:
        return timeline.span(self._parts, trace_id, span_id)

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

    def _window(self, span: Span, *, whole: bool = False) -> Window:
        return answers.asked_window(self._parts, span, whole=whole)
