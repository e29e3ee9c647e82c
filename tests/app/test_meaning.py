"""Requests get vectors on the way from settling to deciding, and a talk shows what was heard in it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from tests.app.conftest import SETTINGS, Open
from tests.app.test_application import SPAN, otlp

from assay.app.application import Application
from assay.app.requests import EmbedRequest, NeighboursRequest, SampleRequest, SettleRequest
from assay.errors import ConfigError, ProviderError, UnknownName
from assay.records import Unit
from assay.store.telemetry.connection import Telemetry

HASHING = SETTINGS + '[embeddings]\nembedder = "hashing"\n'
OFF = SETTINGS + '[embeddings]\nembedder = "off"\n'
BROKEN = SETTINGS + '[embeddings]\nembedder = "endpoint"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'
TEXTS = ("Where is my refund?", "where is the refund for my order", "How do I change my password?")


def span(trace: int, number: int, name: str, parent: int = 0, **more: Any) -> dict[str, Any]:
    begun = int(SPAN["startTimeUnixNano"]) + number * 1_000_000
    attributes = [
        {"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in more.items()
    ]
    given = {"traceId": f"{trace:032x}", "spanId": f"{trace * 100 + number:016x}", "name": name}
    times = {"startTimeUnixNano": str(begun), "endTimeUnixNano": str(begun + 2_000_000)}
    above = {"parentSpanId": f"{trace * 100 + parent:016x}"} if parent else {}
    return {**given, **times, **above, "attributes": attributes}


def ask(project: Application, *texts: str) -> None:
    spans = [
        span(
            n,
            1,
            "chat",
            gen_ai__operation__name="chat",
            gen_ai__prompt=text,
            gen_ai__completion="I can't help",
        )
        for n, text in enumerate(texts, 1)
    ]
    project.receive(otlp(*spans), "application/json", "")
    project.settle(SettleRequest(even_active=True))


def near(project: Application, trace: int, unit: Unit = "conversation") -> list[str]:
    found = project.neighbours(NeighboursRequest(log_id=f"{trace:032x}", unit=unit))
    return [row.log.input for row in found.rows]


def test_what_is_settled_is_embedded_once_and_found(open_project: Open) -> None:
    project = open_project(settings=HASHING)
    ask(project, *TEXTS)
    assert project.embed(EmbedRequest()).embedded == 3
    assert project.embed(EmbedRequest()).embedded == 0
    assert near(project, 1) == [TEXTS[1]]
    project.sample(SampleRequest())
    found = project.neighbours(NeighboursRequest(log_id=f"{1:032x}"))
    assert found.model.startswith("hashing")
    assert "refusal" in found.rows[0].log.signals


def test_all_is_embedded_unless_a_limit_is_given(open_project: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.app.meaning.PASS", 2)
    project = open_project(settings=HASHING)
    ask(project, *(f"{text} {word}" for text in TEXTS for word in ("please", "now", "today")))
    first = project.embed(EmbedRequest(limit=1))
    assert (first.embedded, first.waiting) == (1, True)
    steps: list[int] = []
    rest = project.embed(EmbedRequest(), lambda step, done, total: steps.append(done))
    assert (rest.embedded, rest.waiting) == (8, False)
    assert steps == sorted(steps)
    assert steps[-1] == 8


def test_deciding_embeds_first_and_goes_on_without_an_endpoint(open_project: Open) -> None:
    project = open_project(settings=HASHING)
    ask(project, *TEXTS)
    project.sample(SampleRequest())
    assert project.embed(EmbedRequest()).embedded == 0
    broken = open_project(settings=BROKEN)
    assert broken.sample(SampleRequest())[0].unit == "conversation"
    with pytest.raises(ProviderError, match=r"can't be reached.*embeddings\.base_url"):
        broken.embed(EmbedRequest())


def test_why_there_are_no_neighbours_is_said(open_project: Open) -> None:
    project = open_project(settings=HASHING)
    ask(project, *TEXTS)
    assert "assay embed" in project.neighbours(NeighboursRequest(log_id=f"{1:032x}")).reason
    units = project.neighbours(NeighboursRequest(log_id=f"{1:032x}", unit="interaction")).reason
    assert units == "interactions have no vectors: no policy draws them"
    for unit in get_args(Unit):
        with pytest.raises(UnknownName, match=f"no {unit} `nope`"):
            project.neighbours(NeighboursRequest(log_id="nope", unit=unit))
    off = open_project(settings=OFF)
    assert off.embed(EmbedRequest()).model == ""
    assert "embeddings are off" in off.neighbours(NeighboursRequest(log_id="x")).reason


def test_interactions_are_embedded_where_a_policy_draws_them(open_project: Open) -> None:
    project = open_project(settings=HASHING + '[policies.each]\nunit = "interaction"\nrate = 0.5\n')
    ask(project, *TEXTS)
    assert project.embed(EmbedRequest()).embedded == 6
    assert near(project, 1, "interaction") == [TEXTS[1]]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('embedder = "word2vec"', "there are auto, static, hashing, endpoint, off"),
        ('embedder = "endpoint"', "needs embeddings.model"),
        ('embedder = "endpoint"\nmodel = "m"', "no API key"),
        ('embedder = "endpoint"\nmodel = "m"\nbase_url = "localhost"', "must be an http"),
    ],
)
def test_a_wrong_embedder_is_refused_before_anything_opens(open_project: Open, lines: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_project(settings=f"{SETTINGS}[embeddings]\n{lines}\n")


def test_a_talk_shows_which_words_raised_a_signal(open_project: Open) -> None:
    project = open_project(settings=HASHING)
    ask(project, "Let me talk to a human!")
    page = project.conversation(f"{1:032x}")
    assert page is not None
    assert not page.turns[0].heard  # whoever shows the turn asks for it
    (row,) = project.hear(page.turns)
    texts = {"input": row.turn.input, "output": row.turn.output}
    heard = {one.signal: texts[one.subject][one.start : one.end] for one in row.heard}
    assert heard.keys() >= {"asks_human", "refusal"}
    assert heard["refusal"] == "I can't help"
    assert heard["asks_human"].endswith("to a human")


def test_a_timeline_is_in_the_order_of_the_tree(open_project: Open, telemetry: Telemetry) -> None:
    project = open_project(settings=HASHING)
    llm = {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "m",
        "gen_ai__usage__input_tokens": "7",
    }
    failed = {**span(1, 3, "find_order", 1, gen_ai__operation__name="execute_tool"), "status": {"code": 2}}
    spans = [
        span(1, 1, "agent"),
        span(1, 5, "chat m", 2, **llm),
        failed,
        span(1, 2, "plan", 1),
        span(1, 7, "lost", 99),
    ]
    project.receive(otlp(*spans), "application/json", "")
    project.door.flush()
    (line,) = project.timelines([f"{1:032x}", "nobody"])
    assert [(one.name, one.depth) for one in line.spans] == [
        ("agent", 0),
        ("plan", 1),
        ("chat m", 2),
        ("find_order", 1),
        ("lost", 0),
    ]
    chat = line.spans[2]
    assert (chat.kind, chat.model, chat.input_tokens, chat.output_tokens) == ("llm", "m", 7, None)
    assert (chat.offset_ms, chat.duration_ms, line.length_ms, line.left_out) == (4.0, 2.0, 8.0, 0)
    assert [one.error for one in line.spans] == [False, False, False, True, False]
    detail = project.span(f"{1:032x}", chat.span_id)
    assert detail is not None
    assert detail.attributes["gen_ai.request.model"] == "m"
    assert project.span(f"{1:032x}", "f" * 16) is None


def test_spans_that_go_round_in_a_circle_are_shown_once(open_project: Open) -> None:
    project = open_project(settings=HASHING)
    project.receive(
        otlp(span(1, 1, "a", 2), span(1, 2, "b", 1), span(1, 3, "own", 3)), "application/json", ""
    )
    project.door.flush()
    (line,) = project.timelines([f"{1:032x}"])
    assert sorted(one.name for one in line.spans) == ["a", "b", "own"]


def test_a_trace_of_many_spans_is_cut_and_says_so(
    open_project: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.app.timeline.MOST_SPANS", 5)
    project = open_project(settings=HASHING)
    project.receive(otlp(*(span(1, n, f"s{n}") for n in range(1, 10))), "application/json", "")
    project.door.flush()
    (line,) = project.timelines([f"{1:032x}"])
    assert [one.name for one in line.spans] == ["s1", "s2", "s3", "s4", "s5"]
    assert line.left_out == 4
