"""Which process has a project open: an embedded store has room for one.

The lock is the operating system's (`flock`), so it ends with its process however that dies; the
file beside it says who holds it and, for a server, where it listens and the token for its API."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.errors import ConfigError, StoreHeld

START_S = 30.0
"""A server that has been told to start answers well before, or is not going to."""
LOOKS, LOOK_S = 6, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has the project open. `address` is empty unless it serves."""

    pid: int
    command: str
    address: str = ""
    token: str = ""


def hold_folder(project: Path) -> Path:
    """Where a project, in the folder of its assay.toml, keeps what is its own."""
    return project / ".assay"


def journal_folder(project: Path, telemetry: Path | None) -> Path:
    """Where the journal of what came in stands: beside an embedded store, else in the project's folder."""
    if telemetry is None:
        return hold_folder(project) / "journal"
    return telemetry.parent / ("journal" if telemetry.name == "telemetry" else f"{telemetry.name}-journal")


class Hold:
    """The project is held until `release`, or until this process ends."""

    def __init__(self, folder: Path, descriptor: int, holder: Holder) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self.holder = holder

    def publish(self, address: str, token: str) -> None:
        """Say where this process can be reached; readable by this user alone."""
        self.holder = Holder(pid=self.holder.pid, command=self.holder.command, address=address, token=token)
        _write(self._folder, self.holder)

    def release(self) -> None:
        """Let others open the project. Releasing twice is harmless."""
        if self._descriptor < 0:
            return
        with suppress(FileNotFoundError):
            (self._folder / "holder.json").unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def acquire_hold(folder: Path, command: str) -> Hold:
    """Hold the project whose private folder this is.

    Raises StoreHeld, with the holder's pid and address, where another process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text(
            "*\n", encoding="utf-8"
        )  # the data and the token are nobody else's
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{folder} can't be written: {error}; choose another folder") from error
    if not _locked(descriptor):
        os.close(descriptor)
        raise _held(folder, find_holder(folder))
    hold = Hold(folder, descriptor, Holder(pid=os.getpid(), command=command))
    _write(folder, hold.holder)
    return hold


def find_holder(folder: Path) -> Holder | None:
    """Who holds the project now; None where nobody does, or nothing is said of it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        with suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads((folder / "holder.json").read_text(encoding="utf-8")))
        return Holder(pid=0, command="")
    finally:
        os.close(descriptor)
    return None


def find_server(folder: Path, wait_s: float = START_S) -> Holder | None:
    """The server that has the project open, waited for while it starts; None where there is none."""
    deadline = time.monotonic() + wait_s
    while (holder := find_holder(folder)) is not None and not holder.address:
        if holder.command not in ("serve", "") or time.monotonic() > deadline:
            return None
        time.sleep(LOOK_S)
    return holder


def _locked(descriptor: int) -> bool:
    """Take the lock. Whoever looks for the holder has it for a moment: that is waited out."""
    for _ in range(LOOKS):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOOK_S)
    return False


def _held(folder: Path, holder: Holder | None) -> StoreHeld:
    if holder is None or not holder.pid:
        return StoreHeld(f"another process has {folder} open; try again when it has ended")
    at = f" and serves at {holder.address}" if holder.address else ""
    return StoreHeld(
        f"process {holder.pid} (assay {holder.command}) has {folder} open{at}; "
        "wait until it has ended, or stop it",
        pid=holder.pid,
        address=holder.address or None,
    )


def _write(folder: Path, holder: Holder) -> None:
    path, new = folder / "holder.json", folder / "holder.json.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(holder), file)
    new.replace(path)
