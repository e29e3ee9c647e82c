"""A conversation settles and is not drawn; a day later its user is unhappy, and it may come in after all.

The first test is a time line through the real steps, as a server takes them. The second asks whether
looking again at what turned out badly makes the answer to "how are we doing" any worse: it must not.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.app.test_keeping import said, send

from assay.app.application import Application
from assay.app.open import wire
from assay.app.requests import SampleRequest, SettleRequest
from assay.config import load_settings
from assay.estimates.metric import estimate_metric
from assay.ingest.feedback import read_feedback
from assay.records import MetricInfo, Selection, Window
from assay.store.state import open_state
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.ledger import read_ledger
from assay.store.telemetry.scope import Question
from assay.store.telemetry.selections import selections_of

MONDAY = datetime(2025, 11, 17, 9, tzinfo=UTC)
SETTINGS = """
[conversation]
idle_minutes = 0

[policies.daily]
rate = 0.1
strata = [{ name = "unhappy", when = "signal.negative_feedback", rate = 0.6 }]
"""
METRICS = """
from assay import metric

@metric(unit="conversation")
def short(log):
    return len(log.output) < 100
"""
Put = Callable[..., None]


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def project(
    telemetry: Telemetry, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    monkeypatch.setattr(telemetry, "close", lambda: None)
    (tmp_path / "assay.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "metrics.py").write_text(METRICS, encoding="utf-8")
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    settings = load_settings(tmp_path / "assay.toml", {})
    opened = Application(wire(settings, state, clock)(telemetry), journal=tmp_path / "journal")
    yield opened
    opened.close()


def decisions(t: Telemetry, talks: list[str]) -> dict[str, list[Selection]]:
    """What was decided of each conversation, the first occasion first."""
    found: dict[str, list[Selection]] = {talk: [] for talk in talks}
    for one in selections_of(t, "conversation", dict.fromkeys(talks, MONDAY)):
        found[one.log_id].append(one)
    return found


def test_a_thumbs_down_a_day_later_brings_a_conversation_in(
    project: Application, telemetry: Telemetry, clock: Clock
) -> None:
    talks = [f"talk {n}" for n in range(30)]
    send(project, *(said("ann", talk, talk, MONDAY - timedelta(hours=1), n) for n, talk in enumerate(talks)))
    (first,) = project.decide()
    assert (first.decided, first.additions) == (30, 0)
    assert project.decide()[0].decided == 0
    decided = decisions(telemetry, talks)
    left = [talk for talk, (one,) in decided.items() if not one.selected]
    assert {one.probability for (one,) in decided.values()} == {0.1}

    clock.now = MONDAY + timedelta(days=1)
    given = [{"conversation_id": talk, "value": "down", "comment": "wrong"} for talk in left]
    project.door.feedback(read_feedback(json.dumps(given).encode()), "feedback")
    project.settle(SettleRequest(even_active=True))
    (second,) = project.decide()
    assert (second.decided, second.additions) == (len(left), len(left))
    assert project.decide()[0].decided == 0

    come_in = []
    for talk, (before, after) in decisions(telemetry, left).items():
        assert (before.occasion, before.selected, before.probability) == (0, False, 0.1)
        assert (after.occasion, after.stratum) == (1, "unhappy")
        assert after.decided_at == clock.now
        assert after.probability == pytest.approx((0.6 - 0.1) / (1 - 0.1))
        assert after.selected is (after.draw < after.probability)
        assert after.draw != before.draw
        come_in += [talk] * after.selected
    assert 5 <= len(come_in) <= 25
    page = project.conversation(come_in[0])
    assert page is not None
    assert len(page.selections) == 2
    books = project.accounting_by_policy("daily", Window.of_day(MONDAY.date())).accounting
    assert books.balanced
    assert (books.seen, books.added) == (30, len(come_in))
    assert books.drawn == 30 - len(left) + len(come_in)
    (report,) = project.sample(SampleRequest())
    assert (report.decided, report.additions) == (0, 0)


DAYS, LOGS = 40, 250
TOLD = {True: 0.7, False: 0.03}
"""How often a user says later that a failure, or a success, was bad."""


@pytest.mark.slow
def test_what_comes_in_late_biases_no_estimate(
    project: Application, telemetry: Telemetry, put_logs: Put, put_scores: Put, clock: Clock
) -> None:
    chance = random.Random(20251117)
    begun = [MONDAY - timedelta(days=day + 1, seconds=n) for day in range(DAYS) for n in range(LOGS)]
    ids = [f"log {n}" for n in range(DAYS * LOGS)]
    failed = [chance.random() < 0.12 for _ in ids]
    told = [chance.random() < TOLD[bad] for bad in failed]
    put_logs(ids, begun, computed_at=MONDAY - timedelta(hours=1))
    project.sample(SampleRequest())
    late = [n for n, unhappy in enumerate(told) if unhappy]
    clock.now = MONDAY + timedelta(days=1)
    put_logs(
        [ids[n] for n in late],
        [begun[n] for n in late],
        signals=[["negative_feedback"]] * len(late),
        computed_at=clock.now,
    )
    (report,) = project.sample(SampleRequest())
    assert report.additions == len(late)
    put_scores(ids, begun, value=[float(not bad) for bad in failed], kind="code", metric="short")

    info = MetricInfo(name="short", version="v1", kind="code", unit="conversation")
    covered, errors, unweighted = 0, [], []
    for day in range(DAYS):
        window = Window.of_day((MONDAY - timedelta(days=day + 1)).date())
        found = read_ledger(telemetry, Question(info, "daily", window))
        truth = 1 - sum(failed[day * LOGS : (day + 1) * LOGS]) / LOGS
        rows: list[dict[str, Any]] = found.rows.to_pylist()
        weighted = sum(row["value"] / row["p1"] for row in rows)
        errors.append(weighted / sum(1 / row["p1"] for row in rows) - truth)
        unweighted.append(sum(row["value"] for row in rows) / len(rows) - truth)
        estimate = estimate_metric(found.rows, found.seen, info)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= truth <= estimate.high
    assert abs(_mean(errors)) < 4 * _standard_error(errors)
    assert _mean(unweighted) < -8 * _standard_error(unweighted)
    assert covered >= 0.85 * DAYS


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _standard_error(values: list[float]) -> float:
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
