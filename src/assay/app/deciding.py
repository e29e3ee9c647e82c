"""What decides which logs come first and which are drawn: listed, saved, removed, counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from assay.app import answers, flow, tallies
from assay.app.parts import Parts
from assay.app.requests import RemovePolicyRequest, SavePolicyRequest, Written
from assay.errors import AssayError, CallerError
from assay.query import to_text
from assay.records import (
    Check,
    PolicyInfo,
    PriorityCount,
    Progress,
    SampleReport,
    Unit,
    Window,
    no_progress,
)
from assay.sampling.base import Policy, version_of
from assay.store.state.policies import SavedPolicy
from assay.store.telemetry.priority import count_priorities

log = logging.getLogger(__name__)


def decide_new(parts: Parts, progress: Progress = no_progress) -> tuple[SampleReport, ...]:
    """What every policy makes of the logs that were settled, or settled again, since it last looked. One that
    fails keeps no other from deciding.

    Raises what the first of them failed with, once all have had their turn."""
    done: list[SampleReport] = []
    failed: list[AssayError] = []
    for name, policy in parts.policies.items():
        try:
            done.append(flow.sample_new(parts, policy, progress))
        except AssayError as error:
            log.debug("policy %s could not decide", name, exc_info=True)
            failed.append(error)
    if failed:
        raise failed[0]
    return tuple(done)


def examine_books(parts: Parts) -> Iterator[Check]:
    """Whether every policy's books add up, over the days that the first page shows."""
    window = answers.default_window(parts)
    lost = {
        name: sum(hour.accounting.lost for hour in tallies.policy_by_hour(parts, policy, window))
        for name, policy in parts.policies.items()
    }
    open_ones = ", ".join(f"{name} ({count:,} logs)" for name, count in lost.items() if count)
    if open_ones:
        yield Check(
            name="books",
            verdict="fail",
            found=f"they do not add up: {open_ones}",
            advice="the page Operations shows the hours; `assay sample` makes lost decisions again, "
            "`assay remap --again` lost facts",
        )
    else:
        yield Check(name="books", verdict="ok", found=f"they add up: {', '.join(lost) or 'no policy'}")


def list_policies(parts: Parts) -> tuple[PolicyInfo, ...]:
    """Every policy, those of assay.toml first; of the saved ones also those that decide nothing, and why."""
    given = parts.settings.policies
    own = (
        PolicyInfo(
            name=name,
            origin="file",
            settings=given[name].model_dump(mode="json", exclude_defaults=True),
            unit=policy.unit,
            version=version_of(policy),
        )
        for name, policy in parts.policies.given.items()
    )
    return (*own, *(_saved(row, found) for row, found in parts.policies.rows()))


def save_policy(parts: Parts, request: SavePolicyRequest) -> PolicyInfo:
    """Keep a policy: it decides from the next pass on. Raises CallerError."""
    parts.policies.save(request.name, request.settings, replace=request.replace, now=parts.clock())
    (made,) = (info for info in list_policies(parts) if (info.name, info.origin) == (request.name, "saved"))
    return made


def remove_policy(parts: Parts, request: RemovePolicyRequest) -> Written:
    """Forget a saved policy, unless a metric goes by it. What it has decided stays."""
    followers = [name for name, metric in parts.settings.metrics.items() if metric.policy == request.name]
    if followers and request.name not in parts.policies.given:
        raise CallerError(
            f"policy {request.name}: metrics.{followers[0]} of assay.toml goes by it; change that first"
        )
    parts.policies.remove(request.name)
    return Written(rows=1)


def list_priorities(parts: Parts, unit: Unit, window: Window) -> tuple[PriorityCount, ...]:
    """The levels, their rules, and how many of the window's logs have each."""
    counts = count_priorities(parts.telemetry, unit, window, parts.priorities, parts.words)
    return tuple(
        PriorityCount(
            level=level,
            rules=tuple(to_text(rule) for own, rule in parts.priorities if own == level),
            logs=logs,
        )
        for level, logs in counts.items()
    )


def _saved(row: SavedPolicy, found: Policy | str) -> PolicyInfo:
    if isinstance(found, str):
        return PolicyInfo(
            name=row.name, origin="saved", settings=row.settings, saved_at=row.saved_at, problem=found
        )
    return PolicyInfo(
        name=row.name,
        origin="saved",
        settings=row.settings,
        unit=found.unit,
        version=version_of(found),
        saved_at=row.saved_at,
    )
