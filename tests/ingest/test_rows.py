"""Rows come out of every kind of file alike, and a word on what is wrong with it."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.ingest.written import write_jsonl

from assay.errors import FileError
from assay.ingest.files import ImportOptions, read_file


def test_the_three_formats_make_the_same_spans(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{i}",
            "timestamp": "2026-05-04T10:00:00Z",
            "input": f'line 1\nline "2", {i}',
            "output": "é" * 200_000,
        }
        for i in range(3)
    ]
    jsonl = write_jsonl(tmp_path, rows)
    with (tmp_path / "logs.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "logs.parquet")
    one, two, three = (
        list(read_file(path, ImportOptions()).span_tables())
        for path in (jsonl, tmp_path / "logs.csv", tmp_path / "logs.parquet")
    )
    assert one == two == three
    assert one == list(read_file(jsonl, ImportOptions()).span_tables())


@pytest.mark.parametrize(
    ("name", "content", "row", "says"),
    [
        ("a.jsonl", b'{"id": 1, "input": "x"}\n{"id": 2,\n', 2, "line 2 is no JSON.*one whole JSON object"),
        ("a.jsonl", b"[1]\n", 1, "line 1 is list"),
        ("a.json", b"[]", None, "has no rows"),
        ("a.json", b'[{"id": 1}, {"id": 2', 2, "no JSON after 1 values"),
        ("a.txt", b"", None, r"ends in \.jsonl, \.json, \.csv"),
        ("a.csv", b"", None, "no header"),
        ("a.csv", b"id,input,input\n1,x,y\n", None, "two columns named `input`"),
        ("a.csv", b"id,input\n1,x\n2,y,z\n", 2, "row 2 has 3 cells and the header 2: quote"),
        ("a.csv", b'id,input\n1,"x\n', 1, "row 1 is no CSV"),
        ("a.csv", b"id,input\n", None, "has no rows"),
        ("a.parquet", b"PAR1 nonsense", None, "no readable Parquet"),
        ("missing.csv", None, None, "No such file"),
    ],
)
def test_broken_files_say_where_and_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, row: int | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=says) as wrong:
        read_file(tmp_path / name, ImportOptions())
    assert wrong.value.row == row


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(
        pa.table({"id": [f"{i}" for i in range(5000)], "input": ["x" * i for i in range(5000)]}), path
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(3000) + whole[3004:])
    with pytest.raises(FileError, match="damaged after row"):
        read_file(path, ImportOptions())
