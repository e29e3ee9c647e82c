"""Group commit: durable before acknowledged, few inserts, one bad table alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import pyarrow as pa
import pytest

from assay.errors import PayloadError, StoreError, StoreFull
from assay.ingest.commit import GroupCommit


def table(*values: int) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64())})


class Store:
    """Keeps what is inserted; holds each insert until `open` is set; refuses negative numbers."""

    def __init__(self) -> None:
        self.inserts: list[list[int]] = []
        self.entered, self.open = Event(), Event()
        self.error: Exception | None = None

    def insert(self, rows: pa.Table) -> None:
        self.entered.set()
        assert self.open.wait(10)
        values = [value for value in rows["x"].to_pylist() if value is not None]
        if self.error:
            raise self.error
        if any(value < 0 for value in values):
            raise StoreError(f"refused: {values}")
        self.inserts.append(values)

    @property
    def rows(self) -> list[int]:
        return [value for values in self.inserts for value in values]


@contextmanager
def commit(insert: Callable[[pa.Table], None], **bounds: int) -> Iterator[GroupCommit]:
    group = GroupCommit(insert, **bounds)
    yield group
    group.close()


def test_nothing_is_acknowledged_before_the_insert_returned() -> None:
    store = Store()
    with commit(store.insert) as group:
        done = group.submit(table(1))
        assert store.entered.wait(10)
        assert not done.done()
        store.open.set()
        assert done.result(10) is None
        assert store.inserts == [[1]]


def test_what_queues_while_an_insert_runs_shares_the_next_one_in_order() -> None:
    store = Store()
    with commit(store.insert) as group:
        first = group.submit(table(0))
        assert store.entered.wait(10)
        rest = [group.submit(table(2 * i, 2 * i + 1)) for i in range(1, 40)]
        store.open.set()
        for done in (first, *rest):
            done.result(10)
    assert store.inserts == [[0], list(range(2, 80))]


def test_an_insert_keeps_its_bound_of_rows() -> None:
    store = Store()
    with commit(store.insert, max_rows=4) as group:
        group.submit(table(0))
        assert store.entered.wait(10)
        waiting = [group.submit(table(i, i)) for i in range(1, 6)]
        store.open.set()
        for done in waiting:
            done.result(10)
    assert store.inserts == [[0], [1, 1, 2, 2], [3, 3, 4, 4], [5, 5]]


def test_a_refused_table_takes_no_other_down() -> None:
    store = Store()
    with commit(store.insert) as group:
        group.submit(table(0))
        assert store.entered.wait(10)
        good, bad, last = group.submit(table(1)), group.submit(table(-2)), group.submit(table(3))
        store.open.set()
        assert good.result(10) is None
        assert last.result(10) is None
        with pytest.raises(StoreError, match="refused"):
            bad.result(10)
    assert store.rows == [0, 1, 3]


def test_a_full_disk_fails_everybody_once_and_passes() -> None:
    store = Store()
    store.open.set()
    store.error = StoreFull("the disk is full")
    with commit(store.insert) as group:
        with pytest.raises(StoreFull):
            group.submit(table(1)).result(10)
        store.error = None
        group.submit(table(1)).result(10)
    assert store.rows == [1]


def test_too_much_waiting_is_refused_at_once_and_taken_again_later() -> None:
    store = Store()
    with commit(store.insert, max_waiting_bytes=20) as group:
        first = group.submit(table(*range(100)))  # larger than the bound, and alone: taken
        assert store.entered.wait(10)
        with pytest.raises(PayloadError, match="max_waiting_mb") as refused:
            group.submit(table(1))
        assert refused.value.http_status == 503
        store.open.set()
        first.result(10)
        while group.waiting_bytes:
            pass
        group.submit(table(1)).result(10)
    assert store.rows == [*range(100), 1]


def test_close_writes_what_waits_and_then_refuses() -> None:
    store = Store()
    group = GroupCommit(store.insert)
    group.submit(table(0))
    assert store.entered.wait(10)
    waiting = [group.submit(table(i)) for i in (1, 2)]
    store.open.set()
    group.close()
    assert all(done.done() for done in waiting)
    assert store.rows == [0, 1, 2]
    with pytest.raises(PayloadError, match="stopping"):
        group.submit(table(3))


def test_rows_of_a_caller_that_went_away_are_kept() -> None:
    store = Store()
    with commit(store.insert) as group:
        group.submit(table(0))
        assert store.entered.wait(10)
        assert group.submit(table(1)).cancel()
        store.open.set()
    assert store.rows == [0, 1]


def test_no_rows_need_no_insert() -> None:
    store = Store()
    with commit(store.insert) as group:
        assert group.submit(table()).result(0) is None
    assert store.inserts == []
