"""A policy over a store: whole days, both stages, what is decided stays decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import ConfigError
from assay.query import parse
from assay.records import MetricInfo, SampleReport, StratumCount, Window
from assay.sampling import Policy, apply_policy, draw, load_policy, salt_of
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.grouping import Grouping
from assay.store.telemetry.ledger import read_ledger
from assay.store.telemetry.scope import Question
from assay.store.telemetry.selections import candidates

DAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
AFTER = datetime(2026, 5, 5, 0, 20, tzinfo=UTC)
TODAY = Window.of_day(DAY)
ONE_DAY = timedelta(days=1)
Put = Callable[..., None]
SIZES = load_policy(
    "daily",
    {
        "size": 20,
        "label_size": 5,
        "strata": [{"name": "trouble", "when": "errors > 0", "size": 10, "label_size": 4}],
    },
)


def ids(count: int, prefix: str = "log") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def apply(t: Telemetry, policy: Policy = SIZES, now: datetime = AFTER, **options: Any) -> SampleReport:
    return apply_policy(t, policy, options.pop("window", TODAY), parse, now, **options)


def decisions(t: Telemetry, where: str = "1") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = t.query(
        f"SELECT * FROM selections FINAL WHERE {where} ORDER BY stage, log_id"
    ).to_pylist()
    return found


def test_the_store_draws_the_same_numbers_as_the_program(telemetry: Telemetry, put_logs: Put) -> None:
    hostile = ["", "✓ ünï", "a:b", "'; --", "x" * 300, "{salt:String}", "tab\tand\nline", *ids(2000)]
    put_logs(hostile, NOON)
    for salt in (salt_of("daily", "judge"), "ünï:'label"):
        group = Grouping(policy="daily", version="v", unit="conversation")
        (found,) = candidates(telemetry, group, "judge", TODAY, salt=salt)
        rows = found.to_pylist()
        assert {row["log_id"]: row["draw"] for row in rows} == {i: draw(salt, i) for i in hostile}


def test_a_closed_day_is_decided_with_what_it_holds(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(200), NOON, errors=[1] * 40 + [0] * 160)
    report = apply(telemetry)
    rows = decisions(telemetry)
    judged = [row for row in rows if row["stage"] == "judge"]
    people = [row for row in rows if row["stage"] == "label"]
    assert {(row["stratum"], row["probability"]) for row in judged} == {("trouble", 0.25), ("rest", 0.125)}
    assert {(row["stratum"], row["probability"]) for row in people} == {("trouble", 0.4), ("rest", 0.25)}
    for row in rows:
        assert row["selected"] == (row["draw"] < row["probability"])
        assert row["draw"] == draw(f"daily:{row['stage']}", row["log_id"])
        assert (row["started"], row["decided_at"]) == (NOON, AFTER)
        assert row["policy_version"] == report.policy_version
    assert len(judged) == 200
    assert {row["log_id"] for row in people} == {row["log_id"] for row in judged if row["selected"]}

    def selected(some: list[dict[str, Any]], stratum: str) -> int:
        return sum(row["selected"] for row in some if row["stratum"] == stratum)

    assert report.decided == len(rows)
    assert report.strata == tuple(
        StratumCount(stratum=name, logs=logs, judge=selected(judged, name), label=selected(people, name))
        for name, logs in (("trouble", 40), ("rest", 160))
    )
    assert all(0 < stratum.judge < stratum.logs for stratum in report.strata)
    assert 0 < selected(people, "rest") < selected(judged, "rest")


def test_applying_again_changes_nothing(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON)
    first = apply(telemetry)
    before = decisions(telemetry)
    again = apply(telemetry, now=AFTER + ONE_DAY)
    assert again.decided == 0
    assert again.strata == first.strata
    assert decisions(telemetry) == before


def test_late_logs_get_the_day_s_probability(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON)
    apply(telemetry)
    put_logs(ids(25, "late"), NOON)
    assert apply(telemetry).decided > 25
    rows = decisions(telemetry, "stage = 'judge'")
    assert len(rows) == 125
    assert {row["probability"] for row in rows} == {0.2}
    reasons = {row["reason"] for row in rows if row["selected"] and row["log_id"].startswith("late")}
    assert reasons == {"stratum rest: probability 0.2, as for the day's others"}


def test_a_stratum_that_appears_late_is_fixed_then(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON)
    apply(telemetry)
    put_logs(ids(20, "late"), NOON, errors=1)
    apply(telemetry)
    rows = decisions(telemetry, "stage = 'judge' AND stratum = 'trouble'")
    assert {row["probability"] for row in rows} == {0.5}


def test_sizes_wait_for_the_end_of_the_day_and_rates_do_not(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON, errors=[1] * 10 + [0] * 90)
    waiting = apply(telemetry, now=NOON + timedelta(hours=1))
    assert waiting.decided == 0
    assert [(s.stratum, s.logs, s.judge) for s in waiting.strata] == [("trouble", 10, 0), ("rest", 90, 0)]
    mixed = load_policy(
        "mixed", {"size": 20, "strata": [{"name": "trouble", "when": "errors > 0", "rate": 1.0}]}
    )
    report = apply(telemetry, mixed, now=NOON + timedelta(hours=1))
    assert report.decided == 10
    assert [(s.stratum, s.logs, s.judge) for s in report.strata] == [("trouble", 10, 10), ("rest", 90, 0)]


def test_an_open_day_follows_the_day_before_where_asked(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON)
    put_logs(ids(50, "next"), NOON + ONE_DAY)
    put_logs(ids(5, "bad"), NOON + ONE_DAY, errors=1)
    both = Window(start=TODAY.start, end=TODAY.end + ONE_DAY)
    now = NOON + ONE_DAY + timedelta(hours=1)
    apply(telemetry, window=both, now=now, include_open=True)
    rows = decisions(telemetry, "stage = 'judge'")
    found = {(row["started"], row["stratum"], row["probability"]) for row in rows}
    assert found == {
        (NOON, "rest", 0.2),
        (NOON + ONE_DAY, "rest", 0.2),
        (NOON + ONE_DAY, "trouble", 1.0),
    }
    # Once fixed it stays, also when the day is over and larger, until it is far larger.
    put_logs(ids(75, "evening"), NOON + ONE_DAY)
    apply(telemetry, window=both, now=now + ONE_DAY)
    rows = decisions(telemetry, "stage = 'judge' AND log_id LIKE 'evening%'")
    assert {row["probability"] for row in rows} == {0.2}
    put_logs(ids(500, "night"), NOON + ONE_DAY)
    apply(telemetry, window=both, now=now + ONE_DAY)
    rows = decisions(telemetry, "stage = 'judge' AND log_id LIKE 'night%'")
    assert max(row["probability"] for row in rows) < 0.2
    assert sum(row["probability"] for row in rows) < 20
    said = {row["reason"] for row in rows if row["selected"]}
    assert said
    assert all("slowed down to 0." in why for why in said)


def test_whole_days_are_decided_however_the_window_cuts_them(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(40), [TODAY.start + timedelta(minutes=30 * n) for n in range(40)])
    put_logs(["before", "after"], [TODAY.start - ONE_DAY, TODAY.end])
    apply(telemetry, window=Window(start=NOON, end=NOON + timedelta(hours=1)), now=AFTER + ONE_DAY)
    assert {row["log_id"] for row in decisions(telemetry, "stage = 'judge'")} == set(ids(40))


def test_logs_outside_the_policy_s_filter_are_left_alone(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(10), NOON, service=["chat"] * 4 + ["mail"] * 6)
    policy = load_policy("daily", {"rate": 1.0, "where": 'service = "chat"'})
    report = apply(telemetry, policy)
    assert report.strata == (StratumCount(stratum="all", logs=4, judge=4, label=0),)


def test_a_larger_rate_keeps_the_old_sample(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(300), NOON)
    drawn = []
    for rate in (0.1, 0.4):
        apply(telemetry, load_policy("daily", {"rate": rate}))
        rows = decisions(telemetry, "stage = 'judge' AND selected")
        drawn.append({row["log_id"] for row in rows})
        telemetry.command("TRUNCATE TABLE selections")
    assert drawn[0] < drawn[1]


def test_a_new_version_applies_to_what_is_not_decided_yet(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(100), NOON)
    old = load_policy("daily", {"rate": 0.3})
    apply(telemetry, old)
    before = decisions(telemetry)
    put_logs(ids(50, "late"), NOON)
    new = load_policy("daily", {"rate": 0.9, "label_rate": 1.0})
    report = apply(telemetry, new)
    rows = decisions(telemetry, "stage = 'judge'")
    assert [row for row in rows if row["log_id"].startswith("log")] == before
    assert {row["probability"] for row in rows if row["log_id"].startswith("late")} == {0.9}
    # Those the old version had selected go to people as well: it had no such stage.
    selected = {row["log_id"] for row in rows if row["selected"]}
    assert {row["log_id"] for row in decisions(telemetry, "stage = 'label'")} == selected
    assert report.strata == (StratumCount(stratum="all", logs=150, judge=len(selected), label=len(selected)),)


def test_strata_of_older_versions_are_still_reported(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(ids(30), NOON)
    apply(telemetry, load_policy("daily", {"rate": 1.0}))
    report = apply(telemetry)
    assert [(s.stratum, s.logs, s.judge) for s in report.strata] == [
        ("trouble", 0, 0),
        ("rest", 0, 0),
        ("all", 30, 30),
    ]


def test_strata_use_the_whole_filter_language(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(
        ["a", "b", "c", "d"],
        NOON,
        signals=[["refusal"], [], [], []],
        input=["", "please CANCEL it", "", ""],
        attributes=[[], [], [("topic", "refund")], []],
    )
    strata = [
        {"name": "refused", "when": "signal.refusal", "rate": 1.0},
        {"name": "cancel", "when": "input mentions @cancel", "rate": 1.0},
        {"name": "refund", "when": 'attr["topic"] = "refund"', "rate": 1.0},
    ]
    apply(telemetry, load_policy("daily", {"rate": 1.0, "strata": strata}), words={"cancel": ["cancel it"]})
    assert {row["log_id"]: row["stratum"] for row in decisions(telemetry)} == {
        "a": "refused",
        "b": "cancel",
        "c": "refund",
        "d": "rest",
    }


@pytest.mark.parametrize(
    ("strata", "where", "message"),
    [
        ([{"name": "bad", "when": "erors > 0", "rate": 1.0}], "", "policy daily, stratum bad: "),
        ([], "service =", "policy daily, where: "),
        ([{"name": "new", "when": "last 2h", "rate": 1.0}], "", "`last` depends on when it is asked"),
    ],
)
def test_a_filter_that_can_not_be_used_is_a_wrong_setting(
    telemetry: Telemetry, strata: list[dict[str, Any]], where: str, message: str
) -> None:
    policy = load_policy("daily", {"rate": 1.0, "strata": strata, "where": where})
    with pytest.raises(ConfigError) as raised:
        apply(telemetry, policy)
    assert message in str(raised.value)


def test_progress_is_told_by_the_day(telemetry: Telemetry, put_logs: Put) -> None:
    put_logs(["a", "b"], [NOON, NOON + ONE_DAY])
    told: list[tuple[str, int, int | None]] = []
    both = Window(start=TODAY.start, end=TODAY.end + ONE_DAY)
    apply(telemetry, window=both, progress=lambda stage, done, total: told.append((stage, done, total)))
    assert told == [("sample daily", 0, 2), ("sample daily", 1, 2), ("sample daily", 2, 2)]


def test_the_ledger_weighs_up_to_the_whole(telemetry: Telemetry, put_logs: Put, put_scores: Put) -> None:
    """From logs to a total: over many policies, weights of the judged and labelled recover all logs."""
    count, fails = 400, 90
    put_logs(ids(count), NOON, errors=[int(n < 60) for n in range(count)])
    put_scores(ids(count), NOON, value=[float(n >= fails) for n in range(count)])
    resolved = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
    judged, labelled = [], []
    for number in range(12):
        policy = load_policy(
            f"policy{number}",
            {
                "size": 80,
                "label_rate": 0.5,
                "strata": [{"name": "trouble", "when": "errors > 0", "size": 40, "label_rate": 0.9}],
            },
        )
        apply(telemetry, policy)
        found = read_ledger(telemetry, Question(resolved, policy.name, TODAY))
        assert found.decided_by_day == found.seen_by_day == {DAY: count}
        rows = [row for row in found.rows.to_pylist() if row["value"] == 0.0]
        judged.append(sum(1 / row["p1"] for row in rows))
        labelled.append(sum(1 / (row["p1"] * row["p2"]) for row in rows if row["p2"]))
    # Variance of one total from the design itself: sum of (1 - p) / p over the failing logs.
    p1 = [40 / 60 if n < 60 else 80 / 340 for n in range(fails)]
    tau = [p * (0.9 if n < 60 else 0.5) for n, p in enumerate(p1)]
    for totals, chances in ((judged, p1), (labelled, tau)):
        spread = (sum((1 - p) / p for p in chances) / 12) ** 0.5
        assert abs(sum(totals) / 12 - fails) < 3 * spread


def test_an_empty_store_is_no_trouble(telemetry: Telemetry) -> None:
    report = apply(telemetry)
    assert (report.decided, [s.logs for s in report.strata]) == (0, [0, 0])
    assert decisions(telemetry) == []


def test_a_crash_between_days_is_made_good(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_logs(ids(60), [NOON + n % 2 * ONE_DAY for n in range(60)])
    both = Window(start=TODAY.start, end=TODAY.end + ONE_DAY)
    later = AFTER + ONE_DAY
    apply(telemetry, window=both, now=later)
    whole = decisions(telemetry)
    telemetry.command("TRUNCATE TABLE selections")
    insert, calls = telemetry.insert, []

    def failing(table: str, rows: pa.Table) -> None:
        if table == "selections":
            calls.append(table)
            if len(calls) == 2:
                raise OSError("power cut")
        insert(table, rows)

    monkeypatch.setattr(telemetry, "insert", failing)
    with pytest.raises(OSError, match="power cut"):
        apply(telemetry, window=both, now=later)
    assert 0 < len(decisions(telemetry)) < len(whole)
    apply(telemetry, window=both, now=later)
    assert decisions(telemetry) == whole
