"""Code metrics: what a function may return, and what becomes of everything else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.metrics.logs import make_log

import assay
from assay.errors import MetricError
from assay.metrics.base import Check, Judge
from assay.metrics.code import CodeMetric
from assay.records import Failure, Score, Skip


def metric_of(value: Any) -> CodeMetric:
    """A metric that returns the value, or raises it."""

    @assay.metric(name="given", version="1")
    def given(log: assay.Log) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return given


@assay.metric(unit="conversation", goal="low")
def shouts(log: assay.Log) -> bool:
    """The assistant writes in capitals.

    More words."""
    return log.output.isupper()


def test_a_decorated_function_is_a_metric_with_an_identity() -> None:
    assert isinstance(shouts, Check)
    assert not isinstance(shouts, Judge)
    info = shouts.info
    assert (info.name, info.kind, info.unit, info.goal) == ("shouts", "code", "conversation", "low")
    assert info.target == "The assistant writes in capitals."
    assert len(info.version) == 12
    assert "log.output.isupper()" in str(shouts.definition["source"])


def test_it_can_still_be_called() -> None:
    assert shouts(make_log(output="OH NO")) is True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1.0),
        (False, 0.0),
        (0.25, 0.25),
        (1, 1.0),
        (np.float32(0.5), 0.5),
        (np.True_, 1.0),
        (np.int64(0), 0.0),
    ],
)
def test_numbers_are_scores(value: Any, expected: float) -> None:
    outcome = metric_of(value).score(make_log())
    assert outcome == Score(value=expected)
    assert isinstance(outcome, Score)
    assert type(outcome.value) is float


@pytest.mark.parametrize(
    "outcome",
    [
        Score(value=0.5, category="c", explanation="e"),
        Failure(reason="no_service", detail="d"),
        Skip(reason="no_context", detail="d"),
    ],
)
def test_outcomes_pass_as_they_are(outcome: Any) -> None:
    assert metric_of(outcome).score(make_log()) == outcome


def test_none_means_that_the_metric_does_not_apply() -> None:
    assert metric_of(None).score(make_log()) == Skip(reason="not_applicable")


@pytest.mark.parametrize("value", [1.5, -0.1, 7, math.nan, math.inf, "yes", [1], {}, np.array([1, 2]), 1j])
def test_anything_else_is_a_failure_and_never_a_number(value: Any) -> None:
    outcome = metric_of(value).score(make_log())
    assert isinstance(outcome, Failure)
    assert outcome.reason in ("bad_value", "raised")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("raised", "detail"),
    [
        (ValueError("no dice"), "ValueError: no dice"),
        (SystemExit(3), "SystemExit: 3"),
        (Unspeakable(), "Unspeakable: its message can't be shown"),
        (RuntimeError("x" * 10_000), "RuntimeError: " + "x" * 486),
    ],
)
def test_what_it_raises_is_a_failure_with_a_reason(raised: BaseException, detail: str) -> None:
    assert metric_of(raised).score(make_log()) == Failure(reason="raised", detail=detail)


def test_an_interrupt_is_nobodys_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        metric_of(KeyboardInterrupt()).score(make_log())


async def wait(log: assay.Log) -> bool:
    return True


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: assay.metric()(lambda log: True), "name="),
        (lambda: assay.metric(name="two words", version="1")(print), "two words"),
        (lambda: assay.metric(unit="day")(lambda log: True), "name"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: assay.metric(name="a", unit="day")(lambda log: True), "unit"),  # type: ignore[arg-type]  # same
        (lambda: assay.metric(name="a", goal="up")(lambda log: True), "goal"),  # type: ignore[arg-type]  # same
        (lambda: assay.metric(name="a")(wait), "plain function"),  # type: ignore[arg-type]  # same
        (lambda: assay.metric(name="a")(eval("lambda log: True")), "version="),
    ],
)
def test_a_wrong_definition_is_refused_at_once(make: Callable[[], object], says: str) -> None:
    with pytest.raises(MetricError, match=says):
        make()
