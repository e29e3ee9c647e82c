"""What is acknowledged is on disk, comes back in order, and survives whatever happens to the files."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay.errors import PayloadError, StoreError, StoreFull
from assay.ingest.journal import Journal
from assay.ingest.payload import Payload
from assay.ingest.segment import Entry, Parcel, SegmentWriter, list_segments, segment_path

MB = 2**20


def parcel(number: int, size: int = 100) -> Parcel:
    body = f"{number:08d}".encode() + random.Random(number).randbytes(size)
    payload = Payload(kind="traces", body=body, content_type="application/json", received_ns=number)
    return Parcel(payload=payload, transport="http", agent="test/1", items=3, size_bytes=len(body))


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.parcel.payload.received_ns for entry in entries]


def drain(journal: Journal) -> list[int]:
    """Take everything, noting that it is applied."""
    found = []
    while journal.is_behind():
        taken = journal.take(10 * MB, 1000)
        found += numbers(taken.entries)
        journal.checkpoint(taken.upto)
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Journal]]:
    """Open the journal of this test's folder, again and again."""
    made: list[Journal] = []

    def make(**options: object) -> Journal:
        made.append(Journal(tmp_path / "journal", **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for journal in made:
        if not journal.is_closed:
            journal.close()


def test_what_was_put_is_there_after_a_crash(opened: Callable[..., Journal]) -> None:
    before = opened()
    for number in range(20):
        before.put(parcel(number))
    assert numbers(before.take(MB, 15).entries) == [0, 1, 2, 3, 4]
    after = opened()  # as after kill -9: nothing was closed
    taken = after.take(MB, 1000)
    assert numbers(taken.entries) == list(range(20))
    assert all(entry.again for entry in taken.entries)
    one = taken.entries[7].parcel
    assert one == parcel(7)


def test_what_is_applied_does_not_come_again(opened: Callable[..., Journal], tmp_path: Path) -> None:
    before = opened(segment_bytes=500)
    for number in range(20):
        before.put(parcel(number))
    assert len(list_segments(before.folder)) > 3
    taken = before.take(MB, 30)
    before.checkpoint(taken.upto)
    assert min(list_segments(before.folder)) == taken.upto.segment
    after = opened()
    assert drain(after) == list(range(10, 20))
    after.close()
    assert list_segments(after.folder) == []
    last = opened()
    last.put(parcel(99))
    assert drain(last) == [99]


def test_memory_stays_flat_and_order_is_kept_when_the_reader_falls_behind(
    opened: Callable[..., Journal],
) -> None:
    journal = opened(memory_bytes=1000, segment_bytes=2000)
    found: list[int] = []
    rng = random.Random(3)
    for number in range(200):
        journal.put(parcel(number))
        assert journal.memory_bytes <= 1000
        if rng.random() < 0.1:
            taken = journal.take(rng.randint(1, 2000), 1000)
            found += numbers(taken.entries)
            journal.checkpoint(taken.upto)
    assert found + drain(journal) == list(range(200))


def test_taken_and_not_stored_is_taken_again(opened: Callable[..., Journal]) -> None:
    journal = opened()
    for number in range(5):
        journal.put(parcel(number))
    assert numbers(journal.take(MB, 6).entries) == [0, 1]
    journal.rewind(journal.applied)
    journal.put(parcel(5))
    assert drain(journal) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("missing", [1, 30, 60, 105])
def test_a_torn_tail_is_left_out(opened: Callable[..., Journal], missing: int) -> None:
    before = opened()
    for number in range(5):
        before.put(parcel(number))
    path = segment_path(before.folder, before.end.segment)
    os.truncate(path, path.stat().st_size - missing)
    after = opened()
    assert drain(after) == [0, 1, 2, 3]
    assert after.pop_damages() == []
    assert not after.is_behind()


def test_a_damaged_record_costs_itself_alone(opened: Callable[..., Journal]) -> None:
    before = opened()
    ends = []
    for number in range(5):
        before.put(parcel(number))
        ends.append(before.end.offset)
    path = segment_path(before.folder, before.end.segment)
    content = bytearray(path.read_bytes())
    content[ends[1] + 70] ^= 1  # in the body of record 2
    content[ends[2] + 5] ^= 1  # in the head of record 3
    path.write_bytes(content)
    after = opened()
    assert drain(after) == [0, 1, 4]
    ((damage, lost),) = after.pop_damages()
    assert (damage.start, damage.stop) == (ends[1], ends[3])
    assert lost == bytes(content[ends[1] : ends[3]])


def test_a_body_that_looks_like_a_record_is_none(opened: Callable[..., Journal]) -> None:
    before = opened()
    before.put(parcel(1))
    record = segment_path(before.folder, before.end.segment).read_bytes()
    other = opened()
    payload = Payload(kind="traces", body=record, content_type="", received_ns=2)
    other.put(Parcel(payload=payload))
    path = segment_path(other.folder, other.end.segment)
    content = bytearray(path.read_bytes())
    content[30] ^= 1  # in the head: what follows is searched for records
    path.write_bytes(content)
    after = opened()
    assert drain(after) == [1]
    assert len(after.pop_damages()) == 1


def test_too_much_waiting_is_refused_until_some_is_applied(opened: Callable[..., Journal]) -> None:
    journal = opened(max_waiting_bytes=1000)
    for number in range(5):
        journal.put(parcel(number))
    with pytest.raises(PayloadError, match="max_waiting_mb") as refused:
        journal.put(parcel(6))
    assert refused.value.http_status == 503
    assert drain(journal) == list(range(5))
    journal.put(parcel(5, size=5000))


def test_the_reserve_is_kept(opened: Callable[..., Journal]) -> None:
    journal = opened(reserve_bytes=10**18)
    with pytest.raises(StoreFull, match="reserve"):
        journal.put(parcel(1))
    assert not journal.is_behind()


class Faulty(SegmentWriter):
    """A segment on a disk that has faults: `room` bytes are left, `sync_fails` next time."""

    room = 10**9
    sync_fails = False

    def write(self, pieces: list[bytes]) -> None:
        size = sum(map(len, pieces))
        if size > Faulty.room:
            super().write([b"".join(pieces)[: Faulty.room]])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(pieces)

    def sync(self) -> None:
        if Faulty.sync_fails:
            raise OSError(errno.EIO, "Input/output error")
        super().sync()


def test_a_full_disk_refuses_and_damages_nothing(opened: Callable[..., Journal]) -> None:
    journal = opened(open_segment=Faulty)
    Faulty.room = 10**9
    journal.put(parcel(1))
    Faulty.room = 60
    for number in (2, 3):
        with pytest.raises(StoreFull, match="no room"):
            journal.put(parcel(number))
    Faulty.room = 10**9
    journal.put(parcel(4))
    assert len(list_segments(journal.folder)) == 1
    assert drain(opened()) == [1, 4]
    assert drain(journal) == [1, 4]


LIMITED = """
import os, resource, sys
from pathlib import Path
from assay.errors import StoreFull
from assay.ingest.journal import Journal
from assay.ingest.payload import Payload
from assay.ingest.segment import Parcel
def parcel(number, size):
    return Parcel(payload=Payload(kind="traces", body=bytes(size), content_type="", received_ns=number))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
journal = Journal(Path(sys.argv[1]))
taken, refused = [], []
for number in range(30):
    try:
        journal.put(parcel(number, size=10_000 if number == 7 else 1000))
        taken.append(number)
    except StoreFull:
        refused.append(number)
print(taken, refused, sep=";", flush=True)
os._exit(9)
"""


def test_a_limit_of_the_system_refuses_and_damages_nothing(
    opened: Callable[..., Journal], tmp_path: Path
) -> None:
    """The operating system itself cuts writes off here, in the middle of a record."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "journal")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    taken, refused = (json.loads(part) for part in done.stdout.split(";"))
    assert 7 in refused
    assert len(taken) + len(refused) == 30
    assert len(taken) > 20
    journal = opened()
    assert drain(journal) == taken
    assert journal.pop_damages() == []


def test_a_sync_that_fails_acknowledges_nothing(opened: Callable[..., Journal]) -> None:
    journal = opened(open_segment=Faulty)
    Faulty.room = 10**9
    journal.put(parcel(1))
    Faulty.sync_fails = True
    try:
        with pytest.raises(StoreError, match="could not be written"):
            journal.put(parcel(2))
    finally:
        Faulty.sync_fails = False
    journal.put(parcel(3))
    assert len(list_segments(journal.folder)) == 2
    assert drain(opened()) == [1, 3]
    assert drain(journal) == [1, 3]


class NoMemory(SegmentWriter):
    """Half of the first group is written when memory runs out."""

    short = True

    def write(self, pieces: list[bytes]) -> None:
        if NoMemory.short:
            NoMemory.short = False
            super().write([b"".join(pieces)[:60]])
            raise MemoryError
        super().write(pieces)


def test_whatever_ends_a_write_does_not_end_writing(opened: Callable[..., Journal]) -> None:
    NoMemory.short = True
    journal = opened(open_segment=NoMemory)
    with pytest.raises(StoreError, match=r"MemoryError.*send again"):
        journal.put(parcel(1), timeout_s=30)
    journal.put(parcel(2), timeout_s=30)
    assert journal.backlog().bytes < 300
    assert drain(opened()) == [2]
    assert drain(journal) == [2]


class AtTheWorstMoment:
    """A lock; when it is let go for the first time after `call` was set, that runs before anything else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.call: Callable[[], None] | None = None
        self.calls = 0

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        call, self.call = self.call, None
        self._lock.release()
        if call is not None:
            thread = threading.Thread(target=call)
            thread.start()
            thread.join(30)
            self.calls += 1


def test_a_new_file_is_begun_at_any_moment_and_nothing_acknowledged_goes(
    opened: Callable[..., Journal],
) -> None:
    journal = opened()
    journal._writing = lock = AtTheWorstMoment()  # type: ignore[assignment]
    journal.put(parcel(1))
    assert drain(journal) == [1]
    lock.call = journal.roll
    journal.put(parcel(2))
    assert lock.calls == 1
    assert len(list_segments(journal.folder)) == 1
    assert drain(opened()) == [2]


def test_requests_share_a_sync_and_none_is_lost(opened: Callable[..., Journal]) -> None:
    syncs = 0

    class Counting(SegmentWriter):
        def sync(self) -> None:
            nonlocal syncs
            syncs += 1
            super().sync()

    journal = opened(open_segment=Counting)
    done = threading.Semaphore(0)
    for number in range(2000):
        journal.append(parcel(number), lambda error: done.release())
    for _ in range(2000):
        assert done.acquire(timeout=30)
    assert syncs < 1000
    assert drain(journal) == list(range(2000))


def test_after_closing_nothing_is_taken(opened: Callable[..., Journal]) -> None:
    journal = opened()
    answers: list[object] = []
    journal.append(parcel(1), answers.append)
    journal.close()
    assert answers == [None]
    with pytest.raises(PayloadError, match="stopping"):
        journal.put(parcel(2))
    assert drain(opened()) == [1]
