"""The table of keys: no key says two things, and the reference page names each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from assay.store.telemetry.attributes import TRUST
from assay.store.telemetry.conventions import FREE, KEYS, KINDS, Field, known_keys

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "conventions.md"


def test_no_key_says_two_things() -> None:
    told = Counter(key for keys in KEYS.values() for key in keys)
    assert [key for key, times in told.items() if times > 1] == []


def test_every_field_has_a_code() -> None:
    assert set(KEYS) | set(FREE.values()) | {Field.STEP} == set(Field)  # the name of a span has no key
    assert max(len(keys) for keys in KEYS.values()) < TRUST
    assert max(Field) < 256


def test_the_reference_page_names_every_key_and_kind() -> None:
    page = PAGE.read_text("utf-8")
    named = {word for part in page.split("`")[1::2] for word in part.split(", ")}
    assert known_keys() - named == set()
    assert {f"{prefix}*" for prefix in FREE} - named == set()
    assert set(KINDS) - named == set()


def test_each_page_row_keeps_the_order_of_trust() -> None:
    rows = [line.split("`")[1::2] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    for keys in KEYS.values():
        assert any(row[-len(keys) :] == list(keys) for row in rows)
