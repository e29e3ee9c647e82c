"""What an address of the Logs page asks for, and the addresses beside it: all that is shown is in there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus, urlencode

from starlette.datastructures import QueryParams

from assay.errors import CallerError, FilterError
from assay.records import Unit, Window
from assay.records.window import FIRST, LAST
from assay.web.api import limit_of, unit_of
from assay.web.numbers import moment, span
from assay.web.period import window_of

MOST_COLUMNS = 40
"""No screen shows more, and each is in every row and every link of the page."""

TIMES = ("last", "since", "until", "from", "to")
LAST_WORDS = {
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`times` are the parameters that say the window, as they were given; `columns` those that were
    chosen, None for the usual ones."""

    unit: Unit
    text: str
    window: Window | None
    times: dict[str, str]
    columns: tuple[str, ...] | None
    after: str
    limit: str
    deep: bool

    @property
    def rows(self) -> int:
        return limit_of(self.limit)

    @property
    def starts(self) -> datetime | None:
        """When the window starts; None where it is open there."""
        return self.window.start if self.window is not None and self.window.start > FIRST else None

    @property
    def ends(self) -> datetime | None:
        """When the window ends; None where it is open there."""
        return self.window.end if self.window is not None and self.window.end < LAST else None

    @property
    def label(self) -> str:
        """The window in words."""
        window, last = self.window, self.times.get("last", "")
        if window is None:
            return "All time"
        if last:
            return LAST_WORDS[last]
        if "from" in self.times or "to" in self.times:
            return span(window)
        if window.end == LAST:
            return f"Since {moment(window.start)}"
        if window.start == FIRST:
            return f"Until {moment(window.end)}"
        return f"{moment(window.start)} – {_short(window.start, window.end)}"

    def link(self, path: str = "/logs", **changed: str | None) -> str:
        """The address with these parameters instead; a new list begins at its newest log."""
        return self._with(path, changed)

    def at(self, **times: str) -> str:
        """The same of another time; of all time without one."""
        return self._with("/logs", {name: times.get(name) for name in TIMES})

    def filtered(self) -> Callable[[str], str]:
        """The address of the list by the filter that is asked for: there are many on a page."""
        before = urlencode([("unit", self.unit)])
        after = self._with("", {"q": None, "unit": None}).partition("?")[2]
        rest = f"&{after}" if after else ""

        def link(text: str) -> str:
            asked = f"&q={quote_plus(text)}" if text else ""
            return f"/logs?{before}{asked}{rest}"

        return link

    def within(self) -> Callable[[datetime, datetime], str]:
        """The address of the list by the stretch of time that is asked for."""
        whole = self.at()

        def link(since: datetime, until: datetime) -> str:
            return f"{whole}&since={_exact(since)}&until={_exact(until)}"

        return link

    def _with(self, path: str, changed: Mapping[str, str | None]) -> str:
        given: list[tuple[str, str]] = [("unit", self.unit)]
        given += [("q", self.text)] if self.text else []
        given += self.times.items()
        if self.columns is not None:
            given += [("col", name) for name in self.columns or ("",)]
        given += [("limit", self.limit)] if self.limit else []
        kept = [(name, value) for name, value in given if name not in changed]
        places = {"unit": 0, "q": 1}
        for name, value in changed.items():
            if value:
                kept.insert(min(places.get(name, len(kept)), len(kept)), (name, value))
        return f"{path}?{urlencode(kept)}"

    def fields(self, *without: str) -> list[tuple[str, str]]:
        """The parameters as hidden fields of a form, but for those that the form asks for itself."""
        given = [("unit", self.unit), ("q", self.text), *self.times.items(), ("limit", self.limit)]
        if self.columns is not None:
            given += [("col", name) for name in self.columns or ("",)]
        return [(name, value) for name, value in given if name not in without and (value or name == "col")]


def read_address(query: QueryParams, now: datetime) -> Asked:
    """Raises CallerError for a unit, time or limit that can't be read, and for too many columns."""
    limit_of(query.get("limit", ""))
    columns = tuple(dict.fromkeys(name for name in query.getlist("col") if name))
    if len(columns) > MOST_COLUMNS:
        raise CallerError(f"{len(columns):,} columns are asked for; show at most {MOST_COLUMNS} at a time")
    return Asked(
        unit=unit_of(query.get("unit", "")),
        text=query.get("q", "").strip(),
        window=window_of(query, now),
        times={name: said for name in TIMES if (said := query.get(name, "").strip())},
        columns=columns if "col" in query else None,
        after=query.get("after", ""),
        limit=query.get("limit", ""),
        deep=query.get("deep", "") == "1",
    )


def marked(text: str, problem: FilterError) -> tuple[str, str, str]:
    """The filter before, at and after the place that is wrong."""
    place = problem.position or 0
    return text[:place], text[place : place + 1] or "␣", text[place + 1 :]


def _exact(at: datetime) -> str:
    at = at.astimezone(UTC).replace(tzinfo=None)
    return quote(at.isoformat(timespec="auto" if at.second or at.microsecond else "minutes"))


def _short(start: datetime, end: datetime) -> str:
    return f"{end:%H:%M}" if start.date() == end.date() else moment(end)
