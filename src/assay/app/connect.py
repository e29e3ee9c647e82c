"""Reach a project wherever it is: in the server that has it open, or here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.app.hold import find_server, hold_folder
from assay.app.operations import Operations
from assay.app.remote import RemoteApplication
from assay.config import find_config, load_settings
from assay.errors import StoreHeld


@contextmanager
def connect(config: Path | None, command: str) -> Iterator[Operations]:
    """The project's operations, through its running server if there is one.

    Raises ConfigError where there is no project, StoreHeld where another command has it open."""
    settings = load_settings(find_config(config, Path.cwd()))
    folder = hold_folder(settings.folder)
    project = _served(folder)
    if project is None:
        from assay.app.open import open_application  # loads the stores: not needed above

        try:
            project = open_application(settings, command)
        except StoreHeld:  # perhaps by a server that was faster
            project = _served(folder)
            if project is None:
                raise
    try:
        yield project
    finally:
        project.close()


def _served(folder: Path) -> Operations | None:
    server = find_server(folder)
    return None if server is None else RemoteApplication(server, find=lambda: find_server(folder))
