"""What a log's chance of failing is foretold from, and that nothing of the day itself is among it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit

from assay.records import MetricInfo, Severity
from assay.sampling import risk
from assay.sampling.risk import (
    CHOSEN_FROM,
    COMMON_CHANCE,
    EPOCH,
    fit_risk,
    load,
    prior_risk,
    read_risk,
    ready,
)
from assay.stats.logistic import CrossFit, Prior, Rows, cross_fit
from assay.stats.wilson import FloatArray
from assay.store.state import State, open_state
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.features import FACTS, FEATURES, NAMED, SPOKEN, WIDTH

SEVERITIES: dict[str, Severity] = {"error": "high", "refusal": "medium", "apology": "low", "redacted": "info"}
DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
INFO = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")


def table(
    n: int,
    *,
    signals: list[list[str]] | None = None,
    asked: list[list[int]] | None = None,
    facts: dict[str, list[float]] | None = None,
    failed: list[float] | None = None,
) -> pa.Table:
    given = facts or {}
    rows = [[float(given[name][i]) if name in given else 0.0 for name in FACTS] for i in range(n)]
    places = pa.list_(pa.uint32())
    return pa.table(
        {
            "x_facts": pa.array(rows, pa.list_(pa.float64())),
            "x_signals": pa.array(signals or [[]] * n, pa.list_(pa.string())),
            "x_asked": pa.array(asked or [[]] * n, places),
            "x_answered": pa.array([[]] * n, places),
            "x_named": pa.array([[]] * n, places),
            "failed": pa.array(failed or [0.0] * n, pa.float64()),
            "group": pa.array(range(n), pa.uint64()),
        }
    )


def test_before_anything_was_judged_severe_signals_mean_failures() -> None:
    rows = table(4, signals=[[], ["apology"], ["refusal"], ["error", "refusal"]])
    chances = read_risk("prior", EPOCH, prior_risk(SEVERITIES)).chances(rows)
    assert chances[0] == pytest.approx(COMMON_CHANCE)
    assert (np.diff(chances) > 0).all()
    assert chances[3] == pytest.approx(expit(np.log(0.05 / 0.95) + 3.0))


def test_a_signal_that_nobody_knows_is_worth_nothing() -> None:
    prior = read_risk("prior", EPOCH, prior_risk(SEVERITIES))
    one, other = prior.chances(table(2, signals=[["unheard_of"], []]))
    assert one == other


def test_what_failed_before_is_learned_from_words_signals_and_facts_and_the_chances_are_right() -> None:
    rng = np.random.default_rng(7)
    n = 6_000
    word, late, refused = rng.random(n) < 0.2, rng.normal(size=n), rng.random(n) < 0.1
    chance = expit(-3 + 2 * word + 0.8 * late + 1.5 * refused)
    failed = (rng.random(n) < chance).astype(float)
    rows = table(
        n,
        signals=[["refusal"] if yes else [] for yes in refused],
        asked=[[5, 9] if yes else [9, 100] for yes in word],
        facts={"latency_ms": late.tolist()},
        failed=failed.tolist(),
    )
    definition = fit_risk(rows.slice(0, n // 2), SEVERITIES)
    told = read_risk("v", EPOCH, definition).chances(rows.slice(n // 2))
    true = chance[n // 2 :]
    assert np.corrcoef(told, true)[0, 1] > 0.97
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0)):
        here = (told >= low) & (told < high)
        assert told[here].mean() == pytest.approx(true[here].mean(), rel=0.2)
    assert definition["loss"] < definition["loss_blind"]


def test_few_scores_move_the_prior_a_little_and_many_put_it_right() -> None:
    """An error is feared by the prior, and harmless here."""
    rng = np.random.default_rng(7)
    odds = []
    for n in (0, 20, 2_000):
        has = rng.random(n) < 0.3
        signals = [["error"] if yes else [] for yes in has]
        rows = table(n, signals=signals, failed=(rng.random(n) < 0.05).astype(float).tolist())
        told = read_risk("v", EPOCH, fit_risk(rows, SEVERITIES)).chances(table(2, signals=[["error"], []]))
        odds.append(told[0] / told[1])
    assert odds[0] > odds[1] > odds[2]
    assert odds[0] > 4
    assert odds[2] < 1.6


def test_a_fact_that_is_not_known_says_nothing_unless_that_tells() -> None:
    rng = np.random.default_rng(7)
    n = 1_000
    feedback = np.where(rng.random(n) < 0.1, rng.integers(0, 2, n).astype(float), np.nan)
    failed = np.where(np.isnan(feedback), rng.random(n) < 0.05, feedback == 0).astype(float)
    rows = table(n, facts={"feedback": feedback.tolist()}, failed=failed.tolist())
    risk = read_risk("v", EPOCH, fit_risk(rows, SEVERITIES))
    bad, good, silent = risk.chances(table(3, facts={"feedback": [0.0, 1.0, float("nan")]}))
    assert bad > 0.5
    assert good < 0.2
    assert silent == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize("failing", [0.0, 1.0])
def test_rows_of_one_outcome_still_give_chances_inside_zero_and_one(failing: float) -> None:
    rows = table(100, signals=[["refusal"]] * 100, failed=[failing] * 100)
    chances = read_risk("v", EPOCH, fit_risk(rows, SEVERITIES)).chances(rows)
    assert ((chances > 0) & (chances < 1)).all()


def test_the_strength_is_chosen_from_some_of_many_rows_and_all_are_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(7)
    asked: list[int] = []

    def look(rows: Rows, outcome: FloatArray, priors: list[Prior], fold: Any) -> CrossFit:
        asked.append(outcome.size)
        return cross_fit(rows, outcome, priors, fold)

    monkeypatch.setattr(risk, "cross_fit", look)
    has = rng.random(CHOSEN_FROM + 100) < 0.3
    failed = rng.random(has.size) < np.where(has, 0.3, 0.03)
    rows = table(
        has.size, signals=[["error"] if yes else [] for yes in has], failed=failed.astype(float).tolist()
    )
    learned = fit_risk(rows, SEVERITIES)
    assert asked == [CHOSEN_FROM]
    assert (learned["rows"], learned["failures"]) == (has.size, failed.sum())
    found = read_risk("v", EPOCH, learned).chances(table(2, signals=[["error"], []]))
    assert found == pytest.approx([0.3, 0.03], abs=0.03)


def test_a_number_without_end_is_one_that_is_not_known() -> None:
    rng = np.random.default_rng(7)
    cost = np.where(rng.random(1_000) < 0.01, np.inf, rng.random(1_000))
    failed = (rng.random(1_000) < 0.2).astype(float)
    rows = table(1_000, facts={"cost_usd": cost.tolist()}, failed=failed.tolist())
    learned = read_risk("v", EPOCH, fit_risk(rows, SEVERITIES))
    chances = learned.chances(table(2, facts={"cost_usd": [float("inf"), float("-inf")]}))
    assert chances == pytest.approx([0.2, 0.2], abs=0.15)
    before = read_risk("prior", EPOCH, prior_risk(SEVERITIES))
    assert before.chances(table(1, facts={"cost_usd": [float("inf")]})) == pytest.approx(COMMON_CHANCE)


def test_the_same_rows_make_the_same_model_and_none_take_none() -> None:
    rows = table(60, signals=[["error"]] * 60, failed=[0.0, 1.0] * 30)
    assert fit_risk(rows, SEVERITIES) == fit_risk(rows, SEVERITIES)
    assert read_risk("v", EPOCH, prior_risk(SEVERITIES)).chances(table(0)).size == 0


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(f"sqlite:///{tmp_path / 'state.db'}")


def judged(
    put_logs: Callable[..., None], put_scores: Callable[..., None], day: date, failing: set[int], n: int = 80
) -> None:
    """Logs of a day and the judge's word: those that fail have been refused."""
    ids = [f"{day}-{i}" for i in range(n)]
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    put_logs(ids, at, signals=[["refusal"] if i in failing else [] for i in range(n)], input="a question")
    put_scores(ids, at, value=[0.0 if i in failing else 1.0 for i in range(n)])


