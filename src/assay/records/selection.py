"""A selection: the recorded decision to evaluate a log or not, with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.records.log import Unit

Stage = Literal["judge", "label"]
"""`judge`: chosen for the policy's metrics. `label`: of those, chosen for a human."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`probability` is that of being selected at this stage, given the stage before.

    Selected if and only if `draw` < `probability`; `draw` is the log's permanent random number. Where
    facts came late, a log may have another `occasion`: a further chance, beside those it had.
    """

    policy: str
    policy_version: str
    stage: Stage
    unit: Unit
    log_id: str
    started: datetime
    stratum: str
    probability: float
    draw: float
    selected: bool
    reason: str
    decided_at: datetime
    occasion: int = 0
