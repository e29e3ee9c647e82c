"""One metric over one set of logs: its rate, corrected by people, with its doubt."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from assay.estimates.ledger import Drawn, read_drawn
from assay.records import Estimate, MetricInfo
from assay.stats.choose import (
    LABELS_MINIMUM,
    Corrected,
    corrected_mean,
    explained_share,
    labels_for_width,
    labels_from_rate,
    labels_needed,
)
from assay.stats.weighted import weighted_mean
from assay.stats.wilson import Interval

SCORED_MINIMUM = 10
"""Fewer scored logs give no machine rate, unless they are all there are."""

FOLLOWS_MINIMUM = 0.1
"""A judge that explains less of the labels' variance saves hardly any of them, and is said to."""

METHODS = {
    "regression": "labels corrected by the judge (regression, Wilson-t interval)",
    "poststratified": "labels by the judge's verdict (post-stratified, MOVER-Jeffreys interval)",
    "exact": "labels alone (Clopper-Pearson interval)",
}
LABELS_ALONE = "labels alone (inverse probability, Wilson-t interval)"
JUDGE_ALONE = "judge alone (inverse probability, Wilson-t interval)"
CODE_ALONE = "code check (inverse probability, Wilson-t interval)"
NO_METHOD = "none"


def estimate_metric(
    ledger_rows: pa.Table,
    seen: int,
    info: MetricInfo,
    *,
    decided: int | None = None,
    level: float = 0.95,
    target_width: float | None = None,
) -> Estimate:
    """The mean of the metric's value over the `seen` logs that the ledger was drawn from.

    A judge's or a human metric needs labels of the label sample; a code metric's value is the truth. Where a
    judge's score is missing (failed, pending), its log still counts: as a post-stratum of its own, or in the
    regression at the mean of the others. Logs that the metric skipped are outside the population. Where the
    policy has `decided` fewer than `seen`, the rest is taken to be like them. With `target_width` (high minus
    low), `labels_needed` also says how many labels are missing to reach it.
    """
    drawn = read_drawn(ledger_rows, seen, decided)
    empty = Estimate(
        metric=info.name,
        value=None,
        low=None,
        high=None,
        level=level,
        method=NO_METHOD,
        n_seen=seen,
        n_judged=drawn.judged,
        n_labelled=drawn.labelled,
        simulated=info.simulated or drawn.simulated,
        metric_version=info.version,
    )
    if info.kind == "code":
        return _machine_rate(drawn, replace(empty, n_labelled=0), CODE_ALONE)
    if info.kind == "human":
        return _corrected(drawn, replace(empty, n_judged=0), False, target_width)
    raw = _machine_rate(drawn, replace(empty, n_labelled=0), JUDGE_ALONE) if drawn.judged else None
    if raw is not None and raw.known:
        raw = replace(raw, reason=_doubt_judge(drawn))
    return _corrected(drawn, replace(empty, raw=raw), True, target_width)


def _doubt_judge(drawn: Drawn) -> str:
    """What speaks against the judge's own rate; empty where nothing does, or nothing is known."""
    share = explained_share(drawn.label, drawn.value, drawn.p1, drawn.p2_labelled)
    if share is None or share >= FOLLOWS_MINIMUM:
        return ""
    if share == 0.0:
        return "the judge does not follow the labels"
    return f"the judge hardly follows the labels: it explains {100 * share:.0f} % of their variance"


def _corrected(drawn: Drawn, empty: Estimate, judged: bool, target: float | None) -> Estimate:
    """From labels, with the judge's help where there is one."""
    if drawn.labelled < LABELS_MINIMUM:
        wanted = _wanted_without(empty, target)
        needed = labels_needed(drawn.labelled, wanted=wanted)
        reason = "; ".join(part for part in (_why_not(drawn, empty), _too_few_drawn(drawn, needed)) if part)
        return replace(empty, reason=reason, labels_needed=needed)
    found = corrected_mean(
        drawn.label,
        drawn.value if judged else None,
        drawn.p1,
        drawn.p2_labelled,
        population=drawn.population,
        design=drawn.stratum,
        level=empty.level,
    )
    assert found is not None, "corrected_mean and LABELS_MINIMUM agree"
    alone = found.method == "regression" and not (judged and drawn.judged)
    known = _with_interval(empty, found.interval, LABELS_ALONE if alone else METHODS[found.method])
    return known if target is None else _towards(known, found, drawn, target)


def _towards(known: Estimate, found: Corrected, drawn: Drawn, target: float) -> Estimate:
    """How many labels are missing to reach the width asked for, or why labels can't."""
    width = found.interval.high - found.interval.low
    wanted = labels_for_width(width, target, found.labels, drawn.population, fixed=found.fixed)
    if wanted == 0:
        reason = f"labels alone can't bring the interval to {100 * target:g} points: judge more logs"
        return replace(known, reason=reason)
    needed = labels_needed(found.labels, wanted=wanted)
    return replace(known, labels_needed=needed, reason=_too_few_drawn(drawn, needed))


def _too_few_drawn(drawn: Drawn, needed: int) -> str:
    """Why the missing labels can't be had from the logs that wait for people; empty where they can."""
    if drawn.rows == 0 or drawn.labelled + needed <= drawn.asked:
        return ""
    if drawn.asked == 0:
        return "no log is drawn for people: give the policy a label_size"
    return f"only {drawn.asked:,} drawn for people: a larger label_size draws more of the days to come"


def _wanted_without(empty: Estimate, target: float | None) -> int:
    """A first guess at the labels for a width, before there are enough to tell."""
    if target is None or empty.n_seen == 0:
        return 0
    guess = empty.raw.value if empty.raw and empty.raw.value is not None else 0.5
    return labels_from_rate(guess, target / 2.0, float(empty.n_seen), level=empty.level)


def _machine_rate(drawn: Drawn, empty: Estimate, method: str) -> Estimate:
    """The weighted rate of what the machine said; logs without an answer are like the others."""
    if drawn.judged == 0:
        return replace(empty, reason=_nothing(drawn, empty.n_seen) or "no selected log is scored yet")
    everything = drawn.judged >= drawn.population
    if drawn.judged < SCORED_MINIMUM and not everything:
        reason = f"{drawn.judged} scored logs: at least {SCORED_MINIMUM} are needed"
        return replace(empty, reason=reason)
    rate = weighted_mean(
        drawn.value[drawn.scored],
        drawn.p1_scored[drawn.scored],
        population=drawn.population,
        level=empty.level,
    )
    return _with_interval(empty, rate, method)


def _with_interval(empty: Estimate, rate: Interval, method: str) -> Estimate:
    return replace(
        empty,
        value=rate.value,
        low=rate.low,
        high=rate.high,
        method=method,
        n_effective=rate.n_effective,
    )


def _why_not(drawn: Drawn, empty: Estimate) -> str:
    nothing = _nothing(drawn, empty.n_seen)
    if nothing:
        return nothing
    labels = "no label" if drawn.labelled == 0 else f"{drawn.labelled} label{'s' * (drawn.labelled > 1)}"
    reason = f"{labels} in the label sample: at least {LABELS_MINIMUM} are needed"
    if drawn.outside:
        reason += f" ({drawn.outside} outside the sample can't count)"
    return reason


def _nothing(drawn: Drawn, seen: int) -> str:
    if seen == 0:
        return "no logs"
    return "no log is selected yet" if drawn.rows == 0 else ""
