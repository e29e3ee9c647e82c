"""From the journal to the store: nothing lost, nothing doubled, one bad payload alone."""

from __future__ import annotations

import errno
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import StoreError, StoreFull
from assay.ingest import apply
from assay.ingest.apply import Applier, RowKind, Rows
from assay.ingest.journal import Journal
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection
from assay.ingest.segment import Parcel, list_segments

JSON = "application/json"


def parcel(number: int, spans: int = 3, name: str = "chat") -> Parcel:
    """A request of `spans` spans of trace `number`."""
    made = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number * 100 + n:016x}",
            "name": name,
            "startTimeUnixNano": "1763636400000000000",
            "endTimeUnixNano": "1763636401000000000",
        }
        for n in range(1, spans + 1)
    ]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}).encode()
    payload = Payload(kind="traces", body=body, content_type=JSON, received_ns=1_763_636_402 * 10**9)
    return Parcel(payload=payload, items=spans, size_bytes=len(body), agent="test/1")


class Store:
    """Keeps span ids. `fault` is raised by the next `faults` inserts, after `partly` rows were kept; spans
    named `poison` are always refused, those named `busy` so many times, and more than `most` at once."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.inserts: list[tuple[int, bool]] = []
        self.fault: Exception | None = None
        self.faults = self.partly = self.busy = 0
        self.most = 10**9
        self.names: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def put(self, kind: RowKind, rows: pa.Table) -> None:
        self._insert(rows, careful=False)

    def put_again(self, kind: RowKind, rows: pa.Table) -> None:
        fresh = [span not in self.rows for span in rows["SpanId"].to_pylist()]
        self._insert(rows.filter(pa.array(fresh)), careful=True)

    def _insert(self, rows: pa.Table, careful: bool) -> None:
        assert self.gate.wait(30)
        self.inserts.append((rows.num_rows, careful))
        ids = [str(span) for span in rows["SpanId"].to_pylist()]
        if self.faults and self.fault is not None:
            self.faults -= 1
            self.rows += ids[: self.partly]
            raise self.fault
        names = [str(name) for name in rows["SpanName"].to_pylist()]
        if "poison" in names:
            raise StoreError("Code: 6. DB::Exception: Cannot parse 'my secret' (CANNOT_PARSE_TEXT)")
        if "busy" in names and self.busy:
            self.busy -= 1
            raise StoreError("Code: 252. DB::Exception: Too many parts (3000). (TOO_MANY_PARTS)")
        if len(names) > self.most:
            raise StoreError("Code: 252. DB::Exception: Too many partitions for single INSERT block")
        self.rows += ids
        self.names += names


class Ears:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.applied_items = 0
        self.dead: list[tuple[str, str]] = []
        self.turned_away: list[tuple[str, Rejection]] = []

    def applied(self, parcels: Sequence[Parcel], rows: Rows) -> None:
        self.applied_items += sum(one.items for one in parcels)

    def rejected(self, parcel: Parcel, rejections: Sequence[Rejection]) -> None:
        self.turned_away += [(parcel.agent, one) for one in rejections]

    def buried(self, name: str, content: bytes, parcel: Parcel | None, reason: str) -> None:
        self.dead.append((name, reason))

    def tick(self) -> None: ...


Start = Callable[..., tuple[Journal, Applier]]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def start(tmp_path: Path, store: Store, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Open the journal of this test's folder and apply it; again and again, as after kill -9."""
    monkeypatch.setattr(apply, "FIRST_DELAY_S", 0.1)
    made: list[tuple[Journal, Applier]] = []

    def begin(**options: Any) -> tuple[Journal, Applier]:
        journal = Journal(tmp_path / "journal", **options)
        made.append((journal, Applier(journal, store, ears, Limits())))
        return made[-1]

    yield begin
    store.gate.set()
    for journal, applier in made:
        journal.stop_taking()
        applier.close()
        journal.close()


def ids(*numbers: int, spans: int = 3) -> list[str]:
    return [f"{number * 100 + n:016x}" for number in numbers for n in range(1, spans + 1)]


def test_requests_become_one_insert(start: Start, store: Store, ears: Ears) -> None:
    store.gate.clear()
    journal, applier = start()
    for number in range(20):
        journal.put(parcel(number + 1))
    store.gate.set()
    applier.flush(30)
    assert sorted(store.rows) == ids(*range(1, 21))
    assert len(store.inserts) <= 3
    assert ears.applied_items == 60
    assert journal.backlog().bytes == 0


def test_a_full_disk_is_waited_for_and_what_was_written_partly_is_not_doubled(
    start: Start, store: Store
) -> None:
    store.fault, store.faults, store.partly = StoreFull("no room"), 2, 2
    journal, applier = start()
    journal.put(parcel(1))
    with pytest.raises(StoreError, match="no room"):
        applier.flush(30)
    assert applier.problem == "no room"
    journal.put(parcel(2))
    applier.flush(30)
    assert sorted(store.rows) == ids(1, 2)
    assert applier.problem == ""


