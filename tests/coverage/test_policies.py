"""Looking where failures are likely finds more of them, and the whole is still told without bias.

Real logs whose labels are known, and the demo's days. A model learns from one part, the shipped policy draws
from the other, 1,000 times; its estimates must hold the truth, bounded from both sides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from assay.demo.world import World
from assay.records import MetricInfo
from assay.sampling import load_policy
from assay.sampling.base import Day, FloatArray, IntArray
from assay.sampling.risk import EPOCH, fit_risk, prior_risk, read_risk
from assay.signals.catalogue import Thresholds, catalogue
from assay.stats.choose import corrected_mean
from assay.stats.weighted import weighted_mean
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.features import read_outcomes

TIMES = 1_000
LEVEL = 0.95
SHARE = 0.1
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
INFO = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
SEVERITIES = {signal.name: signal.severity for signal in catalogue(Thresholds())}
WORLD = World(last_day=date(2026, 11, 22), days=3, per_day=1_500)
SHAPES = {"measures": (0.25, 1.0, 1.6), "hunts": (0.1, 4.0, 3.0)}
"""By name: the share of the even part, the power of the chance, and how many times as wide as a uniform
sample's the interval may be on average."""
PutLogs = Callable[..., None]


class Case(NamedTuple):
    """The logs that are drawn from: what is true of each, and its chance of failing as foretold."""

    failed: FloatArray
    chance: FloatArray


class Plan(NamedTuple):
    probability: FloatArray
    group: IntArray


def outcomes(telemetry: Telemetry) -> pa.Table:
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    return read_outcomes(telemetry, INFO, since=early, before=late, limit=1_000_000)


def learn(rows: pa.Table, first: FloatArray) -> Case:
    """Learn from the rows where `first`, foretell the others."""
    model = read_risk("v", EPOCH, fit_risk(rows.filter(pa.array(first.astype(bool))), SEVERITIES))
    rest = rows.filter(pa.array(~first.astype(bool)))
    return Case(rest["failed"].to_numpy(), model.chances(rest))


def texts(
    telemetry: Telemetry, shared: Path, name: str, put_logs: PutLogs, put_scores: Callable[..., None]
) -> Case:
    file = shared / "data" / name / f"{name}.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    rows = [row for row in pq.read_table(file).to_pylist() if row["label"] is not None]
    ids = [row["id"] for row in rows]
    put_logs(ids, NOON, input=[row["input"] or "" for row in rows])
    put_scores(ids, NOON, value=[1.0 - row["label"] for row in rows])
    key = {row["id"]: crc32(row["split_key"].encode()) % 2 for row in rows}
    told = outcomes(telemetry)
    first = np.array([float(key[str(log_id)]) for log_id in told["log_id"].to_pylist()])
    return learn(told, first)


def demo(telemetry: Telemetry, put_logs: PutLogs, put_scores: Callable[..., None]) -> Case:
    """Three of its days, by facts and signals alone; the first two are learned from."""
    signal_of = {"tool_error": "error", "no_answer": "error"}
    for position in range(WORLD.days):
        told = WORLD.truths(position)
        at = NOON + timedelta(days=position)
        signals = [
            [signal_of.get(mark, mark) for mark in truth.marks]
            + ["negative_feedback"] * (truth.feedback == 0)
            for truth in told
        ]
        ids = [truth.conversation_id for truth in told]
        put_logs(ids, at, signals=signals)
        put_scores(ids, at, value=[float(truth.resolved) for truth in told])
    rows = outcomes(telemetry)
    last = {truth.conversation_id for truth in WORLD.truths(WORLD.days - 1)}
    return learn(rows, np.array([float(log_id not in last) for log_id in rows["log_id"].to_pylist()]))


@pytest.fixture
def case(
    request: pytest.FixtureRequest,
    telemetry: Telemetry,
    put_logs: PutLogs,
    put_scores: Callable[..., None],
) -> Case:
    name: str = request.param
    if name == "demo":
        return demo(telemetry, put_logs, put_scores)
    return texts(telemetry, request.getfixturevalue("shared"), name, put_logs, put_scores)


