"""The telemetry connection: what it binds, returns and refuses."""

from __future__ import annotations

from datetime import UTC, datetime

from assay.store.telemetry.connection import Telemetry


def test_a_bound_time_keeps_its_microseconds(telemetry: Telemetry) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
    table = telemetry.query("SELECT {t:DateTime64(6, 'UTC')} AS t", {"t": moment})
    assert table.column("t").to_pylist() == [moment]
