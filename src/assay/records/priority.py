"""What the team calls critical: every log has one of three priorities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["high", "medium", "low"]
"""By the first of the team's rules that holds of a log; `low` where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityCount:
    """How many logs have a priority, and the rules that give it, as filters."""

    level: Level
    rules: tuple[str, ...]
    logs: int
