"""The word lists on real conversations: they find what they are for, and little else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from assay.query import fold_words
from assay.signals import load_words

pytestmark = pytest.mark.shared

WORDS = load_words()


def rows(shared: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(shared / "data" / name / f"{name}.parquet").to_pylist()


def finder(name: str) -> Callable[[str], bool]:
    return finder_of(WORDS[name])


def finder_of(phrases: Sequence[str]) -> Callable[[str], bool]:
    pattern = re.compile("|".join(re.escape(fold_words(phrase)) for phrase in phrases))
    return lambda text: bool(pattern.search(fold_words(text)))


def said_by(role: str, dialogues: list[dict[str, Any]]) -> list[str]:
    messages = (message for dialogue in dialogues for message in dialogue["messages"])
    return [message["content"] for message in messages if message["role"] == role and message["content"]]


def share(found: Callable[[str], bool], texts: list[str]) -> float:
    return sum(map(found, texts)) / len(texts)


def test_refusals_are_found_and_help_is_not_called_one(shared: Path) -> None:
    refused, kind = finder("refusal"), "human_response_type"
    answers = rows(shared, "xstest")
    assert share(refused, [row["output"] for row in answers if row[kind] == "refuse"]) > 0.82
    assert share(refused, [row["output"] for row in answers if row[kind] == "comply"]) < 0.05


def test_few_answers_of_a_shop_assistant_are_refusals(shared: Path) -> None:
    assert share(finder("refusal"), said_by("assistant", rows(shared, "tau_retail"))) < 0.02


def test_users_who_want_a_person_are_found(shared: Path) -> None:
    asks = finder("asks_human")
    users = said_by("user", rows(shared, "tau_retail"))
    plain = [text for text in users if re.search(r"\b(to|with|me) a human\b|\btransfer me\b", text.lower())]
    assert len(plain) >= 10
    assert share(asks, plain) > 0.9
    assert share(asks, users) < 0.03
    assert share(asks, [row["input"] for row in rows(shared, "banking77")]) < 0.005


def test_corrections_follow_bad_answers(shared: Path) -> None:
    corrects = finder("corrects")
    turns = [row for row in rows(shared, "uss_turns") if row["next_user"]]
    base = sum(row["label"] for row in turns) / len(turns)
    corrected = [row["label"] for row in turns if corrects(row["next_user"])]
    assert len(corrected) > 50
    assert sum(corrected) / len(corrected) > 4 * base


def test_injections_are_found_among_real_and_hard_benign_prompts(shared: Path) -> None:
    tries = finder("injection")
    prompts = rows(shared, "guard_prompts")
    assert share(tries, [row["input"] for row in prompts if row["label"] == 1]) > 0.5
    assert share(tries, [row["input"] for row in prompts if row["label"] == 0]) < 0.003


@pytest.mark.parametrize("name", ["frustrated", "gives_up"])
def test_moods_are_rare_in_ordinary_conversations(shared: Path, name: str) -> None:
    assert share(finder(name), said_by("user", rows(shared, "tau_retail"))) < 0.03
    assert share(finder(name), said_by("user", rows(shared, "uss_dialogues"))) < 0.01


def test_users_who_are_content_are_many_and_say_so_at_the_end(shared: Path) -> None:
    thanks = finder("thanks")
    users = [said_by("user", [row]) for row in rows(shared, "uss_dialogues")]
    talks = [said for said in users if len(said) > 3]
    assert share(thanks, [said[-1] for said in talks]) > 5 * share(thanks, [said[0] for said in talks])


def test_a_shop_assistant_that_acts_hedges_seldom(shared: Path) -> None:
    assert share(finder("hedges"), said_by("assistant", rows(shared, "tau_retail"))) < 0.02


def test_what_is_said_in_spanish_is_heard(shared: Path) -> None:
    talks = [row for row in rows(shared, "tau2_multi") if json.loads(row["meta"])["lang"] == "es"]
    users, assistants = said_by("user", talks), said_by("assistant", talks)
    assert share(finder("thanks"), users) > 0.1
    assert share(finder("unsure"), assistants) + share(finder("refusal"), assistants) > 0.02
    for name in ("frustrated", "injection", "gives_up"):
        assert share(finder(name), users) < 0.05, name


@pytest.mark.parametrize("name", ["apology", "asks_human", "corrects", "hands_over", "refusal", "unsure"])
def test_lists_of_other_languages_are_silent_in_english(shared: Path, name: str) -> None:
    folder = files("assay.signals").joinpath("words")
    foreign = [
        line
        for language in ("de", "es")
        for line in folder.joinpath(f"{name}.{language}.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    found = finder_of(foreign)
    texts = said_by("user", rows(shared, "uss_dialogues")) + said_by("assistant", rows(shared, "tau_retail"))
    assert share(found, texts) == 0.0
