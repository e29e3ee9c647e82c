"""The pipeline on one screen: a log walks through these steps once, from left to right.

    spans ─▶ receive ─▶ settle ─▶ sample ─▶ evaluate ─▶ estimate ─▶ report
                                     │          ▲
                                     └▶ todo ─▶ record (people's labels, scores from elsewhere)

Every step reads from the store and writes to it, so that each can be repeated, and a step that was
stopped goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from uuid import uuid4

from assay.app.keeping import EXPIRED, readable
from assay.app.parts import Parts
from assay.app.requests import EvaluateRequest
from assay.app.sources import make_sources
from assay.llm.prices import PricesOn
from assay.llm.retry import Retry
from assay.metrics.base import Metric
from assay.query import parse
from assay.records import Log, MetricInfo, Progress, RunReport, SampleReport, SettleReport, Unit, Window
from assay.runs.fates import Result, Stamp, to_table
from assay.runs.local import evaluate as run_metric
from assay.runs.options import RunOptions
from assay.sampling.apply import apply_new, apply_policy
from assay.sampling.base import Policy, version_of
from assay.store import state as book
from assay.store.telemetry import logs, scores
from assay.store.telemetry import settle as settling

BATCH = 500


def settle(parts: Parts, progress: Progress, *, idle: bool = True, ended: Sequence[str] = ()) -> SettleReport:
    """Facts and signals of every conversation that is idle for long enough, or has a trace that is
    known to have `ended`, and is new or changed."""
    return settling.settle(
        parts.telemetry,
        parts.signals,
        words=parts.words,
        languages=parts.languages,
        familiar=parts.familiar,
        made=parts.raising.functions(),
        fault=parts.raising.note,
        prices=parts.prices,
        idle_s=parts.idle_s if idle else 0.0,
        ended=ended,
        gap_s=parts.gap_s,
        now=parts.clock(),
        progress=progress,
    )


def sample(parts: Parts, policy: Policy, window: Window, progress: Progress) -> SampleReport:
    """The policy decides on every log of the window's days that it has not decided yet."""
    _register(parts, policy)
    names = parts.names()
    return apply_policy(
        parts.telemetry,
        policy,
        window,
        lambda text: parse(text, names),
        parts.clock(),
        progress,
        words=parts.words,
        include_open=True,
        sources=make_sources(parts, policy),
    )


def sample_new(parts: Parts, policy: Policy, progress: Progress) -> SampleReport:
    """The policy decides on what was settled since it last did."""
    names = parts.names()
    done = apply_new(
        parts.telemetry,
        policy,
        lambda text: parse(text, names),
        parts.clock(),
        progress,
        words=parts.words,
        sources=make_sources(parts, policy),
    )
    if done.decided:
        _register(parts, policy)
    return done


def _register(parts: Parts, policy: Policy) -> None:
    book.register_policy(
        parts.state,
        parts.project,
        name=policy.name,
        version=version_of(policy),
        unit=policy.unit,
        definition=policy.definition,
        now=parts.clock(),
    )


def evaluate(
    parts: Parts, metric: Metric, window: Window, request: EvaluateRequest, progress: Progress
) -> RunReport:
    """The metric scores every log that is selected and that this version has not scored."""
    info = metric.info
    book.register_metric(parts.state, parts.project, info, metric.definition, now=parts.clock())
    waiting = scores.unscored(
        parts.telemetry, parts.question(info, window), retry_failed=request.retry_failed
    )
    ids = [str(log_id) for log_id in waiting["log_id"].to_pylist()][: request.limit]
    expired: list[Log] = []
    done = _recorded(
        parts,
        info,
        lambda run_id: run_metric(
            metric,
            _in_batches(parts, info.unit, ids, expired),
            run_id=run_id,
            sink=lambda rows: scores.insert_scores(parts.telemetry, rows),
            now=parts.clock,
            rng=random.Random(run_id),
            provider=parts.provider() if info.kind == "judge" else None,
            prices=PricesOn(parts.prices, parts.clock().date()),
            options=_options(parts, info, request.budget_usd),
            progress=progress,
            total=len(ids),
        ),
    )
    return _skipped(parts, info, expired, done) if expired else done


def _in_batches(parts: Parts, unit: Unit, ids: list[str], expired: list[Log]) -> Iterator[list[Log]]:
    for start in range(0, len(ids), BATCH):
        yield readable(logs.read_logs(parts.telemetry, unit, ids[start : start + BATCH]), expired)


def _skipped(parts: Parts, info: MetricInfo, expired: list[Log], done: RunReport) -> RunReport:
    """The run, in which logs without texts were skipped."""
    stamp = Stamp(info=info, run_id=done.run_id, simulated=False, scored_at=parts.clock())
    for start in range(0, len(expired), BATCH):
        some = (Result(log, EXPIRED) for log in expired[start : start + BATCH])
        scores.insert_scores(parts.telemetry, to_table(some, stamp))
    note = f"{len(expired):,} logs skipped: {EXPIRED.detail}"
    todo, skipped = done.todo + len(expired), done.skipped + len(expired)
    return replace(done, todo=todo, skipped=skipped, notes=(*done.notes, note))


def _options(parts: Parts, info: MetricInfo, budget_usd: float | None) -> RunOptions:
    judge, own = parts.settings.judge, parts.settings.metrics.get(info.name)
    budgets = (budget_usd, own.budget_usd if own else None, judge.budget_usd)
    return RunOptions(
        concurrency=judge.concurrency,
        timeout_s=judge.timeout_s,
        retry=Retry(attempts=judge.attempts),
        budget_usd=next((budget for budget in budgets if budget is not None), None),
    )


def _recorded(parts: Parts, info: MetricInfo, work: Callable[[str], RunReport]) -> RunReport:
    """The run, noted in the state store from its start to however it ends."""
    run_id = uuid4().hex
    book.start_run(
        parts.state,
        parts.project,
        run_id=run_id,
        kind="evaluate",
        name=info.name,
        version=info.version,
        now=parts.clock(),
    )
    try:
        done = work(run_id)
    except BaseException as error:
        status: book.RunStatus = "failed" if isinstance(error, Exception) else "interrupted"
        book.finish_run(parts.state, run_id, status=status, counts={}, cost_usd=0.0, now=parts.clock())
        raise
    counts = {"scored": done.scored, "failed": done.failed, "skipped": done.skipped}
    counts["over_budget"] = done.over_budget
    book.finish_run(
        parts.state,
        run_id,
        status="finished",
        counts=counts,
        cost_usd=done.cost_usd,
        now=parts.clock(),
    )
    return done