def plan(case: Case, shape: str = "measures") -> Plan:
    """What the shipped policy gives each log; a tenth is drawn."""
    even, power, _ = SHAPES[shape]
    importance = {"kind": "importance", "share": 1 - even, "power": power}
    parts = [{"kind": "uniform", "share": even}, importance]
    policy = load_policy("composed", {"parts": parts, "budget": int(SHARE * case.failed.size)})
    logs = pa.table({"chance": case.chance, "logs": np.ones(case.failed.size)})
    day = Day(day=NOON.date(), logs=logs, risk="v")
    given = policy.chances("judge", logs, policy.fix("judge", day))
    return Plan(given.probability, given.group)


def check_level(held: int, times: int) -> None:
    """No rarer than the level, as chance will have it, and not always: too wide is wrong too."""
    assert held >= binom.ppf(0.001, times, LEVEL)
    assert held <= 0.997 * times


SETS = (
    pytest.param("demo"),
    pytest.param("toxic_chat", marks=pytest.mark.shared),
    pytest.param("guard_prompts", marks=pytest.mark.shared),
)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", SETS, indirect=True)
def test_a_composed_policy_finds_three_times_the_failures_and_its_estimate_holds_the_truth(
    case: Case, shape: str
) -> None:
    p, n, truth = plan(case, shape).probability, case.failed.size, float(case.failed.mean())
    assert p.sum() == pytest.approx(SHARE * n, abs=1)
    found = float((p * case.failed).sum()) / (float(p.sum()) * truth)
    assert 3.0 <= found <= min(1 / truth, 1 / SHARE)
    rng = np.random.default_rng(20261126)
    held, values, widths, even = 0, [], [], []
    for _ in range(TIMES):
        drawn = rng.random(n) < p
        made = weighted_mean(case.failed[drawn], p[drawn], population=n)
        held += made.low <= truth <= made.high
        values.append(made.value)
        widths.append(made.high - made.low)
        uniform = rng.random(n) < SHARE
        other = weighted_mean(case.failed[uniform], np.full(int(uniform.sum()), SHARE), population=n)
        even.append(other.high - other.low)
    check_level(held, TIMES)
    spread = float(np.std(values))
    assert abs(float(np.mean(values)) - truth) < 3 * spread / TIMES**0.5 + 0.1 * spread
    assert np.mean(widths) < SHAPES[shape][2] * np.mean(even)


@pytest.mark.slow
@pytest.mark.parametrize("case", SETS, indirect=True)
def test_so_does_what_people_correct_of_a_judge_that_errs(case: Case) -> None:
    """A third of what was drawn goes to people; the judge misses 15 % and blames 5 % of the innocent."""
    drawn_by, n, truth = plan(case), case.failed.size, float(case.failed.mean())
    rng = np.random.default_rng(20261126)
    judge = (rng.random(n) < np.where(case.failed == 1, 0.85, 0.05)).astype(np.float64)
    held = told = 0
    for _ in range(TIMES):
        rows = np.flatnonzero(rng.random(n) < drawn_by.probability)
        asked = rng.random(rows.size) < 1 / 3
        made = corrected_mean(
            np.where(asked, case.failed[rows], np.nan),
            judge[rows],
            drawn_by.probability[rows],
            np.full(rows.size, 1 / 3),
            population=n,
            design=drawn_by.group[rows].astype(np.intp),
        )
        if made is not None:
            told += 1
            held += made.interval.low <= truth <= made.interval.high
    assert told > 0.99 * TIMES
    check_level(held, told)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["demo"], indirect=True)
def test_severities_alone_find_twice_as_many_on_the_first_day(case: Case, telemetry: Telemetry) -> None:
    """Nothing was judged yet: a severe signal is all there is to go by."""
    rows = outcomes(telemetry)
    chance = read_risk("prior", EPOCH, prior_risk(SEVERITIES)).chances(rows)
    failed: FloatArray = rows["failed"].to_numpy()
    p = plan(Case(failed, chance)).probability
    assert float((p * failed).sum()) > 2.5 * float(p.sum()) * float(failed.mean())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["demo"], indirect=True)
def test_a_model_that_points_the_wrong_way_costs_width_and_never_truth(case: Case) -> None:
    wrong = Case(case.failed, case.chance.max() + case.chance.min() - case.chance)
    p, n, truth = plan(wrong).probability, case.failed.size, float(case.failed.mean())
    assert float((p * case.failed).sum()) < float(p.sum()) * truth
    rng = np.random.default_rng(20261126)
    held = 0
    for _ in range(TIMES):
        drawn = rng.random(n) < p
        made = weighted_mean(case.failed[drawn], p[drawn], population=n)
        held += made.low <= truth <= made.high
    check_level(held, TIMES)
