"""A signal: a cheap fact that is computed for every log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records.log import Unit

Severity = Literal["info", "low", "medium", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Raised where `expression`, in the filter language, holds of an interaction's or a
    conversation's facts. A conversation also carries every signal of its interactions.

    `code` is stable for ever; `name` is what filters say (`signal.refusal`).
    """

    code: str
    name: str
    severity: Severity
    meaning: str
    unit: Unit
    expression: str
