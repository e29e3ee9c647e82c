"""Metrics that are Python functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import NamedTuple

from assay.errors import MetricError
from assay.metrics.base import check_identity
from assay.metrics.source import fingerprint, source_of
from assay.records import Failure, Goal, Log, MetricInfo, Outcome, Score, Skip, Unit

Function = Callable[[Log], bool | float | Score | Failure | Skip | None]

_SHOWN = 500


class Origin(NamedTuple):
    """The file that a metric was loaded from, as it was then: another process runs the same text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMetric:
    """A metric that calls `function`; calling the metric itself does too, as a test would."""

    info: MetricInfo
    function: Function
    definition: Mapping[str, object] = field(compare=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def __call__(self, log: Log) -> bool | float | Score | Failure | Skip | None:
        return self.function(log)

    def score(self, log: Log) -> Outcome:
        """What the function said, or a Failure: `raised`, or `bad_value` where that is no score."""
        try:
            return _to_outcome(self.function(log))
        except (Exception, SystemExit) as error:
            return Failure(reason="raised", detail=_describe(error))

    def __reduce__(self) -> tuple[object, ...]:
        """Travels to other processes as its file's text, or as module and name."""
        from assay.metrics import load

        if self.origin is not None:
            return load.revive, (*self.origin, self.info.name)
        module, name = self.function.__module__, self.function.__qualname__
        if module == "__main__":
            path = getattr(sys.modules[module], "__file__", None)
            if path is not None:
                return load.revive, (path, Path(path).read_text(encoding="utf-8"), self.info.name)
        elif "<" not in name:
            return load.find, (module, name)
        raise MetricError(
            f"metric {self.info.name} can't be run in another process: define it at the top of a file"
        )


def metric(
    *,
    unit: Unit = "conversation",
    goal: Goal = "high",
    name: str = "",
    target: str = "",
    version: str = "",
) -> Callable[[Function], CodeMetric]:
    """Make a metric of a function of one log.

    It returns True or False, a number in [0, 1], a Score, a Failure, a Skip, or None where the
    metric does not apply; what it raises becomes a Failure. `goal` says which end is good,
    `target` the failure looked for (default: the docstring's first line). The version follows the
    function's source and what it mentions in its file; give `version` to name it yourself.

    Raises MetricError at once where the definition is wrong."""

    def decorate(function: Function) -> CodeMetric:
        named = name or getattr(function, "__name__", "")
        check_identity(named, unit, goal)
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise MetricError(f"metric {named} must be a plain function, not {type(function).__name__}")
        source = source_of(function)
        if source is None and not version:
            raise MetricError(f'metric {named}: its source is not to be found; give version="1"')
        canonical = source.canonical if source is not None else ""
        doc = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        info = MetricInfo(
            name=named,
            version=version or fingerprint("code", canonical, unit, goal),
            kind="code",
            unit=unit,
            goal=goal,
            target=target or doc,
        )
        text = source.text if source is not None else ""
        definition = {"kind": "code", "unit": unit, "goal": goal, "target": info.target, "source": text}
        return CodeMetric(info=info, function=function, definition=definition)

    return decorate


def _describe(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:
        said = "its message can't be shown"
    return f"{type(error).__name__}: {said}"[:_SHOWN]


def _to_outcome(value: object) -> Outcome:
    if isinstance(value, Score):
        return Score(
            value=float(value.value), category=str(value.category), explanation=str(value.explanation)
        )
    if isinstance(value, (Failure, Skip)):
        return type(value)(reason=str(value.reason), detail=str(value.detail))
    if value is None:
        return Skip(reason="not_applicable")
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, Real):
        shown = f"{type(value).__name__} {str(value)[:100]!r}"
        return Failure(
            reason="bad_value", detail=f"returned {shown}; a metric returns a bool or a number in [0, 1]"
        )
    number = float(value)
    if not 0.0 <= number <= 1.0:
        return Failure(reason="bad_value", detail=f"returned {number!r}, which is not in [0, 1]")
    return Score(value=number)
