"""`assay sample --dry-run`: what policies would draw, cost and tell, from what is known so far."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from assay.app import tallies
from assay.app.parts import Parts
from assay.app.requests import PlanRequest
from assay.app.sources import make_sources
from assay.estimates.past import past_rates
from assay.query import parse
from assay.records import MetricInfo, SamplePlan, Unit, Window
from assay.sampling.base import Policy
from assay.sampling.plan import Past, plan_policy
from assay.sampling.sources import Sources
from assay.store.telemetry.costs import cost_of_a_score
from assay.store.telemetry.selections import days_with_logs

PAST: Final = timedelta(days=28)


def plan(parts: Parts, request: PlanRequest, window: Window) -> tuple[SamplePlan, ...]:
    """The plan of one policy or of all, for the days of the window that have logs; for the last whole one,
    where no range is asked for (the newest, if none is whole)."""
    names = [request.policy] if request.policy else list(parts.policies)
    span = request.range
    return tuple(
        _plan(parts, parts.policy(name), window, ranged=bool(span.since or span.until)) for name in names
    )


def _plan(parts: Parts, policy: Policy, window: Window, *, ranged: bool) -> SamplePlan:
    days = days_with_logs(parts.telemetry, policy.unit, window)
    if not ranged:
        whole = [day for day in days if day < parts.clock().date()]
        days = (whole or days)[-1:]
    names = parts.names()
    past = _past(parts, policy)
    return plan_policy(
        parts.telemetry,
        policy,
        days,
        lambda text: parse(text, names),
        past,
        words=parts.words,
        sources=_sources(parts, policy, past.info),
    )


def _sources(parts: Parts, policy: Policy, info: MetricInfo | None) -> Sources:
    """The policy's own, as they would be if that metric followed it."""
    own = make_sources(parts, policy, keep=False)
    if info is None:
        return own
    return replace(
        own,
        risk=lambda name, day, version: own.risk(name or info.name, day, version),
        metric=lambda name: own.metric(name or info.name),
    )


def _past(parts: Parts, policy: Policy) -> Past:
    """What metrics of the policy have cost and found in the last weeks: of those that follow it, or else
    of those that could."""
    now = parts.clock()
    window = Window(start=now - PAST, end=now)
    label_usd = parts.settings.review.label_usd
    fitting = [info for info in parts.infos().values() if info.unit == policy.unit]
    following = [info for info in fitting if parts.policy_of(info).name == policy.name]
    served = following or fitting
    costs = {info.name: _cost(parts, info, policy.unit, window) for info in served if info.kind != "human"}
    if not served:
        return Past(label_usd=label_usd)
    info = served[0]
    found = tallies.read_ledger(parts, info, window, parts.parse(parts.policy_of(info).where), ())
    rates = past_rates(found.rows, found.seen, sum(found.decided_by_day.values()), info)
    return Past(
        info=info,
        follows=bool(following),
        rate=rates.rate,
        explained=rates.explained,
        usd_each=costs,
        label_usd=label_usd,
    )


def _cost(parts: Parts, info: MetricInfo, unit: Unit, window: Window) -> float | None:
    """What one score costs: nothing if a code check makes it."""
    found = cost_of_a_score(parts.telemetry, info.name, info.version, unit, window)
    return 0.0 if found is None and info.kind == "code" else found
