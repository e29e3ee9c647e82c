"""A policy applied: what it has not decided yet is decided, written down and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.query import Condition
from assay.records import Progress, SampleReport, Stage, StratumCount, Window, no_progress
from assay.sampling.base import Chances, Parameters, Policy, version_of
from assay.sampling.decide import decide
from assay.sampling.draw import draw
from assay.sampling.groups import group_logs
from assay.sampling.sources import Sources
from assay.sampling.survey import ONE_DAY, Surveyor, with_chances
from assay.sampling.systematic import draw_systematic
from assay.sampling.tally import Tally
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.selections import (
    MOST,
    count_decided,
    days_with_logs,
    insert_selections,
    last_decided,
    note_seen,
    read_reached,
    selected_counts,
    settled_since,
    write_reached,
)

Parse = Callable[[str], Condition]
Words = Mapping[str, Sequence[str]]
JUST_AFTER: Final = timedelta(milliseconds=1)
ATTEMPTS: Final = 3
"""So often a day's parameters are made anew where somebody else has fixed some meanwhile."""
NOTHING: Final = ("decided", "judge", "label")


def apply_policy(
    telemetry: Telemetry,
    policy: Policy,
    window: Window,
    parse: Parse,
    now: datetime,
    progress: Progress = no_progress,
    *,
    words: Words | None = None,
    include_open: bool = False,
    sources: Sources | None = None,
) -> SampleReport:
    """Decide every settled log of the window's UTC days that the policy has not decided yet, first
    for the judge, then, of those selected, for people; and those once more whose facts have changed
    since. Applying it again changes nothing.

    What needs to know a whole day waits for its end, unless `include_open`. `words` are the lists that
    `mentions` may name. Only one process at a time may apply a policy. Raises ConfigError for a filter
    that doesn't parse, with policy and stratum."""
    work = _Work.of(telemetry, policy, parse, now, words, sources or Sources(), include_open=include_open)
    days = days_with_logs(telemetry, policy.unit, window)
    for number, day in enumerate(days):
        progress(f"sample {policy.name}", number, len(days))
        work.decide_day(day)
    progress(f"sample {policy.name}", len(days), len(days))
    return work.report(_counted(telemetry, policy, days))


