"""A server keeps settling, whatever goes wrong in a pass."""

from __future__ import annotations

import logging
import threading
from typing import cast

import pytest

from assay.app.application import Application
from assay.app.live import settle_regularly
from assay.errors import StoreFull


class Failing:
    """Fails twice, then works."""

    def __init__(self) -> None:
        self.errors: list[Exception] = [StoreFull("the disk is full"), KeyError("unforeseen")]
        self.prepared = threading.Event()

    def settle(self, request: object) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def prepare(self) -> None:
        self.prepared.set()


def test_a_pass_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    with caplog.at_level(logging.WARNING), settle_regularly(cast("Application", failing), 0.01):
        assert failing.prepared.wait(5)
    first, second = caplog.records[:2]
    assert "the disk is full" in first.getMessage()
    assert second.exc_info is not None
