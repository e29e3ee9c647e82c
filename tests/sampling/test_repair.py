"""Logs that are looked at again: each change of facts once, and decisions that were lost are made good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from assay.query import parse
from assay.records import SampleReport, Window
from assay.sampling import Policy, apply_policy, load_policy
from assay.store.telemetry import selections
from assay.store.telemetry.accounting import policy_by_hour
from assay.store.telemetry.connection import Telemetry

DAY = Window.of_day(date(2026, 5, 4))
MORNING, AFTER = datetime(2026, 5, 4, 6, tzinfo=UTC), datetime(2026, 5, 5, 0, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
IDS = [f"log{number}" for number in range(100)]
DOWN, MEH = (
    {"name": "down", "when": "feedback < 0.3", "rate": 0.8},
    {"name": "meh", "when": "feedback < 0.6"},
)
Put = Callable[..., None]


def policy(**more: Any) -> Policy:
    return load_policy("daily", {"rate": 0.2, "strata": [DOWN, MEH | {"rate": 0.5}], **more})


def whole(t: Telemetry, of: Policy, now: datetime) -> SampleReport:
    return apply_policy(t, of, DAY, parse, now)


def unexplained(t: Telemetry) -> int:
    return sum(one.accounting.lost for one in policy_by_hour(t, "daily", "conversation", DAY))


def rows(t: Telemetry) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = t.query(
        "SELECT * FROM selections FINAL ORDER BY log_id, occasion"
    ).to_pylist()
    return found


def lose(t: Telemetry, what: str) -> None:
    t.command(f"ALTER TABLE selections DELETE WHERE {what} SETTINGS mutations_sync = 2")


def three_occasions(t: Telemetry, put_logs: Put) -> list[dict[str, Any]]:
    """Every log is decided on, then users are less happy, then unhappy."""
    for at, feedback in ((MORNING, 1.0), (AFTER, 0.5), (AFTER + HOUR, 0.0)):
        put_logs(IDS, MORNING, computed_at=at, feedback=feedback)
        assert whole(t, policy(), max(at, AFTER)).decided == len(IDS)
    assert unexplained(t) == 0
    return rows(t)


@pytest.mark.parametrize("occasion", [0, 1, 2])
def test_a_lost_decision_is_made_again_as_it_was(telemetry: Telemetry, put_logs: Put, occasion: int) -> None:
    before = three_occasions(telemetry, put_logs)
    lose(telemetry, f"occasion = {occasion} AND log_id < 'log4'")
    assert unexplained(telemetry) > 30
    decided = whole(telemetry, policy(), AFTER + 2 * HOUR).decided
    assert decided == 34
    assert unexplained(telemetry) == 0
    after = rows(telemetry)
    assert [(r["log_id"], r["occasion"], r["draw"]) for r in after] == [
        (r["log_id"], r["occasion"], r["draw"]) for r in before
    ]
    if occasion:  # the first is decided on by what is known today, as the first of any log
        assert [r["probability"] for r in after] == pytest.approx([r["probability"] for r in before])
        assert [r["selected"] for r in after] == [r["selected"] for r in before]
    assert whole(telemetry, policy(), AFTER + 3 * HOUR).decided == 0


@pytest.mark.parametrize("again", [True, False])
def test_a_lost_decision_without_its_reason_is_closed(
    telemetry: Telemetry, put_logs: Put, again: bool
) -> None:
    """The thumb was taken back, or the policy looks at nothing again: nothing is drawn, the books close."""
    before = three_occasions(telemetry, put_logs)
    lose(telemetry, "occasion = 2 AND log_id < 'log4'")
    if again:
        put_logs(IDS, MORNING, computed_at=AFTER + 2 * HOUR, feedback=1.0)
    whole(telemetry, policy(again=again), AFTER + 3 * HOUR)
    assert unexplained(telemetry) == 0
    closed = [row for row in rows(telemetry) if row["probability"] == 0]
    assert {row["log_id"] for row in closed} == {log_id for log_id in IDS if log_id < "log4"}
    assert {(row["occasion"], row["selected"]) for row in closed} == {(2, 0)}
    assert all(row["reason"].startswith("lost, and written anew") for row in closed)
    others = [row for row in rows(telemetry) if row["probability"] > 0]
    assert [row["draw"] for row in others] == [
        row["draw"] for row in before if row["occasion"] < 2 or row["log_id"] >= "log4"
    ]
    assert whole(telemetry, policy(again=again), AFTER + 4 * HOUR).decided == 0


def test_what_was_looked_at_in_vain_is_not_looked_at_again(
    telemetry: Telemetry, put_logs: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    candidates = selections.candidates

    def counted(*given: Any, **more: Any) -> Any:
        for batch in candidates(*given, **more):
            seen.append(batch.num_rows)
            yield batch

    put_logs(IDS, MORNING, computed_at=MORNING)
    whole(telemetry, policy(), AFTER)
    before = [{**row, "facts_at": None} for row in rows(telemetry)]
    put_logs(IDS, MORNING, computed_at=AFTER)
    monkeypatch.setattr(selections, "candidates", counted)
    assert whole(telemetry, policy(), AFTER + HOUR).decided == 0
    assert sum(seen) == 100
    seen.clear()
    assert whole(telemetry, policy(), AFTER + 2 * HOUR).decided == 0
    assert seen == []
    assert [{**row, "facts_at": None} for row in rows(telemetry)] == before
    # What comes later is news.
    put_logs(IDS[:9], MORNING, computed_at=AFTER + HOUR, feedback=0.0)
    assert whole(telemetry, policy(), AFTER + 3 * HOUR).additions == 9
