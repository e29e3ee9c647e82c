"""A command reaches its project wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.app.connect import connect
from assay.app.hold import Hold, acquire_hold, hold_folder
from assay.app.remote import RemoteApplication
from assay.config import Settings
from assay.errors import StoreHeld

ADDRESS = "http://127.0.0.1:1"


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[list[Hold]]:
    """Those that a test has taken: released at its end."""
    (tmp_path / "assay.toml").touch()
    taken: list[Hold] = []
    yield taken
    for hold in taken:
        hold.release()


def test_a_running_server_is_asked(tmp_path: Path, holds: list[Hold]) -> None:
    holds.append(acquire_hold(hold_folder(tmp_path), "serve"))
    holds[0].publish(ADDRESS, "token")
    with connect(tmp_path, "logs") as project:
        assert isinstance(project, RemoteApplication)
        assert project.address == ADDRESS


def test_a_server_that_was_faster_is_asked(
    tmp_path: Path, holds: list[Hold], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(settings: Settings, command: str) -> None:
        holds.append(acquire_hold(hold_folder(settings.folder), "serve"))
        holds[0].publish(ADDRESS, "token")
        raise StoreHeld("a server has it")

    monkeypatch.setattr("assay.app.open.open_application", late)
    with connect(tmp_path, "logs") as project:
        assert isinstance(project, RemoteApplication)


def test_another_command_that_was_faster_is_named(tmp_path: Path, holds: list[Hold]) -> None:
    holds.append(acquire_hold(hold_folder(tmp_path), "evaluate"))
    with pytest.raises(StoreHeld, match="assay evaluate"), connect(tmp_path, "logs"):
        pass
