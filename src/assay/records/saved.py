"""A filter that somebody gave a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from assay.records.log import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFilter:
    """What `saved.NAME` stands for. `unit` is what it was written for; it may be asked of both.

    `wrong` says why it can't be used any longer, where that is so: a metric or a signal that is gone."""

    name: str
    unit: Unit
    text: str
    saved_at: datetime
    wrong: str = ""
