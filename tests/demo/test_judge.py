"""The simulated judge errs as often as it says, and only knows the demo."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from assay.demo.judge import SENSITIVITY, SPECIFICITY, UNPARSABLE_SHARE, judged_resolved, provider
from assay.demo.world import World
from assay.errors import ProviderError
from assay.llm.base import ChatReply, ChatRequest, Provider
from assay.metrics.verdict import NotUnderstood, Output, read_verdict, schema_of

WORLD = World(last_day=date(2026, 11, 22), per_day=800)


def _ask(key: str, output: Output = "verdict") -> ChatReply:
    judge: Provider = provider()
    request = ChatRequest(key=key, model="m-1", system="s" * 400, user="u" * 800, schema=schema_of(output))
    return asyncio.run(judge.complete(request))


def test_errors_have_the_stated_rates() -> None:
    truths = [told for day in range(WORLD.days) for told in WORLD.truths(day)]
    failed = [told for told in truths if not told.resolved]
    resolved = [told for told in truths if told.resolved]
    sensitivity = sum(not judged_resolved(told) for told in failed) / len(failed)
    specificity = sum(judged_resolved(told) for told in resolved) / len(resolved)
    assert sensitivity == pytest.approx(SENSITIVITY, abs=0.05)
    assert specificity == pytest.approx(SPECIFICITY, abs=0.01)


@pytest.mark.parametrize("output", ["verdict", "score"])
def test_replies_are_read_but_for_a_few(output: Output) -> None:
    truths = [told for day in (0, 1) for told in WORLD.truths(day)]
    unread = 0
    for told in truths:
        reply = _ask(told.conversation_id, output)
        assert reply == _ask(told.conversation_id, output)
        assert reply.model == "m-1"
        assert reply.input_tokens == 320
        assert reply.output_tokens > 5
        assert "imulated judge" in reply.text
        try:
            verdict = read_verdict(reply.text, output, "high")
        except NotUnderstood:
            unread += 1
        else:
            assert (verdict.value >= 0.5) == judged_resolved(told)
    assert 0 < unread / len(truths) < 4 * UNPARSABLE_SHARE


def test_it_says_that_it_is_simulated_and_knows_no_other_log() -> None:
    assert provider().simulated
    with pytest.raises(ProviderError, match="demo only") as caught:
        _ask("f" * 32)
    assert not caught.value.retryable
