"""While a server runs: conversations get their signals soon after they have settled, and policies decide on
them, again where something was learned of them later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assay.app.application import Application
from assay.app.requests import EmbedRequest, RetainRequest, SettleRequest
from assay.errors import AssayError

log = logging.getLogger(__name__)

RETAIN_S = 3600.0
"""How often what has outlived its time is removed."""
EMBEDDED = 10_000
"""Logs that get a vector in one pass: deciding waits for no more."""
ENOUGH = 200
"""So many newly settled logs are worth deciding at once: what a decision costs besides is little for each."""


@contextmanager
def settle_regularly(
    application: Application, every_s: float, *, sample: bool = True, decide_every_s: float = 0.0
) -> Iterator[None]:
    """In a thread, every so often, until the block ends. A step that fails is logged and tried again, and
    keeps no other from its turn.

    Policies decide at first, then once `ENOUGH` logs were settled since or `decide_every_s` has passed. Each
    pass also sees to it that the first page finds its report made, and once an hour what is older
    than `[retention]` keeps is removed. Without `sample`, policies decide only when they are told to."""
    stop = threading.Event()
    told = application.note_trouble
    deciding = _Deciding(application, decide_every_s)
    steps = [
        _Step("conversations could not be settled", deciding.settle, told),
        _Step(
            "requests could not be embedded, policies tell their logs apart less",
            lambda: application.embed(EmbedRequest(limit=EMBEDDED)),
            told,
        ),
        _Step("policies could not decide", deciding.decide, told),
        _Step("the first page could not be prepared", application.prepare, told),
    ]
    if not sample:
        del steps[2]

    def work() -> None:
        retained = -RETAIN_S
        while not stop.is_set():
            for step in steps:
                step.take(every_s)
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


class _Deciding:
    """Policies decide on some logs at a time: most of what deciding costs it costs however few they are."""

    def __init__(self, application: Application, every_s: float) -> None:
        self._application = application
        self._every_s = every_s
        self._settled = 0
        self._decided: float | None = None

    def settle(self) -> None:
        done = self._application.settle(SettleRequest())
        self._settled += done.interactions + done.conversations

    def decide(self) -> None:
        """Where it is worthwhile. What fails is due again at the next pass."""
        now = time.monotonic()
        waited = self._decided is None or now - self._decided >= self._every_s
        if waited or self._settled >= ENOUGH:
            self._application.decide()
            self._decided, self._settled = now, 0


class _Step:
    """One step of every pass. What goes wrong is logged when it begins, not at every pass, and noted as
    long as it lasts."""

    def __init__(self, failing: str, do: Callable[[], object], note: Callable[[str, str], None]) -> None:
        self._failing = failing
        self._do = do
        self._note = note
        self._told = ""

    def take(self, again_s: float) -> None:
        try:
            self._do()
        except AssayError as error:
            if self._is_news(str(error)):
                log.warning("%s, trying again in %g s: %s", self._failing, again_s, error)
        except Exception as error:  # whatever it was, the next pass may meet it no more
            if self._is_news(repr(error)):
                log.exception("%s, trying again in %g s", self._failing, again_s)
        else:
            self._is_news("")

    def _is_news(self, what: str) -> bool:
        known, self._told = self._told, what
        if what != known:
            self._note(self._failing, what)
        return what != known


def _retain(application: Application) -> None:
    try:
        done = application.retain(RetainRequest())
    except Exception:
        log.exception("what is older than [retention] keeps could not be removed, trying again in an hour")
        return
    for removed in done.removed:
        log.info("%s: %d %s of %d day(s) removed", removed.table, removed.rows, removed.what, removed.days)
