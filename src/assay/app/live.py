"""While a server runs: conversations get their signals soon after they have settled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from assay.app.application import Application
from assay.app.requests import RetainRequest, SettleRequest
from assay.errors import AssayError

log = logging.getLogger(__name__)

RETAIN_S = 3600.0
"""How often what has outlived its time is removed."""


@contextmanager
def settle_regularly(application: Application, every_s: float) -> Iterator[None]:
    """In a thread, every so often, until the block ends. A pass that fails is logged and tried again.

    Each pass also sees to it that the first page finds its report made, and once an hour what is older
    than `[retention]` keeps is removed."""
    stop = threading.Event()

    def work() -> None:
        retained = -RETAIN_S
        while not stop.is_set():
            try:
                application.settle(SettleRequest())
                application.prepare()
            except AssayError as error:
                log.warning("conversations could not be settled, trying again in %g s: %s", every_s, error)
            except Exception:  # whatever it was, the next pass may meet it no more
                log.exception("conversations could not be settled, trying again in %g s", every_s)
            if time.monotonic() - retained >= RETAIN_S:
                retained = time.monotonic()
                _retain(application)
            stop.wait(every_s)

    thread = threading.Thread(target=work, name="settle", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _retain(application: Application) -> None:
    try:
        done = application.retain(RetainRequest())
    except Exception:
        log.exception("what is older than [retention] keeps could not be removed, trying again in an hour")
        return
    for removed in done.removed:
        log.info("%s: %d %s of %d day(s) removed", removed.table, removed.rows, removed.what, removed.days)
