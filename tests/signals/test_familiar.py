"""The reference set: what is read, and what is refused where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assay.errors import ConfigError
from assay.signals.familiar import read_requests


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_requests_are_inputs_of_cases_or_lines(tmp_path: Path) -> None:
    cases = (
        '{"input": "Where is my order?", "expected": "..."}\n\n'
        '{"input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, '
        '{"role": "user", "content": "my refund"}]}\n'
    )
    assert read_requests(write(tmp_path, "a.jsonl", cases)) == ("Where is my order?", "Hi\nmy refund")
    assert read_requests(write(tmp_path, "a.txt", "one thing\n\n another \n")) == ("one thing", "another")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no request"),
        ('{"input": "a"}\n{"inptu": "b"}\n', ":2: no `input`"),
        ('{"input": "a"}\n{"input": \n', ":2: no JSON"),
        ('{"input": ""}\n', ":1: no `input`"),
        ("[]\n", ":1: no `input`"),
        ('{"input": [{"role": "assistant", "content": "x"}]}\n', ":1: no `input`"),
    ],
)
def test_what_is_no_request_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_requests(write(tmp_path, "a.jsonl", text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"b\.jsonl can't be read: .*reference\.file in assay\.toml"):
        read_requests(tmp_path / "b.jsonl")
