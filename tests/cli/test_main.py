"""How a command ends: its exit code, and one sentence instead of a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer

from assay.cli import main
from assay.errors import AssayError, FileError, StoreFull


def end_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of `assay` where its one command raises this."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def break_off() -> None:
        raise error

    monkeypatch.setattr("assay.cli.commands.app", app)
    monkeypatch.setattr(sys, "argv", ["assay"])
    try:
        return main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else -1


@pytest.mark.parametrize(("error", "code"), [(FileError("row 3"), 2), (StoreFull("full"), 3)])
def test_an_error_is_a_sentence(
    error: AssayError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(error, monkeypatch) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_an_interrupt_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr().err == (
        "interrupted; what was done is kept, the same command goes on from there\n"
    )


def test_what_the_machine_refuses_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "no" / "todo.csv"
    assert end_with(FileNotFoundError(2, "No such file or directory", str(missing)), monkeypatch) == 3
    assert str(missing) in capsys.readouterr().err


def test_an_error_that_quotes_a_log_can_not_drive_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_with(FileError("row 1: \x1b]0;owned\x07 \u202e\nline 2"), monkeypatch) == 2
    assert capsys.readouterr().err == "error: row 1: ·]0;owned· ·\nline 2\n"
