"""The files that the guide shows are files that can be imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assay.ingest.files import ImportOptions, Mark, read_file
from assay.ingest.options import COLUMNS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("kind", "options", "conversations", "interactions", "labels"),
    [
        ("jsonl", ImportOptions(labels=[Mark.parse("resolved")]), 2, 2, [1.0, 0.0]),
        ("csv", ImportOptions(), 1, 2, []),
    ],
)
def test_examples_import(
    tmp_path: Path,
    kind: str,
    options: ImportOptions,
    conversations: int,
    interactions: int,
    labels: list[float],
) -> None:
    guide = (DOCS / "guides/import.md").read_text(encoding="utf-8")
    [example] = re.findall(rf"^```{kind}\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    path = tmp_path / f"example.{kind}"
    path.write_text(example, encoding="utf-8")
    plan = read_file(path, options)
    assert (plan.conversations, plan.interactions) == (conversations, interactions)
    assert [value for _, table in plan.marks() for value in table["value"].to_pylist()] == labels


def test_the_reference_names_every_column() -> None:
    reference = (DOCS / "reference/import.md").read_text(encoding="utf-8")
    table = reference.partition("## Messages")[0]
    for name, others in COLUMNS.items():
        for one in (name, *others):
            assert f"`{one}`" in table
