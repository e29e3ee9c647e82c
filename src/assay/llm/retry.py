"""Trying again: with exponential back-off, full jitter and a bound on attempts and time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay.errors import ProviderError
from assay.llm.base import ChatReply, ChatRequest, Provider

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """At most `attempts` tries; no new one is begun when the waits would add up to more than
    `most_wait_s`. The wait before try n+1 is uniform on [0, min(cap_s, first_s * 2^(n-1))], or the
    endpoint's Retry-After where that is longer (Brooker, "Exponential Backoff And Jitter", 2015)."""

    attempts: int = 5
    first_s: float = 0.5
    cap_s: float = 30.0
    most_wait_s: float = 300.0

    def wait_s(self, failed: int, retry_after_s: float | None, rng: random.Random) -> float:
        """How long to wait after this many failed tries (1 or more)."""
        jittered = rng.uniform(0.0, min(self.cap_s, self.first_s * 2.0 ** min(failed - 1, 60)))
        return max(jittered, retry_after_s or 0.0)


async def complete(
    provider: Provider, request: ChatRequest, *, retry: Retry, rng: random.Random, sleep: Sleep
) -> ChatReply:
    """Ask the provider until it answers, gives an error that trying again cannot mend, or the
    bounds of `retry` are reached; a try takes at most `request.timeout_s`.

    Raises the last ProviderError, its message completed by the number of tries."""
    waited_s = 0.0
    for attempt in range(1, retry.attempts + 1):
        try:
            return await _attempt(provider, request)
        except ProviderError as error:
            wait_s = retry.wait_s(attempt, error.retry_after_s, rng)
            over = attempt == retry.attempts or waited_s + wait_s > retry.most_wait_s
            if not error.retryable or over:
                raise _counted(error, attempt) from error
        await sleep(wait_s)
        waited_s += wait_s
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _attempt(provider: Provider, request: ChatRequest) -> ChatReply:
    try:
        async with asyncio.timeout(request.timeout_s):
            return await provider.complete(request)
    except TimeoutError as error:
        message = f"{provider.name} gave no answer within {request.timeout_s:g} s; raise judge.timeout_s"
        raise ProviderError(message, retryable=True, reason="timeout") from error


def _counted(error: ProviderError, attempts: int) -> ProviderError:
    if attempts == 1:
        return error
    return ProviderError(
        f"{error} (tried {attempts} times)",
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
        reason=error.reason,
        affects_all=error.affects_all,
    )
