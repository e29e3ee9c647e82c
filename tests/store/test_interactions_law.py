"""The law of the store: order, batches, repetition and poorer versions of spans change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.traffic import Span, captured, interactions, span, table

from assay.store.telemetry.connection import Telemetry

CLIENTS = ("openinference-openai", "openinference-langchain", "otel-genai-openai")
LAW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


@st.composite
def traces(draw: st.DrawFn) -> list[Span]:
    """Spans of two traces, with parents anywhere or missing, and facts that only some of them carry."""
    ids = [f"s{n}" for n in range(draw(st.integers(1, 7)))]
    values = st.sampled_from(["", "a", "b"])
    spans = []
    for span_id in ids:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": draw(st.sampled_from(["", "chat", "execute_tool", "invoke_agent"])),
            "gen_ai.conversation.id": draw(values),
            "user.id": draw(values),
            "gen_ai.usage.input_tokens": draw(st.sampled_from(["", "3", "5"])),
            "gen_ai.input.messages": message("user", draw(values)),
            "gen_ai.output.messages": message("assistant", draw(values)),
            "metadata": json.dumps({"k": draw(values)}),
            "assay.attr.x": draw(values),
        }
        kept = {key: value for key, value in attributes.items() if value}
        made = span(
            span_id,
            draw(st.sampled_from(["", "gone", *ids])),
            trace=draw(st.sampled_from(["t1", "t2"])),
            at=draw(st.integers(0, 3)) + draw(st.sampled_from([0, 12 * 3600])),
            seconds=draw(st.integers(1, 3)),
            status=draw(st.sampled_from(["Unset", "Error"])),
            **kept,
        )
        spans.append(made)
    return spans


def poorer(full: Span, keep: int) -> Span:
    """The same span as it looked before it ended: some attributes, no duration."""
    return {**full, "SpanAttributes": full["SpanAttributes"][:keep], "Duration": 0, "StatusCode": "Unset"}


def store(t: Telemetry, batches: Iterable[list[Span]]) -> list[dict[str, Any]]:
    """The interactions after these batches; conversations are these, grouped by their id."""
    for name in ("otel_traces", "otel_logs", "interactions"):
        t.command(f"TRUNCATE TABLE {name}")
    for batch in batches:
        t.insert("otel_traces", table(batch))
    return interactions(t)


def shuffled(data: st.DataObject, spans: list[Span]) -> list[list[Span]]:
    """The spans in any order, some twice, some in poorer versions too, cut into batches."""
    extra = data.draw(st.lists(st.sampled_from(spans), max_size=4), label="repeated")
    early = data.draw(st.lists(st.sampled_from(spans), max_size=4), label="poorer")
    versions = [poorer(full, data.draw(st.integers(0, 3))) for full in early]
    order = data.draw(st.permutations([*spans, *extra, *versions]), label="order")
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=2), label="cuts"))
    edges = [0, *cuts, len(order)]
    return [order[left:right] for left, right in pairwise(edges)]


@LAW
@given(spans=traces(), data=st.data())
def test_any_way_of_arriving_gives_the_same(
    telemetry: Telemetry, spans: list[Span], data: st.DataObject
) -> None:
    expected = store(telemetry, [spans])
    assert store(telemetry, shuffled(data, spans)) == expected
    telemetry.command("OPTIMIZE TABLE interactions FINAL")
    assert interactions(telemetry) == expected


@pytest.mark.slow
@settings(LAW, max_examples=100)
@given(spans=traces(), data=st.data())
def test_so_do_many_more(telemetry: Telemetry, spans: list[Span], data: st.DataObject) -> None:
    assert store(telemetry, shuffled(data, spans)) == store(telemetry, [spans])


@pytest.mark.shared
@pytest.mark.parametrize("client", CLIENTS)
@settings(LAW, max_examples=2)
@given(data=st.data())
def test_real_traffic_obeys_it(telemetry: Telemetry, shared: Path, client: str, data: st.DataObject) -> None:
    spans = captured(shared, client).to_pylist()
    expected = store(telemetry, [spans])
    assert store(telemetry, shuffled(data, spans)) == expected


def test_two_versions_of_equal_richness_give_one_answer(telemetry: Telemetry) -> None:
    one, other = (span("a", user__id=name, input__value=name) for name in ("ann", "bob"))
    assert store(telemetry, [[one], [other]]) == store(telemetry, [[other], [one]])


def test_a_database_that_was_there_before_is_brought_in(telemetry: Telemetry) -> None:
    from assay.store.telemetry.derive import feed_again

    spans = [span(f"s{n}", trace=f"t{n % 3}", input__value=f"ask {n}") for n in range(9)]
    expected = store(telemetry, [spans])
    for _ in range(2):
        feed_again(telemetry, "1", {})
        assert interactions(telemetry) == expected
    telemetry.command("TRUNCATE TABLE interactions")
    feed_again(telemetry, "1", {})
    assert interactions(telemetry) == expected


def test_an_arrow_table_of_many_chunks_is_stored_whole(telemetry: Telemetry) -> None:
    chunks = [table([span(f"s{n}", trace="t1")]) for n in range(5)]
    telemetry.insert("otel_traces", pa.concat_tables(chunks))
    assert telemetry.query("SELECT spans FROM interactions_final").to_pylist() == [{"spans": 5}]
