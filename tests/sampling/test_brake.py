"""Days that turn out far larger than was foreseen: what they cost, and that nobody is left out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.query import parse
from assay.records import SampleReport, Stage, Window
from assay.sampling import Day, OwnDays, Policy, Sources, apply_new, apply_policy, load_policy, version_of
from assay.sampling.base import FloatArray, Parameters
from assay.sampling.brake import slow_by_sum
from assay.sampling.tally import Tally
from assay.store.telemetry import selections
from assay.store.telemetry.connection import Telemetry

DAY = date(2026, 5, 4)
TODAY = Window.of_day(DAY)
MORNING, NOON = datetime(2026, 5, 4, 6, tzinfo=UTC), datetime(2026, 5, 4, 12, tzinfo=UTC)
AFTER = datetime(2026, 5, 5, 0, 20, tzinfo=UTC)
HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)
EVEN: dict[str, Any] = {"kind": "uniform", "share": 1.0}
BAD: dict[str, Any] = {"kind": "exhaustive", "when": "errors > 0", "at_most": 50}
TROUBLE: dict[str, Any] = {"name": "trouble", "when": "errors > 0", "size": 60, "label_size": 5}
Put = Callable[..., None]


def daily(*parts: dict[str, Any], budget: float = 200, **others: Any) -> Policy:
    return load_policy("daily", {"budget": budget, "parts": list(parts or [EVEN]), **others})


def sized(**others: Any) -> Policy:
    return load_policy("daily", {"size": 200, **others})


def counted(logs: float, bad: float = 0, **columns: Any) -> pa.Table:
    """A day's logs, those with an error apart."""
    rows = {"logs": [logs, bad], "when.exhaustive": [0, 1], "when.trouble": [0, 1]} | columns
    return pa.table(rows).filter(pa.array([logs > 0, bad > 0]))


def run(
    policy: Policy, fixed: Parameters, bad: list[bool], *, size: int = 0, stage: Stage = "judge"
) -> FloatArray:
    """The chances of a day's logs in turn, so many at a time (all at once if 0)."""
    flags = pa.array(bad)
    logs = pa.table({"when.exhaustive": flags, "when.trouble": flags})
    if stage == "label":
        logs = logs.append_column("stratum", pa.repeat(pa.scalar(policy.groups[0]), len(bad)))
    counts = dict.fromkeys(policy.needs(stage).counted, 0.0)
    tally = Tally(groups=dict.fromkeys(policy.groups, 0.0), conditions=counts)
    found = []
    for start in range(0, len(bad), size or len(bad)):
        batch = tally.lay_beside(logs.slice(start, size or len(bad)))
        chances = policy.chances(stage, batch, fixed)
        tally.add(batch, chances)
        found.append(chances.probability)
    return np.concatenate(found)


OPEN: dict[str, Any] = {"include_open": True}
FORECASTS: dict[str, dict[str, Any]] = {
    "yesterday had 20": {"over": 0.01, "before": counted(20), "logs": counted(5)} | OPEN,
    "yesterday had 200": {"over": 0.01, "before": counted(200), "logs": counted(5)} | OPEN,
    "yesterday had 2,000": {"over": 0.01, "before": counted(2000), "logs": counted(5)} | OPEN,
    "the first log came at 00:20": {"over": 20 / 1440, "logs": counted(1)} | OPEN,
    "the first log came at noon": {"over": 0.5, "logs": counted(1)} | OPEN,
    "20 were there when the day was over": {"logs": counted(20)},
    "2,000 were there when the day was over": {"logs": counted(2000)},
}


