"""What the filter language accepts, and how it says what it does not."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.conditions import CONDITIONS

from assay.errors import FilterError
from assay.query import (
    LEVELS,
    And,
    AnyTurn,
    Attribute,
    Compare,
    Condition,
    Contains,
    Field,
    HasScore,
    InConversation,
    InList,
    IsKnown,
    Last,
    Mentions,
    Names,
    Not,
    Or,
    Says,
    ScoreIs,
    Selected,
    SignalIs,
    Tagged,
    holds,
    parse,
    to_text,
)

NAMES = Names(
    signals=frozenset({"error", "refusal", "or"}),
    metrics=frozenset({"resolved"}),
    words=frozenset({"asks_human"}),
    policies=frozenset({"daily"}),
    saved={
        "angry": "signal.error and turns > 3",
        "worse": "saved.angry or judged",
        "loop": "judged or saved.pool",
        "pool": "saved.loop",
        "broken": "turns > and",
        "many": " or ".join(["saved.angry"] * 51),
    },
    priorities=(
        ("high", SignalIs(name="error")),
        ("medium", SignalIs(name="refusal")),
        ("high", HasScore(source="label")),
    ),
)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("turns >= 3", Compare(subject=Field(name="turns"), operator=">=", value=3.0)),
        ("version != 'v7'", Compare(subject=Field(name="version"), operator="!=", value="v7")),
        ('attr["to pic"] = "x"', Compare(subject=Attribute(key="to pic"), operator="=", value="x")),
        ('attr["n"] > -1.5e2', Compare(subject=Attribute(key="n"), operator=">", value=-150.0)),
        (
            'started >= "2026-11-01"',
            Compare(subject=Field(name="started"), operator=">=", value=datetime(2026, 11, 1, tzinfo=UTC)),
        ),
        (
            'ended < "2026-11-01T02:00:00+02:00"',
            Compare(subject=Field(name="ended"), operator="<", value=datetime(2026, 11, 1, tzinfo=UTC)),
        ),
        ('model in ("a", "b")', InList(subject=Field(name="model"), values=("a", "b"))),
        ("turns not in (1, 2)", Not(part=InList(subject=Field(name="turns"), values=(1.0, 2.0)))),
        ('text CONTAINS "a\\"b\\\\"', Contains(subject=Field(name="text"), part='a"b\\')),
        ("input mentions @asks_human", Mentions(subject=Field(name="input"), words="asks_human")),
        (
            "score.resolved<.5".replace(".5", "0.5"),
            ScoreIs(source="score", metric="resolved", operator="<", value=0.5),
        ),
        ("label.resolved = 0", ScoreIs(source="label", metric="resolved", operator="=", value=0.0)),
        ("judged", HasScore(source="score")),
        ("Labelled", HasScore(source="label")),
        ("last 36h", Last(ago=timedelta(hours=36))),
        ("signal.or", SignalIs(name="or")),
        ("app_version = 'v7'", Compare(subject=Field(name="version"), operator="=", value="v7")),
        ("cost > 1 ", Compare(subject=Field(name="cost_usd"), operator=">", value=1.0)),
        ("output says 'refund policy'", Says(subject=Field(name="output"), phrase="refund policy")),
        ("SAYS 'refund'", Says(subject=Field(name="text"), phrase="refund")),
        ("feedback is known", IsKnown(subject=Field(name="feedback"))),
        ("attr['x'] is unknown", Not(part=IsKnown(subject=Attribute(key="x")))),
        ("tag = 'beta'", Tagged(tag="beta")),
        ("tag != 'beta'", Not(part=Tagged(tag="beta"))),
        ("tag in ('a', 'b')", Or(parts=(Tagged(tag="a"), Tagged(tag="b")))),
        ("tag not in ('a')", Not(part=Tagged(tag="a"))),
        ("selected", Selected()),
        ("selected.daily", Selected(policy="daily")),
        ("any(signal.or)", AnyTurn(part=SignalIs(name="or"))),
        ("conversation(not judged)", InConversation(part=Not(part=HasScore(source="score")))),
        ("saved.angry", parse("signal.error and turns > 3")),
        ("not saved.worse", parse("not ((signal.error and turns > 3) or judged)")),
        ("priority = 'high'", parse("signal.error or (labelled and not signal.refusal)")),
        ("priority != 'medium'", parse("not (signal.refusal and not signal.error)")),
        (
            "priority in ('low')",
            parse(
                "not ((signal.error or labelled and not signal.refusal)"
                " or signal.refusal and not signal.error)"
            ),
        ),
        ("not not judged", Not(part=Not(part=HasScore(source="score")))),
    ],
)
def test_each_form_is_read(text: str, condition: Condition) -> None:
    assert parse(text, NAMES) == condition


def test_not_binds_before_and_and_before_or() -> None:
    a, b, c = SignalIs(name="a"), SignalIs(name="b"), SignalIs(name="c")
    assert parse("signal.a or not signal.b and signal.c") == Or(parts=(a, And(parts=(Not(part=b), c))))
    assert parse("(signal.a or signal.b) and signal.c") == And(parts=(Or(parts=(a, b)), c))


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ('input contains "a\ud83d"', 17, "half a character (U+D83D)"),
        ('attr["\udfff"] = "x"', 6, "half a character (U+DFFF)"),
        ("", 0, "empty"),
        ("turns >", 7, "found the end"),
        ("turns > 3 and", 13, "expected a condition"),
        ("(turns > 3", 10, "expected `)`"),
        ("turns > 3 judged", 10, "expected the end or `and` or `or`, found `judged`"),
        ("turns # 3", 6, "`#` has no meaning"),
        ('output contains "abc', 16, "never closed"),
        ("latncy_ms > 3", 0, "did you mean `latency_ms` or `latency_z`?"),
        ("signal.refusel", 7, "unknown signal `refusel`; did you mean `refusal`?"),
        ("score.zzz > 0", 6, "unknown metric `zzz`; there are `resolved`"),
        ("input mentions @human", 16, "unknown word list"),
        ('turns = "3"', 8, "is a number"),
        ("version = 2", 10, "is a text"),
        ("version > 'a'", 8, "= and != only"),
        ("text = 'a'", 5, "can only be searched"),
        ("attr['x'] > 'a'", 10, "without quotes"),
        ("started = '2026-11-01'", 8, "< <= > >="),
        ("started > 'yesterday'", 10, "not a time"),
        ("started > 5", 10, "in quotes"),
        ("turns contains 'x'", 0, "only texts are searched"),
        ("input contains ''", 15, "empty one"),
        ("model in ('a', 2)", 10, "not both"),
        ("turns in ('a')", 10, "is a number"),
        ("turns > 1e999", 8, "too large"),
        ("last 0d", 5, "between one minute"),
        ("cots > 3", 0, "did you mean `cost`"),
        ("selected.dayly", 9, "unknown policy `dayly`; did you mean `daily`?"),
        ("saved.angri", 6, "unknown saved filter `angri`; did you mean `angry`?"),
        ("judged and saved.loop", 17, "`loop` can't be used: the saved filter `pool` can't be used: saved"),
        ("saved.pool", 6, "go in a circle: `pool` asks for `loop` asks for `pool`"),
        ("saved.broken", 6, "the saved filter `broken` can't be used: expected"),
        ("saved.many", 6, "at most 50"),
        ("priority = 'hgih'", 11, "unknown priority `hgih`; did you mean `high`?"),
        ("priority > 'high'", 9, "= and != only"),
        ("tag = 3", 6, "is a text"),
        ("tag contains 'a'", 0, "with = != and in only"),
        ("priority is known", 0, "with = != and in only"),
        ("text is known", 0, "can only be searched"),
        ("turns says 'x'", 0, "only texts are searched"),
        ("input says '...'", 11, "a word at least"),
        ("feedback is", 11, "expected `known` or `unknown`, found the end"),
        ("any signal.or", 4, "expected `(`"),
        ("conversation = 'x'", 13, "expected `(`"),
        ("not " * 41 + "judged", 160, "nest at most 40 deep"),
        ("turns > 3\nand turnz < 2", 14, "  and turnz < 2\n      ^"),
    ],
)
def test_a_mistake_is_explained_where_it_is(text: str, position: int, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, NAMES)
    assert caught.value.position == position
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["priority = 'high'", "saved.angry"])
def test_what_nobody_hands_in_can_not_be_asked_for(text: str) -> None:
    with pytest.raises(FilterError, match="can't be asked for here"):
        parse(text)


def test_without_rules_everything_is_of_low_priority() -> None:
    names = Names(priorities=())
    row = {"turns": 3}
    assert holds(parse("priority = 'low'", names), row)
    assert not holds(parse("priority in ('high', 'medium')", names), row)


@given(
    st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from("abcd")), max_size=6),
    st.sets(st.sampled_from("abcd")),
)
def test_the_first_rule_that_holds_tells_the_priority(rules: list[tuple[str, str]], raised: set[str]) -> None:
    names = Names(priorities=tuple((level, SignalIs(name=name)) for level, name in rules))
    row = {"signals": raised, "turns": 1}
    expected = next((level for level, name in rules if name in raised), "low")
    told = [level for level in LEVELS if holds(parse(f"priority = '{level}'", names), row)]
    assert told == [expected]


def test_the_caret_stands_under_the_mistake() -> None:
    with pytest.raises(FilterError, match=r"\n  signal\.error and turnz > 3\n {19}\^$"):
        parse("signal.error and turnz > 3")


@pytest.mark.parametrize("text", ["(" * 1_900 + "judged" + ")" * 1_900, "not " * 900 + "judged"])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(FilterError, match="deep"):
        parse(text)


def test_length_is_bounded() -> None:
    with pytest.raises(FilterError, match="4,000 characters"):
        parse("judged or " * 400 + "judged")


def test_unknown_names_pass_where_nobody_knows_them() -> None:
    score = ScoreIs(source="score", metric="later", operator=">", value=0.0)
    assert parse("signal.later and score.later > 0") == And(parts=(SignalIs(name="later"), score))


@given(CONDITIONS)
def test_text_and_condition_say_the_same(condition: Condition) -> None:
    assert parse(to_text(condition)) == condition


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(FilterError):
        condition = parse(text)
        assert parse(to_text(condition)) == condition


def test_the_grammar_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, assay.query; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
