"""Rows come out of every kind of file alike, and a word on what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tests.ingest.written import write_jsonl

from assay.errors import FileError
from assay.ingest import rows as module
from assay.ingest.files import ImportOptions, read_file
from assay.ingest.rows import open_rows


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


def values(folder: Path, text: str, name: str = "a.json") -> list[Any]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return [row.cells for row in open_rows(path).read(None)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}]),
        ('\ufeff [\n{"id": 1},\n{"id": 2}\n]\n', [{"id": 1}, {"id": 2}]),
        ('{"id": 1}', [{"id": 1}]),
        ('{\n "id": 1,\n "data": [1, 2]\n}', [{"id": 1, "data": [1, 2]}]),
        ('{"id": 1}\n{"id": 2}\n', [{"id": 1}, {"id": 2}]),
        ('{"data": [{"id": 1}, {"id": 2}], "meta": {"page": 1}}', [{"id": 1}, {"id": 2}]),
        (
            '{"info": {"trace_id": "t"}, "data": {"spans": []}}',
            [{"info": {"trace_id": "t"}, "data": {"spans": []}}],
        ),
        ("[]", []),
    ],
)
def test_json_files_hold_objects_in_a_list_or_after_another(
    tmp_path: Path, text: str, rows: list[Any]
) -> None:
    assert values(tmp_path, text) == rows


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    rows=st.lists(
        st.dictionaries(st.text(min_size=1, max_size=8), JSONS, min_size=3, max_size=6), max_size=8
    ),
    is_list=st.booleans(),
    indent=st.sampled_from([None, 1]),
    chunk=st.integers(1, 50),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_is_read_alike_however_it_is_cut(
    tmp_path: Path, rows: list[dict[str, Any]], is_list: bool, indent: int | None, chunk: int
) -> None:
    texts = [json.dumps(row, indent=indent, ensure_ascii=False) for row in rows]
    text = f"[{', '.join(texts)}]" if is_list else "\n".join(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        found = values(tmp_path, text)
    assert found == rows


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["logs.jsonl", "logs.csv", "logs.json"])
def test_compressed_files_are_read_as_what_they_hold(tmp_path: Path, name: str, ending: str) -> None:
    texts = {
        "logs.jsonl": '{"id": "1", "input": "a"}\n{"id": "2", "input": "é"}\n',
        "logs.csv": "id,input\n1,a\n2,é\n",
        "logs.json": '[{"id": "1", "input": "a"}, {"id": "2", "input": "é"}]',
    }
    raw = texts[name].encode()
    halves = raw[:20], raw[20:]  # as tools write them that append
    codec = pa.Codec("zstd") if ending == ".zst" else None
    packed = [codec.compress(half, asbytes=True) if codec else gzip.compress(half) for half in halves]
    path = tmp_path / (name + ending)
    path.write_bytes(b"".join(packed))
    assert [row.cells for row in open_rows(path).read(None)] == [
        {"id": "1", "input": "a"},
        {"id": "2", "input": "é"},
    ]


def test_a_compressed_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "1", "input": "x"}\n' * 5000)[:-200])
    with pytest.raises(FileError, match=r"a\.jsonl\.gz can't be read to its end"):
        open_rows(path)


def test_a_row_that_cant_be_read_says_so_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2,\n[3]\n\n{"id": 4}\n')
    rows = list(open_rows(path).read(None))
    assert [(row.number, row.cells, row.problem is None) for row in rows] == [
        (1, {"id": 1}, True),
        (2, {}, False),
        (3, {}, False),
        (5, {"id": 4}, True),
    ]
