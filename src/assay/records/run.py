"""What the operations report when they are done."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.records.log import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleReport:
    """Facts and signals were computed for this many logs."""

    interactions: int
    conversations: int
    unsettled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumCount:
    """One stratum of a policy: how many logs, and how many drawn for judge and human."""

    stratum: str
    logs: int
    judge: int
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What a policy decided. `decided` are new decisions, of which `additions` gave a log whose facts had
    changed a further chance; the strata count old ones too."""

    policy: str
    policy_version: str
    unit: Unit
    decided: int
    strata: tuple[StratumCount, ...]
    additions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What an evaluation did: every log asked for has exactly one fate.

    `failures` counts them by reason; `notes` are for people (an unknown price, say).
    """

    run_id: str
    metric: str
    metric_version: str
    todo: int
    scored: int
    failed: int
    skipped: int
    over_budget: int
    cost_usd: float
    seconds: float
    failures: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What a file gave. Importing it again changes nothing.

    `conversations` is None where only the store can tell; `evaluations` are opinions that came with
    the logs; `rejected` rows or spans were left out, `examples` says why of the first; `resumed` is
    how many rows an earlier import had brought; `skipped` says why nothing was read."""

    file: str
    format: str = "rows"
    rows: int
    conversations: int | None
    interactions: int
    spans: int
    evaluations: int = 0
    rejected: int = 0
    examples: tuple[str, ...] = ()
    resumed: int = 0
    skipped: str = ""
    labels: dict[str, int] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
