"""A policy as it is listed: where it comes from and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assay.records.log import Unit

Origin = Literal["file", "saved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """`settings` are what a `[policies.NAME]` table says. Of a saved policy, `saved_at` is when, and
    `problem` why it decides nothing: assay.toml has one of its name, or it can't be read any more."""

    name: str
    origin: Origin
    settings: Mapping[str, Any]
    unit: Unit = "conversation"
    version: str = ""
    saved_at: datetime | None = None
    problem: str = ""
