"""From a log's facts to the printed number, through the real store: do the intervals hold the truth?

The demo's last two days lie in the store with the verdict of its judge and, for every log, what a person
would say. Each draw is a policy of another name, so with other permanent random numbers; only what it
selects may speak. Nothing is simulated but the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from assay.demo.judge import UNPARSABLE_SHARE, judged_resolved
from assay.demo.story import Truth
from assay.demo.world import World
from assay.estimates.metric import estimate_metric
from assay.estimates.trend import estimate_days
from assay.query import parse
from assay.records import Estimate, MetricInfo, Window
from assay.sampling import apply_policy, load_policy
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.ledger import read_ledger
from assay.store.telemetry.scope import Question

DRAWS = 200
WORLD = World(last_day=date(2026, 11, 22), days=2, per_day=1_500)
FIRST, LAST = WORLD.dates[0], WORLD.dates[-1]
WINDOW = Window(start=Window.of_day(FIRST).start, end=Window.of_day(LAST).end)
NOW = WINDOW.end + timedelta(hours=1)
INFO = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation", target="unresolved")

TROUBLE = "signal.negative_feedback or signal.asks_human or signal.error"
UNCLEAR = "signal.refusal or signal.repeats"
STRATIFIED = {
    "size": 100,
    "label_size": 40,
    "strata": [
        {"name": "trouble", "when": TROUBLE, "size": 50, "label_size": 20},
        {"name": "unclear", "when": UNCLEAR, "size": 30, "label_size": 12},
    ],
}
UNIFORM = {"size": 180, "label_size": 72}
CENSUS = {"rate": 1.0, "label_rate": 1.0}
SLICE = ("refund", "other", "delivery")
QUESTIONS = {
    "overall": "",
    "slice": 'attr["topic"] in ("refund", "other", "delivery")',
}
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Found(NamedTuple):
    """What the chain said about one question, one entry a draw, and what is true."""

    value: Floats
    low: Floats
    high: Floats
    truth: float

    @property
    def coverage(self) -> float:
        return float(np.mean((self.low <= self.truth + 1e-12) & (self.truth - 1e-12 <= self.high)))

    @property
    def width(self) -> float:
        return float(np.mean(self.high - self.low))

    @property
    def error(self) -> float:
        """Of the mean over the draws."""
        return float(np.mean(self.value)) - self.truth

    @property
    def spread(self) -> float:
        """Standard deviation of one draw's value."""
        return float(np.std(self.value, ddof=1))


class Chain(NamedTuple):
    """Every question of every draw; `naive`: the share among the labels, weighted by nothing."""

    found: dict[str, Found]
    naive: Floats


@pytest.fixture(scope="module")
def world(embedded: Telemetry) -> list[Truth]:
    """The days of the demo in the store; nothing is selected yet."""
    told = [truth for position in range(WORLD.days) for truth in WORLD.truths(position)]
    for table in ("signals", "selections", "scores"):
        embedded.command(f"TRUNCATE TABLE {table}")
    embedded.insert("signals", _facts(told))
    lost = np.random.default_rng(1).random(len(told)) < UNPARSABLE_SHARE
    said = [None if no else float(judged_resolved(truth)) for no, truth in zip(lost, told, strict=True)]
    embedded.insert("scores", _scores(told, "judge", said))
    embedded.insert("scores", _scores(told, "human", [float(truth.resolved) for truth in told]))
    return told


def _facts(told: list[Truth]) -> pa.Table:
    signal_of = {"tool_error": "error", "no_answer": "error"}
    signals = [
        [signal_of.get(mark, mark) for mark in truth.marks] + ["negative_feedback"] * (truth.feedback == 0)
        for truth in told
    ]
    attributes = [[("topic", truth.route)] for truth in told]
    return _rows(
        told,
        signals=pa.array(signals, pa.list_(pa.string())),
        attributes=pa.array(attributes, pa.map_(pa.string(), pa.string())),
        ended=_started(told),
        computed_at=pa.array([NOW] * len(told)),
    )


def _scores(told: list[Truth], kind: str, values: list[float | None] | list[float]) -> pa.Table:
    return _rows(
        told,
        metric=pa.array(["resolved"] * len(told)),
        metric_version=pa.array(["v1"] * len(told)),
        kind=pa.array([kind] * len(told)),
        fate=pa.array(["failed" if value is None else "scored" for value in values]),
        value=pa.array(values, pa.float64()),
        rater=pa.array(["someone" if kind == "human" else ""] * len(told)),
        scored_at=pa.array([NOW] * len(told)),
    )


