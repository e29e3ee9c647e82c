"""What is said gets its vector and its cell once, whatever is repeated, changed or broken off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from assay.discovery.apply import Memory, embed_logs
from assay.discovery.base import Vectors
from assay.discovery.hashing import HashingEmbedder
from assay.errors import ProviderError
from assay.records import EmbedReport
from assay.store.telemetry import embeddings as kept
from assay.store.telemetry.connection import Telemetry

DAY = date(2026, 5, 4)
START = datetime(2026, 5, 4, 9, 30, 0, 250_000, tzinfo=UTC)
PutLogs = Callable[..., None]
TOPICS = ("refund my order", "where is my parcel", "change the address", "cancel the contract", "login fails")


class Counting(HashingEmbedder):
    """Counts the texts, and breaks down after so many."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__(["the", "my", "is"])
        self.texts: list[str] = []
        self.most = most

    def embed(self, texts: Sequence[str]) -> Vectors:
        if len(self.texts) + len(texts) > self.most:
            raise ProviderError("the endpoint is gone", reason="unreachable")
        self.texts += texts
        return super().embed(texts)


def run(t: Telemetry, embedder: HashingEmbedder, memory: Memory | None = None, **options: Any) -> EmbedReport:
    return embed_logs(t, embedder, ["conversation"], memory={} if memory is None else memory, **options)


def cells(t: Telemetry, embedder: HashingEmbedder) -> dict[str, int]:
    rows = kept.read_cells(t, "conversation", DAY, DAY + timedelta(days=9), embedder.model).to_pylist()
    return {row["log_id"]: row["cell"] for row in rows}


def put_topics(put_logs: PutLogs, count: int, first: int = 0, **columns: Any) -> list[str]:
    ids = [f"c{number:04}" for number in range(first, first + count)]
    times = [START + timedelta(minutes=number) for number in range(first, first + count)]
    texts = [f"{TOPICS[number % len(TOPICS)]} please {number}" for number in range(first, first + count)]
    put_logs(ids, times, **{"input": texts, "computed_at": START + timedelta(days=8), **columns})
    return ids


def test_everything_is_embedded_once(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 30)
    embedder = Counting()
    memory: Memory = {}
    report = run(telemetry, embedder, memory)
    assert (report.model, report.embedded, report.waiting) == (embedder.model, 30, False)
    for again in (memory, {}):  # the same process, and one that was started again
        assert run(telemetry, embedder, again).embedded == 0
    assert len(embedder.texts) == 30
    assert cells(telemetry, embedder) == {f"c{number:04}": 0 for number in range(30)}


def test_a_pass_ends_and_the_next_goes_on(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 50)
    embedder = Counting()
    memory: Memory = {}
    done = [run(telemetry, embedder, memory, limit=20, batch=7) for _ in range(4)]
    assert [(one.embedded, one.waiting) for one in done] == [(20, True), (20, True), (10, False), (0, False)]
    assert len(set(embedder.texts)) == len(embedder.texts) == 50


def test_what_an_endpoint_has_answered_is_kept(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 50)
    embedder = Counting(most=24)
    memory: Memory = {}
    with pytest.raises(ProviderError):
        run(telemetry, embedder, memory, batch=10)
    assert len(cells(telemetry, embedder)) == 20
    embedder.most = 10**9
    assert run(telemetry, embedder, memory, batch=10).embedded == 30


def test_new_logs_of_a_day_that_was_done_are_seen(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 10)
    embedder = Counting()
    memory: Memory = {}
    run(telemetry, embedder, memory)
    put_topics(put_logs, 5, first=10)
    assert run(telemetry, embedder, memory).embedded == 5