@pytest.mark.parametrize("number", [20_000, 200_000])
@pytest.mark.parametrize("forecast", FORECASTS)
@pytest.mark.parametrize("policy", [daily(), daily(EVEN, BAD), sized()], ids=["budget", "parts", "size"])
def test_a_bad_forecast_never_costs_more_than_three_budgets(
    policy: Policy, forecast: str, number: int
) -> None:
    fixed = policy.fix("judge", Day(day=DAY, **FORECASTS[forecast]))
    chances = run(policy, fixed, [False] * number, size=number // 4)
    assert 200 < chances.sum() < 3.4 * 200
    # Nobody's weight is larger than ten times that of an even sample of the budget.
    assert (chances * np.maximum(np.arange(1, number + 1), 200) >= 0.1 * 200).all()


def test_a_day_as_foreseen_is_not_slowed_down() -> None:
    for policy in (daily(), sized()):
        fixed = policy.fix("judge", Day(day=DAY, logs=counted(2000)))
        assert run(policy, fixed, [False] * 2500, size=100) == pytest.approx(np.full(2500, 0.1))


def test_an_outage_is_not_looked_at_whole() -> None:
    """Yesterday two logs had an error, today five thousand."""
    yesterday, bad = counted(9998, 2), [row % 2 == 0 for row in range(10_000)]
    outage = np.array(bad)
    day = Day(day=DAY, logs=counted(10, 1), over=0.5, include_open=True, before=yesterday)
    strata = sized(strata=[TROUBLE], label_size=9)
    for policy, most in ((daily(EVEN, BAD), 50), (strata, 60)):
        chances = run(policy, policy.fix("judge", day), bad, size=500)[outage]
        assert (chances[:most] == 1).all()
        # The even part gives each a hundredth, too.
        assert most < chances.sum() - 50 * (most == 50) < 3 * most
    said = strata.chances("judge", Tally(groups={"trouble": 4000.0, "rest": 0.0}).lay_beside(yesterday), {
        "trouble": {"probability": 1.0, "logs": 2.0, "how": "before"},
        "rest": {"probability": 0.02, "logs": 9998.0, "how": "before"},
    })  # fmt: skip
    assert said.explain(np.array([0, 1])) == [
        "stratum rest: probability 0.02, as the day before",
        "stratum trouble: probability 1, as the day before, slowed down to 0.00305",
    ]


@pytest.mark.parametrize("policy", [daily(EVEN, BAD), sized(strata=[TROUBLE], label_size=9)])
def test_chances_are_the_same_however_a_day_is_cut(policy: Policy) -> None:
    fixed = policy.fix("judge", Day(day=DAY, logs=counted(300, 5)))
    bad = [row % 7 == 0 for row in range(3000)]
    whole = run(policy, fixed, bad)
    assert len(np.unique(whole)) > 100
    for size in (1, 13, 700):
        assert run(policy, fixed, bad, size=size) == pytest.approx(whole, rel=1e-9)


def test_labels_that_are_slowed_down_by_what_was_drawn_stay_unbiased() -> None:
    """How many came before, at the second stage, is itself a matter of chance at the first."""
    rng = np.random.default_rng(5)
    fails = (np.arange(2000) > 1000).astype(np.float64)
    totals = []
    for _ in range(2000):
        judged = np.flatnonzero(rng.random(2000) < 0.2)
        n = len(judged)
        chance = slow_by_sum(np.full(n, 0.5), np.full(n, 0.01), np.zeros(n), 0.0, 20.0)
        people = rng.random(n) < chance
        totals.append(float((fails[judged] / (0.2 * chance))[people].sum()))
    assert abs(np.mean(totals) - 999) < 4 * np.std(totals) / np.sqrt(len(totals))


# --- through the store ---------------------------------------------------------------------------


def ids(count: int, prefix: str = "log") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def live(t: Telemetry, policy: Policy, now: datetime, sources: Sources) -> SampleReport:
    return apply_new(t, policy, parse, now, sources=sources)


def rows_of(t: Telemetry, where: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = t.query(
        f"SELECT * FROM selections FINAL WHERE {where} ORDER BY started, log_id"
    ).to_pylist()
    return found


@pytest.mark.parametrize("policy", [daily(), sized()], ids=["budget", "size"])
def test_a_first_log_at_noon_does_not_decide_the_day(
    telemetry: Telemetry, put_logs: Put, policy: Policy
) -> None:
    sources = Sources()
    for hour in range(12, 24, 2):
        at = TODAY.start + hour * HOUR
        put_logs(ids(1 if hour == 12 else 800, f"h{hour}_"), at, computed_at=at)
        live(telemetry, policy, at + HOUR / 6, sources)
    chances = [row["probability"] for row in rows_of(telemetry, "stage = 'judge'")]
    assert len(chances) == 4001
    assert 200 < sum(chances) < 500


@pytest.mark.parametrize("most", [1, 40, 10_000])
def test_a_new_slice_gets_its_number_however_many_batches_a_day_comes_in(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(selections, "MOST", most)
    monkeypatch.setattr("assay.sampling.apply.MOST", most)
    put_logs(ids(300, "y"), MORNING - ONE_DAY, computed_at=MORNING - ONE_DAY, version="v1")
    begun = [MORNING + number * timedelta(minutes=1) for number in range(40)]
    put_logs(ids(40), begun, computed_at=NOON, version="v2")
    policy = daily(EVEN, {"kind": "rare", "by": "version", "at_least": 6}, budget=20)
    live(telemetry, policy, NOON + HOUR, Sources())
    rows = rows_of(telemetry, "stage = 'judge'")
    assert [row["probability"] for row in rows[:6]] == [1.0] * 6
    assert 9 < sum(row["probability"] for row in rows if row["stratum"] == "rare") <= 12
    free = rows[6]["probability"]
    assert free == pytest.approx((6 / 7) ** 2)


def test_the_order_in_which_rows_lie_changes_nothing(telemetry: Telemetry, put_logs: Put) -> None:
    policy, seen = daily(budget=100), []
    for seed in range(2):
        for table in ("selections", "signals"):
            telemetry.command(f"TRUNCATE TABLE {table}")
        days = OwnDays()
        fixed = policy.fix("judge", Day(day=DAY, logs=counted(2000)))
        days.write("daily", version_of(policy), "judge", DAY, fixed, {})
        order = ids(6000)
        random.Random(seed).shuffle(order)
        for start in range(0, 6000, 2000):
            put_logs(order[start : start + 2000], MORNING, computed_at=NOON)
        apply_policy(telemetry, policy, TODAY, parse, AFTER, sources=Sources(days=days))
        seen.append({row["log_id"]: row["probability"] for row in rows_of(telemetry, "stage = 'judge'")})
    assert seen[0] == seen[1]
    assert len(set(seen[0].values())) > 1000


def test_logs_that_are_looked_at_again_are_no_new_ones(telemetry: Telemetry, put_logs: Put) -> None:
    """A day that was decided in full is settled once more, with one thumbs-down late in twenty."""
    group = {"kind": "stratified", "share": 1, "strata": [{"name": "down", "when": "feedback < 0.5"}]}
    policy = daily(EVEN, group | {"allocation": "equal"}, budget=400)
    put_logs(ids(4000), MORNING, computed_at=MORNING, feedback=[float(n % 20 > 0) for n in range(4000)])
    sources = Sources()
    apply_policy(telemetry, policy, TODAY, parse, AFTER, sources=sources)
    early = {row["probability"] for row in rows_of(telemetry, "stratum = 'down'")}
    put_logs(ids(4000), MORNING, computed_at=AFTER, feedback=[float(n % 20 > 1) for n in range(4000)])
    put_logs(ids(100, "new"), NOON, computed_at=AFTER, feedback=1.0)
    apply_policy(telemetry, policy, TODAY, parse, AFTER + HOUR, sources=sources)
    again = rows_of(telemetry, "occasion = 1")
    assert len(again) == 200
    # The day's whole budget was spent before: these add a quarter and more, and the last are slowed down.
    had = {row["log_id"]: row["probability"] for row in rows_of(telemetry, "occasion = 0")}
    whole = [1 - (1 - had[row["log_id"]]) * (1 - row["probability"]) for row in again]
    assert max(whole) == pytest.approx(max(early))
    added = sum(p - had[row["log_id"]] for p, row in zip(whole, again, strict=True))
    spent = sum(row["spent"] for row in _tally(telemetry, policy))
    new = sum(had[log_id] for log_id in ids(100, "new"))
    assert spent == pytest.approx(400 + added + new, rel=1e-6)
    assert 0.25 * 400 < added < 0.55 * 400


def _tally(t: Telemetry, policy: Policy) -> list[dict[str, Any]]:
    from assay.sampling.groups import group_logs

    found: list[dict[str, Any]] = selections.tally(t, group_logs(policy, parse), "judge", TODAY).to_pylist()
    return found


def test_labels_of_a_first_day_go_by_the_budget(telemetry: Telemetry, put_logs: Put) -> None:
    """Three logs at one o'clock say nothing of the day to come."""
    policy, sources, drawn = daily(budget=200, label_budget=30), Sources(), Counter[str]()
    put_logs(ids(2000, "y"), MORNING - ONE_DAY, computed_at=MORNING - ONE_DAY)
    for hour in range(1, 24, 2):
        at = TODAY.start + hour * HOUR
        put_logs(ids(3 if hour == 1 else 180, f"h{hour}_"), at, computed_at=at)
        live(telemetry, policy, at + HOUR / 6, sources)
    for row in rows_of(telemetry, "1"):
        drawn[row["stage"]] += row["probability"]
        assert row["stage"] == "judge" or row["probability"] == 0.15
    assert drawn["judge"] == pytest.approx(198.3)
    assert abs(drawn["label"] - 0.15 * 198) < 7
    # The day after goes by what the whole day had.
    put_logs(["next"], TODAY.end + HOUR, computed_at=TODAY.end + HOUR)
    live(telemetry, policy, TODAY.end + 2 * HOUR, sources)
    fixed = sources.days.read("daily", version_of(policy), "label", DAY + ONE_DAY)
    assert fixed == {} or fixed["from"] == "the day before"


def test_a_version_of_last_evening_expects_labels_by_the_budget() -> None:
    policy = daily(budget=200, label_budget=30)
    so_far = pa.table({"logs": [0.06], "stratum": ["uniform"]})

    def fix(**day: Any) -> Parameters:
        return policy.fix("label", Day(day=DAY, logs=so_far, over=0.1, include_open=True, **day))

    assert fix()["rate"] == 0.15
    assert fix(usual=50)["rate"] == 0.6
    assert fix(before=pa.table({"logs": [60.0], "stratum": ["uniform"]}), usual=900)["rate"] == 0.5
    rush = run(policy, fix(), [False] * 5000, size=50, stage="label")
    assert 30 < rush.sum() < 90