def chances_of(telemetry: Telemetry, risk: Any) -> dict[str, float]:
    rows = telemetry.query(f"SELECT log_id, {FEATURES} FROM signals FINAL ORDER BY log_id")
    return dict(zip(map(str, rows["log_id"].to_pylist()), risk.chances(rows).tolist(), strict=True))


def test_a_day_is_served_by_what_was_judged_of_earlier_days_alone(
    telemetry: Telemetry, state: State, put_logs: Callable[..., None], put_scores: Callable[..., None]
) -> None:
    judged(put_logs, put_scores, DAY - timedelta(days=1), set(range(30)))
    first = ready(telemetry, state, "p", INFO, SEVERITIES, DAY, NOW)
    assert first.known_until == datetime(2026, 11, 20, tzinfo=UTC)
    # of the day itself all fail but those that were refused: the opposite
    judged(put_logs, put_scores, DAY, set(range(40, 80)))
    again = ready(telemetry, state, "p", INFO, SEVERITIES, DAY, NOW + timedelta(hours=1))
    assert again.version == first.version
    told = chances_of(telemetry, again)
    assert told[f"{DAY}-79"] > 5 * told[f"{DAY}-0"]
    after = ready(telemetry, state, "p", INFO, SEVERITIES, DAY + timedelta(days=1), NOW)
    assert after.version != first.version
    kept = load(state, "p", "resolved", DAY + timedelta(days=9), first.version)
    assert kept is not None
    assert chances_of(telemetry, kept) == told


