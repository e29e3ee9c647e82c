"""What the newest logs hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from assay.records import Window
from assay.store.telemetry import values as store
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.values import newest_values

PutLogs = Callable[..., None]
START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(days=2))


def test_values_are_told_the_most_frequent_first(telemetry: Telemetry, put_logs: PutLogs) -> None:
    versions = ["v7"] * 5 + ["v6"] * 3 + [""] * 2
    attributes = [[("tier", "gold" if n < 2 else "silver"), ("tags", '["a", "b c"]')] for n in range(10)]
    put_logs([f"c{n}" for n in range(10)], version=versions, attributes=attributes, started=[START] * 10)
    found = newest_values(telemetry, "conversation", WINDOW)
    assert found.fields["version"] == {"v7": 5, "v6": 3}
    assert list(found.fields["version"]) == ["v7", "v6"]
    assert found.fields["model"] == {}
    assert found.attributes["tier"] == {"silver": 8, "gold": 2}
    assert found.tags == {"a": 10, "b c": 10}
    assert newest_values(telemetry, "interaction", WINDOW).fields["version"] == {}


def test_ids_and_long_texts_are_not_told(telemetry: Telemetry, put_logs: PutLogs) -> None:
    many = store.VARIED * 2
    attributes = [[("request.id", f"{n:09}"), ("note", "x" * (101 if n else 100))] for n in range(many)]
    put_logs([f"c{n}" for n in range(many)], attributes=attributes, started=[START] * many)
    found = newest_values(telemetry, "conversation", WINDOW)
    assert found.attributes == {"request.id": {}, "note": {"x" * 100: 1}}


def test_an_empty_store_has_no_values(telemetry: Telemetry) -> None:
    assert newest_values(telemetry, "conversation", WINDOW) == ({}, {}, {})
