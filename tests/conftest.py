"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from assay.store.telemetry.connection import Telemetry

TABLES = (
    "otel_traces",
    "otel_logs",
    "interactions",
    "signals",
    "selections",
    "scores",
    "embeddings",
    "centres",
    "receipts",
    "settling",
    "drafts",
    "baselines",
    "settled",
    "intake",
    "rejected",
)


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


@pytest.fixture
def put_logs(telemetry: Telemetry) -> Callable[..., None]:
    """Write settled conversations: `put_logs(["a", "b"], started)`; every further column may be one
    value for all or a list with one for each."""

    def put(log_ids: Sequence[str], started: datetime | list[datetime], **columns: Any) -> None:
        begun = min(started) if isinstance(started, list) else started
        facts = {"unit": "conversation", "conversation_id": list(log_ids), "ended": begun, "turns": 1}
        _insert(telemetry, "signals", log_ids, {**facts, "started": started, "computed_at": begun, **columns})

    return put


@pytest.fixture
def put_selections(telemetry: Telemetry) -> Callable[..., None]:
    """Write decisions of policy `daily`, selected with probability 0.5, in the manner of `put_logs`."""

    def put(log_ids: Sequence[str], started: datetime | list[datetime], **columns: Any) -> None:
        begun = min(started) if isinstance(started, list) else started
        same = {"policy": "daily", "policy_version": "v1", "stage": "judge", "unit": "conversation"}
        fate = {
            "stratum": "rest",
            "probability": 0.5,
            "draw": 0.1,
            "selected": 1,
            "reason": "",
            "decided_at": begun,
        }
        _insert(telemetry, "selections", log_ids, {**same, **fate, "started": started, **columns})

    return put


@pytest.fixture
def put_scores(telemetry: Telemetry) -> Callable[..., None]:
    """Write scores of 1.0 by version v1 of judge `resolved`, in the manner of `put_logs`."""

    def put(log_ids: Sequence[str], started: datetime | list[datetime], **columns: Any) -> None:
        begun = min(started) if isinstance(started, list) else started
        same = {"metric": "resolved", "metric_version": "v1", "kind": "judge", "unit": "conversation"}
        fate = {"fate": "scored", "value": 1.0, "scored_at": begun}
        _insert(telemetry, "scores", log_ids, {**same, **fate, "started": started, **columns})

    return put


COLUMN_TYPES: Mapping[str, Any] = {
    "attributes": pa.map_(pa.string(), pa.string()),
    "signals": pa.list_(pa.string()),
    "feedback": pa.float64(),
    "value": pa.float64(),
}


def _insert(telemetry: Telemetry, table: str, log_ids: Sequence[str], columns: Mapping[str, Any]) -> None:
    rows = {
        name: value if isinstance(value, list) else [value] * len(log_ids)
        for name, value in {"log_id": list(log_ids), **columns}.items()
    }
    arrays = {name: pa.array(values, COLUMN_TYPES.get(name)) for name, values in rows.items()}
    telemetry.insert(table, pa.table(arrays))
