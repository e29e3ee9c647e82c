"""Metrics that ask a language model."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from assay.errors import MetricError
from assay.llm.base import ChatRequest
from assay.metrics.base import Complete, check_identity
from assay.metrics.prompt import TEMPLATES, Example, system_prompt, user_prompt
from assay.metrics.source import fingerprint
from assay.metrics.transcript import FORM
from assay.metrics.verdict import MOST, NotUnderstood, Output, read_verdict, schema_of
from assay.records import Failure, Goal, Log, MetricInfo, Outcome, Score, Unit

_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMetric:
    """A metric that asks `model` by a prompt of which every part is in `definition`."""

    info: MetricInfo
    model: str
    system: str = field(repr=False)
    output: Output
    temperature: float | None
    max_tokens: int
    max_chars: int
    definition: Mapping[str, object] = field(compare=False, repr=False)

    def request(self, log: Log) -> ChatRequest:
        """What is sent for this log: the same for the same log and version."""
        return ChatRequest(
            key=log.log_id,
            model=self.model,
            system=self.system,
            user=user_prompt(log, salt=f"{self.info.version}:{log.log_id}", max_chars=self.max_chars),
            schema=schema_of(self.output),
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )

    async def judge(self, log: Log, complete: Complete) -> Outcome:
        """Ask once. A reply that is refused, cut off or not of the asked form is a Failure."""
        reply = await complete(self.request(log))
        try:
            verdict = read_verdict(reply.text, self.output, self.info.goal)
        except NotUnderstood as error:
            if reply.refusal:
                return Failure(reason="refused", detail=reply.refusal[:_SHOWN])
            if reply.truncated:
                detail = f"the reply was cut off at {self.max_tokens} tokens; raise max_tokens"
                return Failure(reason="truncated", detail=detail)
            return Failure(reason="unparsable", detail=f"{error}: {reply.text[:_SHOWN]!r}")
        return Score(value=verdict.value, category=verdict.category, explanation=verdict.reasoning)


def judge(
    name: str,
    *,
    criteria: str,
    model: str,
    unit: Unit = "conversation",
    goal: Goal = "high",
    output: Output = "verdict",
    examples: Sequence[Mapping[str, object]] = (),
    target: str = "",
    temperature: float | None = None,
    max_tokens: int = 2000,
    max_chars: int = 24_000,
    version: str = "",
) -> JudgeMetric:
    """Make a metric that asks `model` whether a log meets the criteria.

    `output="verdict"` asks for pass or fail (a fail is 0, or 1 where `goal` is "low"), "score" for a
    number from 0 to 10 that is divided by 10. Each example has a `transcript`, a `verdict` (or
    `score`) and a `reasoning`. A transcript longer than `max_chars` is cut in the middle. The version
    follows everything that shapes the prompt; give `version` to name it yourself.

    Raises MetricError at once where the definition is wrong."""
    check_identity(name, unit, goal)
    criteria = inspect.cleandoc(criteria).strip()
    if not criteria:
        raise MetricError(f"metric {name}: criteria is empty; say when a log passes and when it fails")
    if output not in get_args(Output):
        raise MetricError(f'metric {name}: output must be "verdict" or "score", not {output!r}')
    if not model:
        raise MetricError(f"metric {name}: model is empty; name the model to ask")
    if max_tokens < 1 or max_chars < 1000:
        raise MetricError(f"metric {name}: max_tokens must be at least 1, max_chars at least 1000")
    shown = [_read_example(name, output, index, example) for index, example in enumerate(examples, start=1)]
    system = system_prompt(criteria, unit=unit, goal=goal, output=output, examples=shown)
    settings: dict[str, object] = {
        "unit": unit,
        "goal": goal,
        "model": model,
        "output": output,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "max_chars": max_chars,
    }
    info = MetricInfo(
        name=name,
        version=version
        or fingerprint("judge", FORM, TEMPLATES, system, json.dumps(settings, sort_keys=True)),
        kind="judge",
        unit=unit,
        goal=goal,
        target=target or criteria.partition("\n")[0],
    )
    definition = {"kind": "judge", **settings, "target": info.target, "criteria": criteria, "system": system}
    return JudgeMetric(
        info=info,
        model=model,
        system=system,
        output=output,
        temperature=temperature,
        max_tokens=max_tokens,
        max_chars=max_chars,
        definition=definition,
    )


def _read_example(name: str, output: Output, index: int, given: Mapping[str, object]) -> Example:
    """An example that a definition gave, checked like a model's reply."""
    where = f"metric {name}: example {index}"
    if not isinstance(given, Mapping) or set(given) != {"transcript", "reasoning", output}:
        raise MetricError(f"{where} must have the keys transcript, reasoning and {output}")
    transcript = given["transcript"]
    if not isinstance(transcript, str):
        raise MetricError(f"{where}: transcript must be text")
    reply = json.dumps({"reasoning": given["reasoning"], output: given[output]}, ensure_ascii=False)
    try:
        read_verdict(reply, output, "high")
    except NotUnderstood as error:
        raise MetricError(f"{where}: {error} (a score goes from 0 to {MOST})") from None
    return Example(transcript=transcript, reply=reply)
