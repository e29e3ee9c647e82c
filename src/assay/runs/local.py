"""The local engine: judges with asyncio, code checks in processes, on this machine.

There is no queue: what is to be done is what the store finds selected and not yet scored, so a run
that was killed is resumed by running again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime

from assay.errors import CallerError, ConfigError
from assay.llm.base import Provider
from assay.llm.prices import Prices
from assay.llm.retry import Sleep
from assay.metrics.base import Check, Judge, Metric
from assay.records import Log, MetricInfo, Progress, RunReport, no_progress
from assay.runs.books import Books, Sink
from assay.runs.judging import Line, check_price, judge_all
from assay.runs.options import RunOptions
from assay.runs.pool import check_all


def evaluate(
    metric: Metric,
    todo: Iterable[Sequence[Log]],
    *,
    run_id: str,
    sink: Sink,
    now: Callable[[], datetime],
    rng: random.Random,
    provider: Provider | None = None,
    prices: Prices | None = None,
    options: RunOptions | None = None,
    progress: Progress = no_progress,
    total: int | None = None,
    sleep: Sleep = asyncio.sleep,
) -> RunReport:
    """Give every log of `todo` exactly one fate; hand rows of `scores` to `sink` as they come.

    Interrupted or given up, it has handed on all that was finished; the other logs stay to be done.
    Raises ProviderError or MetricError where every log in a row fails for a reason that is not its
    own, ConfigError where a provider or a price is missing, and whatever `sink` or `todo` raise."""
    options = options or RunOptions()
    books = Books(
        info=metric.info,
        run_id=run_id,
        simulated=metric.info.simulated or (provider is not None and provider.simulated),
        sink=sink,
        now=now,
        progress=progress,
        total=total,
        give_up_after=options.give_up_after,
    )
    logs = _each_once(metric.info, todo)
    spent_usd = 0.0
    try:
        if isinstance(metric, Judge):
            if provider is None:
                raise ConfigError(f"metric {metric.info.name} asks a model, but no provider is set up")
            line = Line(provider, prices or {}, options, rng, sleep)
            check_price(metric, line, books)
            spent_usd = asyncio.run(judge_all(metric, logs, books, line))
        elif isinstance(metric, Check):
            _check(metric, logs, books, options)
        else:
            raise CallerError(f"metric {metric.info.name} is answered by people; it can't be run")
    except BaseException:
        with suppress(Exception):  # the first error is the one to be told
            books.flush()
        raise
    return books.close(spent_usd)


def _check(metric: Check, logs: Iterator[Log], books: Books, options: RunOptions) -> None:
    with closing(check_all(metric, logs, options)) as results:
        for result, error in results:
            if error is None:
                books.add(result)
            else:
                books.add_trouble(result, error)


def _each_once(info: MetricInfo, todo: Iterable[Sequence[Log]]) -> Iterator[Log]:
    """The logs one by one; one that comes again has its fate already."""
    seen: set[str] = set()
    for batch in todo:
        for log in batch:
            if log.unit != info.unit:
                raise CallerError(f"metric {info.name} judges {info.unit}s; {log.log_id} is an {log.unit}")
            if log.log_id not in seen:
                seen.add(log.log_id)
                yield log
