"""A policy applied: what it has not decided yet is decided, written down and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import pyarrow as pa

from assay.errors import ConfigError, FilterError
from assay.query import Condition, Last, walk
from assay.records import Progress, SampleReport, Stage, StratumCount, Window, no_progress
from assay.sampling.base import Policy, check_policy, version_of
from assay.sampling.decide import decide, fix_probabilities
from assay.sampling.draw import salt_of
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.selections import (
    Grouping,
    days_with_logs,
    fixed_probabilities,
    insert_selections,
    selected_counts,
    strata_counts,
    undecided,
)

STAGES: Final[tuple[Stage, ...]] = ("judge", "label")
ONE_DAY: Final = timedelta(days=1)


def apply_policy(
    telemetry: Telemetry,
    policy: Policy,
    window: Window,
    parse: Callable[[str], Condition],
    now: datetime,
    progress: Progress = no_progress,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    include_open: bool = False,
) -> SampleReport:
    """Decide every settled log of the window's UTC days that the policy has not decided yet, first
    for the judge, then, of those selected, for people. Applying it again changes nothing.

    Strata with a size wait for the end of the UTC day (see `fix_probabilities`), unless
    `include_open`. `words` are the lists that `mentions` may name. Only one process at a time may
    apply a policy. Raises ConfigError for a filter that doesn't parse, with policy and stratum."""
    grouping = group_logs(check_policy(policy), parse, words or {})
    days = days_with_logs(telemetry, policy.unit, window)
    work = _Work(telemetry=telemetry, policy=policy, grouping=grouping, now=now, include_open=include_open)
    waiting: Counter[str] = Counter()
    decided = 0
    for number, day in enumerate(days):
        progress(f"sample {policy.name}", number, len(days))
        for stage in STAGES:
            done, left = work.decide_day(stage, day)
            decided += done
            waiting.update(left if stage == "judge" else {})
    progress(f"sample {policy.name}", len(days), len(days))
    return SampleReport(
        policy=policy.name,
        policy_version=grouping.version,
        unit=policy.unit,
        decided=decided,
        strata=_count_strata(telemetry, policy, days, waiting),
    )


def group_logs(
    policy: Policy, parse: Callable[[str], Condition], words: Mapping[str, Sequence[str]] | None = None
) -> Grouping:
    """What the store must know of the policy, its filters parsed.

    Raises ConfigError where one doesn't parse, with policy, stratum and what is wrong."""

    def read(where: str, text: str) -> Condition:
        try:
            condition = parse(text)
        except FilterError as error:
            raise ConfigError(f"policy {policy.name}, {where}: {error}") from error
        if any(isinstance(part, Last) for part in walk(condition)):
            raise ConfigError(
                f"policy {policy.name}, {where}: `last` depends on when it is asked, and a policy must not"
            )
        return condition

    *strata, rest = policy.strata()
    return Grouping(
        policy=policy.name,
        version=version_of(policy),
        unit=policy.unit,
        strata=tuple((stratum.name, read(f"stratum {stratum.name}", stratum.when)) for stratum in strata),
        rest=rest.name,
        where=read("where", policy.where) if policy.where else None,
        words=words or {},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One application of a policy."""

    telemetry: Telemetry
    policy: Policy
    grouping: Grouping
    now: datetime
    include_open: bool

    def decide_day(self, stage: Stage, day: date) -> tuple[int, dict[str, int]]:
        """How many logs of the day were decided now, and how many still wait, by stratum."""
        window = Window.of_day(day)
        counts = strata_counts(self.telemetry, self.grouping, stage, window).to_pylist()
        left = {row["stratum"]: row["undecided"] for row in counts if row["undecided"]}
        if not left:
            return 0, {}
        over = min(1.0, (self.now - window.start) / ONE_DAY)
        chances = fix_probabilities(
            self.policy,
            stage,
            {row["stratum"]: row["logs"] for row in counts},
            fixed=self._fixed(stage, day),
            before=self._fixed(stage, day - ONE_DAY) if self.include_open and over < 1 else {},
            over=over,
            include_open=self.include_open,
        )
        if not chances.keys() & left.keys():
            return 0, left
        rows = decide(
            self.policy,
            stage,
            undecided(
                self.telemetry,
                self.grouping,
                stage,
                window,
                salt=salt_of(self.policy.name, stage),
            ),
            {(day, stratum): chance for stratum, chance in chances.items()},
            decided_at=self.now,
        )
        insert_selections(self.telemetry, rows)
        return rows.num_rows, _left(left, rows)

    def _fixed(self, stage: Stage, day: date) -> dict[str, float]:
        rows = fixed_probabilities(self.telemetry, self.grouping, stage, Window.of_day(day))
        return {row["stratum"]: row["probability"] for row in rows.to_pylist()}


def _left(before: Mapping[str, int], rows: pa.Table) -> dict[str, int]:
    counts = rows.group_by("stratum").aggregate([([], "count_all")]).to_pylist()
    done = Counter({row["stratum"]: row["count_all"] for row in counts})
    return {stratum: n - done[stratum] for stratum, n in before.items() if n > done[stratum]}


def _count_strata(
    telemetry: Telemetry, policy: Policy, days: Sequence[date], waiting: Mapping[str, int]
) -> tuple[StratumCount, ...]:
    """The policy's strata in its order, then those of earlier versions that have decisions."""
    rows: dict[str, dict[str, int]] = {}
    if days:
        span = Window(start=Window.of_day(days[0]).start, end=Window.of_day(days[-1]).end)
        counts = selected_counts(telemetry, policy.name, policy.unit, span)
        rows = {row.pop("stratum"): row for row in counts.to_pylist()}
    names = [stratum.name for stratum in policy.strata()]
    names += sorted(rows.keys() - set(names))
    none = {"decided": 0, "judge": 0, "label": 0}
    return tuple(
        StratumCount(
            stratum=name,
            logs=rows.get(name, none)["decided"] + waiting.get(name, 0),
            judge=rows.get(name, none)["judge"],
            label=rows.get(name, none)["label"],
        )
        for name in names
    )