def apply_new(
    telemetry: Telemetry,
    policy: Policy,
    parse: Parse,
    now: datetime,
    progress: Progress = no_progress,
    *,
    words: Words | None = None,
    sources: Sources | None = None,
) -> SampleReport:
    """The same for what was settled, or settled again, since this was last done; open days too. Costs next
    to nothing where nothing was. The report counts what was decided now.

    How far it has come is kept in the store, and moves on only after decisions are written, so that a
    pass that broke off is made good by the next. A policy's first pass goes on where `apply_policy` was, or
    takes logs that began on that day: earlier ones are for `apply_policy`."""
    work = _Work.of(telemetry, policy, parse, now, words, sources or Sources(), include_open=True)
    reached = read_reached(telemetry, policy.name)
    before = None if reached else last_decided(telemetry, policy.name)
    since = reached or Window.of_day((before or now).astimezone(UTC).date()).start
    fresh = settled_since(telemetry, policy.unit, since)
    if not reached and not before:
        fresh = [one for one in fresh if one.day >= since.date()]
    whole = work.decide_ended() if policy.drawing == "systematic" else set[date]()
    for number, one in enumerate(fresh):
        progress(f"sample {policy.name}", number, len(fresh))
        waits = policy.drawing == "systematic" and work.over(one.day) < 1
        if not waits and one.day not in whole:
            work.decide_day(one.day, since, few=one.logs <= MOST)
    if fresh or reached is None:
        done = max((one.last + JUST_AFTER for one in fresh), default=since)
        write_reached(telemetry, policy.name, max(since, done))
    return work.report(work.counts)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One application of a policy, and what it has done so far."""

    telemetry: Telemetry
    policy: Policy
    version: str
    surveyors: Mapping[Stage, Surveyor]
    sources: Sources
    now: datetime
    include_open: bool
    decided: int = 0
    additions: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        telemetry: Telemetry,
        policy: Policy,
        parse: Parse,
        now: datetime,
        words: Words | None,
        sources: Sources,
        *,
        include_open: bool,
    ) -> _Work:
        def surveyor(stage: Stage) -> Surveyor:
            grouping = group_logs(policy, parse, words, stage, sources.embedder)
            return Surveyor(
                telemetry=telemetry, policy=policy, grouping=grouping, stage=stage, sources=sources
            )

        return cls(
            telemetry=telemetry,
            policy=policy,
            version=version_of(policy),
            surveyors={stage: surveyor(stage) for stage in policy.stages},
            sources=sources,
            now=now,
            include_open=include_open,
        )

    def over(self, day: date) -> float:
        """The share of the day that has passed."""
        return min(1.0, (self.now - Window.of_day(day).start) / ONE_DAY)

    def decide_ended(self) -> set[date]:
        """Decide whole the days that have ended since this was last done: of a day that is not over, what
        was settled is passed by."""
        name = f"{self.policy.name} days"
        today = Window.of_day(self.now.astimezone(UTC).date()).start
        reached = read_reached(self.telemetry, name)
        ended = Window(start=reached or today, end=today)
        days = days_with_logs(self.telemetry, self.policy.unit, ended) if ended.start < today else []
        for day in days:
            self.decide_day(day)
        if reached is None or reached < today:
            write_reached(self.telemetry, name, today)
        return set(days)

    def decide_day(self, day: date, since: datetime | None = None, *, few: bool = False) -> None:
        """Decide the day's logs, for the judge and then for people."""
        for stage, surveyor in self.surveyors.items():
            with closing(surveyor.candidates(day, since, few=few)) as found:
                _Batches(work=self, surveyor=surveyor, stage=stage, day=day).decide(found)

    def write(self, stage: Stage, rows: pa.Table) -> None:
        """Write decisions down and count them."""
        insert_selections(self.telemetry, rows)
        self.decided += rows.num_rows
        self.additions += int(np.count_nonzero(rows["occasion"].to_numpy()))
        found = rows.group_by("stratum").aggregate([("selected", "count"), ("selected", "sum")]).to_pylist()
        for row in found:
            count = self.counts.setdefault(row["stratum"], Counter())
            count[stage] += row["selected_sum"]
            count["decided"] += row["selected_count"] if stage == "judge" else 0

    def report(self, counts: Mapping[str, Mapping[str, int]]) -> SampleReport:
        """The policy's groups in their order, then those of earlier versions that have decisions."""
        names = [*self.policy.groups, *sorted(counts.keys() - set(self.policy.groups))]
        none = dict.fromkeys(NOTHING, 0)
        return SampleReport(
            policy=self.policy.name,
            policy_version=self.version,
            unit=self.policy.unit,
            decided=self.decided,
            additions=self.additions,
            strata=tuple(
                StratumCount(
                    stratum=name,
                    logs=counts.get(name, none)["decided"] + self.waiting[name],
                    judge=counts.get(name, none)["judge"],
                    label=counts.get(name, none)["label"],
                )
                for name in names
            ),
        )


