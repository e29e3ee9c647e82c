"""What `assay import` says of what it could not keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.app.requests import RecordRequest, SettleRequest, SpansRequest, Written
from assay.cli import imports as module
from assay.cli.imports import import_files
from assay.records import Progress


class Forgetful:
    """A project of which one log in three has not settled."""

    def spans(self, request: SpansRequest) -> Written:
        return Written(rows=1)

    def settle(self, request: SettleRequest, progress: Progress) -> None:
        pass

    def record(self, request: RecordRequest) -> Written:
        unknown = len(request.marks) // 3
        return Written(rows=len(request.marks) - unknown, unknown=unknown)


def test_labels_of_logs_that_have_not_settled_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def connect(config: Path | None, command: str) -> Iterator[Forgetful]:
        yield Forgetful()

    monkeypatch.setattr(module, "connect", connect)
    path = tmp_path / "logs.jsonl"
    rows = [{"id": f"c{n}", "input": "hi", "output": "ho", "good": 1} for n in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_files([path], label=["good"], json=True)
    (report,) = json.loads(capsys.readouterr().out)
    assert report["labels"] == {"good": 4}
    assert [note for note in report["notes"] if note.startswith("2 labels of good left out")]
