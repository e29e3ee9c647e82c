"""Files of logs to label: nobody's answers are written over."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.app.requests import Todo, TodoItem, TodoRequest
from assay.cli import label as module
from assay.cli.label import label
from assay.errors import CallerError

WORK = Todo(
    metric="resolved",
    question="Was it solved?",
    items=(TodoItem(log_id="=a", unit="conversation", transcript="@user: hi\nyo"),),
)


class Asked:
    """A project of which only the work for people is asked."""

    def todo(self, request: TodoRequest) -> Todo:
        return WORK


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connect(config: Path | None, command: str) -> Iterator[Asked]:
        yield Asked()

    monkeypatch.setattr(module, "connect", connect)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_file_without_answers_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "todo.csv"
    label("resolved", todo=path)
    label("resolved", todo=path)
    (row,) = rows_of(path)
    assert (row["id"], row["label"], row["transcript"]) == ("'=a", "", "'@user: hi\nyo")


@pytest.mark.parametrize("answer", ["yes", "0", " no "])
def test_answers_are_never_written_over(tmp_path: Path, answer: str) -> None:
    path = tmp_path / "todo.csv"
    label("resolved", todo=path)
    path.write_text(path.read_text().replace("conversation,,", f"conversation,{answer},"))
    assert rows_of(path)[0]["label"] == answer
    with pytest.raises(CallerError, match="somebody wrote in it"):
        label("resolved", todo=path)
    assert rows_of(path)[0]["label"] == answer


@pytest.mark.parametrize("content", [b"import assay\n", b"\xff\xfe", b"id,label\na,yes\n"])
def test_another_file_is_never_written_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.py"
    path.write_bytes(content)
    with pytest.raises(CallerError, match="somebody wrote in it"):
        label("resolved", todo=path)
    assert path.read_bytes() == content


def test_what_was_picked_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TodoRequest] = []

    def todo(self: Asked, request: TodoRequest) -> Todo:
        asked.append(request)
        return WORK

    monkeypatch.setattr(Asked, "todo", todo)
    label("resolved", todo=tmp_path / "todo.csv", picked=True)
    assert asked == [TodoRequest(metric="resolved", picked=True)]
    with pytest.raises(CallerError, match="name the FILE"):
        label("resolved", file=tmp_path / "todo.csv", picked=True)
