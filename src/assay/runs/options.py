"""How a run goes about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.llm.retry import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Judges: `concurrency` requests in flight of at most `timeout_s` each, tried again as `retry`
    says, until `budget_usd` might be passed (None: no limit). Code: at most `workers` processes
    (0: one for each core), `time_limit_s` for one log, `memory_mb` of address space each (None: no
    limit). Either stops when `give_up_after` logs in a row fail for reasons that are not theirs."""

    concurrency: int = 8
    timeout_s: float = 60.0
    retry: Retry = field(default_factory=Retry)
    budget_usd: float | None = None
    workers: int = 0
    time_limit_s: float = 10.0
    memory_mb: int | None = None
    give_up_after: int = 20