def test_a_row_that_the_store_refuses_costs_itself_alone(start: Start, store: Store, ears: Ears) -> None:
    store.gate.clear()
    journal, applier = start()
    journal.put(parcel(1))
    journal.put(parcel(2, spans=1, name="poison"))
    journal.put(parcel(3))
    store.gate.set()
    applier.flush(30)
    assert sorted(store.rows) == ids(1, 3)
    assert ears.dead == [("spans", "the store refuses it (6 CANNOT_PARSE_TEXT)")]


def test_a_store_that_refuses_everything_is_not_believed(start: Start, store: Store, ears: Ears) -> None:
    store.fault, store.faults = StoreError("Code: 60. DB::Exception (UNKNOWN_TABLE)"), 3
    journal, applier = start()
    for number in range(1, 11):
        journal.put(parcel(number))
    with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
        applier.flush(30)
    applier.flush(60)
    assert sorted(store.rows) == ids(*range(1, 11))
    assert ears.dead == []


def test_rows_are_refused_for_what_they_hold_once_another_is_taken(
    start: Start, store: Store, ears: Ears
) -> None:
    journal, applier = start()
    for number in range(1, 11):
        journal.put(parcel(number, name="poison"))
    with pytest.raises(StoreError, match="CANNOT_PARSE_TEXT"):
        applier.flush(30)
    assert ears.dead == []
    journal.put(parcel(11))
    applier.flush(30)
    assert store.rows == ids(11)
    assert len(ears.dead) == 30


def test_a_passing_fault_of_the_store_buries_nothing(start: Start, store: Store, ears: Ears) -> None:
    store.gate.clear()
    store.busy = 3
    journal, applier = start()
    journal.put(parcel(1))
    journal.put(parcel(2, spans=1, name="busy"))
    journal.put(parcel(3))
    store.gate.set()
    with pytest.raises(StoreError, match="252 TOO_MANY_PARTS"):
        applier.flush(30)
    applier.flush(30)
    assert sorted(store.rows) == [*ids(1), *ids(2, spans=1), *ids(3)]
    assert ears.dead == []


def test_more_days_than_one_insert_may_touch_are_stored_in_parts(
    start: Start, store: Store, ears: Ears
) -> None:
    store.most = 5
    journal, applier = start()
    journal.put(parcel(1, spans=17))
    applier.flush(30)
    assert sorted(store.rows) == ids(1, spans=17)
    assert (ears.dead, applier.problem) == ([], "")


def test_many_refused_rows_do_not_hide_the_good_ones_behind_them(
    start: Start, store: Store, ears: Ears
) -> None:
    store.gate.clear()
    journal, applier = start()
    for number in range(1, 11):
        journal.put(parcel(number, name="poison"))
    for number in range(11, 15):
        journal.put(parcel(number))
    store.gate.set()
    applier.flush(30)
    assert sorted(store.rows) == ids(*range(11, 15))
    assert len(ears.dead) == 30


def test_what_is_put_aside_is_so_once(
    start: Start, store: Store, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError(errno.EIO, "Input/output error")] * 2

    def faulty(*place: Any) -> None:
        if faults:
            raise faults.pop()
        checkpoint(*place)

    store.gate.clear()
    journal, applier = start()
    checkpoint = journal.checkpoint
    monkeypatch.setattr(journal, "checkpoint", faulty)
    journal.put(parcel(1))
    journal.put(parcel(2, name="poison"))
    store.gate.set()
    with pytest.raises(StoreError, match="Input/output"):
        applier.flush(30)
    applier.flush(30)
    assert sorted(store.rows) == ids(1)
    assert len(ears.dead) == 3


