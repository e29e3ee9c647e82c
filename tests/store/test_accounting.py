"""The books: every log has one fate, whatever happened, and a loss shows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from assay.query import parse
from assay.records import Accounting, MetricInfo, PolicyAccounting, Window
from assay.store.telemetry.accounting import accounting, accounting_by_hour, policy_by_hour, spend_by_day
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.scope import Question

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TODAY = Window.of_day(date(2026, 5, 4))
INFO = MetricInfo(name="resolved", version="v1", kind="judge", unit="conversation")
QUESTION = Question(INFO, "daily", TODAY)
FATES = ("filtered", "not_sampled", "over_budget", "failed", "skipped", "pending", "scored")
Put = Callable[..., None]


def counts(found: Accounting) -> dict[str, int]:
    return {name: n for name in FATES if (n := getattr(found, name))}


def test_every_way_a_log_can_go(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    fates = ["scored", "failed", "skipped", "over_budget"]
    ids = ["outside", "undecided", "not drawn", "drawn", *fates, "scored unasked"]
    put_logs(ids, START, service=["mail", *["chat"] * (len(ids) - 1)])
    put_selections(["not drawn", "drawn", *fates], START, selected=[0, 1, 1, 1, 1, 1])
    put_scores(fates, START, fate=fates, value=[1.0, None, None, None])
    put_scores(["scored unasked"], START)
    found = accounting(telemetry, QUESTION, where=parse('service = "chat"'))
    assert found.balanced
    assert (found.seen, found.metric, found.metric_version) == (9, "resolved", "v1")
    assert counts(found) == {
        "filtered": 1,
        "not_sampled": 1,
        "over_budget": 1,
        "failed": 1,
        "skipped": 1,
        "pending": 2,
        "scored": 2,
    }
    assert counts(accounting(telemetry, QUESTION))["pending"] == 3
    assert counts(accounting(telemetry, QUESTION._replace(info=replace(INFO, version="v2")))) == {
        "not_sampled": 1,
        "pending": 8,
    }


def test_what_was_decided_before_the_filter_changed_keeps_its_fate(
    telemetry: Telemetry, put_logs: Put, put_selections: Put
) -> None:
    put_logs(["a", "b"], START, service="mail")
    put_selections(["a"], START, selected=0)
    found = accounting(telemetry, QUESTION, where=parse('service = "chat"'))
    assert counts(found) == {"not_sampled": 1, "filtered": 1}


def test_the_books_stand_by_the_hour(telemetry: Telemetry, put_logs: Put, put_selections: Put) -> None:
    put_logs(["a", "b", "c"], [START, START + timedelta(minutes=29), START + timedelta(minutes=30)])
    put_selections(["c"], START + timedelta(minutes=30), selected=0)
    rows = accounting_by_hour(telemetry, QUESTION)
    nine = START.replace(minute=0)
    assert [
        (row.hour, row.accounting.seen, row.accounting.pending, row.accounting.not_sampled) for row in rows
    ] == [
        (nine, 2, 2, 0),
        (nine + timedelta(hours=1), 1, 0, 1),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_random_books_balance_and_agree_with_a_recount(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put, seed: int
) -> None:
    rng = random.Random(seed)
    ids = [f"log{n}" for n in range(300)]
    starts = {i: TODAY.start + timedelta(seconds=rng.randrange(86_400)) for i in ids}
    service = {i: rng.choice(["chat", "mail"]) for i in ids}
    decided = {i: rng.random() < 0.4 for i in ids if rng.random() < 0.7}
    outcome = {i: rng.choice(FATES[2:5] + FATES[6:]) for i in ids if rng.random() < 0.4}
    put_logs(ids, list(starts.values()), service=list(service.values()))
    for _ in range(2):
        put_selections(
            list(decided), [starts[i] for i in decided], selected=[int(yes) for yes in decided.values()]
        )
        values = [1.0 if fate == "scored" else None for fate in outcome.values()]
        put_scores(list(outcome), [starts[i] for i in outcome], fate=list(outcome.values()), value=values)

    def fate_of(log_id: str) -> str:
        if log_id in outcome:
            return outcome[log_id]
        if log_id in decided:
            return "pending" if decided[log_id] else "not_sampled"
        return "pending" if service[log_id] == "chat" else "filtered"

    recount = Counter(fate_of(log_id) for log_id in ids)
    found = accounting(telemetry, QUESTION, where=parse('service = "chat"'))
    assert found.balanced
    assert (found.seen, counts(found)) == (300, dict(recount))
    for row in accounting_by_hour(telemetry, QUESTION, where=parse('service = "chat"')):
        here = [i for i in ids if starts[i].replace(minute=0, second=0, microsecond=0) == row.hour]
        assert row.accounting.seen == len(here) == sum(getattr(row.accounting, name) for name in FATES)


def test_a_log_that_is_doubled_on_the_way_puts_the_books_out_of_balance(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_logs(["a", "b"], START)
    put_selections(["a", "a"], START, stratum=["one", "two"])
    assert accounting(telemetry, QUESTION).balanced
    doubled = "(SELECT log_id, selected FROM selections FINAL UNION ALL SELECT 'a', 1)"
    monkeypatch.setattr("assay.store.telemetry.accounting.JUDGE", doubled)
    found = accounting(telemetry, QUESTION)
    assert (found.seen, found.pending, found.lost, found.balanced) == (2, 3, -1, False)


def test_an_empty_store_balances(telemetry: Telemetry) -> None:
    found = accounting(telemetry, QUESTION)
    assert (found.seen, found.balanced) == (0, True)


def test_spend_counts_the_newest_outcome_of_each_log(telemetry: Telemetry, put_scores: Put) -> None:
    assert spend_by_day(telemetry, TODAY, "resolved") == {}
    put_scores(["a", "b"], START, cost_usd=[0.25, 0.5])
    put_scores(["a"], START, cost_usd=0.125, metric="polite")
    put_scores(["b"], START, cost_usd=1.0, scored_at=START + timedelta(hours=1))
    put_scores(["c"], START + timedelta(days=1), cost_usd=9.0)
    assert spend_by_day(telemetry, TODAY, "resolved") == {START.date(): 1.25}
    assert spend_by_day(telemetry, TODAY, "polite") == {START.date(): 0.125}


def test_what_was_taken_back_is_not_missing(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    put_logs(["kept", "moved"], START)
    put_selections(["kept", "moved"], START)
    put_scores(["moved"], START)
    later = START + timedelta(minutes=5)
    put_logs(["moved"], START, is_deleted=1, computed_at=later)
    found = accounting(telemetry, QUESTION)
    assert (found.seen, found.pending, found.lost) == (1, 1, 0)
    put_logs(["moved"], later, computed_at=later)
    assert counts(accounting(telemetry, QUESTION)) == {"pending": 1, "scored": 1}


def test_a_conversation_is_looked_for_where_it_began(telemetry: Telemetry, put_logs: Put) -> None:
    begun = START - timedelta(days=9)
    put_logs(["long"], begun)
    put_logs(["turn 1", "turn 2"], [begun, START], unit="interaction", conversation_id="long")
    assert accounting(telemetry, QUESTION).seen == 0
    put_logs(["turn 3"], START, unit="interaction", conversation_id="nobody knows")
    assert (accounting(telemetry, QUESTION).seen, accounting(telemetry, QUESTION).lost) == (1, 1)


def test_of_a_day_whose_facts_have_outlived_their_time_nothing_is_missing(
    telemetry: Telemetry, put_logs: Put, put_selections: Put, put_scores: Put
) -> None:
    put_logs(["a"], START + timedelta(days=1))
    put_selections(["old"], START)
    put_scores(["old"], START)
    assert accounting(telemetry, QUESTION).seen == 0


def test_a_policy_s_books_tell_who_went_to_people_and_who_came_in_later(
    telemetry: Telemetry, put_logs: Put, put_selections: Put
) -> None:
    ids = ["filtered", "left", "drawn", "labelled", "late", "twice", "waiting"]
    put_logs(ids, START, service=["mail", *["chat"] * 6])
    put_selections(["left", "drawn", "labelled", "late", "twice"], START, selected=[0, 1, 1, 0, 1])
    put_selections(["left", "late", "twice"], START, occasion=1, selected=[0, 1, 1])
    put_selections(["drawn", "labelled"], START, stage="label", selected=[0, 1])
    (hour,) = policy_by_hour(
        telemetry, "daily", "conversation", TODAY, where=parse('service = "chat"'), upto=START
    )
    assert hour.accounting == PolicyAccounting(
        policy="daily",
        unit="conversation",
        seen=7,
        filtered=1,
        not_sampled=1,
        pending=1,
        drawn=4,
        people=1,
        added=1,
    )
