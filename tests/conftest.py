"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from assay.store.telemetry.connection import Telemetry

TABLES = ("otel_traces", "interactions", "signals", "selections", "scores")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real conversations and captured payloads; its tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    return folder


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telemetry]:
    """One embedded telemetry store for the whole session: a process can open only one path."""
    from assay.store.telemetry.connection import open_telemetry

    store = open_telemetry(f"chdb://{tmp_path_factory.mktemp('telemetry')}")
    yield store
    store.close()


@pytest.fixture
def telemetry(embedded: Telemetry) -> Telemetry:
    """The embedded store, empty."""
    for table in TABLES:
        embedded.command(f"TRUNCATE TABLE {table}")
    return embedded
