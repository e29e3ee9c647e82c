"""What runs once at a time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assay.app.parts import Parts
from assay.app.turns import _Processes, new_turn
from assay.store.state import open_state, release_lease, take_lease

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def parts(tmp_path: Path) -> Any:
    """As of a process whose telemetry is on a server."""
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    yield SimpleNamespace(
        telemetry=SimpleNamespace(path=None),
        state=state,
        project="shop",
        clock=lambda: datetime.now(UTC),
    )
    state.close()


def test_of_two_processes_one_has_the_turn(parts: Any) -> None:
    mine, other = (new_turn(cast("Parts", parts), "settle") for _ in range(2))
    another = new_turn(cast("Parts", parts), "sample")
    assert mine.acquire(timeout=1)
    assert another.acquire(timeout=1)
    assert not other.acquire(timeout=0)
    mine.release()
    assert other.acquire(timeout=1)
    other.release()
    another.release()
    assert mine.acquire(timeout=1)
    mine.release()


@pytest.mark.parametrize("embedded", [True, False])
def test_threads_of_one_process_wait_for_each_other(parts: Any, tmp_path: Path, embedded: bool) -> None:
    parts.telemetry.path = tmp_path if embedded else None
    turn, order = new_turn(cast("Parts", parts), "settle"), list[str]()
    assert turn.acquire(timeout=1)

    def wait() -> None:
        assert turn.acquire(timeout=60)
        order.append("second")
        turn.release()

    thread = threading.Thread(target=wait)
    thread.start()
    order.append("first")
    turn.release()
    thread.join()
    assert order == ["first", "second"]


def test_a_turn_that_lasts_is_kept(parts: Any) -> None:
    lease = timedelta(seconds=3)
    long = _Processes(cast("Parts", parts), "evaluate", lease)
    other = _Processes(cast("Parts", parts), "evaluate", lease)
    assert long.acquire(timeout=1)
    assert not other.acquire(timeout=5), "it was prolonged several times meanwhile"
    long.release()


def test_a_lease_that_nobody_prolongs_is_free(parts: Any) -> None:
    state = parts.state
    assert take_lease(state, "settle", "one", now=NOW, ttl=MINUTE)
    assert take_lease(state, "settle", "one", now=NOW + MINUTE / 2, ttl=MINUTE)
    assert not take_lease(state, "settle", "two", now=NOW + MINUTE, ttl=MINUTE)
    assert take_lease(state, "settle", "two", now=NOW + 2 * MINUTE, ttl=MINUTE)
    release_lease(state, "settle", "one")
    assert not take_lease(state, "settle", "one", now=NOW + 2 * MINUTE, ttl=MINUTE)
    release_lease(state, "settle", "two")
    assert take_lease(state, "settle", "one", now=NOW + 2 * MINUTE, ttl=MINUTE)