@dataclass(slots=True, kw_only=True)
class _Batches:
    """The logs of one day at one stage, batch by batch."""

    work: _Work
    surveyor: Surveyor
    stage: Stage
    day: date
    begun: bool = False
    tried: bool = False
    tally: Tally = field(default_factory=Tally)
    known: Parameters = field(default_factory=dict)

    def decide(self, batches: Iterator[pa.Table]) -> None:
        policy, work = self.surveyor.policy, self.work
        whole = self.stage == "judge" and policy.drawing == "systematic"
        prepared = map(self._prepare, filter(_has_rows, batches))
        for batch in _as_one(prepared) if whole else prepared:
            logs, chances = self._give(self.tally.lay_beside(batch))
            if whole:
                logs = self._in_a_row(logs, chances)
            rows = decide(policy, work.version, self.stage, logs, chances, decided_at=work.now)
            if self.stage == "judge":
                waits = chances.group[np.isnan(chances.probability)]
                work.waiting.update(policy.groups[group] for group in waits.tolist())
            self.tally.add(logs, chances)
            if rows.num_rows:
                work.write(self.stage, rows)
            if (seen := _in_vain(logs, chances, rows)).num_rows:
                window = Window.of_day(self.day)
                note_seen(work.telemetry, self.surveyor.grouping, self.stage, window, seen)

    def _prepare(self, logs: pa.Table) -> pa.Table:
        """The logs with chances of failing for features, by the day's model; the first ones open the day."""
        policy = self.surveyor.policy
        if not self.begun:
            self.begun = True
            self.known = self.work.sources.days.read(policy.name, self.work.version, self.stage, self.day)
            self.tally = self.surveyor.tally(self.day)
        if not self.surveyor.grouping.features:
            return logs
        if not self.known:
            self._fix()
        return with_chances(logs, self.surveyor.model(self.day, self.known))

    def _give(self, logs: pa.Table) -> tuple[pa.Table, Chances]:
        """The logs and their chances; what can be fixed now is, where some have none."""
        chances = self.surveyor.policy.chances(self.stage, logs, self.known)
        if not self.tried and np.isnan(chances.probability).any():
            self._fix()
            chances = self.surveyor.policy.chances(self.stage, logs, self.known)
        return logs, chances

    def _fix(self) -> None:
        if self.tried:
            return
        self.tried = True
        work, policy = self.work, self.surveyor.policy
        over = work.over(self.day)
        day = self.surveyor.read_day(self.day, over=over, include_open=work.include_open, known=self.known)
        for _ in range(ATTEMPTS):
            fixed = policy.fix(self.stage, replace(day, known=self.known))
            if fixed == self.known:
                return
            days, known = work.sources.days, self.known
            self.known = days.write(policy.name, work.version, self.stage, self.day, fixed, known)

    def _in_a_row(self, logs: pa.Table, chances: Chances) -> pa.Table:
        """The logs of the day that are decided on for the first time, drawn together."""
        first = (logs["occasion"].to_numpy() == 0) & ~np.isnan(chances.probability)
        if not first.any():
            return logs
        decided = count_decided(
            self.work.telemetry, self.surveyor.grouping, self.stage, Window.of_day(self.day)
        )
        salt = f"{self.surveyor.policy.name}:{self.stage}:start"
        numbers = np.array(logs["draw"].to_numpy())
        order = logs["chance"].to_numpy() if "chance" in logs.column_names else chances.probability
        numbers[first] = draw_systematic(
            chances.probability[first], order[first], numbers[first], draw(salt, f"{self.day}:{decided}")
        )
        place = logs.column_names.index("draw")
        return logs.set_column(place, "draw", pa.array(numbers, pa.float64()))


def _in_vain(logs: pa.Table, chances: Chances, rows: pa.Table) -> pa.Table:
    """Logs that were looked at again and got no further chance."""
    again = (logs["occasion"].to_numpy() > 0) & ~np.isnan(chances.probability)
    decided = pc.is_in(logs["log_id"], value_set=rows["log_id"]).to_numpy()
    return logs.filter(pa.array(again & ~decided)).select(["log_id", "facts_at"])


def _has_rows(table: pa.Table) -> bool:
    return table.num_rows > 0


def _as_one(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """What is drawn in a row must be there together."""
    if tables := list(batches):
        yield pa.concat_tables(tables)


def _counted(telemetry: Telemetry, policy: Policy, days: Sequence[date]) -> dict[str, dict[str, int]]:
    if not days:
        return {}
    span = Window(start=Window.of_day(days[0]).start, end=Window.of_day(days[-1]).end)
    counts = selected_counts(telemetry, policy.name, policy.unit, span)
    return {row.pop("stratum"): row for row in counts.to_pylist()}
