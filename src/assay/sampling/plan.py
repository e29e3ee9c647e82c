"""What a policy would draw of days like these, what that costs and what it tells: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from assay.query import Condition
from assay.records import MetricInfo, PlannedGroup, PlannedMetric, PlannedWidth, SamplePlan, Window
from assay.sampling.base import Day, FloatArray, IntArray, Policy, version_of
from assay.sampling.groups import group_logs
from assay.sampling.sources import Sources
from assay.sampling.survey import Surveyor, add_up, with_chances
from assay.stats.design import foresee_mean
from assay.store.telemetry import selections
from assay.store.telemetry.connection import Telemetry

UNKNOWN_RATE: Final = 0.05
"""The failure rate that is assumed where nothing was judged yet."""

UNKNOWN_EXPLAINED: Final = 0.3
"""What a judge is taken to explain of people's labels, until labels tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known so far: of the metric `info`, which `follows` the policy or might, the failure rate and
    what its judge explains of people's labels (R^2), None where not known yet; what a score of each
    metric costs, and a label."""

    info: MetricInfo | None = None
    follows: bool = True
    rate: float | None = None
    explained: float | None = None
    usd_each: Mapping[str, float | None] = field(default_factory=dict)
    label_usd: float | None = None


class _Rows(NamedTuple):
    """Logs that are alike, with how many they are; the chance that one fails, and to be drawn."""

    logs: FloatArray
    group: IntArray
    chance: FloatArray
    first: FloatArray
    second: FloatArray


def plan_policy(
    telemetry: Telemetry,
    policy: Policy,
    days: Sequence[date],
    parse: Callable[[str], Condition],
    past: Past,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    sources: Sources | None = None,
) -> SamplePlan:
    """The plan of a policy, as if each of the days were over and nothing of it decided.

    The chances are the policy's own, as are the models that it would go by. Raises ConfigError for a
    filter that doesn't parse."""
    grouping = group_logs(policy, parse, words, "judge", (sources or Sources()).embedder)
    surveyor = Surveyor(
        telemetry=telemetry, policy=policy, grouping=grouping, stage="judge", sources=sources or Sources()
    )
    found = [rows for day in days if (rows := _read(policy, _day(surveyor, day, past), past)) is not None]
    groups = _groups(policy, found, past)
    judge_usd = _total(past.usd_each.values())
    judge, label = sum(group.judge for group in groups), sum(group.label for group in groups)
    failures, even = sum(group.failures for group in groups), _uniform_failures(found)
    return SamplePlan(
        policy=policy.name,
        policy_version=version_of(policy),
        unit=policy.unit,
        first=min(days) if found else None,
        last=max(days) if found else None,
        days=len(found),
        logs=sum(group.logs for group in groups),
        groups=groups,
        judge=judge,
        label=label,
        failures=failures,
        uniform_failures=even,
        judge_usd=None if judge_usd is None else judge_usd * judge,
        label_usd=None if past.label_usd is None else past.label_usd * label,
        metrics=tuple(PlannedMetric(metric=name, usd_each=each) for name, each in past.usd_each.items()),
        width=_width(policy, found, past),
        notes=_notes(policy, found, past),
    )


def _day(surveyor: Surveyor, day: date, past: Past) -> Day:
    """The day as the policy will see it, and each log's chance of failing, even where it asks for none."""
    seen = surveyor.read_day(day)
    if past.info is None or surveyor.needs.risk is not None or not seen.logs.num_rows:
        return seen
    model = surveyor.sources.risk(past.info.name, day, "")
    if model is None:
        return seen
    grouping = replace(surveyor.grouping, features=True)
    tables = selections.survey(surveyor.telemetry, grouping, "judge", Window.of_day(day))
    return replace(seen, logs=add_up(with_chances(table, model) for table in tables), risk=model.version)


def _read(policy: Policy, day: Day, past: Past) -> _Rows | None:
    """One day's logs with the chances that the policy would give them; None where there are none."""
    if not day.logs.num_rows:
        return None
    given = policy.chances("judge", day.logs, policy.fix("judge", day))
    first = np.nan_to_num(given.probability)
    logs: FloatArray = day.logs["logs"].to_numpy().astype(np.float64)
    known = past.rate if past.rate is not None else UNKNOWN_RATE
    chance = day.logs["chance"].to_numpy() if day.risk else np.full(logs.size, known)
    return _Rows(logs, given.group, chance, first, _second(policy, day, logs * first, given.group))


