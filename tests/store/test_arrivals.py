"""What has arrived and is not settled."""

from __future__ import annotations

from tests.store.spans import put, trace_id, turn
from tests.store.test_events import MESSAGES, send, verdict

from assay.store.telemetry.arrivals import read_open
from assay.store.telemetry.connection import Telemetry


def test_what_is_no_interaction_is_not_counted(telemetry: Telemetry) -> None:
    talk = {"gen_ai.conversation.id": "nobodys"}
    put(telemetry, turn("a", error=True))
    send(telemetry, *MESSAGES, verdict("x", "1", **talk), verdict("y", "1", trace_id("a")))
    page = read_open(telemetry)
    assert (page.interactions, sum(minute.interactions for minute in page.minutes)) == (1, 1)
    assert sum(minute.failed for minute in page.minutes) == 1
