"""The page of one conversation: what was heard where, why it was drawn, and what is asked for later."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.web.fake import HOSTILE_ID, START, FakePages, conversation_page, row, selection

from assay.records import Turn
from assay.records.page import TurnRow
from assay.web.marked import ROOM
from assay.web.talk import chances

CONVERSATION = "/conversations/" + quote(HOSTILE_ID, safe="")


def many_turns(count: int, more: str = "") -> tuple[TurnRow, ...]:
    turns = []
    for number in range(count):
        at = START + timedelta(minutes=number)
        turn = Turn(
            interaction_id=f"t{number}",
            started=at,
            ended=at + timedelta(seconds=2),
            input=f"request number {number}{more}",
            output=f"answer{more}",
        )
        turns.append(TurnRow(turn=turn, facts=row("long", turn.input, "answer", unit="interaction")))
    return tuple(turns)


def show_many(pages: FakePages, count: int) -> None:
    page = replace(conversation_page(), conversation_id="long", turns=many_turns(count))
    pages.conversation = lambda conversation_id: page  # type: ignore[method-assign]  # one conversation


def test_a_signal_stands_at_the_side_that_raised_it(client: TestClient) -> None:
    html = client.get(CONVERSATION).text
    user, steps, assistant = (html.index(part) for part in ('said user"', 'class="steps"', 'said assistant"'))
    assert user < html.index("signal.asks_for_human", user) < steps  # by its family
    assert assistant < html.index("signal.refusal", assistant)  # by the words that were heard
    assert '<mark class="heard" title="raised refusal">can&#39;t help</mark>' in html
    assert "The user asks for a person" in html


def test_only_turns_that_are_shown_are_listened_to(client: TestClient, pages: FakePages) -> None:
    show_many(pages, 320)
    assert client.get("/texts?id=long&turn=t3&part=input").status_code == 200
    assert pages.listened == []
    client.get("/conversations/long")
    client.get("/conversations/long?from=301")
    assert pages.listened == [300, 20]
    client.get("/api/conversations/long")
    assert pages.listened == [300, 20, 320]


def test_a_page_of_many_long_turns_stays_small(client: TestClient, pages: FakePages) -> None:
    page = replace(conversation_page(), conversation_id="long", turns=many_turns(300, "x y " * 2_900))
    pages.conversation = lambda conversation_id: page  # type: ignore[method-assign]  # one conversation
    html = client.get("/conversations/long").text
    assert html.count("x y ") * 4 <= 2 * ROOM
    assert html.count("Show all 11,6") == 600  # each is to be had, at once or from its address
    assert html.count("/texts?id=long&amp;turn=t299&amp;part=input") == 1
    assert "request number 299" in html


def test_every_decision_says_its_number_and_its_chance(client: TestClient) -> None:
    html = client.get(CONVERSATION).text
    assert "Its number 0.0713 is below 0.2500, a chance of 25.00" in html
    assert "stratum refusal: 200 a day of 655" in html


def test_a_time_that_is_not_known_is_not_shown(client: TestClient, pages: FakePages) -> None:
    whole = conversation_page()
    assert "slowest answer" in client.get(CONVERSATION).text
    at_once = [replace(one.turn, ended=one.turn.started) for one in whole.turns]
    page = replace(
        whole,
        facts=replace(whole.facts, latency_ms=0.0, ended=whole.facts.started),
        turns=tuple(TurnRow(turn=turn) for turn in at_once),
    )
    pages.conversation = lambda conversation_id: page  # type: ignore[method-assign]  # one conversation
    shown = re.sub(r'<div class="part">.*?</details>', "", client.get(CONVERSATION).text, flags=re.DOTALL)
    for said in ("0 ms", "slowest answer", "Slowest answer", "Lasted"):
        assert said not in re.sub(r"[1-9]\d*0 ms", "", shown)


def test_chances_of_several_occasions_are_put_together(client: TestClient, pages: FakePages) -> None:
    first = selection("judge", 0.2, 0.9, "uniform")
    second = replace(selection("judge", 0.5, 0.1, "importance"), occasion=1)
    (both,) = chances([first, second])
    assert both.probability == pytest.approx(1 - 0.8 * 0.5)
    assert (both.occasions, both.drawn) == (2, True)
    page = replace(conversation_page(), selections=(second, first))
    pages.conversation = lambda conversation_id: page  # type: ignore[method-assign]  # one conversation
    html = client.get(CONVERSATION).text
    assert "another chance because facts came late (occasion 1)" in html
    assert "gave it 2 chances; that one of them would draw it was 60.00" in html


def test_spans_are_nested_bars_whose_attributes_come_later(client: TestClient) -> None:
    html = client.get(CONVERSATION).text
    assert f'data-part="/spans?trace={0:032x}&amp;span=b2"' in html
    assert 'class="span k-llm"' in html
    assert 'class="span k-tool failed"' in html
    assert "gen_ai.prompt" not in html
    span = client.get(f"/spans?trace={0:032x}&span=b2").text
    assert "gen_ai.prompt" in span
    assert "Show all 20,000 characters" in span
    assert "503 from the shop" in span
    assert "<img src=x" not in span
    assert "7 more spans" in client.get(f"/spans?trace={0:032x}").text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/spans?trace=gone", 404),
        ("/spans?trace=x&span=nope", 404),
        ("/texts?id=x&turn=nope&part=input", 404),
        (f"/texts?id=x&turn={0:032x}&part=nope", 400),
        (f"/texts?id=x&turn={0:032x}&part=result.99", 400),
        (f"/texts?id=x&turn={0:032x}&part=result.%C2%B2", 400),
        ("/neighbours?id=x&unit=moon", 400),
        (CONVERSATION + "?from=many", 400),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, pages: FakePages, address: str, status: int) -> None:
    page = conversation_page()
    pages.conversation = lambda conversation_id: page  # type: ignore[method-assign]  # any id
    assert client.get(address).status_code == status


@pytest.mark.parametrize("part", ["input", "output", "error", "context.0", "arguments.1", "result.0"])
def test_every_text_of_a_turn_has_an_address(client: TestClient, part: str) -> None:
    response = client.get("/texts", params={"id": HOSTILE_ID, "turn": f"{0:032x}", "part": part})
    assert response.status_code == 200
    assert "<img src=x" not in response.text


def test_neighbours_say_how_near_and_how_many(client: TestClient) -> None:
    html = client.get("/neighbours", params={"id": HOSTILE_ID}).text
    assert "0.87" in html
    assert "14 that say the same" in html
    assert "/conversations/near%2F1%3F" in html
    assert "<img src=x" not in html
    assert "nothing is like it yet" in client.get("/neighbours?id=lonely").text


def test_long_conversations_come_in_pages_and_a_turn_finds_its_own(
    client: TestClient, pages: FakePages
) -> None:
    show_many(pages, 701)
    first = client.get("/conversations/long").text
    assert first.count('<article class="turn"') == 300
    assert "Turns 1 to 300 of 701" in first
    assert "/conversations/long?from=301" in first
    assert first.count('class="spans"') == 8  # the others are asked for when they are looked at
    last = client.get("/conversations/long?turn=t650").text
    assert "Turns 601 to 701 of 701" in last
    assert 'id="turn-t650"' in last
    assert client.get("/conversations/long?from=99999").text.count('<article class="turn"') == 101


def test_the_way_back_is_the_list_that_one_came_from(client: TestClient) -> None:
    def back(referer: str) -> str:
        html = client.get(CONVERSATION, headers={"Referer": referer}).text
        return html.split('" data-back')[0].rsplit('href="', 1)[1]

    assert back("http://localhost/logs?q=signal.refusal&unit=conversation") == (
        "/logs?q=signal.refusal&amp;unit=conversation"
    )
    assert back("http://evil.example/logs?q=x") == "/logs"
    assert back("http://localhost/conversations/c-2") == "/logs"
    assert back("") == "/logs"


def test_the_api_has_what_the_page_has(client: TestClient) -> None:
    lines = client.get("/api/spans?trace=t1").json()
    assert [span["depth"] for span in lines[0]["spans"]] == [0, 1, 1, 1, 2]
    assert client.get("/api/spans?trace=t1&span=b2").json()["attributes"]["gen_ai.tool.name"]
    assert client.get("/api/spans?trace=t1&span=nope").status_code == 404
    assert client.get("/api/neighbours?id=x").json()["rows"][0]["alike"] == 14
    heard = client.get("/api/conversations/" + quote(HOSTILE_ID, safe="")).json()["turns"][0]["heard"]
    assert heard == [{"signal": "refusal", "subject": "output", "start": 2, "end": 12}]
