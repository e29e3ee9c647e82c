"""What a condition says of one log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.errors import FilterError
from assay.query import FIELDS, holds, parse
from assay.query.reference import describe_language
from assay.query.text import fold_words

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORDS = {"asks_human": ("human", "real person"), "refusal": ("I can't",), "empty": ("...",)}


def row(**facts: Any) -> dict[str, Any]:
    texts = {name: "" for name, field in FIELDS.items() if field.kind == "text"}
    numbers = {name: 0.0 for name, field in FIELDS.items() if field.kind == "number" and name != "tokens"}
    times = {"started": NOW, "ended": NOW}
    return {
        "unit": "conversation",
        **texts,
        **numbers,
        **times,
        "feedback": None,
        "attributes": {},
        "signals": (),
        **facts,
    }


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("turns >= 3", {"turns": 3}, True),
        ("tokens = 7", {"input_tokens": 3, "output_tokens": 4}, True),
        ("feedback < 0.5", {}, False),
        ("feedback != 0.5", {}, False),
        ("not feedback >= 0", {}, True),
        ("feedback < 0.5", {"feedback": 0.0}, True),
        ('attr["x"] = ""', {}, True),
        ('attr["x"] > 2', {"attributes": {"x": "2.5"}}, True),
        ('attr["x"] > 2', {"attributes": {"x": "3 apples"}}, False),
        ('attr["x"] != 2', {"attributes": {"x": "3\n"}}, False),
        ('output contains "REFUND"', {"output": "your refund is on its way"}, True),
        ('text contains "b"', {"input": "a", "output": "c", "said": ["b"]}, True),
        ("input mentions @asks_human", {"input": "let me talk to a Human!"}, True),
        ("input mentions @asks_human", {"input": "a real,\nperson"}, True),
        ("input mentions @asks_human", {"input": "humanity"}, False),
        ("output mentions @refusal", {"output": "Sorry, I can’t do that."}, True),
        ("output mentions @empty", {"output": "..."}, False),
        ("signal.error", {"signals": ("error",)}, True),
        ("score.resolved < 0.5", {"scores": {"resolved": 0.2}}, True),
        ("score.resolved != 0.5", {}, False),
        ("label.resolved = 1", {"labels": {"resolved": 1.0}}, True),
        ("judged and not labelled", {"scores": {"resolved": 1.0}}, True),
        ("says 'real person'", {"said": ["a real, person!"]}, True),
        ("input says 'real person'", {"input": "a real, personal"}, False),
        ("tag = 'b'", {"attributes": {"tags": '["a", "b"]'}}, True),
        ("tag = 'b'", {"attributes": {"tags": "a, bc"}}, False),
        ("tag = 'b'", {}, False),
        ("user_id is known", {}, False),
        ("user_id is known", {"user_id": "ann"}, True),
        ("feedback is unknown", {}, True),
        ("feedback is known", {"feedback": 0.0}, True),
        ("turns is known", {}, True),
        ("selected", {"selected": ("daily",)}, True),
        ("selected.daily", {"selected": ("other",)}, False),
        ("selected", {}, False),
        ("any(turns = 2)", {"interactions": [row(turns=1), row(turns=2)]}, True),
        ("any(turns = 2)", {"turns": 2, "interactions": [row(turns=1)]}, False),
        ("any(turns = 2)", {"unit": "interaction", "turns": 2}, True),
        ("conversation(turns = 2)", {"unit": "interaction", "conversation": row(turns=2)}, True),
        ("conversation(turns = 2)", {"unit": "interaction", "turns": 2, "conversation": None}, False),
        ("conversation(turns = 2)", {"turns": 2}, True),
        ("last 2h", {"started": datetime(2026, 11, 20, 9, tzinfo=UTC)}, False),
        ("last 2d", {"started": datetime(2026, 11, 20, 9, tzinfo=UTC)}, True),
    ],
)
def test_a_condition_holds_or_not(text: str, facts: dict[str, Any], expected: bool) -> None:
    assert holds(parse(text), row(**facts), words=WORDS, now=NOW) is expected


def test_what_can_not_be_answered_is_said() -> None:
    with pytest.raises(FilterError, match="unknown word list `nope`; there are"):
        holds(parse("input mentions @nope"), row(), words=WORDS)
    with pytest.raises(FilterError, match="depends on when"):
        holds(parse("last 2d"), row())
    with pytest.raises(FilterError, match=r"`any\(...\)` can't be asked here"):
        holds(parse("any(judged)"), row())
    with pytest.raises(FilterError, match=r"`conversation\(...\)` can't be asked here"):
        holds(parse("conversation(judged)"), row(unit="interaction"))


def test_words_are_parted_by_whatever_is_no_letter() -> None:
    assert fold_words("  I CAN'T—go, 2 ") == " i can t go 2 "
    assert fold_words("!?") == " "


def test_the_reference_page_is_current() -> None:
    page = Path(__file__).parents[2] / "docs/reference/filter.md"
    assert page.read_text(encoding="utf-8") == describe_language()