def _rows(told: list[Truth], **columns: pa.Array[Any]) -> pa.Table:
    same = {
        "unit": pa.array(["conversation"] * len(told)),
        "log_id": pa.array([truth.conversation_id for truth in told]),
        "started": _started(told),
    }
    return pa.table(same | columns)


def _started(told: list[Truth]) -> pa.Array[Any]:
    moments = [
        datetime(truth.date.year, truth.date.month, truth.date.day, tzinfo=UTC)
        + timedelta(seconds=truth.start_s)
        for truth in told
    ]
    return pa.array(moments, pa.timestamp("us", tz="UTC"))


def truths(told: list[Truth]) -> dict[str, float]:
    parts = {
        "overall": told,
        "slice": [truth for truth in told if truth.route in SLICE],
        "newest day": [truth for truth in told if truth.date == LAST],
    }
    return {name: float(np.mean([truth.resolved for truth in part])) for name, part in parts.items()}


def draw_once(
    telemetry: Telemetry, name: str, settings: Mapping[str, Any]
) -> tuple[dict[str, Estimate], float]:
    """Decide, record, read back and estimate: every question, and the labels' share unweighted."""
    policy = load_policy(name, settings)
    apply_policy(telemetry, policy, WINDOW, parse, NOW)
    made, naive = {}, float("nan")
    for question, text in QUESTIONS.items():
        condition = parse(text) if text else None
        ledger = read_ledger(telemetry, Question(INFO, name, WINDOW), condition=condition)
        decided = sum(ledger.decided_by_day.values())
        made[question] = estimate_metric(ledger.rows, ledger.seen, INFO, decided=decided)
        if question == "overall":
            days = estimate_days(ledger.rows, ledger.seen_by_day, INFO, decided_by_day=ledger.decided_by_day)
            made["newest day"] = days[-1].estimate
            naive = float(np.mean(ledger.rows.filter(ledger.rows["p2"].is_valid())["label"].to_numpy()))
    return made, naive


def run_chain(telemetry: Telemetry, told: list[Truth], design: str, settings: Mapping[str, Any]) -> Chain:
    drawn = [draw_once(telemetry, f"{design}_{number}", settings) for number in range(DRAWS)]
    found = {}
    for name, truth in truths(told).items():
        of_draws = [made[name] for made, _ in drawn]
        assert all(each.known for each in of_draws)
        value, low, high = (
            np.array([getattr(each, field) for each in of_draws], dtype=np.float64)
            for field in ("value", "low", "high")
        )
        found[name] = Found(value, low, high, truth)
    return Chain(found, np.array([naive for _, naive in drawn]))


@pytest.fixture(scope="module")
def stratified(embedded: Telemetry, world: list[Truth]) -> Chain:
    return run_chain(embedded, world, "stratified", STRATIFIED)


@pytest.fixture(scope="module")
def uniform(embedded: Telemetry, world: list[Truth]) -> Chain:
    return run_chain(embedded, world, "uniform", UNIFORM)


def test_a_census_is_the_truth(embedded: Telemetry, world: list[Truth]) -> None:
    made, _ = draw_once(embedded, "census", CENSUS)
    for name, truth in truths(world).items():
        assert made[name].low == made[name].high == pytest.approx(truth)
        assert made[name].n_labelled == made[name].n_seen


def check(found: Found) -> None:
    """The level from both sides; the mean right, but for a ratio's bias of a tenth of one draw's spread."""
    assert 0.92 <= found.coverage <= 0.995
    assert abs(found.error) < 3 * found.spread / DRAWS**0.5 + 0.1 * found.spread


@pytest.mark.slow
@pytest.mark.parametrize("question", ["overall", "slice", "newest day"])
def test_looking_harder_at_suspicious_logs_keeps_level_and_mean(stratified: Chain, question: str) -> None:
    check(stratified.found[question])


@pytest.mark.slow
@pytest.mark.parametrize("question", ["overall", "slice", "newest day"])
def test_a_uniform_draw_keeps_level_and_mean(uniform: Chain, question: str) -> None:
    check(uniform.found[question])


@pytest.mark.slow
def test_where_one_looks_does_not_move_the_answer(stratified: Chain, uniform: Chain) -> None:
    """Unlike the share among the labels, which looking harder makes much worse."""
    one, other = stratified.found["overall"], uniform.found["overall"]
    doubt = float(np.hypot(one.spread, other.spread)) / DRAWS**0.5
    assert abs(one.error - other.error) < 3 * doubt
    assert abs(one.error) < 3 * one.spread / DRAWS**0.5
    assert abs(other.error) < 3 * other.spread / DRAWS**0.5
    assert float(np.mean(stratified.naive)) < one.truth - 0.1
    assert one.spread < other.spread
    assert one.width < other.width
