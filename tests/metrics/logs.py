"""Logs for the tests of metrics and runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assay.records import Log, Turn

STARTED = datetime(2026, 5, 4, 12, tzinfo=UTC)


def make_turn(asked: str = "How do I pay?", answered: str = "By card.", **changes: Any) -> Turn:
    given: dict[str, Any] = {"interaction_id": "t1", "started": STARTED, "ended": STARTED}
    return Turn(**(given | {"input": asked, "output": answered} | changes))


def make_log(log_id: str = "c1", *turns: Turn, **changes: Any) -> Log:
    """A conversation of these turns, or of one where a user asks how to pay."""
    turns = turns or (make_turn(),)
    given: dict[str, Any] = {
        "unit": "conversation",
        "log_id": log_id,
        "conversation_id": log_id,
        "started": STARTED,
        "ended": STARTED + timedelta(minutes=1),
        "input": turns[0].input,
        "output": turns[-1].output,
        "turns": turns,
    }
    return Log(**(given | changes))
