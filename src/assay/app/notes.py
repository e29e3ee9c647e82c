"""How far imports have come: a small note a file, in `.assay/imports/`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """What of a file is in the store: its first `rows`. `done` is when all of it was, as ISO 8601."""

    file: str
    rows: int = 0
    spans: int = 0
    records: int = 0
    rejected: int = 0
    done: str = ""


class Notes:
    """The notes of one project. A note that can't be read or written only costs time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "imports"

    def read(self, key: str) -> Progressed | None:
        try:
            return Progressed(**json.loads(self._path(key).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, key: str, note: Progressed) -> None:
        path = self._path(key)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(f".{os.getpid()}.new")
            new.write_text(json.dumps(asdict(note)), encoding="utf-8")
            new.replace(path)

    def drop(self, key: str) -> None:
        with suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()[:32]}.json"