def _second(policy: Policy, day: Day, drawn: FloatArray, group: IntArray) -> FloatArray:
    """Of each row the chance of going to people, once it is drawn for the judge; 0 where nobody is asked."""
    if "label" not in policy.stages:
        return np.zeros(drawn.size)
    names = pa.array([policy.groups[number] for number in group.tolist()], pa.string())
    table = day.logs.drop_columns(["logs"])
    table = table.append_column("logs", pa.array(drawn)).append_column("stratum", names)
    asked = Day(day=day.day, logs=table)
    return np.nan_to_num(policy.chances("label", table, policy.fix("label", asked)).probability)


def _groups(policy: Policy, found: Sequence[_Rows], past: Past) -> tuple[PlannedGroup, ...]:
    each = _total(past.usd_each.values())
    made = []
    for number, name in enumerate(policy.groups):
        logs, judge, label, failures = (0.0, 0.0, 0.0, 0.0)
        for rows in found:
            here = rows.logs * (rows.group == number) / len(found)
            logs, judge = logs + float(here.sum()), judge + float((here * rows.first).sum())
            label += float((here * rows.first * rows.second).sum())
            failures += float((here * rows.first * rows.chance).sum())
        made.append(
            PlannedGroup(
                group=name,
                logs=logs,
                judge=judge,
                label=label,
                failures=failures,
                judge_usd=None if each is None else each * judge,
                label_usd=None if past.label_usd is None else past.label_usd * label,
            )
        )
    return tuple(made)


def _uniform_failures(found: Sequence[_Rows]) -> float:
    """A day's failures in a uniform sample of the same size."""
    total = 0.0
    for rows in found:
        share = float((rows.logs * rows.first).sum()) / float(rows.logs.sum())
        total += share * float((rows.logs * rows.chance).sum())
    return total / max(len(found), 1)


def _width(policy: Policy, found: Sequence[_Rows], past: Past) -> PlannedWidth | None:
    """The interval from the day in the middle, by size, of those that were looked at."""
    info = past.info
    if info is None or not found:
        return None
    rows = sorted(found, key=lambda day: float(day.logs.sum()))[len(found) // 2]
    seen = (rows.first > 0) & (rows.logs > 0)
    labelled = info.kind != "code" and "label" in policy.stages
    if not seen.any() or (labelled and not (rows.second[seen] > 0).all()):
        return None
    helped = past.explained if past.explained is not None else UNKNOWN_EXPLAINED
    explained = helped if labelled and info.kind == "judge" else 0.0
    logs, chance, first = rows.logs[seen], rows.chance[seen], rows.first[seen]
    second = rows.second[seen] if labelled else None
    mine = foresee_mean(chance, logs, first, second, explained=explained)
    # what the same numbers, drawn evenly at both stages, would tell
    judged = float((logs * first).sum())
    even = np.full(logs.size, judged / float(logs.sum()))
    asked = None if second is None else np.full(logs.size, mine.drawn / judged)
    other = foresee_mean(chance, logs, even, asked, explained=explained)
    return PlannedWidth(
        metric=info.name,
        rate=float((logs * chance).sum() / logs.sum()),
        low=mine.low,
        high=mine.high,
        effect=mine.variance / other.variance if other.variance > 0 else 1.0,
        uniform_width=other.width,
    )


def _total(costs: Iterable[float | None]) -> float | None:
    """What one log costs by all metrics; None where that of one is not known."""
    each = list(costs)
    known = [cost for cost in each if cost is not None]
    return sum(known) if each and len(known) == len(each) else None


def _notes(policy: Policy, found: Sequence[_Rows], past: Past) -> tuple[str, ...]:
    notes = []
    if not found:
        notes.append("no settled logs in the range: nothing to plan from")
    if past.info is None:
        notes.append(f"there is no metric of {policy.unit}s: nothing would be judged")
    elif not past.follows:
        notes.append(f"no metric follows this policy: planned as if {past.info.name} did")
    if past.info is not None and past.rate is None:
        notes.append(
            f"{past.info.name} has judged too little yet: where failures are is a guess from signals"
        )
    unknown = [name for name, each in past.usd_each.items() if each is None]
    if unknown:
        notes.append(f"no score of {', '.join(unknown)} yet: the cost of judging is not known")
    if past.label_usd is None and "label" in policy.stages:
        notes.append("give `[review] label_usd` to see what labels cost")
    return tuple(notes)
