"""Policies over a store while logs settle: passes, late facts, versions, what is fixed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import ConfigError, PluginError
from assay.query import Names, parse
from assay.records import MetricInfo, SampleReport, Window
from assay.sampling import (
    OwnDays,
    Policy,
    Sources,
    apply_new,
    apply_policy,
    draw,
    load_policy,
    version_of,
)
from assay.sampling.base import FloatArray
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.ledger import read_ledger
from assay.store.telemetry.scope import Question

DAY = date(2026, 5, 4)
TODAY = Window.of_day(DAY)
MORNING, NOON = datetime(2026, 5, 4, 6, tzinfo=UTC), datetime(2026, 5, 4, 12, tzinfo=UTC)
AFTER = datetime(2026, 5, 5, 0, 20, tzinfo=UTC)
HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)
RESOLVED = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
EVEN = {"kind": "uniform", "share": 1.0}
URGENT = {"kind": "exhaustive", "when": "feedback < 0.5"}
Put = Callable[..., None]


class Likely:
    """A model that reads one number: how likely logs with an error are to fail."""

    def __init__(self, version: str, chance: float) -> None:
        self.version = version
        self._chance = chance

    def chances(self, features: pa.Table) -> FloatArray:
        raised = np.array(["error" in (signals or []) for signals in features["x_signals"].to_pylist()])
        return np.where(raised, self._chance, 0.02)


def ids(count: int, prefix: str = "log") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def live(t: Telemetry, policy: Policy, now: datetime, sources: Sources | None = None) -> SampleReport:
    return apply_new(t, policy, parse, now, sources=sources)


def whole(t: Telemetry, policy: Policy, now: datetime = AFTER, **how: Any) -> SampleReport:
    return apply_policy(t, policy, how.pop("window", TODAY), parse, now, **how)


class only:  # noqa: N801  # it reads as a word
    """Equal to a list of nothing but that number."""

    def __init__(self, number: float) -> None:
        self._number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and bool(other) and other == pytest.approx([self._number] * len(other))

    def __hash__(self) -> int:
        return hash(self._number)

    def __repr__(self) -> str:
        return f"only({self._number})"


def decisions(t: Telemetry, where: str = "stage = 'judge'") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = t.query(
        f"SELECT * FROM selections FINAL WHERE {where} ORDER BY log_id, occasion"
    ).to_pylist()
    return found


def daily(*parts: dict[str, Any], budget: float = 20, **others: Any) -> Policy:
    return load_policy("daily", {"budget": budget, "parts": list(parts), **others})


# --- passes --------------------------------------------------------------------------------------


def test_a_pass_decides_what_was_settled_since_the_last(telemetry: Telemetry, put_logs: Put) -> None:
    policy, sources = daily(EVEN, budget=20), Sources()
    put_logs(ids(50), MORNING, computed_at=MORNING)
    first = live(telemetry, policy, NOON, sources)
    # Half of the day has 50, so 100 are expected of it: one in five.
    assert (first.decided, first.additions) == (50, 0)
    assert [(s.stratum, s.logs) for s in first.strata] == [("uniform", 50)]
    assert live(telemetry, policy, NOON, sources).decided == 0
    put_logs(ids(30, "late"), MORNING, computed_at=NOON + HOUR)
    again = live(telemetry, policy, NOON + 2 * HOUR, sources)
    assert [(s.stratum, s.logs) for s in again.strata] == [("uniform", 30)]
    rows = decisions(telemetry)
    assert {row["log_id"] for row in rows} == {*ids(50), *ids(30, "late")}
    assert [row["probability"] for row in rows] == only(0.2)
    assert {row["reason"] for row in rows if row["selected"]} == {"uniform: probability 0.2"}
    assert whole(telemetry, policy, sources=sources).decided == 0


def test_a_pass_asks_little_where_nothing_was_settled(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, sources = daily(EVEN), Sources()
    put_logs(ids(50), MORNING, computed_at=MORNING)
    live(telemetry, policy, NOON, sources)
    asked: list[str] = []
    query = telemetry.query

    def counting(sql: str, params: Any = None) -> pa.Table:
        asked.append(sql)
        return query(sql, params)

    monkeypatch.setattr(telemetry, "query", counting)
    monkeypatch.setattr(telemetry, "command", lambda sql, params=None: pytest.fail("nothing to write"))
    assert live(telemetry, policy, NOON + HOUR, sources).decided == 0
    assert len(asked) == 2


def test_the_first_pass_leaves_earlier_days_alone(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(20, "old"), MORNING - ONE_DAY, computed_at=NOON)
    put_logs(ids(20), MORNING, computed_at=NOON)
    policy, sources = daily(EVEN), Sources()
    assert live(telemetry, policy, NOON + HOUR, sources).decided == 20
    # What is settled from now on is decided, of whatever day it is.
    put_logs(["yesterday"], MORNING - ONE_DAY, computed_at=NOON + HOUR)
    assert live(telemetry, policy, NOON + 2 * HOUR, sources).decided == 1
    assert whole(telemetry, policy, window=Window.of_day(DAY - ONE_DAY), sources=sources).decided == 20


def test_a_pass_that_broke_off_is_made_good(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, sources = daily(EVEN, label_budget=5), Sources()
    put_logs(ids(60), MORNING, computed_at=MORNING)
    insert = telemetry.insert

    def failing(table: str, rows: pa.Table) -> None:
        if table == "selections" and rows["stage"][0].as_py() == "label":
            raise OSError("power cut")
        insert(table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "insert", failing)
        with pytest.raises(OSError, match="power cut"):
            live(telemetry, policy, NOON, sources)
    assert len(decisions(telemetry)) == 60
    assert decisions(telemetry, "stage = 'label'") == []
    live(telemetry, policy, NOON, sources)
    selected = {row["log_id"] for row in decisions(telemetry) if row["selected"]}
    assert {row["log_id"] for row in decisions(telemetry, "stage = 'label'")} == selected


def test_an_open_day_goes_by_the_day_before(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(400, "old"), MORNING - ONE_DAY, computed_at=MORNING - ONE_DAY)
    put_logs(ids(800, "week"), MORNING - 7 * ONE_DAY, computed_at=MORNING - 7 * ONE_DAY)
    put_logs(ids(3), TODAY.start, computed_at=TODAY.start)
    live(telemetry, daily(EVEN), TODAY.start + timedelta(minutes=5), Sources())
    # The day before had 400, but a week before there were 800.
    assert [row["probability"] for row in decisions(telemetry)] == only(20 / 800)


def test_systematic_policies_wait_for_the_day_s_end(telemetry: Telemetry, put_logs: Put) -> None:
    policy, sources = daily(EVEN, draw="systematic"), Sources()
    put_logs(ids(130), MORNING, computed_at=MORNING)
    put_logs(ids(70, "more"), MORNING, computed_at=NOON)
    assert live(telemetry, policy, NOON + HOUR, sources).decided == 0
    done = live(telemetry, policy, AFTER, sources)
    assert (done.decided, done.strata[0].judge) == (200, 20)
    put_logs(ids(50, "late"), MORNING, computed_at=AFTER)
    again = live(telemetry, policy, AFTER + HOUR, sources)
    assert (again.decided, again.strata[0].judge) == (50, 5)
    rows = decisions(telemetry)
    assert all(row["selected"] == (row["draw"] < row["probability"]) for row in rows)
    assert [row["probability"] for row in rows] == only(0.1)
    waits = whole(telemetry, daily(EVEN, draw="systematic"), now=NOON)
    assert waits.decided == 0


def test_a_systematic_policy_that_waits_for_the_day_s_end_asks_nothing_of_other_days(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, sources = daily(EVEN, draw="systematic"), Sources()
    put_logs(ids(100), MORNING, computed_at=MORNING)
    live(telemetry, policy, MORNING + HOUR, sources)
    put_logs(ids(50, "yesterday"), MORNING - ONE_DAY, computed_at=NOON)
    assert live(telemetry, policy, NOON + HOUR, sources).decided == 50
    put_logs(ids(100, "more"), MORNING, computed_at=NOON + HOUR)
    asked: list[str] = []
    stream = telemetry.stream

    def listen(sql: str, params: Any = None) -> Any:
        asked.append(sql)
        return stream(sql, params)

    monkeypatch.setattr(telemetry, "stream", listen)
    assert live(telemetry, policy, NOON + 2 * HOUR, sources).decided == 0
    assert not asked
    done = live(telemetry, policy, AFTER, sources)
    assert (done.decided, done.strata[0].judge) == (200, 20)
    assert asked
    asked.clear()
    assert live(telemetry, policy, AFTER + HOUR, sources).decided == 0
    assert not asked


def test_days_that_ended_while_nobody_looked_are_decided_whole(telemetry: Telemetry, put_logs: Put) -> None:
    policy, sources = daily(EVEN, draw="systematic"), Sources()
    put_logs(ids(100), MORNING, computed_at=MORNING)
    live(telemetry, policy, NOON, sources)
    put_logs(ids(100, "next"), MORNING + ONE_DAY, computed_at=MORNING + ONE_DAY)
    put_logs(ids(100, "now"), MORNING + 2 * ONE_DAY, computed_at=MORNING + 2 * ONE_DAY)
    assert live(telemetry, policy, NOON + 2 * ONE_DAY, sources).decided == 200
    assert live(telemetry, policy, AFTER + 2 * ONE_DAY, sources).decided == 100


def test_a_model_that_says_no_chance_is_an_error_and_never_a_reason_to_wait(
    telemetry: Telemetry, put_logs: Put
) -> None:
    policy = daily(EVEN, {"kind": "importance", "share": 1.0})
    sources = Sources(risk=lambda name, day, version: Likely("v1", float("nan")))
    put_logs(ids(20), MORNING, computed_at=MORNING, signals=[["error"]] * 20)
    with pytest.raises(PluginError, match="model of risk v1 says of 20 of 20 logs no chance"):
        live(telemetry, policy, NOON, sources)


# --- late facts ----------------------------------------------------------------------------------


def test_a_thumbs_down_a_day_later_brings_a_log_in(telemetry: Telemetry, put_logs: Put) -> None:
    policy, sources = daily(URGENT, EVEN, label_budget=5), Sources()
    put_logs(ids(200), MORNING, computed_at=MORNING)
    whole(telemetry, policy, sources=sources)
    before = {row["log_id"]: row for row in decisions(telemetry)}
    down = [log_id for log_id, row in before.items() if not row["selected"]][:3]
    down += [log_id for log_id, row in before.items() if row["selected"]][:2]
    put_logs(down, MORNING, computed_at=AFTER + ONE_DAY, feedback=[0.0] * 5)
    done = live(telemetry, policy, AFTER + ONE_DAY + HOUR, sources)
    assert done.additions == 5
    rows = decisions(telemetry)
    added = [row for row in rows if row["occasion"] == 1]
    assert [row for row in rows if row["occasion"] == 0] == list(before.values())
    assert sorted(row["log_id"] for row in added) == sorted(down)
    for row in added:
        assert (row["probability"], row["selected"], row["stratum"]) == (1.0, 1, "exhaustive")
        assert row["draw"] == draw("daily:judge:1", row["log_id"])
        said = "its facts changed; exhaustive: every one, probability 1, before 0.1"
        assert row["reason"] == said
    # Those who come in for the judge may come to people too, as all the others.
    people = {row["log_id"] for row in decisions(telemetry, "stage = 'label'")}
    assert set(down) <= people
    ledger = {row["log_id"]: row for row in rows_of_ledger(telemetry)}
    assert all(ledger[log_id]["p1"] == 1.0 for log_id in down)
    assert live(telemetry, policy, AFTER + ONE_DAY + 2 * HOUR, sources).decided == 0
    assert whole(telemetry, policy, AFTER + 2 * ONE_DAY, sources=sources).decided == 0


def rows_of_ledger(t: Telemetry, policy: str = "daily") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_ledger(t, Question(RESOLVED, policy, TODAY)).rows.to_pylist()
    return found


def test_facts_that_make_no_difference_decide_nothing(telemetry: Telemetry, put_logs: Put) -> None:
    policy, sources = daily(URGENT, EVEN), Sources()
    put_logs(ids(40), MORNING, computed_at=MORNING, feedback=[0.0] * 5 + [None] * 35)
    whole(telemetry, policy, sources=sources)
    put_logs(ids(40), MORNING, computed_at=AFTER, feedback=[1.0] * 40)
    assert whole(telemetry, policy, AFTER + HOUR, sources=sources).decided == 0
    # A backfill of signals is no news: it stamps rows a moment later.
    moment = timedelta(microseconds=1)
    put_logs(ids(40), MORNING, computed_at=AFTER + moment, feedback=[0.0] * 40)
    other = daily(URGENT, EVEN, budget=21)
    telemetry.command(
        "ALTER TABLE selections UPDATE facts_at = {at:DateTime64(6, 'UTC')} WHERE 1", {"at": AFTER}
    )
    assert whole(telemetry, other, AFTER + HOUR).decided == 0


def test_a_policy_that_goes_by_scores_never_looks_again(telemetry: Telemetry, put_logs: Put) -> None:
    """Scores depend on what was drawn: a chance that followed from them would bias the whole."""
    policy = daily({"kind": "exhaustive", "when": "score.resolved < 0.5 or feedback < 0.5"}, EVEN)
    put_logs(ids(40), MORNING, computed_at=MORNING)
    whole(telemetry, policy)
    put_logs(ids(40), MORNING, computed_at=AFTER, feedback=[0.0] * 40)
    assert whole(telemetry, policy, AFTER + HOUR).decided == 0


def test_strata_with_rates_look_again_too_at_both_stages(telemetry: Telemetry, put_logs: Put) -> None:
    trouble = {"name": "trouble", "when": "errors > 0", "rate": 0.8, "label_rate": 0.9}
    policy = load_policy("daily", {"rate": 0.5, "label_rate": 0.2, "strata": [trouble]})
    put_logs(ids(300), MORNING, computed_at=MORNING)
    whole(telemetry, policy)
    put_logs(ids(300), MORNING, computed_at=AFTER, errors=1)
    done = whole(telemetry, policy, AFTER + HOUR)
    assert done.additions > 300
    p1 = [row["p1"] for row in rows_of_ledger(telemetry)]
    p2 = [row["p2"] for row in rows_of_ledger(telemetry) if row["p2"]]
    assert p1 == only(0.8)
    assert p2 == only(0.9)
    # Those who had been drawn, and those who were drawn now: 240 and 216 are expected.
    assert abs(len(p1) - 240) < 4 * (300 * 0.8 * 0.2) ** 0.5
    assert abs(len(p2) - 216) < 4 * (300 * 0.72 * 0.28) ** 0.5


def test_with_late_facts_the_whole_is_right_over_many_policies(
    telemetry: Telemetry, put_logs: Put, put_scores: Put
) -> None:
    """From logs to a total, through the store: two versions, a day that changes, late thumbs-down."""
    count, fails = 300, 60
    values = [float(n >= fails) for n in range(count)]
    put_scores(ids(count), MORNING, value=values)
    totals, times = [], 12
    for number in range(times):
        telemetry.command("TRUNCATE TABLE signals")
        name, sources = f"policy{number}", Sources()
        put_logs(ids(count), MORNING, computed_at=MORNING, errors=[int(n < 30) for n in range(count)])
        half = {"budget": 40, "where": "errors > 0 or turns > 0"}
        first = load_policy(name, half | {"parts": [EVEN, {"kind": "exhaustive", "when": "errors > 5"}]})
        apply_new(telemetry, first, parse, NOON, sources=sources)
        put_logs(
            ids(count), MORNING, computed_at=NOON, feedback=[0.0 if n < 40 else None for n in range(count)]
        )
        second = load_policy(name, {"budget": 90, "parts": [EVEN, URGENT]})
        apply_new(telemetry, second, parse, NOON + HOUR, sources=sources)
        found = [row for row in rows_of_ledger(telemetry, name) if row["value"] == 0.0]
        totals.append(sum(1 / row["p1"] for row in found))
        versions = {row["policy_version"] for row in decisions(telemetry, f"policy = '{name}'")}
        assert versions == {version_of(first), version_of(second)}
        chances = {row["log_id"]: row["p1"] for row in found}
        assert all(p == 1.0 for log_id, p in chances.items() if int(log_id[3:]) < 40)
    # Forty of the sixty are certain by then; the others have what the better of both versions gave.
    p = max(20 * 2 / 300, min(chances.values()))
    spread = (20 * (1 - p) / p / times) ** 0.5
    assert abs(sum(totals) / times - fails) < 4 * spread
    assert len(set(totals)) > 1


# --- what is fixed -------------------------------------------------------------------------------


def test_a_version_that_changes_in_mid_day_leaves_what_is_decided(
    telemetry: Telemetry, put_logs: Put
) -> None:
    sources = Sources()
    put_logs(ids(60), MORNING, computed_at=MORNING)
    old, new = daily(EVEN, budget=20), daily(EVEN, budget=60)
    live(telemetry, old, NOON, sources)
    before = decisions(telemetry)
    put_logs(ids(40, "late"), NOON, computed_at=NOON + HOUR)
    live(telemetry, new, NOON + 6 * HOUR, sources)
    rows = decisions(telemetry)
    assert [row for row in rows if row["log_id"].startswith("log")] == before
    late = [row for row in rows if row["log_id"].startswith("late")]
    assert {row["policy_version"] for row in late} == {version_of(new)}
    # Three quarters of the day have 100 logs.
    assert [row["probability"] for row in late] == only(60 / (100 / 0.75))
    assert [row["probability"] for row in before] == only(20 / 120)


def test_late_logs_get_the_chances_of_the_day_and_its_model(telemetry: Telemetry, put_logs: Put) -> None:
    asked: list[tuple[str, date, str]] = []

    def risk(metric: str, day: date, version: str) -> Likely:
        asked.append((metric, day, version))
        return Likely("m1", 0.5) if version in ("", "m1") and len(asked) < 99 else Likely("m2", 0.9)

    sources = Sources(risk=risk)
    policy = daily(EVEN | {"share": 0.25}, {"kind": "importance", "share": 0.75}, metric="resolved")
    put_logs(ids(400), MORNING, computed_at=MORNING, signals=[["error"]] * 20 + [[]] * 380)
    whole(telemetry, policy, sources=sources)
    assert asked[0] == ("resolved", DAY, "")
    put_logs(ids(2, "late"), MORNING, computed_at=AFTER, signals=[["error"]] * 2)
    whole(telemetry, policy, AFTER + HOUR, sources=sources)
    assert asked[-1] == ("resolved", DAY, "m1")
    rows = decisions(telemetry)
    chance = {row["log_id"]: row["probability"] for row in rows}
    assert sum(chance[log_id] for log_id in ids(400)) == pytest.approx(20, rel=1e-6)
    assert {chance[log_id] for log_id in ids(2, "late")} == {chance["log0"]}
    assert chance["log0"] > 5 * chance["log399"]
    said = {row["reason"] for row in rows if row["selected"] and row["stratum"] == "importance"}
    assert f"importance: chance of failure 0.5, probability {chance['log0']:.2g}" in said


def test_without_a_model_importance_favours_none(telemetry: Telemetry, put_logs: Put) -> None:
    policy = daily(EVEN, {"kind": "importance", "share": 0.5})
    put_logs(ids(100), MORNING, computed_at=MORNING, errors=[1] * 20 + [0] * 80)
    whole(telemetry, policy)
    assert [row["probability"] for row in decisions(telemetry)] == only(0.2)


def test_new_versions_get_their_first_logs_looked_at(telemetry: Telemetry, put_logs: Put) -> None:
    policy = daily(EVEN, {"kind": "rare", "by": "app_version", "at_least": 5}, budget=30)
    put_logs(ids(600, "old"), MORNING - ONE_DAY, computed_at=MORNING - ONE_DAY, version="v1")
    sources = Sources()
    for number in range(6):
        at = MORNING + number * HOUR
        put_logs(ids(20, f"n{number}_"), at, computed_at=at, version="v2")
        live(telemetry, policy, at + timedelta(minutes=20), sources)
    rows = decisions(telemetry)
    assert len(rows) == 120
    assert sum(row["probability"] == 1 for row in rows) == 5
    assert 7 < sum(row["probability"] for row in rows if row["stratum"] == "rare") <= 10
    first = min(rows, key=lambda row: (row["started"], -row["probability"]))
    assert first["reason"] == "rare: app_version 'v2' is new, probability 1"


def test_neyman_goes_by_past_scores(telemetry: Telemetry, put_logs: Put, put_scores: Put) -> None:
    trouble = {"name": "trouble", "when": "errors > 0"}
    part = {"kind": "stratified", "share": 0.8, "strata": [trouble], "allocation": "neyman"}
    policy = daily(EVEN | {"share": 0.2}, part, budget=100, metric="resolved")
    week = MORNING - 3 * ONE_DAY
    put_logs(ids(400, "old"), week, computed_at=week, errors=[1] * 200 + [0] * 200)
    values = [float(n % 2) for n in range(200)] + [float(n % 50 > 0) for n in range(200)]
    put_scores(ids(400, "old"), week, value=values)
    put_logs(ids(2000), MORNING, computed_at=MORNING, errors=[1] * 500 + [0] * 1500)
    whole(telemetry, policy, sources=Sources(metric=lambda name: RESOLVED if name == "resolved" else None))
    rows = decisions(telemetry)
    chance = {row["stratum"]: row["probability"] for row in rows}
    # Scores differ by 0.5 and by 0.14 there, a little less far apart for what the whole lends to both.
    assert 2.2 < chance["trouble"] / chance["rest"] < 0.5 / 0.14
    assert sum(row["probability"] for row in rows) == pytest.approx(100, rel=1e-6)
    why = {row["reason"].partition(", probability")[0] for row in rows if row["selected"]}
    assert "trouble: stratum of 500 a day, its scores differ by 0.49" in why


def test_days_are_kept_apart_by_policy_version_stage_and_day() -> None:
    days = OwnDays()
    assert days.write("daily", "v1", "judge", DAY, {"a": 1}, {}) == {"a": 1}
    assert days.write("daily", "v1", "judge", DAY, {"a": 2}, {}) == {"a": 1}
    assert days.read("daily", "v1", "judge", DAY) == {"a": 1}
    for other in (
        ("other", "v1", "judge", DAY),
        ("daily", "v2", "judge", DAY),
        ("daily", "v1", "label", DAY),
        ("daily", "v1", "judge", DAY + ONE_DAY),
    ):
        assert days.read(*other) == {}


# --- filters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([EVEN, {"kind": "exhaustive", "when": "erors > 0"}], "policy daily, part exhaustive: "),
        ([EVEN, {"kind": "exhaustive", "when": "last 2h"}], "part exhaustive: `last` depends on when"),
        (
            [EVEN, {"kind": "exhaustive", "when": "selected"}],
            "part exhaustive: `selected` is what policies decide",
        ),
        (
            [EVEN, {"kind": "rare", "by": "versoin", "at_least": 3}],
            "no fact `versoin`; did you mean `version`",
        ),
        ([EVEN, {"kind": "rare", "by": "started", "at_least": 3}], "no fact `started`"),
        (
            [EVEN, {"kind": "stratified", "strata": [{"name": "x", "when": "turns >"}]}],
            "policy daily, part stratified, stratum x: ",
        ),
    ],
)
def test_a_part_that_can_not_be_asked_is_a_wrong_setting(
    telemetry: Telemetry, parts: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        whole(telemetry, daily(*parts))
    assert message in str(raised.value)


def test_priorities_can_be_looked_at_whole(telemetry: Telemetry, put_logs: Put) -> None:
    names = Names(priorities=(("high", parse("cost_usd > 1")),))
    policy = daily({"kind": "exhaustive", "when": 'priority = "high"'}, EVEN)
    put_logs(ids(100), MORNING, computed_at=MORNING, cost_usd=[2.0] * 4 + [0.0] * 96)
    apply_policy(telemetry, policy, TODAY, lambda text: parse(text, names), AFTER)
    rows = decisions(telemetry, "stage = 'judge' AND probability = 1")
    assert [row["log_id"] for row in rows] == ids(4)
