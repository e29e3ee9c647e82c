"""What a metric is: something with an identity, and a way to judge one log."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

from assay.errors import MetricError
from assay.llm.base import ChatReply, ChatRequest
from assay.records import Goal, Log, MetricInfo, Outcome, Unit

Complete = Callable[[ChatRequest], Awaitable[ChatReply]]
"""Asks a model; whoever hands it in has seen to retries, time limits, budget and cost."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@runtime_checkable
class Metric(Protocol):
    """`definition` is what the registry keeps: JSON values that tell a reader what `version` was."""

    @property
    def info(self) -> MetricInfo: ...

    @property
    def definition(self) -> Mapping[str, object]: ...


@runtime_checkable
class Check(Metric, Protocol):
    """A metric that is a computation. Must be picklable: it runs in processes of its own."""

    def score(self, log: Log) -> Outcome: ...


@runtime_checkable
class Judge(Metric, Protocol):
    """A metric that asks the language model `model`."""

    @property
    def model(self) -> str: ...

    async def judge(self, log: Log, complete: Complete) -> Outcome: ...


def check_identity(name: str, unit: Unit, goal: Goal) -> None:
    """Raises MetricError where a name, unit or goal is none."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MetricError(
            f"metric name {name!r} must be letters, digits and underscores, not begin with a digit, "
            'and have at most 64 characters; give name="..."'
        )
    if unit not in ("conversation", "interaction"):
        raise MetricError(f'metric {name}: unit must be "conversation" or "interaction", not {unit!r}')
    if goal not in ("high", "low"):
        raise MetricError(f'metric {name}: goal must be "high" or "low", not {goal!r}')
