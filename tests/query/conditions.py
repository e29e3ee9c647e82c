"""Hypothesis strategies: any condition, and any row it could be asked of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from assay.query import (
    FIELDS,
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
    Not,
    Or,
    Says,
    ScoreIs,
    Selected,
    SignalIs,
    Subject,
    Tagged,
)
from assay.query.text import fold_words

HOSTILE = (
    "",
    "'",
    '"',
    "\\",
    "\\'",
    "'); DROP TABLE signals; --",
    "{c0:String}",
    "{",
    "}}",
    "%s",
    "\x00",
    "\n\t",
)
WORDS = {"asks_human": ("human", "real person"), "odd": ("can't", "ñandú", "{x}", "...", "o'neil")}
SIGNALS = ("error", "refusal", "or")
METRICS = ("resolved", "not")

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cn", "Co"))
TEXTS = st.one_of(
    st.sampled_from(
        [*HOSTILE, "v7", "Refund", "a HUMAN, please", "real  person", "can’t", "Ñandú", "1.50", "-3", "7"]
    ),
    st.text(LETTERS, max_size=12),
)
NUMBERS = st.one_of(
    st.integers(-3, 12).map(float), st.sampled_from([0.1, 0.5, 1.5, 1e300, 1e-9, 20_000.0, 2.0**53])
)
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUALITY = st.sampled_from(["=", "!="])
ORDER = st.sampled_from(["<", "<=", ">", ">="])
START = datetime(2026, 11, 1, tzinfo=UTC)
TIMES = st.integers(0, 3 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))


def _named(kind: str) -> st.SearchStrategy[Subject]:
    return st.sampled_from([field.name for field in FIELDS.values() if field.kind == kind]).map(
        lambda name: Field(name=name)
    )


PHRASES = st.one_of(
    st.sampled_from(["real person", "Human", "can't", "REFUND", "c0", "Ñandú", "1.50", "a\x00human"]), TEXTS
).filter(lambda text: bool(fold_words(text).strip()))
TAGS = st.one_of(st.sampled_from(["beta", "two words", "c", "user's", "", "a,b", "ünï"]), TEXTS)
ATTRIBUTES: st.SearchStrategy[Subject] = st.sampled_from(["topic", "n", "a'b"]).map(
    lambda key: Attribute(key=key)
)
SEARCHED = st.one_of(_named("text"), _named("said"), ATTRIBUTES)
EXACT = st.one_of(_named("text"), ATTRIBUTES)
COUNTED = st.one_of(_named("number"), ATTRIBUTES)

LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, subject=EXACT, operator=EQUALITY, value=TEXTS),
    st.builds(Compare, subject=COUNTED, operator=OPERATORS, value=NUMBERS),
    st.builds(Compare, subject=_named("time"), operator=ORDER, value=TIMES),
    st.builds(InList, subject=EXACT, values=st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
    st.builds(InList, subject=COUNTED, values=st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    st.builds(Contains, subject=SEARCHED, part=TEXTS.filter(bool)),
    st.builds(Mentions, subject=SEARCHED, words=st.sampled_from(sorted(WORDS))),
    st.builds(Says, subject=SEARCHED, phrase=PHRASES),
    st.builds(Tagged, tag=TAGS),
    st.builds(IsKnown, subject=st.one_of(*(_named(kind) for kind in ("text", "number", "time")), ATTRIBUTES)),
    st.builds(Selected, policy=st.sampled_from(["", "daily", "or"])),
    st.builds(SignalIs, name=st.sampled_from(SIGNALS)),
    st.builds(
        ScoreIs,
        source=st.sampled_from(["score", "label"]),
        metric=st.sampled_from(METRICS),
        operator=OPERATORS,
        value=st.sampled_from([0.0, 0.5, 1.0]),
    ),
    st.builds(HasScore, source=st.sampled_from(["score", "label"])),
    st.builds(Last, ago=st.integers(1, 5_000).map(lambda minutes: timedelta(minutes=minutes))),
)


def _larger(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    one = [st.builds(kind, part=inner) for kind in (Not, AnyTurn, InConversation)]
    return st.one_of(st.builds(And, parts=parts), st.builds(Or, parts=parts), *one)


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(LEAVES, _larger, max_leaves=6)
