"""Reach a project wherever it is: in the server that has it open, or here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.app.hold import find_server, hold_folder
from assay.app.operations import Operations
from assay.app.remote import RemoteApplication
from assay.config import find_config, load_settings


@contextmanager
def connect(config: Path | None, command: str) -> Iterator[Operations]:
    """The project's operations, through its running server if there is one.

    Raises ConfigError where there is no project, StoreHeld where another command has it open."""
    settings = load_settings(find_config(config, Path.cwd()))
    server = find_server(hold_folder(settings.folder))
    project: Operations
    if server is not None:
        project = RemoteApplication(server)
    else:
        from assay.app.open import open_application  # loads the stores: not needed above

        project = open_application(settings, command)
    try:
        yield project
    finally:
        project.close()
