"""What is offered to somebody who writes a filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark.exceptions import UnexpectedInput
from tests.query.conditions import CONDITIONS

from assay.query import to_text
from assay.query.complete import Completion, Known, complete
from assay.query.parse import open_parser

KNOWN = Known(
    signals={"refusal": "the assistant declines", "error": "a step failed"},
    metrics={"resolved": "was it solved?"},
    words={"asks_human": "3 phrases"},
    policies={"daily": ""},
    saved={"angry": "signal.error"},
    attributes={"tenant.tier": "", 'a"b': ""},
    values={
        "version": {"v7": "12 logs", 'v"8': ""},
        'attr["tenant.tier"]': {"gold": "", "silver": ""},
        "tag": {"beta": "2 logs"},
    },
)


def at(marked: str, known: Known = KNOWN) -> list[Completion]:
    """What is offered where the bar stands."""
    cursor = marked.index("|")
    return complete(marked[:cursor] + marked[cursor + 1 :], cursor, known)


def inserts(marked: str) -> list[str]:
    return [found.insert for found in at(marked)]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("versi|", ["version ", "app_version "]),
        ("refu|", ["signal.refusal "]),
        ("angr|", ["saved.angry "]),
        ("tier|", ['attr["tenant.tier"] ']),
        ("signal.|", ["refusal ", "error "]),
        ("signal.re|", ["refusal "]),
        ("score.|", ["resolved "]),
        ("label.res|", ["resolved "]),
        ("selected.|", ["daily "]),
        ("saved.|", ["angry "]),
        ("input mentions |", ["@asks_human "]),
        ("input mentions @|", ["asks_human "]),
        ("attr[|", ['"tenant.tier"] ', '"a\\"b"] ']),
        ("attr['ten|", ['"tenant.tier"] ']),
        ("turns |", ["= ", "!= ", "< ", "<= ", "> ", ">= ", "in (", "not in (", "is known", "is unknown"]),
        ("started |", ["< ", "<= ", "> ", ">= "]),
        ("text |", ["contains ", "says ", "mentions @"]),
        ("tag |", ["= ", "!= ", "in (", "not in ("]),
        ("score.resolved |", ["= ", "!= ", "< ", "<= ", "> ", ">= "]),
        ("version !|", ["!= "]),
        ("turns not |", ["in ("]),
        ("feedback is |", ["known ", "unknown "]),
        ("version = |", ['"v7" ', '"v\\"8" ']),
        ("app_version = |", ['"v7" ', '"v\\"8" ']),
        ("version in (|", ['"v7"', '"v\\"8"']),
        ("version not in ('v7', |", ['"v7"', '"v\\"8"']),
        ("version in ('v7' |", [", ", ") "]),
        ('attr["tenant.tier"] = "s|', ['"silver" ']),
        ("priority = |", ['"high" ', '"medium" ', '"low" ']),
        ("tag = |", ['"beta" ']),
        ("last 2|", ["24h "]),
        ("turns > 3 |", ["and ", "or "]),
        ("any(judged |", [") ", "and ", "or "]),
        ("turns > |", []),
        ("nonsense |", []),
        ("turns > 3 turns|", []),
        ("input contains 'it |", []),
    ],
)
def test_what_may_come_next_is_offered(marked: str, expected: list[str]) -> None:
    assert inserts(marked) == expected


def test_a_condition_may_begin_with_every_word_of_the_language() -> None:
    offered = inserts("|")
    assert {"signal.", "any(", "not ", "latency_ms ", "tag ", "priority "} <= set(offered)
    assert inserts("not |") == offered == inserts("judged and (|")
    assert not [text for text in offered if text.startswith(("signal.r", "saved.a", 'attr["t'))]


@pytest.mark.parametrize(
    ("marked", "insert", "result"),
    [
        ('version = "v|', '"v7" ', 'version = "v7" '),
        ("version = 'v|' and judged", '"v7" ', 'version = "v7" and judged'),
        ('version = "| and model = "x"', '"v7" ', 'version = "v7" and model = "x"'),
        ("tur| > 3", "turns ", "turns > 3"),
        ("signal.ref|al", "refusal ", "signal.refusal "),
        ("judged a|nd turns > 3", "and ", "judged and turns > 3"),
    ],
)
def test_what_is_chosen_takes_the_place_of_what_is_typed(marked: str, insert: str, result: str) -> None:
    (found,) = (found for found in at(marked) if found.insert == insert)
    text = marked.replace("|", "")
    assert text[: found.start] + found.insert + text[found.end :] == result


def test_what_is_offered_says_what_it_means() -> None:
    (found,) = at("signal.ref|")
    assert (found.kind, found.meaning) == ("signal", "the assistant declines")
    assert [found.meaning for found in at("version = |")] == ["12 logs", ""]


@given(CONDITIONS.map(to_text), st.data())
def test_whatever_is_offered_may_stand_there(text: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    for found in complete(text, cursor, KNOWN):
        assert found.start <= cursor <= found.end <= len(text)
        begun = text[: found.start] + found.insert
        reader = open_parser().parse_interactive(begun.removesuffix('"') if begun.endswith('["') else begun)
        try:
            reader.exhaust_lexer()
        except UnexpectedInput as error:
            pytest.fail(f"{found.insert!r} can't stand at {found.start} of {text!r}: {error}")


@given(st.text(max_size=40), st.integers(-2, 45))
def test_any_text_is_completed_or_not(text: str, cursor: int) -> None:
    for found in complete(text, cursor, KNOWN):
        assert 0 <= found.start <= cursor <= found.end <= len(text)


@pytest.mark.parametrize(
    ("text", "insert"),
    [
        ('version = "v7"', " and "),
        ("(turns > 1)", " and "),
        ('attr["plan"]', " contains "),
        ('attr["plan"]', "= "),
        ("judged ", "and "),
        ('version in ("v7"', ", "),
    ],
)
def test_a_word_is_set_apart_from_what_stands_before_it(text: str, insert: str) -> None:
    assert insert in [found.insert for found in at(f"{text}|")]
