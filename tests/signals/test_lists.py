"""The word lists on real conversations: they find what they are for, and little else."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    pattern = re.compile("|".join(re.escape(fold_words(phrase)) for phrase in WORDS[name]))
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
    assert share(tries, [row["input"] for row in prompts if row["label"] == 1]) > 0.2
    assert share(tries, [row["input"] for row in prompts if row["label"] == 0]) < 0.003


@pytest.mark.parametrize("name", ["frustrated", "gives_up"])
def test_moods_are_rare_in_ordinary_conversations(shared: Path, name: str) -> None:
    assert share(finder(name), said_by("user", rows(shared, "tau_retail"))) < 0.03
    assert share(finder(name), said_by("user", rows(shared, "uss_dialogues"))) < 0.01
