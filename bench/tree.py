"""What a process and its children use, sampled from /proc (Linux)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """Samples the tree under `pid` until the block ends.

    `peak_mb` is the highest sum of proportional set sizes (shared pages counted once), `cpu_s` the
    processor time of every process seen, both over the block alone."""

    def __init__(self, pid: int, every_s: float = 0.1) -> None:
        self._pid, self._every_s = pid, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._cpu_s: dict[int, float] = {}
        self._before_s = 0.0
        self.peak_mb = 0.0

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values()) - self._before_s

    def __enter__(self) -> Self:
        self._sample()
        self._before_s = sum(self._cpu_s.values())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._sample()

    def _sample(self) -> None:
        total_kb = 0
        for pid in tree_of(self._pid):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:  # it has ended
                continue
            self._cpu_s[pid] = (int(stat[11]) + int(stat[12])) / _TICKS
            total_kb += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        self.peak_mb = max(self.peak_mb, total_kb / 1024)


def tree_of(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(children.get(found[-1], []))
    return found