def test_where_nothing_was_judged_the_prior_is_kept_and_a_later_model_never_serves_an_earlier_day(
    telemetry: Telemetry, state: State, put_logs: Callable[..., None], put_scores: Callable[..., None]
) -> None:
    assert load(state, "p", "resolved", DAY) is None
    prior = ready(telemetry, state, "p", INFO, SEVERITIES, DAY, NOW)
    assert prior.version.startswith("prior-")
    judged(put_logs, put_scores, DAY, set(range(30)))
    learned = ready(telemetry, state, "p", INFO, SEVERITIES, DAY + timedelta(days=1), NOW)
    assert not learned.version.startswith("prior-")
    earlier = load(state, "p", "resolved", DAY)
    assert earlier is not None
    assert earlier.version == prior.version
    # six weeks later nothing new was judged: the last model still serves
    old = ready(telemetry, state, "p", INFO, SEVERITIES, DAY + timedelta(days=42), NOW)
    assert old.version == learned.version


def test_peoples_word_counts_before_the_judges(
    telemetry: Telemetry, state: State, put_logs: Callable[..., None], put_scores: Callable[..., None]
) -> None:
    judged(put_logs, put_scores, DAY, set(range(40)))
    ids = [f"{DAY}-{i}" for i in range(80)]
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    put_scores(ids, at, kind="human", value=[1.0] * 40 + [0.0] * 40, rater="someone")
    told = chances_of(telemetry, ready(telemetry, state, "p", INFO, SEVERITIES, DAY + timedelta(days=1), NOW))
    assert told[f"{DAY}-0"] < told[f"{DAY}-79"]


def test_features_lie_where_they_are_said_to(telemetry: Telemetry, put_logs: Callable[..., None]) -> None:
    put_logs(
        ["a", "b"],
        NOW,
        input=["Where is my order, my Order?", ""],
        output=["It is on its way.", "Где мой заказ"],
        attributes=[[("topic", "refund"), ("session", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")], []],
        version=["v12", ""],
        feedback=[0.0, None],
        latency_ms=[999.0, 0.0],
        signals=[["error"], []],
    )
    rows = telemetry.query(f"SELECT {FEATURES} FROM signals FINAL ORDER BY log_id").to_pylist()
    facts = [dict(zip(FACTS, row["x_facts"], strict=True)) for row in rows]
    assert facts[0]["latency_ms"] == pytest.approx(np.log(1_000))
    assert facts[0]["feedback"] == 0.0
    assert np.isnan(facts[1]["feedback"])
    assert len(rows[0]["x_asked"]) == 4
    assert rows[1]["x_asked"] == []
    assert len(rows[1]["x_answered"]) == 3
    assert all(place < SPOKEN for place in rows[0]["x_asked"])
    assert all(SPOKEN <= place < 2 * SPOKEN for row in rows for place in row["x_answered"])
    assert all(WIDTH - NAMED <= place < WIDTH for place in rows[0]["x_named"])
    # the version and the topic; a session's id says nothing of other logs
    assert len(rows[0]["x_named"]) == 2
    assert rows[0]["x_signals"] == ["error"]
