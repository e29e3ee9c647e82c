"""Running a judge: many requests at once, each log with its own time, cost and fate."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from assay.errors import ConfigError, ProviderError
from assay.llm.base import ChatReply, ChatRequest, Closing, Provider
from assay.llm.prices import Prices, cost_usd, most_usd
from assay.llm.retry import Sleep, complete
from assay.metrics.base import Judge
from assay.records import Failure, Log, Outcome, Score
from assay.runs.books import Books
from assay.runs.budget import Budget, OverBudget
from assay.runs.fates import Result
from assay.runs.options import RunOptions

_TICK_S = 0.5


class Line(NamedTuple):
    """The line to a model: who answers, at what price, and how patiently we ask."""

    provider: Provider
    prices: Prices
    options: RunOptions
    rng: random.Random
    sleep: Sleep


class _Judged(NamedTuple):
    result: Result
    error: ProviderError | None


def check_price(metric: Judge, line: Line, books: Books) -> None:
    """Say that a price is missing; refuse where a limit could not be kept without it."""
    if metric.model in line.prices or line.provider.simulated:
        return
    advice = f'add [prices."{metric.model}"] with input and output (US dollars per million tokens)'
    if line.options.budget_usd is not None:
        raise ConfigError(
            f"metric {metric.info.name}: the price of {metric.model} is not known, so a budget of "
            f"{line.options.budget_usd:g} US dollars can't be kept; {advice}, or take the budget away"
        )
    books.notes[f"the price of {metric.model} is not known: its cost is booked as 0; {advice}"] = None


async def judge_all(metric: Judge, logs: Iterator[Log], books: Books, line: Line) -> float:
    """Judge every log and book its fate; returns what was spent, in US dollars.

    Raises ProviderError when nothing gets through; what was judged until then is booked."""
    budget = Budget(line.options.budget_usd)
    tasks: set[asyncio.Task[_Judged]] = set()
    try:
        while True:
            while len(tasks) < line.options.concurrency and not budget.closed:
                if (log := next(logs, None)) is None:
                    break
                tasks.add(asyncio.create_task(_judge_one(metric, log, budget, books, line)))
            if not tasks:
                break
            done, tasks = await asyncio.wait(tasks, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _book(task.result(), books)
            books.flush_if_due()
        for log in logs:
            books.add(Result(log, None))
    finally:
        try:
            await _stop(tasks, books)
        finally:
            if isinstance(line.provider, Closing):
                await line.provider.close()
    return budget.spent_usd


def _book(judged: _Judged, books: Books) -> None:
    error = judged.error
    if error is None:
        books.add(judged.result)
        return
    if not books.succeeded and (error.affects_all or error.reason == "unreachable"):
        books.drop_troubles()
        raise error
    if error.affects_all or error.retryable:
        books.add_trouble(judged.result, error)
    else:
        books.add(judged.result)


async def _stop(tasks: set[asyncio.Task[_Judged]], books: Books) -> None:
    """Cancel what is under way, but keep what had just come in."""
    for task in tasks:
        task.cancel()
    for judged in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(judged, _Judged) and judged.error is None:
            books.add(judged.result)


async def _judge_one(metric: Judge, log: Log, budget: Budget, books: Books, line: Line) -> _Judged:
    spent_usd, model = 0.0, metric.model
    begun = time.monotonic()

    async def ask(request: ChatRequest) -> ChatReply:
        nonlocal spent_usd, model
        request = replace(request, timeout_s=line.options.timeout_s)
        most, cost = most_usd(line.prices, request).usd, 0.0
        await budget.reserve(most)
        try:
            reply = await complete(
                line.provider, request, retry=line.options.retry, rng=line.rng, sleep=line.sleep
            )
            cost = _cost(reply, request, line, most, books)
        finally:
            budget.book(most, cost)
        spent_usd, model = spent_usd + cost, reply.model
        if request.schema is not None and reply.format != "json_schema":
            books.notes[f"{line.provider.name} takes no JSON Schema; asked {model} for {reply.format}"] = None
        return reply

    error: ProviderError | None = None
    outcome: Outcome | None
    try:
        outcome = await metric.judge(log, ask)
    except OverBudget:
        outcome = None
    except ProviderError as caught:
        error = caught
        outcome = Failure(reason=caught.reason, detail=str(caught))
    except Exception as caught:
        outcome = Failure(reason="raised", detail=f"{type(caught).__name__}: {caught}")
    latency_ms = (time.monotonic() - begun) * 1000.0
    if isinstance(outcome, (Score, Failure)):
        outcome = replace(outcome, cost_usd=spent_usd, latency_ms=latency_ms)
    return _Judged(Result(log, outcome, spent_usd, latency_ms, model), error)


def _cost(reply: ChatReply, request: ChatRequest, line: Line, most: float, books: Books) -> float:
    """What the reply cost; the most it can have cost where the endpoint counts no tokens."""
    if reply.input_tokens == 0 and reply.output_tokens == 0 and not line.provider.simulated:
        if most > 0.0:
            books.notes[
                f"{line.provider.name} counts no tokens: the most a reply can have cost is booked"
            ] = None
        return most
    return cost_usd(line.prices, request.model, reply.input_tokens, reply.output_tokens).usd
