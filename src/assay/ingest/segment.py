"""The journal's files: records one after the other, each with its length and its checksum.

A file begins with a mark and eight random bytes that every checksum starts from, so that nobody
who sends a body can make it look like a record. A record that was cut off or damaged is found by
its checksum; what follows it is found by the mark that each record begins with."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

from assay.ingest.payload import Kind, Payload

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this machine: slower, the same sums
    from zlib import crc32

MAGIC = b"ASSAYJ01"
FILE_HEAD = 16
MARK = b"\xf7\x9aRc"
_HEAD = struct.Struct("<4sIIIIIIqBB2x")
"""mark, checksum of the head, of meta and body, lengths of these, items, size, received, kind, sound."""
_KINDS: tuple[Kind, ...] = get_args(Kind)
_BLOCK = 2**20
_VECTORS = 1000
"""One call writes at most 1024 pieces (IOV_MAX)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A payload and what the door knows of it: how it came, from whose program, how many spans or
    records it holds, and its bytes after decompression."""

    payload: Payload
    transport: str = "http"
    agent: str = ""
    items: int = 0
    size_bytes: int = 0


class Position(NamedTuple):
    """A place in the journal: positions compare in the order of writing."""

    segment: int
    offset: int


class Entry(NamedTuple):
    """A parcel in the journal, and where it ends. `again`: it was there before this process began."""

    parcel: Parcel
    end: Position
    again: bool


class Damage(NamedTuple):
    """Bytes of a segment that hold no record; `torn` where the file just ends too soon."""

    segment: int
    start: int
    stop: int
    torn: bool

    @property
    def place(self) -> str:
        return f"segment {self.segment}, {self.start} to {self.stop}"


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:012d}.segment"


def list_segments(folder: Path) -> list[int]:
    """The numbers of the segments that are there, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.segment") if path.stem.isdigit())


def sync_folder(folder: Path) -> None:
    """Make it durable that files were made or renamed there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SegmentWriter:
    """Appends to a new segment. Nothing is durable before `sync` returned."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.path = segment_path(folder, number)
        salt = secrets.token_bytes(8)
        self._seed = crc32(salt)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _write_all(self._fd, [MAGIC, salt])
            sync_folder(folder)
        except BaseException:
            os.close(self._fd)
            with suppress(OSError):
                self.path.unlink()
            raise
        self.size = FILE_HEAD

    def pack(self, parcel: Parcel) -> tuple[bytes, bytes, bytes]:
        """A parcel as the pieces of its record."""
        payload = parcel.payload
        texts = (payload.content_type, payload.content_encoding, parcel.transport, parcel.agent)
        meta = "\0".join(text.replace("\0", "")[:300] for text in texts).encode("utf-8", "replace")
        crc = crc32(payload.body, crc32(meta, self._seed))
        rest = (
            crc,
            len(meta),
            len(payload.body),
            min(parcel.items, 2**32 - 1),
            min(parcel.size_bytes, 2**32 - 1),
            payload.received_ns,
            _KINDS.index(payload.kind),
            payload.is_sound,
        )
        head = _HEAD.pack(MARK, 0, *rest)
        return _HEAD.pack(MARK, crc32(head[8:], self._seed), *rest), meta, payload.body

    def write(self, pieces: list[bytes]) -> None:
        """Append the pieces; raises OSError, after which `cut` must be called."""
        _write_all(self._fd, pieces)
        self.size += sum(map(len, pieces))

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def cut(self, size: int) -> None:
        """Take back what was written beyond `size`."""
        self.size = size
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        os.close(self._fd)


def _write_all(fd: int, pieces: list[bytes]) -> None:
    todo: list[bytes | memoryview] = list(pieces)
    while todo:
        written = os.writev(fd, todo[:_VECTORS])
        if not written and any(map(len, todo[:_VECTORS])):
            raise OSError(28, "nothing could be written")
        done = 0
        while done < len(todo) and written >= len(todo[done]):
            written -= len(todo[done])
            done += 1
        todo = todo[done:]
        if written:
            todo[0] = memoryview(todo[0])[written:]


class SegmentReader:
    """Reads the records of one segment in order, up to `stop` (None: to the end of the file)."""

    def __init__(self, folder: Path, number: int, offset: int, stop: int | None, again: bool) -> None:
        self.number, self._again = number, again
        self._fd = os.open(segment_path(folder, number), os.O_RDONLY)
        self._stop = min(os.fstat(self._fd).st_size, stop if stop is not None else 2**63)
        opening = os.pread(self._fd, FILE_HEAD, 0)
        self._seed = crc32(opening[8:])
        self._offset = max(offset, FILE_HEAD)

    def entries(self, damaged: Callable[[Damage], None]) -> Iterator[Entry]:
        """Every record that is whole; what lies between or behind them is reported."""
        while self._offset < self._stop:
            entry = self._read(self._offset)
            if entry is None:
                start = self._offset
                self._offset = self._next(start)
                torn = self._offset == self._stop and self._is_torn(start)
                damaged(Damage(self.number, start, self._offset, torn))
                continue
            self._offset = entry.end.offset
            yield entry

    def close(self) -> None:
        os.close(self._fd)

    def _head(self, offset: int) -> tuple[int, ...] | None:
        """What a record's head says, without the mark and its own checksum; None where none begins."""
        raw = os.pread(self._fd, _HEAD.size, offset)
        if len(raw) < _HEAD.size or offset + _HEAD.size > self._stop:
            return None
        mark, checksum, *rest = _HEAD.unpack(raw)
        return tuple(rest) if mark == MARK and checksum == crc32(raw[8:], self._seed) else None

    def _read(self, offset: int) -> Entry | None:
        head = self._head(offset)
        if head is None:
            return None
        crc, meta_bytes, body_bytes, items, size, received_ns, kind, sound = head
        start, end = offset + _HEAD.size, offset + _HEAD.size + meta_bytes + body_bytes
        if end > self._stop or kind >= len(_KINDS):
            return None
        meta = os.pread(self._fd, meta_bytes, start)
        body = os.pread(self._fd, body_bytes, start + meta_bytes)
        if crc != crc32(body, crc32(meta, self._seed)):
            return None
        content_type, encoding, transport, agent = meta.decode("utf-8", "replace").split("\0")
        payload = Payload(
            kind=_KINDS[kind],
            body=body,
            content_type=content_type,
            content_encoding=encoding,
            received_ns=received_ns,
            is_sound=bool(sound) and not self._again,  # another program may have thought so
        )
        parcel = Parcel(payload=payload, transport=transport, agent=agent, items=items, size_bytes=size)
        return Entry(parcel, Position(self.number, end), self._again)

    def _next(self, offset: int) -> int:
        """Where the next whole record begins; the end where there is none."""
        offset += 1
        while offset < self._stop:
            block = os.pread(self._fd, min(_BLOCK, self._stop - offset), offset)
            found = block.find(MARK)
            while found >= 0:
                if self._read(offset + found) is not None:
                    return offset + found
                found = block.find(MARK, found + 1)
            offset += max(1, len(block) - len(MARK) + 1)
        return self._stop

    def _is_torn(self, offset: int) -> bool:
        """Whether a record began here and the file ends before it does, or holds only zeros."""
        head = self._head(offset)
        if head is not None:
            return offset + _HEAD.size + head[1] + head[2] > self._stop
        rest = os.pread(self._fd, _BLOCK, offset)
        return len(rest) < _HEAD.size or not any(rest)
