"""A signal: a cheap fact that is computed for every log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from assay.records.log import Unit

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
