"""The simulated world is the same each time, of the stated size, and fails as it is meant to."""

from __future__ import annotations

from datetime import date

import pytest

from assay.demo.reviewers import RATERS, review
from assay.demo.script import MOST_TURNS, Conversation
from assay.demo.world import World, truth
from assay.errors import CallerError, UnknownName

LAST = date(2026, 11, 22)


@pytest.fixture(scope="module")
def fortnight() -> list[Conversation]:
    world = World(last_day=LAST, per_day=400)
    return [conversation for day in range(world.days) for conversation in world.conversations(day)]


@pytest.mark.parametrize("per_day", [1, 3, 40, 5_000])
@pytest.mark.parametrize("days", [1, 2, 7, 14])
def test_total_is_exact_and_weekdays_differ(per_day: int, days: int) -> None:
    world = World(last_day=LAST, per_day=per_day, days=days)
    assert sum(world.sizes()) == world.total == per_day * days
    assert world.dates[-1] == LAST
    assert len(world.dates) == days
    if per_day >= 40 and days >= 7:
        assert max(world.sizes()) > 1.2 * min(world.sizes())


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": 15}, {"per_day": 0}, {"seed": -1}, {"seed": 10**9}])
def test_impossible_worlds_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(CallerError, match=r"days|a day"):
        World(last_day=LAST, **wrong)


def test_same_seed_same_world_and_other_seed_another() -> None:
    one = list(World(last_day=LAST, per_day=30).conversations(13))
    two = list(World(last_day=LAST, per_day=30).conversations(13))
    other = list(World(last_day=LAST, per_day=30, seed=8).conversations(13))
    assert one == two
    assert [c.exchanges for c in one] != [c.exchanges for c in other]


def test_known_draws_do_not_change_between_versions() -> None:
    told = truth("c-7-20261122-14-00000")
    assert (told.topic, told.language, told.resolved, told.mode) == ("payment", "en", False, "silent")
    assert told.start_s == pytest.approx(70_802.96108610928)


def test_truth_follows_from_the_id(fortnight: list[Conversation]) -> None:
    for conversation in fortnight[::37]:
        assert truth(conversation.truth.conversation_id) == conversation.truth


@pytest.mark.parametrize(
    "name", ["", "c-7-20261122-14", "c-7-20261322-14-00001", "c-7-20261122-15-00001", "x" * 32]
)
def test_other_ids_are_unknown(name: str) -> None:
    with pytest.raises(UnknownName):
        truth(name)


def test_rates_of_the_story(fortnight: list[Conversation]) -> None:
    def resolved(of: list[Conversation]) -> float:
        return sum(c.truth.resolved for c in of) / len(of)

    assert 0.925 < resolved(fortnight) < 0.96
    early = [c for c in fortnight if c.truth.day < 6]
    late = [c for c in fortnight if c.truth.day >= 13]
    assert resolved(late) < resolved(early) - 0.02
    refunds = [c for c in fortnight if c.truth.topic == "refund"]
    assert resolved([c for c in refunds if c.truth.version == "1.9"]) < 0.9
    assert resolved([c for c in refunds if c.truth.version == "1.8"]) > 0.9
    emerging = [c for c in fortnight if c.truth.topic == "gift_card"]
    assert {c.truth.day for c in emerging} <= {11, 12, 13, 14}
    assert resolved(emerging) < 0.7
    assert {c.truth.route for c in emerging} == {"other"}
    outage = [c for c in fortnight if c.truth.cause == "outage"]
    assert outage
    assert {(c.truth.day, int(c.truth.start_s // 3600)) for c in outage} == {(6, 14)}


def test_signals_and_failures_are_only_related(fortnight: list[Conversation]) -> None:
    failed = [c for c in fortnight if not c.truth.resolved]
    silent = [c for c in failed if not c.truth.marks]
    assert 0.1 < len(silent) / len(failed) < 0.4
    for mark in ("refusal", "asks_human", "repeats"):
        marked = [c for c in fortnight if mark in c.truth.marks]
        share = sum(not c.truth.resolved for c in marked) / len(marked)
        assert 0.25 < share < 0.85, mark
    down = [c for c in fortnight if c.truth.feedback == 0]
    assert 0.4 < sum(not c.truth.resolved for c in down) / len(down) < 0.95


def test_shape_of_conversations(fortnight: list[Conversation]) -> None:
    turns = [len(c.exchanges) for c in fortnight]
    assert min(turns) == 1
    assert max(turns) == MOST_TURNS
    assert 1.8 < sum(turns) / len(turns) < 2.05
    for conversation in fortnight:
        at = conversation.exchanges[0].started_ns
        for exchange in conversation.exchanges:
            assert at <= exchange.started_ns < exchange.ended_ns
            assert exchange.started_ns - at < 15 * 60 * 10**9  # else the conversation would settle early
            at = exchange.ended_ns
            assert exchange.user
            assert "{" not in exchange.answer.partition("(You wrote")[0]
            assert bool(exchange.answer) != bool(exchange.error)
            assert len(exchange.tools) + len(exchange.documents[:1]) <= 3
        assert at < (conversation.truth.start_s + 1800) * 10**9 + _midnight_ns(conversation)


def test_limits_show_where_nothing_else_does(fortnight: list[Conversation]) -> None:
    silent = [c.exchanges[-1] for c in fortnight if c.truth.mode == "silent"]
    good = [c.exchanges[-1] for c in fortnight if c.truth.resolved]
    for limit in ("cut", "in_vain"):
        failing = sum(getattr(last, limit) for last in silent) / len(silent)
        assert 0.02 < failing < 0.2, limit
        assert sum(getattr(last, limit) for last in good) / len(good) < 0.01, limit
    assert not any(last.in_vain and last.documents for last in silent + good)


def test_texts_vary_and_some_are_hostile(fortnight: list[Conversation]) -> None:
    requests = [e.user for c in fortnight for e in c.exchanges]
    first = [c.exchanges[0].user for c in fortnight]
    assert len(set(first)) > 0.8 * len(first)
    assert len(set(requests)) > 0.6 * len(requests)
    assert any("<script>" in text for text in requests) or any("onerror" in text for text in requests)
    assert any("Ignore your instructions" in text for text in requests)
    assert any("\u202e" in text for text in requests)


def test_languages_tiers_and_models(fortnight: list[Conversation]) -> None:
    count = len(fortnight)
    assert 0.85 < sum(c.truth.language == "en" for c in fortnight) / count < 0.95
    assert {c.truth.language for c in fortnight} == {"en", "es", "de"}
    assert {c.truth.tier for c in fortnight} == {"free", "plus", "business"}
    assert 0.2 < sum(c.truth.model == "claude-haiku-4-5" for c in fortnight) / count < 0.3
    assert len({c.truth.topic for c in fortnight}) >= 13


def test_reviewers_err_now_and_then_but_balanced(fortnight: list[Conversation]) -> None:
    reviews = [(c.truth, review(c.truth.conversation_id)) for c in fortnight]
    missed = [r.value for t, r in reviews if not t.resolved]
    assert 0.05 < sum(missed) / len(missed) < 0.16
    alarms = [1 - r.value for t, r in reviews if t.resolved]
    assert 0.003 < sum(alarms) / len(alarms) < 0.01
    said = sum(r.value for _, r in reviews) / len(reviews)
    assert said == pytest.approx(sum(t.resolved for t, _ in reviews) / len(reviews), abs=0.004)
    assert {r.rater for _, r in reviews} == set(RATERS)


def _midnight_ns(conversation: Conversation) -> int:
    return conversation.exchanges[0].started_ns - int(conversation.truth.start_s * 1e6) * 1000
