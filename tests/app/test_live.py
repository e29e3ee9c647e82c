"""A server keeps settling and deciding, whatever goes wrong in a pass."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import cast

import pytest

from assay.app.application import Application
from assay.app.live import ENOUGH, settle_regularly
from assay.errors import ConfigError, OutsideError, StoreFull
from assay.records import RetainReport, SettleReport


class Server:
    """Fails as it is told, then works; every step is noted, and `rounds` passes are waited for."""

    def __init__(self, rounds: int, *, settled: Sequence[int] = (), **failing: list[Exception]) -> None:
        self.steps: list[str] = []
        self.done = threading.Event()
        self.troubles: list[tuple[str, str]] = []
        self._rounds = rounds
        self._settled = list(settled)
        self._failing = failing

    def settle(self, request: object) -> SettleReport:
        self._step("settle")
        settled = self._settled.pop(0) if self._settled else 0
        return SettleReport(interactions=settled, conversations=settled, unsettled=0)

    def embed(self, request: object) -> None:
        self._step("embed")

    def decide(self) -> None:
        self._step("decide")

    def prepare(self) -> None:
        self._step("prepare")
        if self.steps.count("prepare") == self._rounds:
            self.done.set()

    def retain(self, request: object) -> RetainReport:
        return RetainReport(removed=(), dry_run=False)

    def note_trouble(self, step: str, what: str) -> None:
        self.troubles.append((step, what))

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if errors := self._failing.get(name):
            raise errors.pop(0)


def run(server: Server, *, sample: bool = True, decide_every_s: float = 0.0) -> None:
    application = cast("Application", server)
    with settle_regularly(application, 0.01, sample=sample, decide_every_s=decide_every_s):
        assert server.done.wait(5)


def test_each_pass_settles_embeds_decides_and_prepares() -> None:
    server = Server(2)
    run(server)
    assert server.steps[:8] == ["settle", "embed", "decide", "prepare"] * 2


def test_policies_decide_at_first_and_then_once_there_is_enough_to_decide() -> None:
    server = Server(6, settled=[1, ENOUGH // 2 - 1, 1, 0, 5])
    run(server, decide_every_s=3600)
    assert [step for step in server.steps if step in ("decide", "prepare")][:8] == [
        *("decide", "prepare"),
        "prepare",
        *("decide", "prepare"),
        *("prepare",) * 3,
    ]


def test_what_could_not_be_decided_is_tried_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(4, decide=[StoreFull("the disk is full"), StoreFull("the disk is full")])
    with caplog.at_level(logging.WARNING):
        run(server, decide_every_s=3600)
    assert server.steps.count("decide") == 3


def test_policies_may_be_left_to_be_told() -> None:
    server = Server(2)
    run(server, sample=False)
    assert "decide" not in server.steps
    assert server.steps[:3] == ["settle", "embed", "prepare"]


def test_a_pass_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(3, settle=[StoreFull("the disk is full"), KeyError("unforeseen")])
    with caplog.at_level(logging.WARNING):
        run(server)
    first, second = caplog.records
    assert "the disk is full" in first.getMessage()
    assert second.exc_info is not None


def test_a_step_that_fails_keeps_no_other_from_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(1, embed=[OutsideError("no answer")], decide=[ConfigError("assay.toml was changed")])
    with caplog.at_level(logging.WARNING):
        run(server)
    assert server.steps[:4] == ["settle", "embed", "decide", "prepare"]
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "no answer",
        "assay.toml was changed",
    ]


def test_what_stays_wrong_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    changed = [ConfigError("assay.toml was changed") for _ in range(3)]
    again = [*changed, ConfigError("metrics.py was changed")]
    server = Server(5, decide=list(again))
    with caplog.at_level(logging.WARNING):
        run(server)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "assay.toml was changed",
        "metrics.py was changed",
    ]
    failing = "policies could not decide"
    assert server.troubles == [
        (failing, "assay.toml was changed"),
        (failing, "metrics.py was changed"),
        (failing, ""),
    ]
