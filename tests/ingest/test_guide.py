"""The files that the guide shows are files that can be imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import files_of

from assay.ingest.exports.shapes import FORMATS
from assay.ingest.files import ImportOptions, Mark, read_file
from assay.ingest.options import COLUMNS
from assay.ingest.sources import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "options", "conversations", "interactions", "labels"),
    [
        ("conversations.jsonl", ImportOptions(labels=[Mark.parse("resolved")]), 2, 2, [1.0, 0.0]),
        ("answers.csv", ImportOptions(), 1, 2, []),
    ],
)
def test_examples_import(
    tmp_path: Path,
    name: str,
    options: ImportOptions,
    conversations: int,
    interactions: int,
    labels: list[float],
) -> None:
    path = tmp_path / name
    path.write_text(files_of(DOCS / "guides/import.md")[name], encoding="utf-8")
    plan = read_file(path, options)
    assert (plan.conversations, plan.interactions) == (conversations, interactions)
    assert [value for _, table in plan.marks() for value in table["value"].to_pylist()] == labels


def test_the_reference_names_every_column() -> None:
    reference = (DOCS / "reference/import.md").read_text(encoding="utf-8")
    table = reference.partition("## Rows of your own")[2].partition("## Messages")[0]
    for name, others in COLUMNS.items():
        for one in (name, *others):
            assert f"`{one}`" in table


def test_the_reference_names_every_format_and_ending() -> None:
    reference = (DOCS / "reference/import.md").read_text(encoding="utf-8")
    for name in (*FORMATS, *KINDS):
        assert f"`{name}`" in reference
