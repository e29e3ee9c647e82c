"""What arrives is counted, within bounds, and handed over once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assay.ingest.payload import Payload
from assay.ingest.rejection import Rejection
from assay.ingest.segment import Parcel
from assay.ingest.tally import OTHERS, Count, Sender, Tally, normal_key

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)
NS = 10**9
SENDER = Sender(int(NOW.timestamp()) * NS, "traces", "sdk/1", "http")


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tally(clock: Clock) -> Tally:
    return Tally(clock)


def parcel(items: int = 10, agent: str = "sdk/1", late_s: float = 0.0) -> Parcel:
    received_ns = int((NOW.timestamp() - late_s) * NS)
    return Parcel(
        payload=Payload(kind="traces", body=b"1234", content_type="", received_ns=received_ns),
        agent=agent,
        items=items,
    )


def test_rates_and_totals(tally: Tally, clock: Clock) -> None:
    tally.arrived(parcel(items=600))
    assert tally.spans_per_s() == 10.0
    clock.now += timedelta(seconds=60)
    assert tally.spans_per_s() == 5.0
    clock.now += timedelta(seconds=60)
    assert tally.spans_per_s() == 0.0
    tally.refused(503, "grpc", "sdk/1")
    names = {(dimension, name): count for (_, dimension, name), count in tally.recent().items()}
    assert names["all", ""] == Count(requests=1, spans=600, bytes=4)
    assert names["answer", "503"] == names["refused", ""] == Count(requests=1)


def test_lag_is_that_of_the_last_minutes(tally: Tally, clock: Clock) -> None:
    assert tally.lag_ms(0.5) is None
    tally.stored(
        [parcel(items=90, late_s=0.1), parcel(items=9, late_s=1.0), parcel(items=1, late_s=10.0)], [], []
    )
    for share, expected in ((0.5, 100), (0.95, 1000), (1.0, 10_000)):
        assert tally.lag_ms(share) == pytest.approx(expected, rel=0.13)
    clock.now += timedelta(minutes=6)
    assert tally.lag_ms(0.5) is None


def test_names_that_senders_choose_are_bounded(tally: Tally) -> None:
    for number in range(2_000):
        tally.arrived(parcel(agent=f"agent-{number}"))
    agents = {name: count for (_, dimension, name), count in tally.recent().items() if dimension == "agent"}
    assert len(agents) == 501
    assert agents[OTHERS].requests == 1_500
    assert sum(count.requests for count in agents.values()) == 2_000


def test_what_was_turned_away_is_listed_up_to_a_bound_and_then_summed(tally: Tally) -> None:
    rejections = [
        Rejection(span_id=f"{n:016x}", reason="no valid trace id", service="shop") for n in range(5_000)
    ]
    tally.rejected(SENDER, rejections)
    rows = tally.drain_rejected()
    assert len(rows) == 1_001
    assert sum(row.count for row in rows) == 5_000
    assert tally.drain_rejected() == ()
    tally.restore_rejected(rows)
    assert sum(row.count for row in tally.drain_rejected()) == 5_000


def test_what_could_not_be_kept_is_handed_over_again(tally: Tally, clock: Clock) -> None:
    tally.arrived(parcel())
    changed = tally.drain()
    assert tally.drain() == {}
    tally.restore(changed)
    assert tally.drain() == changed
    clock.now += timedelta(minutes=30)
    tally.arrived(parcel())
    tally.drain()
    assert {minute for minute, _, _ in tally.recent()} == {int(clock.now.timestamp() // 60)}


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("llm.input_messages.12.message.role", "llm.input_messages.N.message.role"),
        ("tools.0", "tools.N"),
        ("gpt4.answer", "gpt4.answer"),
        ("a.1.2.b", "a.N.N.b"),
    ],
)
def test_numbers_in_keys(key: str, normal: str) -> None:
    assert normal_key(key) == normal
