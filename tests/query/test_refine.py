"""A filter taken apart: its parts keep their words and their meaning."""

from __future__ import annotations

import pytest

from assay.query import Attribute, Field, SignalIs, parse
from assay.query.refine import add, choose, exclude, join, narrow, read_parts, said_of, take, without

MODEL = Field(name="model")
TEXTS = [
    "turns > 3",
    "turns > 3 and signal.error",
    "turns > 3  AND (signal.error or errors>0) and not judged",
    'input contains " and " and output contains ") or ("',
    'input contains \'it\\\'s and\' and attr["a and b"] = "x"',
    "turns > 3 or signal.error and judged",
    'model in ("a", "b") and model not in ("c")',
    "any(turns > 0 and errors > 0) and judged",
    "not (turns > 3 and judged) and labelled",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_parts_together_are_the_filter(text: str) -> None:
    parts = read_parts(text, parse)
    assert parse(join(parts)) == parse(text)
    for part in parts:
        assert parse(part.text) == part.condition
        assert part.text in text
    more = read_parts(add(parts, SignalIs(name="slow")), parse)
    assert [part.condition for part in more] == [*(part.condition for part in parts), SignalIs(name="slow")]


def test_an_empty_filter_has_no_parts() -> None:
    assert read_parts("  ", parse) == ()
    assert add((), SignalIs(name="slow")) == "signal.slow"


def test_an_or_is_put_in_brackets_when_something_is_added() -> None:
    parts = read_parts("turns > 3 or judged", parse)
    assert len(parts) == 1
    assert add(parts, SignalIs(name="slow")) == "(turns > 3 or judged) and signal.slow"
    grouped = read_parts("(turns > 3 or judged) and labelled", parse)
    assert add(grouped, SignalIs(name="slow")) == "(turns > 3 or judged) and labelled and signal.slow"
    two = read_parts("(turns > 3) or (judged)", parse)
    assert add(two, SignalIs(name="slow")) == "((turns > 3) or (judged)) and signal.slow"


def test_a_value_is_chosen_beside_others_and_taken_back() -> None:
    one = choose(read_parts("turns > 3", parse), MODEL, "a")
    assert one == 'turns > 3 and model = "a"'
    two = choose(read_parts(f"{one} and judged", parse), MODEL, 'b"')
    assert two == 'turns > 3 and model in ("a", "b\\"") and judged'
    assert said_of(read_parts(two, parse), MODEL) == (("a", 'b"'), ())
    back = choose(read_parts(two, parse), MODEL, "a")
    assert back == 'turns > 3 and model = "b\\"" and judged'
    assert choose(read_parts(back, parse), MODEL, 'b"') == "turns > 3 and judged"


def test_a_value_is_left_out_and_taken_back() -> None:
    plan = Attribute(key="plan")
    out = exclude(read_parts('attr["plan"] = "pro"', parse), plan, "pro")
    assert out == 'attr["plan"] != "pro"'
    both = exclude(read_parts(out, parse), plan, "free")
    assert both == 'attr["plan"] != "pro" and attr["plan"] != "free"'
    assert exclude(read_parts(both, parse), plan, "pro") == 'attr["plan"] != "free"'
    assert choose(read_parts(both, parse), plan, "pro") == 'attr["plan"] = "pro" and attr["plan"] != "free"'
    listed = read_parts('attr["plan"] not in ("a", "b")', parse)
    assert said_of(listed, plan) == ((), ("a", "b"))
    assert exclude(listed, plan, "a") == 'attr["plan"] != "b"'


def test_what_is_said_of_a_fact_is_left_aside() -> None:
    parts = read_parts('model = "a" and turns > 3 and model contains "b" and version != "v1"', parse)
    assert join(without(parts, MODEL)) == 'turns > 3 and model contains "b" and version != "v1"'
    assert join(take(parts, parse("turns > 3"))) == 'model = "a" and model contains "b" and version != "v1"'


def test_the_writing_of_other_parts_is_kept() -> None:
    parts = read_parts("Turns>3 and   (errors>0)", lambda text: parse(text.replace("Turns", "turns")))
    assert add(parts, SignalIs(name="slow")) == "Turns>3 and (errors>0) and signal.slow"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", "judged"),
        ("turns > 1", "turns > 1 and judged"),
        ("turns > 1 or errors > 0", "(turns > 1 or errors > 0) and judged"),
        ('input says "this or that" ', 'input says "this or that" and judged'),
        ("turns > 1 and judged", "turns > 1 and judged"),
    ],
)
def test_a_filter_is_narrowed_by_its_words(text: str, result: str) -> None:
    assert narrow(text, "judged") == result
