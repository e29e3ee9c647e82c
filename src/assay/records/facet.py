"""What a list of logs is made of: when they began, and how many have each value of a fact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.records.log import Unit
from assay.records.page import LogPage
from assay.records.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """One value of a fact, the filter that it is, and how many logs have it.

    `state` is what the whole filter says of it; `choose` and `exclude` are that filter with this value
    asked for or left out, or without that, where it says so already."""

    value: str
    filter: str
    logs: int
    state: Literal["", "chosen", "excluded"] = ""
    choose: str = ""
    exclude: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A fact with its values, the most frequent first; `more` values are not among them.

    What the filter itself says of this fact is left aside in its counts where one value excludes
    the others, so that they say what choosing another one would show."""

    name: str
    values: tuple[FacetValue, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBar:
    """The logs that began in one step of time from `at`, and those of them with an error."""

    at: datetime
    logs: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """The logs that a filter holds of, counted by time and by facts.

    `shown` is the time that bars are about: where there are logs at all, a year at most. Bars are of
    `step_minutes`; those without a log are left out. Of a large store only logs that began at `since`
    or later are counted; None says that all of the period were."""

    unit: Unit
    filter: str
    total: int
    since: datetime | None
    shown: Window
    step_minutes: int
    bars: tuple[TimeBar, ...]
    facets: tuple[Facet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """A page of a list, what the whole list is made of, and which logs of the page are picked."""

    page: LogPage
    breakdown: Breakdown
    picked: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A log that somebody chose by hand to be reviewed. It was not drawn: what is said of it stands
    for itself, and no estimate uses it."""

    unit: Unit
    log_id: str
    note: str
    picked_at: datetime
