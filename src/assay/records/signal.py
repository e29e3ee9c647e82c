"""A signal: a cheap fact that is computed for every log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from assay.records.log import Unit
from assay.records.window import Window

Severity = Literal["info", "low", "medium", "high"]

EVENTS: Final = (
    "copied",
    "regenerated",
    "edited",
    "abandoned",
    "purchase",
    "ticket_reopened",
    "escalation",
)
"""Names under which `POST /v1/feedback` takes what happened: events, that no rating is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Raised where it holds of an interaction's or a conversation's facts: `expression` is in the
    filter language, `sql` over the facts as the store has them; a signal with neither is a function
    of the team's. A conversation also carries every signal of its interactions.

    `code` is stable for ever; `name` is what filters say (`signal.refusal`).
    """

    code: str
    name: str
    severity: Severity
    meaning: str
    unit: Unit
    expression: str = ""
    sql: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFault:
    """A signal of the team's whose function went wrong: its logs carry no such signal."""

    name: str
    detail: str
    logs: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCount:
    """A signal, and on how many of the window's logs of its unit, and of the window's conversations, it
    was raised. `made_by` says who made it: assay, or the team and in what language."""

    signal: Signal
    made_by: Literal["assay", "expression", "sql", "python"]
    raised: int
    conversations: int
    fault: SignalFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTable:
    """Every signal in the order of codes, the team's own last, and how many logs there are."""

    window: Window
    interactions: int
    conversations: int
    rows: tuple[SignalCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """Signals computed again over history: how many logs were looked at, and changed, on how many days."""

    names: tuple[str, ...]
    logs: int
    changed: int
    days: int
    faults: tuple[SignalFault, ...] = ()