def test_a_text_that_changed_is_embedded_anew_and_signals_computed_again_are_not(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    put_logs(["a", "b"], START, input="refund my order", computed_at=START)
    embedder = Counting()
    memory: Memory = {}
    run(telemetry, embedder, memory)
    put_logs(["a"], START, input="refund my order", computed_at=START + timedelta(microseconds=1))
    put_logs(["b"], START, input="where is my parcel now", computed_at=START + timedelta(minutes=5))
    assert run(telemetry, embedder, memory).embedded == 1
    assert embedder.texts[-1] == "where is my parcel now"


def test_a_log_without_words_is_done_and_has_no_cell(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 250)
    put_logs(["silent", "empty"], START, input=["?!", ""], computed_at=START + timedelta(days=8))
    embedder = Counting()
    assert run(telemetry, embedder).embedded == 251
    assert run(telemetry, embedder).embedded == 0
    found = cells(telemetry, embedder)
    assert found["silent"] == 0
    assert "empty" not in found
    assert kept.nearest(telemetry, "conversation", "silent", embedder.model, 5) is None


def test_cells_come_with_enough_logs_and_stay(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 150)
    embedder = Counting()
    memory: Memory = {}
    assert run(telemetry, embedder, memory).generation == 0
    put_topics(put_logs, 100, first=150)
    report = run(telemetry, embedder, memory)
    first = cells(telemetry, embedder)
    assert report.generation > 0
    assert len(first) == 250
    assert {cell // kept.CELLS for cell in first.values()} == {report.generation}
    for topic in range(len(TOPICS)):  # what is about one thing lies in few cells
        own = [first[f"c{number:04}"] for number in range(topic, 250, len(TOPICS))]
        assert max(map(own.count, own)) > len(own) / 3
    put_topics(put_logs, 50, first=250)
    put_topics(put_logs, 20, input="login fails again", computed_at=START + timedelta(days=8, hours=1))
    assert run(telemetry, embedder, memory).embedded == 70
    later = cells(telemetry, embedder)
    assert {log_id: later[log_id] for log_id in first} == first
    assert all(later[f"c{number:04}"] // kept.CELLS == report.generation for number in range(250, 300))


def test_ten_times_the_logs_have_cells_of_their_own_numbers(
    telemetry: Telemetry, put_logs: PutLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.discovery.cells.FEWEST_LOGS", 10)
    embedder = Counting()
    memory: Memory = {}
    put_topics(put_logs, 20)
    first = run(telemetry, embedder, memory).generation
    put_topics(put_logs, 200, first=20)
    second = run(telemetry, embedder, memory).generation
    put_topics(put_logs, 10, first=220)
    run(telemetry, embedder, memory)
    found = cells(telemetry, embedder)
    assert 0 < first < second
    assert {found[f"c{number:04}"] // kept.CELLS for number in range(220)} == {first}
    assert {found[f"c{number:04}"] // kept.CELLS for number in range(220, 230)} == {second}


def test_another_model_has_vectors_and_cells_of_its_own(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_topics(put_logs, 220)
    one, other = HashingEmbedder(["the"]), HashingEmbedder(["please"])
    first, second = run(telemetry, one), run(telemetry, other)
    assert (first.embedded, second.embedded) == (220, 220)
    assert second.generation == first.generation + 1
    assert not set(cells(telemetry, one).values()) & set(cells(telemetry, other).values())


def test_a_greeting_is_read_with_what_follows(telemetry: Telemetry, put_logs: PutLogs) -> None:
    put_logs(["talk"], START, input="hi", turns=2, computed_at=START)
    put_logs(["t1", "t2"], [START, START + timedelta(minutes=1)], unit="interaction", conversation_id="talk",
             input=["hi", "where is my parcel"], computed_at=START)  # fmt: skip
    embedder = Counting()
    run(telemetry, embedder)
    assert embedder.texts == ["hi\nwhere is my parcel"]


def test_neighbours_are_the_nearest_and_say_how_many_are_alike(
    telemetry: Telemetry, put_logs: PutLogs
) -> None:
    texts = [
        "refund my order",
        "refund my orders",
        "Refund my  ORDER",
        "where is my parcel",
        "refund order now",
    ]
    times = [START + timedelta(minutes=number) for number in range(5)]
    put_logs(["a", "b", "c", "d", "e"], times, input=texts, signals=[[], ["refusal"], [], [], []],
             computed_at=START + timedelta(days=8))  # fmt: skip
    put_logs(["t"], START, unit="interaction", input="refund my order", computed_at=START)
    embedder = Counting()
    run(telemetry, embedder)
    found = kept.nearest(telemetry, "conversation", "b", embedder.model, 3)
    assert found is not None
    assert [(near.row.log_id, near.alike) for near in found] == [("c", 2), ("e", 1)]
    similar = [near.similarity for near in found]
    assert similar == sorted(similar, reverse=True)
    vectors = embedder.embed([texts[1], texts[2]])
    assert similar[0] == pytest.approx(float(vectors[0] @ vectors[1]), abs=0.01)
    assert kept.nearest(telemetry, "conversation", "nobody", embedder.model, 3) is None
    assert kept.nearest(telemetry, "conversation", "b", "another model", 3) is None


def test_neighbours_agree_with_numpy(telemetry: Telemetry, put_logs: PutLogs) -> None:
    rng = np.random.default_rng(4)
    words = [f"word{number}" for number in range(60)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(120)]
    times = [START + timedelta(minutes=number) for number in range(120)]
    put_logs([f"c{number}" for number in range(120)], times, input=texts, computed_at=START)
    embedder = Counting()
    run(telemetry, embedder)
    vectors = embedder.embed(texts)
    expected = np.argsort(-(vectors @ vectors[7]))[1:6]
    found = kept.nearest(telemetry, "conversation", "c7", embedder.model, 5) or ()
    overlap = {near.row.log_id for near in found} & {f"c{number}" for number in expected}
    assert len(overlap) >= 4  # two thirds of the bits are gone: neighbours of one height may change places


def test_vectors_leave_with_whoever_is_forgotten(telemetry: Telemetry, put_logs: PutLogs) -> None:
    from assay.store.telemetry.erase import erase, find_conversations

    put_topics(put_logs, 4)
    embedder = Counting()
    run(telemetry, embedder)
    _, tables, _ = erase(telemetry, lambda: find_conversations(telemetry, ["c0002"]))
    counts = {table.table: (table.before, table.after) for table in tables}
    assert counts["embeddings"] == (1, 0)
    assert set(cells(telemetry, embedder)) == {"c0000", "c0001", "c0003"}


def test_vectors_go_with_the_texts_they_came_from(telemetry: Telemetry, put_logs: PutLogs) -> None:
    from assay.store.telemetry.retain import Keep, retain

    put_topics(put_logs, 4)
    embedder = Counting()
    run(telemetry, embedder)
    removed = retain(telemetry, Keep(content_days=30), DAY + timedelta(days=90))
    assert ("embeddings", "rows", 4) in [(one.table, one.what, one.rows) for one in removed]
    assert run(telemetry, embedder).embedded == 0
