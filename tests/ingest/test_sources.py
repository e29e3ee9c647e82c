"""Files are found by path, folder, pattern and address, each once, and named as people would."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.ingest.bucket import MODIFIED, serve_bucket

from assay.errors import FileError
from assay.ingest.files import read_file
from assay.ingest.imports import open_plan
from assay.ingest.options import ImportOptions
from assay.ingest.rows import open_rows
from assay.ingest.sources import find_sources

FILES = (
    "a.jsonl",
    "b.csv.gz",
    "notes.txt",
    ".hidden/c.jsonl",
    "_SUCCESS.json",
    "day=1/d.parquet",
    "day=1/deep/e.json.zst",
    "day=2/f.jsonl",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("", ["a.jsonl", "b.csv.gz", "day=1/d.parquet", "day=1/deep/e.json.zst", "day=2/f.jsonl"]),
        ("day=1/", ["day=1/d.parquet", "day=1/deep/e.json.zst"]),
        ("*", ["a.jsonl", "b.csv.gz"]),
        ("*/*", ["day=1/d.parquet", "day=2/f.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "day=2/f.jsonl"]),
        ("day=[2-9]/?.jsonl", ["day=2/f.jsonl"]),
        ("day=[!1]/**", ["day=2/f.jsonl"]),
        ("day=*/**", ["day=1/d.parquet", "day=1/deep/e.json.zst", "day=2/f.jsonl"]),
        ("a.jsonl", ["a.jsonl"]),
        ("b.csv.gz", ["b.csv.gz"]),
    ],
)
def test_places_name_files(folder: Path, place: str, found: list[str]) -> None:
    for root in (str(folder), folder.as_uri()):
        sources = find_sources([f"{root}/{place}"])
        assert [str(Path(one.name).relative_to(folder)) for one in sources] == found
        assert {one.is_named for one in sources} == {place in FILES}


def test_relative_places_and_a_file_found_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert [one.name for one in find_sources(["a.jsonl", "*.jsonl", "day=2"])] == [
        "a.jsonl",
        "day=2/f.jsonl",
    ]
    assert [one.name for one in find_sources(["."])][:2] == ["a.jsonl", "b.csv.gz"]


def test_a_file_may_be_named_like_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "a[1].jsonl"
    path.write_text('{"id": 1}\n')
    assert [one.name for one in find_sources([str(path)])] == [str(path)]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("none.jsonl", "No such file or folder"),
        ("notes.txt", r"ends in \.jsonl"),
        ("none*", "no file there can be imported"),
        ("day=1/*.csv", "no file there can be imported"),
        ("ftp://host/a.jsonl", "begins with s3://, gs:// or abfs://"),
        ("https://host/a.jsonl", "download it first"),
    ],
)
def test_nothing_there_is_said(folder: Path, place: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        find_sources([place if "://" in place else f"{folder}/{place}"])


def test_identity_changes_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n')
    (before,) = find_sources([str(path)])
    monkeypatch.chdir(tmp_path)
    (same,) = find_sources(["a.jsonl"])
    os.utime(path, (1, 1))
    (after,) = find_sources([str(path)])
    assert before.identity == same.identity != after.identity


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("keys")
def test_a_bucket_is_read_like_a_folder(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "input": "hi", "output": "ho", "context.trace_id": ""} for n in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    objects = {
        "logs/day=1/a.jsonl": lines,
        "logs/day=1/b.jsonl.gz": gzip.compress(lines),
        "logs/day=2/c.parquet": sink.getvalue().to_pybytes(),
        "logs/day=2/readme.txt": b"?",
        "other/d.jsonl": lines,
    }
    with serve_bucket("shop", objects) as (endpoint, read):
        end = f"?endpoint_override={endpoint}&scheme=http&region=us-east-1"
        sources = find_sources([f"s3://shop/logs/{end}"])
        assert [one.name for one in sources] == [
            "s3://shop/logs/day=1/a.jsonl",
            "s3://shop/logs/day=1/b.jsonl.gz",
            "s3://shop/logs/day=2/c.parquet",
        ]
        assert {one.modified_ns for one in sources} == {MODIFIED * 10**9}
        for source in sources:
            assert [row.cells for row in open_rows(source).read(None)] == rows
        assert [one.name for one in find_sources([f"s3://shop/logs/day=1/*.gz{end}"])] == [
            "s3://shop/logs/day=1/b.jsonl.gz"
        ]
        (named,) = find_sources([f"s3://shop/other/d.jsonl{end}"])
        with pytest.raises(FileError, match="No such file"):
            find_sources([f"s3://shop/none.jsonl{end}"])
        read.clear()
        plan = open_plan(named, ImportOptions(), tmp_path)
        assert (plan.file, plan.identity) == (named.name, named.identity)
        tables = [batch.spans for batch in plan.batches()]
        assert set(read) == {"other/d.jsonl"}
        whole = len(read)
        assert [batch.spans for batch in plan.batches()] == tables
        assert len(read) == whole  # it was fetched once, and is read here
    path = tmp_path / "d.jsonl"
    path.write_bytes(lines)
    os.utime(path, (MODIFIED, MODIFIED))
    assert list(read_file(path, ImportOptions()).span_tables()) == tables
