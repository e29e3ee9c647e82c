"""What the Logs page asks of a project beside its list, with canned answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from assay.app.requests import (
    ExportRequest,
    FiltersRequest,
    Picked,
    PickRequest,
    RemoveFilterRequest,
    SaveFilterRequest,
    SavePolicyRequest,
    Written,
)
from assay.errors import CallerError
from assay.records import (
    Breakdown,
    Exploration,
    Facet,
    FacetValue,
    LogPage,
    PolicyInfo,
    SavedFilter,
    Signal,
    TimeBar,
    Unit,
    Window,
)

FIRST = datetime(2025, 11, 19, 22, tzinfo=UTC)
WRITTEN = "<script>document.title='owned'</script>"
LIES = "pay \u202eevil\u202c"
SIGNALS = {
    "asks_for_human": Signal(
        code="U104",
        name="asks_for_human",
        severity="high",
        meaning="The user asks for a person",
        unit="interaction",
        expression="",
    ),
    "refusal": Signal(
        code="A201",
        name="refusal",
        severity="medium",
        meaning=f"The assistant declines {WRITTEN}",
        unit="interaction",
        expression="",
    ),
}


def value(name: str, logs: int, text: str, asked: str, **more: Any) -> FacetValue:
    whole = f"{asked} and {text}" if asked else text
    given: dict[str, Any] = {"choose": whole, "exclude": f"not {text}", **more}
    return FacetValue(value=name, filter=text, logs=logs, **given)


def breakdown(unit: Unit, asked: str, total: int, since: datetime | None = None) -> Breakdown:
    """Two days of hours, and facets with everything hostile in them."""
    hours = (0, 1, 2, 5, 20, 25)
    bars = tuple(
        TimeBar(at=FIRST + timedelta(hours=hour), logs=10 * hour + 3, failed=hour % 3) for hour in hours
    )
    models = (f"small{WRITTEN}", LIES, "", "w" * 300, *(f"model-{number}" for number in range(9)))
    facets = (
        Facet(
            name="signals",
            values=(
                value("refusal", 655, "signal.refusal", asked, state="chosen", choose=""),
                value("asks_for_human", 410, "signal.asks_for_human", asked),
                value("slow", 0, "signal.slow", asked, state="excluded", exclude=""),
            ),
        ),
        Facet(name="priority", values=(value("high", 12, 'priority = "high"', asked),)),
        Facet(
            name="model",
            values=tuple(value(name, 90, f'model = "{name}"', asked) for name in models),
            more=17,
        ),
    )
    return Breakdown(
        unit=unit,
        filter=asked,
        total=total,
        since=since,
        shown=Window(start=FIRST + timedelta(minutes=10), end=FIRST + timedelta(hours=25, minutes=20)),
        step_minutes=60,
        bars=bars if total else (),
        facets=facets if total else (),
    )


class Lists(Protocol):
    def list_logs(
        self,
        unit: Unit,
        filter_text: str,
        *,
        window: Window | None = None,
        limit: int = 50,
        after: str | None = None,
        deep: bool = False,
    ) -> LogPage: ...


class FakeDesk:
    """Notes what was asked in `deeds`; `partial` makes the page count in part only."""

    def __init__(self) -> None:
        self.deeds: list[Any] = []
        self.exported: list[ExportRequest] = []
        self.row: dict[str, Any] = {}
        self.partial: datetime | None = None
        self.more = 0
        self.saved = [
            SavedFilter(name="angry", unit="conversation", text=f'input says "{WRITTEN}"', saved_at=FIRST)
        ]

    def explore(
        self: Any,
        unit: Unit,
        filter_text: str,
        *,
        window: Window | None = None,
        limit: int = 50,
        after: str | None = None,
        deep: bool = False,
    ) -> Exploration:
        asked: Lists = self
        page = asked.list_logs(unit, filter_text, window=window, limit=limit, after=after, deep=deep)
        made = breakdown(unit, filter_text, page.total, None if deep else self.partial)
        return Exploration(page=page, breakdown=made, picked=frozenset({"c-2"}))

    def break_down(self: Any, unit: Unit, filter_text: str, window: Window | None = None) -> Breakdown:
        asked: Lists = self
        page = asked.list_logs(unit, filter_text, window=window)
        return breakdown(unit, filter_text, page.total + self.more)

    def known_signals(self) -> Mapping[str, Signal]:
        return SIGNALS

    def pick(self, request: PickRequest) -> Picked:
        self.deeds.append(request)
        return Picked(changed=len(request.log_ids), waiting=len(request.log_ids))

    def filters(self, request: FiltersRequest) -> tuple[SavedFilter, ...]:
        return tuple(self.saved)

    def save_filter(self, request: SaveFilterRequest) -> SavedFilter:
        if not request.name.isidentifier():
            raise CallerError(f"{request.name!r} can't name a filter")
        self.deeds.append(request)
        made = SavedFilter(name=request.name, unit=request.unit, text=request.filter, saved_at=FIRST)
        self.saved.append(made)
        return made

    def remove_filter(self, request: RemoveFilterRequest) -> Written:
        self.deeds.append(request)
        return Written(rows=1)

    def save_policy(self, request: SavePolicyRequest) -> PolicyInfo:
        self.deeds.append(request)
        return PolicyInfo(name=request.name, origin="saved", settings=request.settings)
