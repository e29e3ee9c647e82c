"""How far the store has the journal: two slots in a small file, written in turns, so that a write
that was cut off leaves the other."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from zlib import crc32

from assay.ingest.segment import Position, sync_folder

_SLOT = struct.Struct("<8sQQQI")
_MARK = b"ASSAYBM1"
_SLOT_BYTES = 512
_SIZE = 2 * _SLOT_BYTES


class Bookmark:
    """A position that survives a crash. Its room on the disk is taken when it is made."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._number = 0
        self._found: Position | None = None
        if os.fstat(self._fd).st_size != _SIZE:
            os.pwrite(self._fd, bytes(_SIZE), 0)
            os.fsync(self._fd)
            sync_folder(path.parent)
        for place in range(2):
            raw = os.pread(self._fd, _SLOT.size, place * _SLOT_BYTES)
            mark, number, segment, offset, checksum = _SLOT.unpack(raw)
            if mark == _MARK and checksum == crc32(raw[:-4]) and number > self._number:
                self._number, self._found = number, Position(segment, offset)

    def read(self) -> Position | None:
        """The newest position; None where none was ever written, or none can be read."""
        return self._found

    def write(self, position: Position) -> None:
        """Keep the position; it is on disk when this returns."""
        number = self._number + 1
        raw = _SLOT.pack(_MARK, number, position.segment, position.offset, 0)[:-4]
        os.pwrite(self._fd, raw + crc32(raw).to_bytes(4, "little"), number % 2 * _SLOT_BYTES)
        os.fdatasync(self._fd)
        self._number, self._found = number, position

    def close(self) -> None:
        os.close(self._fd)
