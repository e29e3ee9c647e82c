"""Words of a system prompt that an answer repeats are seen, however the prompt came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_settle import WORDS, rows

from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.mapping import MAX_SYSTEM_CHARS
from assay.store.telemetry.settle import settle


@pytest.mark.parametrize("chars", [300, 3_900, 4_100, 9_000, MAX_SYSTEM_CHARS])
@pytest.mark.parametrize("in_parts", [False, True])
def test_the_end_of_a_long_prompt_is_known(telemetry: Telemetry, chars: int, in_parts: bool) -> None:
    rules = " ".join(f"rule{number}" for number in range(4_000))[:chars].rpartition(" ")[0]
    parts = [{"type": "text", "content": rules}]
    told: Any = {"gen_ai.system_instructions": json.dumps(parts) if in_parts else rules}
    quoted = {"head": rules.split()[:20], "tail": rules.split()[-20:]}
    for name, words in quoted.items():
        answer = f"My rules: {' '.join(words)}"
        put(telemetry, turn(name, answered=answer, **told))
    settle(telemetry, (), words=WORDS, prices=(), idle_s=900.0, now=START.replace(day=9))
    found = rows(telemetry)
    assert {name: found[trace_id(name)]["prompt_overlap"] for name in quoted} == {"head": 13, "tail": 13}


def test_of_a_prompt_that_is_longer_its_beginning_is_known(telemetry: Telemetry) -> None:
    rules = " ".join(f"rule{number}" for number in range(4_000))
    told: Any = {"gen_ai.system_instructions": json.dumps([{"type": "text", "content": rules}])}
    for name, words in {"head": rules.split()[:20], "tail": rules.split()[-20:]}.items():
        put(telemetry, turn(name, answered=" ".join(words), **told))
    settle(telemetry, (), words=WORDS, prices=(), idle_s=900.0, now=START.replace(day=9))
    found = rows(telemetry)
    assert [found[trace_id(name)]["prompt_overlap"] for name in ("head", "tail")] == [13, 0]
