"""A project over the session's embedded store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.app.application import Application
from assay.app.open import wire
from assay.config import load_settings
from assay.store.state import State, open_state
from assay.store.telemetry.connection import Telemetry

NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)
SETTINGS = "[policies.daily]\nrate = 1.0\nlabel_rate = 0.5\n"

Open = Callable[..., Application]
"""`open_project(metrics="...", settings="...", ...)`: the rest goes to Application."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@pytest.fixture
def open_project(
    telemetry: Telemetry, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Open the project; the session's store outlives it."""
    monkeypatch.setattr(telemetry, "close", lambda: None)
    opened: list[Application] = []

    def project(
        metrics: str = "",
        settings: str = SETTINGS,
        *,
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Application:
        (tmp_path / "assay.toml").write_text(settings, encoding="utf-8")
        (tmp_path / "metrics.py").write_text(metrics, encoding="utf-8")
        parts = wire(load_settings(tmp_path / "assay.toml", environ or {}), state, lambda: NOW)(telemetry)
        options.setdefault("journal", tmp_path / f"journal{len(opened)}")
        opened.append(Application(parts, **options))
        return opened[-1]

    yield project
    for application in opened:
        application.close()
