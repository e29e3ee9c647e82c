"""Label files: one value a log and rater."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.errors import FileError
from assay.ingest.labels import read_labels


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_are_read_with_their_rater_and_comment(tmp_path: Path) -> None:
    path = write(tmp_path, "log_id,label,rater,comment\nc1,1,ann,fine\nc1,0,bob,\nc2,,ann,\nc3,0.5,,x\n")
    found = read_labels(path)
    assert (found.rows, found.empty) == (4, 1)
    assert found.labels.to_pylist() == [
        {"log_id": "c1", "value": 1.0, "rater": "ann", "comment": "fine"},
        {"log_id": "c1", "value": 0.0, "rater": "bob", "comment": ""},
        {"log_id": "c3", "value": 0.5, "rater": "", "comment": "x"},
    ]


def test_names_can_be_mapped(tmp_path: Path) -> None:
    path = write(tmp_path, "conversation_id,resolved\nc1,yes\n")
    assert read_labels(path, {"value": "resolved"}).labels["value"].to_pylist() == [1.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,resolved\nc1,1\n", "no column `value`.*--column value=COLUMN"),
        ("label\n1\n", "no column `id`"),
        ("id,label\n,1\n", "row 1 has a label and no `id`"),
        ("id,label\nc1,1\nc1,0\n", "rows 1 and 2 both label 'c1'"),
        ("id,label\nc1,7\n", "row 1 column `label`: '7' is outside"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read_labels(write(tmp_path, text))