def test_waiting_for_the_store_takes_no_more_than_a_batch_into_memory(
    start: Start, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = parcel(1).size_bytes
    monkeypatch.setattr(apply, "BATCH_BYTES", 8 * size)
    monkeypatch.setattr(apply, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(apply, "LONGEST_DELAY_S", 0.001)
    store.gate.clear()
    store.fault, store.faults = StoreError("Code: 60. DB::Exception (UNKNOWN_TABLE)"), 10**9
    journal, applier = start()
    for number in range(1, 101):
        journal.put(parcel(number))
    store.gate.set()
    while len(store.inserts) < 60:
        time.sleep(0.01)
    assert journal.untaken_bytes() > 70 * size
    store.faults = 0
    applier.flush(30)
    assert sorted(store.rows) == ids(*range(1, 101))


def test_a_journal_that_can_t_be_read_for_a_while_is_said_and_read_then(
    start: Start, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError(errno.EMFILE, "Too many open files")] * 2

    def faulty(*bounds: int) -> Any:
        if faults:
            raise faults.pop()
        return take(*bounds)

    journal, applier = start()
    take = journal.take
    monkeypatch.setattr(journal, "take", faulty)
    journal.put(parcel(1))
    with pytest.raises(StoreError, match=r"waits in the journal: .*OSError"):
        applier.flush(30)
    applier.flush(30)
    assert store.rows == ids(1)
    assert applier.problem == ""


def test_counts_that_can_t_be_kept_stop_nothing(
    start: Start, store: Store, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def tick() -> None:
        asked.set()
        raise RuntimeError("no counts today")

    monkeypatch.setattr(ears, "tick", tick)
    journal, applier = start()
    assert asked.wait(30)
    journal.put(parcel(1))
    applier.flush(30)
    assert (store.rows, applier.problem) == (ids(1), "")


class Eraser:
    """A redactor that leaves nothing of names."""

    def spans(self, table: pa.Table) -> pa.Table:
        names = pa.array(["[gone]"] * table.num_rows, pa.string())
        return table.set_column(table.column_names.index("SpanName"), "SpanName", names)

    def records(self, table: pa.Table) -> pa.Table:
        return table


def test_what_an_earlier_process_left_is_redacted_too(tmp_path: Path, store: Store, ears: Ears) -> None:
    before = Journal(tmp_path / "journal")
    before.put(parcel(1, name="my secret"))
    (table,) = apply.decode([parcel(2, name="my secret").payload], Limits()).spans
    body = apply._write_arrow(table)
    before.put(Parcel(payload=Payload(kind="spans", body=body, content_type="", received_ns=1), items=3))
    before.close()
    journal = Journal(tmp_path / "journal")
    applier = Applier(journal, store, ears, Limits(), redactor=Eraser())
    applier.flush(30)
    applier.close()
    journal.close()
    assert sorted(store.rows) == ids(1, 2)
    assert set(store.names) == {"[gone]"}


def test_the_server_s_own_log_quotes_nothing_that_was_sent(
    start: Start,
    store: Store,
    ears: Ears,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [ValueError("my secret")]

    def broken(*given: object) -> None:
        raise pa.ArrowInvalid("can't read 'my secret'")

    def buried(*told: object) -> None:
        if faults:
            raise faults.pop()

    monkeypatch.setattr(apply, "decode_traces", broken)
    monkeypatch.setattr(ears, "buried", buried)
    with caplog.at_level(logging.DEBUG):
        journal, applier = start()
        journal.put(parcel(1))
        applier.flush(30)
    assert "ArrowInvalid at" in caplog.text
    assert "could not be stored (ValueError at apply.py" in caplog.text
    assert "my secret" not in caplog.text


def test_after_a_crash_the_rest_is_stored_and_nothing_twice(start: Start, store: Store) -> None:
    journal, applier = start()
    journal.put(parcel(1))
    applier.flush(30)
    store.gate.clear()
    for number in (2, 3, 4):
        journal.put(parcel(number))
    journal.stop_taking()
    store.rows += ids(2, 3)  # the insert came through, its bookmark did not
    before = list(store.rows)
    store.put = lambda kind, rows: None  # type: ignore[method-assign]  # what is left of the first
    store.put_again = lambda kind, rows: None  # type: ignore[method-assign]
    copy = Store()
    copy.rows = before
    again = Journal(journal.folder.rename(journal.folder.with_name("moved")))
    second = Applier(again, copy, Ears(), Limits())
    second.flush(30)
    second.close()
    again.close()
    assert sorted(copy.rows) == ids(1, 2, 3, 4)
    assert copy.inserts[0][1], "what an earlier process left is stored with care"


def test_rejected_spans_are_told_with_their_sender(start: Start, ears: Ears, store: Store) -> None:
    bad = json.loads(parcel(7).payload.body)
    bad["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["traceId"] = ""
    payload = Payload(kind="traces", body=json.dumps(bad).encode(), content_type=JSON, received_ns=10**18)
    journal, applier = start()
    journal.put(parcel(1))
    journal.put(Parcel(payload=payload, agent="careless/2", items=2))
    applier.flush(30)
    ((agent, rejection),) = ears.turned_away
    assert (agent, rejection.count) == ("careless/2", 1)
    assert len(store.rows) == 5


def test_closing_stores_what_waits(start: Start, store: Store) -> None:
    journal, applier = start()
    for number in range(1, 6):
        journal.put(parcel(number))
    journal.stop_taking()
    applier.close()
    journal.close()
    assert sorted(store.rows) == ids(1, 2, 3, 4, 5)
    assert list_segments(journal.folder) == []


def test_a_damaged_place_of_the_journal_is_put_aside(start: Start, store: Store, ears: Ears) -> None:
    store.gate.clear()
    journal, _ = start()
    for number in (1, 2, 3):
        journal.put(parcel(number))
    path = next(journal.folder.glob("*.segment"))
    content = bytearray(path.read_bytes())
    content[content.index(f"{2:032x}".encode()) + 3] ^= 1
    moved = journal.folder.with_name("copy")
    moved.mkdir()
    (moved / path.name).write_bytes(content)
    copy, told = Store(), Ears()
    again = Journal(moved)
    second = Applier(again, copy, told, Limits())
    second.flush(30)
    second.close()
    again.close()
    assert sorted(copy.rows) == ids(1, 3)
    ((name, reason),) = told.dead
    assert name == "journal"
    assert "damaged bytes of segment 1" in reason
