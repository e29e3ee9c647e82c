"""A version changes when, and only when, the metric could score differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import assay
from assay.metrics.judge import JudgeMetric
from assay.metrics.load import load_metrics

BASE = '''\
import re
import assay

LIMIT = 3
WORDS = re.compile("a|b")
unrelated = 1


def long_enough(text):
    return len(text) > LIMIT


@assay.metric(unit="conversation", goal="high")
def good(log):
    """It is good."""
    return long_enough(log.output) and not WORDS.search(log.output)
'''


def version_of(folder: Path, text: str, name: str = "good") -> str:
    path = folder / "metrics.py"
    path.write_text(text, encoding="utf-8")
    return load_metrics(path)[name].info.version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 3  # characters"),
        ("    return long_enough(log.output) and", "    # why\n    return long_enough( log.output )  and"),
        ("It is good.", "It is very good."),
        ("unrelated = 1", "unrelated = 2"),
        ("import re\n", "import re\nimport os\n"),
        ('@assay.metric(unit="conversation", goal="high")', "@assay.metric()"),
        ("def long_enough(text):\n", 'def long_enough(text):\n    """Not short."""\n'),
        ('@assay.metric(unit="conversation"', '@assay.metric(target="short answers", unit="conversation"'),
    ],
)
def test_what_does_not_matter_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    assert version_of(tmp_path, BASE.replace(old, new)) == version_of(tmp_path, BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("and not", "or not"),
        ("LIMIT = 3", "LIMIT = 4"),
        ('"a|b"', '"a|c"'),
        ("> LIMIT", ">= LIMIT"),
        ('goal="high"', 'goal="low"'),
        ('unit="conversation"', 'unit="interaction"'),
        ("import re\n", "import regex_of_ours as re\n"),
    ],
)
def test_what_may_matter_does(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    (tmp_path / "regex_of_ours.py").write_text("from re import *\n", encoding="utf-8")
    assert version_of(tmp_path, BASE.replace(old, new)) != version_of(tmp_path, BASE)


def test_values_that_a_function_took_along_count(tmp_path: Path) -> None:
    text = """\
import assay
def shorter_than(limit):
    @assay.metric(name=f"shorter_than_{limit}")
    def shorter(log):
        return len(log.output) < limit
    return shorter
a = shorter_than(3)
b = shorter_than(4)
"""
    assert version_of(tmp_path, text, "shorter_than_3") != version_of(tmp_path, text, "shorter_than_4")


def test_a_version_of_ones_own_wins(tmp_path: Path) -> None:
    text = BASE.replace('goal="high"', 'version="7"')
    assert version_of(tmp_path, text) == "7"


def test_the_version_is_the_same_under_every_python(tmp_path: Path) -> None:
    assert version_of(tmp_path, BASE) == "9bddf9c54e35"


def judge(**changes: Any) -> JudgeMetric:
    given: dict[str, Any] = {"name": "resolved", "criteria": "Was it solved?", "model": "m"}
    return assay.judge(**(given | changes))


EXAMPLE = {"transcript": "user: hi", "reasoning": "nothing asked", "verdict": "pass"}


@pytest.mark.parametrize(
    "changes",
    [
        {"criteria": "Was it solved at once?"},
        {"model": "n"},
        {"temperature": 0.0},
        {"output": "score"},
        {"goal": "low"},
        {"unit": "interaction"},
        {"max_chars": 5000},
        {"max_tokens": 99},
        {"examples": [EXAMPLE]},
    ],
)
def test_everything_that_shapes_a_judges_answer_counts(changes: dict[str, Any]) -> None:
    assert judge(**changes).info.version != judge().info.version


@pytest.mark.parametrize(
    "changes", [{"name": "solved"}, {"target": "open ends"}, {"criteria": "\n    Was it solved?\n    "}]
)
def test_its_name_and_the_layout_of_its_criteria_do_not(changes: dict[str, Any]) -> None:
    assert judge(**changes).info.version == judge().info.version
