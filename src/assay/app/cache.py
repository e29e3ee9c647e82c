"""Reports that are made already: pages ask more often than answers change."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from assay.records import Report, Window

log = logging.getLogger(__name__)


class ReportCache:
    """The newest report of each window. A fresh one is given at once; a stale one too, while another
    is made behind it; only where there is none does the caller wait. Thread-safe.

    A report is stale `fresh_s` after it was made, since others may write to the same store."""

    def __init__(self, *, fresh_s: float = 15.0, most: int = 8) -> None:
        self._fresh_s = fresh_s
        self._most = most
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._made: OrderedDict[Window, tuple[float, Report]] = OrderedDict()
        self._epoch = 0

    def get(self, window: Window, make: Callable[[], Report]) -> Report:
        """The report of that window; made once, however many ask at once."""
        with self._lock:
            made_at, report = self._made.get(window, (0.0, None))
        if report is None:
            with self._making:
                with self._lock:
                    report = self._made.get(window, (0.0, None))[1]
                return report or self._make(window, make)
        if time.monotonic() - made_at >= self._fresh_s and self._making.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(window, make), name="report", daemon=True).start()
        return report

    def __contains__(self, window: Window) -> bool:
        with self._lock:
            return window in self._made

    def expire(self) -> None:
        """New logs came: what is made may still be shown while another is made."""
        with self._lock:
            for window, (_, report) in self._made.items():
                self._made[window] = (float("-inf"), report)

    def clear(self) -> None:
        """Somebody changed the answers and wants to see it: forget all that is made."""
        with self._lock:
            self._made.clear()
            self._epoch += 1

    def _renew(self, window: Window, make: Callable[[], Report]) -> None:
        try:
            self._make(window, make)
        except Exception:  # nobody waits for it: the stale one stays, and the next asker tries again
            log.warning("a report could not be renewed", exc_info=True)
        finally:
            self._making.release()

    def _make(self, window: Window, make: Callable[[], Report]) -> Report:
        epoch, began = self._epoch, time.monotonic()
        report = make()
        with self._lock:
            if epoch == self._epoch:
                self._made[window] = (began, report)
                self._made.move_to_end(window)
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
        return report
