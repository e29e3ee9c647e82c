"""What a process and its children use, sampled from /proc (Linux)."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """Samples the tree under `pid` until the block ends.

    `peak_mb` is the highest sum of proportional set sizes (shared pages counted once), `rss_mb` that of
    resident sets, `cpu_s` the processor time of every process seen, over the block alone. `known` are
    names of threads by id that count for more than what they are called now."""

    def __init__(self, pid: int, every_s: float = 0.1, known: dict[int, str] | None = None) -> None:
        self._pid, self._every_s = pid, every_s
        self._known = {} if known is None else known
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._cpu_s: dict[int, float] = {}
        self._before_s = 0.0
        self._threads_before: dict[str, float] = {}
        self._threads_after: dict[str, float] = {}
        self.peak_mb = 0.0
        self.rss_mb = 0.0

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values()) - self._before_s

    @property
    def threads_s(self) -> dict[str, float]:
        """Processor time by the name of the thread, of the threads that live at the end of the block."""
        used = {name: s - self._threads_before.get(name, 0.0) for name, s in self._threads_after.items()}
        return dict(sorted(used.items(), key=lambda item: -item[1]))

    def __enter__(self) -> Self:
        self._sample()
        self._before_s = sum(self._cpu_s.values())
        self._threads_before = threads_of(self._pid, self._known)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()
        self._threads_after = threads_of(self._pid, self._known)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._sample()

    def _sample(self) -> None:
        pss_kb = rss_kb = 0
        for pid in tree_of(self._pid):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has ended
                continue
            self._cpu_s[pid] = (int(stat[11]) + int(stat[12])) / _TICKS
            pss_kb += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            rss_kb += sum(int(line.split()[1]) for line in rollup if line.startswith("Rss:"))
        self.peak_mb = max(self.peak_mb, pss_kb / 1024)
        self.rss_mb = max(self.rss_mb, rss_kb / 1024)


def threads_of(pid: int, known: dict[int, str]) -> dict[str, float]:
    """Seconds on a processor by thread name; digits in a name are left out, so that pools add up.

    A thread that ever called itself `assay-...` keeps that name, in `known` too: the embedded engine
    renames the threads that call it."""
    found: defaultdict[str, float] = defaultdict(float)
    for process in tree_of(pid):
        for task in _tasks(process):
            try:
                name = (task / "comm").read_text().strip()
                on_cpu_ns = int((task / "schedstat").read_text().split()[0])
            except OSError:  # it has ended
                continue
            if name.startswith("assay-"):
                known[int(task.name)] = name
            name = known.get(int(task.name), name.rstrip("0123456789_- "))
            found["main" if task.name == str(process) else name] += on_cpu_ns / 1e9
    return found


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


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
