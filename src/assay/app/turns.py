"""What runs once at a time: among the threads of this process, and among processes that share a server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from assay.app.parts import Parts
from assay.errors import StoreError
from assay.records import Progress
from assay.store.state import release_lease, take_lease

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""How long a process that was killed keeps others waiting."""
LOOK_S = 0.25
TURN_S = 0.5


class Turn(Protocol):
    """A lock that may be more than one of this process; those who wait look again after `look_s`."""

    look_s: float

    def acquire(self, *, timeout: float) -> bool: ...

    def release(self) -> None: ...


def new_turn(parts: Parts, name: str) -> Turn:
    """The turn to do `name` in this project. An embedded store is one process's own: there a lock is
    enough; where a server may have several, the turn is a lease in the state store too."""
    if parts.telemetry.path is not None:
        return _Threads()
    return _Processes(parts, name)


class _Threads:
    look_s = 0.01

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, *, timeout: float) -> bool:
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


class _Processes:
    """A lease, prolonged by a thread for as long as it is held."""

    look_s = LOOK_S

    def __init__(self, parts: Parts, name: str, lease: timedelta = LEASE) -> None:
        self._parts = parts
        self._name = f"{parts.project}/{name}"
        self._lease = lease
        self._holder = uuid4().hex
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, *, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            while not self._take():
                if time.monotonic() > deadline:
                    self._lock.release()
                    return False
                time.sleep(LOOK_S)
        except BaseException:
            self._lock.release()
            raise
        self._done.clear()
        self._thread = threading.Thread(target=self._prolong, name=f"assay-{self._name}", daemon=True)
        self._thread.start()
        return True

    def release(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        try:
            release_lease(self._parts.state, self._name, self._holder)
        finally:
            self._lock.release()

    def _take(self) -> bool:
        return take_lease(
            self._parts.state, self._name, self._holder, now=self._parts.clock(), ttl=self._lease
        )

    def _prolong(self) -> None:
        while not self._done.wait(self._lease.total_seconds() / 4):
            try:
                if not self._take():
                    log.warning(
                        "%s: another process has taken over, for this one was silent too long", self._name
                    )
            except StoreError as error:
                log.warning("%s: the lease could not be prolonged: %s", self._name, error)


@contextmanager
def if_free(lock: Turn) -> Iterator[bool]:
    """Take the lock for the block unless somebody has it; whether it was taken."""
    taken = lock.acquire(timeout=0.0)
    try:
        yield taken
    finally:
        if taken:
            lock.release()


@contextmanager
def in_turn(lock: Turn, progress: Progress) -> Iterator[None]:
    """Wait until no other caller has the lock, saying so: whoever has gone away waits no longer."""
    while not lock.acquire(timeout=TURN_S):
        progress("waiting for another", 0, None)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def in_turns(lock: Turn, progress: Progress) -> Iterator[None]:
    """The same for a step of long work: whoever waits gets the lock before the next one."""
    with in_turn(lock, progress):
        yield
    time.sleep(2 * lock.look_s)
