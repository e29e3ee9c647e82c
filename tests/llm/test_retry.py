"""How long is waited before a request is tried again, and when it is given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from assay.errors import ProviderError
from assay.llm.base import ChatReply, ChatRequest
from assay.llm.prices import cost_usd, most_usd
from assay.llm.reply import retry_after_s
from assay.llm.retry import Retry, complete

REQUEST = ChatRequest(key="log", model="m", system="s", user="u", timeout_s=30.0)
REPLY = ChatReply(text="ok", input_tokens=1, output_tokens=1, model="m")


class Moody:
    """Raises what it is told, one after another, then answers."""

    name = "http://moody/v1"
    simulated = False

    def __init__(self, troubles: Sequence[ProviderError]) -> None:
        self.troubles = list(troubles)
        self.asked = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return REPLY


def run(provider: Moody, retry: Retry, seed: int = 1) -> tuple[ChatReply, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    reply = asyncio.run(complete(provider, REQUEST, retry=retry, rng=random.Random(seed), sleep=sleep))
    return reply, waits


def busy(retry_after_s: float | None = None) -> ProviderError:
    return ProviderError("busy", retryable=True, retry_after_s=retry_after_s, reason="rate_limited")


def test_waits_grow_but_stay_below_their_bound() -> None:
    retry = Retry(attempts=9, first_s=1.0, cap_s=20.0, most_wait_s=1e9)
    runs = [run(Moody([busy()] * 8), retry, seed)[1] for seed in range(200)]
    for waits in runs:
        for number, wait in enumerate(waits):
            assert 0.0 <= wait <= min(20.0, 2.0**number)
    spread = [waits[7] for waits in runs]
    assert max(spread) > 18.0
    assert min(spread) < 2.0


def test_the_endpoints_own_word_is_kept() -> None:
    assert run(Moody([busy(50.0), busy()]), Retry(cap_s=30.0))[1][0] == 50.0


def test_gives_up_after_its_attempts_and_says_how_many() -> None:
    provider = Moody([busy()] * 10)
    with pytest.raises(ProviderError, match=r"busy \(tried 3 times\)") as caught:
        run(provider, Retry(attempts=3))
    assert provider.asked == 3
    assert caught.value.reason == "rate_limited"


def test_gives_up_rather_than_wait_too_long() -> None:
    provider = Moody([busy(40.0)] * 10)
    with pytest.raises(ProviderError):
        run(provider, Retry(attempts=10, most_wait_s=100.0))
    assert provider.asked == 3


def test_does_not_repeat_what_cannot_succeed() -> None:
    provider = Moody([ProviderError("no such model")])
    with pytest.raises(ProviderError, match=r"^no such model$"):
        run(provider, Retry())
    assert provider.asked == 1


def test_the_same_seed_waits_the_same() -> None:
    assert run(Moody([busy()] * 4), Retry(), 7)[1] == run(Moody([busy()] * 4), Retry(), 7)[1]


def test_a_provider_that_hangs_is_left_alone_after_its_time() -> None:
    class Hanging(Moody):
        async def complete(self, request: ChatRequest) -> ChatReply:
            await asyncio.Event().wait()
            return REPLY

    request = ChatRequest(key="log", model="m", system="s", user="u", timeout_s=0.05)
    with pytest.raises(ProviderError, match="raise judge") as caught:
        asyncio.run(
            complete(Hanging([]), request, retry=Retry(attempts=1), rng=random.Random(1), sleep=asyncio.sleep)
        )
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Fri, 02 Jan 2026 10:00:30 GMT", "date": "Fri, 02 Jan 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 02 Jan 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e300"}, None),
        ({}, None),
    ],
)
def test_reads_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


def test_cost_is_by_the_million_tokens_and_zero_where_no_price_is_known() -> None:
    prices = {"m": (0.25, 2.0)}
    assert cost_usd(prices, "m", 1_000_000, 500_000) == (1.25, True)
    assert cost_usd(prices, "other", 1_000_000, 500_000) == (0.0, False)


def test_what_is_set_aside_covers_text_of_one_byte_a_token() -> None:
    request = ChatRequest(key="log", model="m", system="", user="€" * 1000, max_tokens=100)
    assert most_usd({"m": (1.0, 0.0)}, request).usd >= 3000 / 1e6
    assert most_usd({"m": (0.0, 1.0)}, request).usd == 100 / 1e6
