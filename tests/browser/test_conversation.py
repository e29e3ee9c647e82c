"""A conversation's page in a real Chromium: keys, what is loaded when it is wanted, and hostile content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.test_browser import CONTRAST, OVERFLOW, VIEWS, Watched, browser, charts, open_page
from tests.web.fake import BIDI, CLOSING, HOSTILE_ID, SCRIPT, START, FakePages, conversation_page, row

from assay.records import LogPage, Turn, Unit
from assay.records.page import ConversationPage, TurnRow
from assay.web.charts import Charts
from assay.web.serve import serve_in_thread
from assay.web.site import create_web

__all__ = ["browser", "charts"]
pytestmark = pytest.mark.browser

HOSTILE = "/conversations/" + quote(HOSTILE_ID, safe="")
TRICKS = "\n".join(
    [
        "![x](javascript:alert(1)) [click](javascript:document.title='owned')",
        "[x]: data:text/html,<script>document.title='owned'</script>",
        "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
        "`</code><svg onload=document.title='owned'>` {{ 7 * 7 }} ${7 * 7}",
        "<style>*{display:none}</style><base href='//evil.example'><meta http-equiv=refresh content=0>",
        BIDI + "שלום \u202e hello مرحبا",
        "\u0301" * 40 + "zalgo" + "\u200b" * 200 + "end",
        SCRIPT + CLOSING,
    ]
)
BIG = "<b onmouseover=alert(1)>" + "0123456789 abcdefghi\n" * 50_000


class TalkPages(FakePages):
    """Beside the hostile conversation, one of 320 turns; one of them says a megabyte. Of each, a list of
    interactions has two."""

    def list_logs(self, unit: Unit, filter_text: str, **asked: Any) -> LogPage:
        page = super().list_logs(unit, filter_text, **asked)
        if unit == "conversation":
            return page
        turns = [(HOSTILE_ID, f"{0:032x}"), (HOSTILE_ID, f"{1:032x}"), ("long", "t9"), ("long", "t311")]
        rows = (row(talk, "Hello", "", unit="interaction", log_id=turn) for talk, turn in turns)
        return replace(page, rows=tuple(rows))

    def conversation(self, conversation_id: str) -> ConversationPage | None:
        if conversation_id != "long":
            return super().conversation(conversation_id)
        turns = []
        for number in range(320):
            at = START + timedelta(minutes=number)
            turn = Turn(
                interaction_id=f"t{number}",
                started=at,
                ended=at + timedelta(seconds=1 + number % 7),
                input=f"{number} {TRICKS}",
                output=BIG if number == 2 else TRICKS,
            )
            facts = row("long", turn.input, "", unit="interaction", log_id=turn.interaction_id)
            turns.append(TurnRow(turn=turn, facts=replace(facts, signals=("refusal",))))
        facts = row("long", TRICKS, TRICKS, turns=320, attributes={TRICKS: TRICKS})
        return replace(conversation_page(), conversation_id="long", facts=facts, turns=tuple(turns))


@pytest.fixture(scope="module")
def address(charts: Charts) -> Iterator[str]:
    serving = serve_in_thread(create_web(TalkPages(), warm=False, charts=charts))
    yield serving.address
    serving.stop()


def open_at(browser: Browser, address: str, path: str, width: int = 1280, scheme: str = "light") -> Watched:
    watched = open_page(browser, address, width, scheme)
    watched.page.goto(address + path)
    return watched


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize(
    "path", [HOSTILE, "/conversations/long", "/spans?trace=t1", "/spans?trace=t1&span=b2"]
)
def test_hostile_content_is_text_and_fits(
    browser: Browser, address: str, path: str, width: int, scheme: str
) -> None:
    watched = open_at(browser, address, path, width, scheme)
    page = watched.page
    page.wait_for_load_state("networkidle")
    assert "owned" not in page.title().replace("document.title='owned'", "")
    assert page.evaluate(OVERFLOW) == 0
    assert (
        page.evaluate("document.querySelectorAll('main :is(iframe, style, base, meta, img, script)').length")
        == 0
    )
    assert (
        page.evaluate("document.querySelectorAll('main [style], main [onload], main [onerror]').length") == 0
    )
    assert page.evaluate(CONTRAST) == []
    assert watched.trouble == []


def test_keys_go_from_turn_to_turn_and_open_their_spans(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, HOSTILE)
    page = watched.page
    here, trace = page.locator(".turn.here"), page.locator(".trace.here")
    expect(here).to_have_attribute("data-turn", "1")
    for key, turn in (("j", "2"), ("j", "3"), ("j", "3"), ("k", "2")):
        page.keyboard.press(key)
        expect(here).to_have_attribute("data-turn", turn)
        expect(trace).to_have_attribute("data-of", turn)
        expect(trace).to_have_attribute("open", "")
        assert page.url.endswith(f"#turn-{int(turn) - 1:032x}")
    page.keyboard.press("t")
    expect(trace).not_to_have_attribute("open", "")
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("j")  # the dialog keeps keys to itself
    page.keyboard.press("Escape")
    expect(here).to_have_attribute("data-turn", "2")
    assert watched.trouble == []


def test_a_span_shows_its_attributes_when_it_is_opened(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, HOSTILE)
    span = watched.page.locator(".trace.here .span.failed")
    span.locator("summary").first.click()
    expect(span.locator(".attributes").first).to_contain_text("gen_ai.tool.name")
    expect(span).to_contain_text("Show all 20,000 characters")
    expect(span).to_contain_text("<img src=x")
    assert watched.trouble == []


def test_what_is_near_in_meaning_comes_by_itself(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, HOSTILE)
    near = watched.page.locator(".neighbours li")
    expect(near).to_have_count(1)
    expect(near).to_contain_text("14 that say the same")
    assert watched.trouble == []


def test_a_megabyte_comes_when_it_is_asked_for(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, "/conversations/long?turn=t2#turn-t2")
    page = watched.page
    words = page.locator("#turn-t2 .said.assistant .words")
    assert len(words.inner_text()) < 5_000
    page.locator("#turn-t2 a.more-link").click()
    expect(page.locator("#turn-t2 a.more-link")).to_have_count(0)
    assert page.evaluate("document.querySelector('#turn-t2 .said.assistant .words').textContent.trim()") == (
        BIG.strip()
    )
    assert page.evaluate(OVERFLOW) == 0
    assert watched.trouble == []


def test_three_hundred_turns_have_pages_and_spans_on_demand(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, "/conversations/long?turn=t310#turn-t310")
    page = watched.page
    expect(page.locator(".turn")).to_have_count(20)
    expect(page.locator(".turn.here")).to_have_attribute("id", "turn-t310")
    page.locator(".turn-pager a[rel=prev]").first.click()
    expect(page.locator(".turn")).to_have_count(300)
    trace = page.locator('.trace[data-of="200"]')
    expect(trace.locator(".span")).to_have_count(0)
    trace.locator("summary").first.click()
    expect(trace.locator(".span")).to_have_count(5)
    assert watched.trouble == []


def test_the_list_one_came_from_leads_on(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, "/logs?q=signal.refusal")
    page = watched.page
    page.locator("a.row-link").first.click()
    expect(page.locator("[data-place]")).to_contain_text("1 of ")
    assert "q=signal.refusal" in str(page.locator("[data-back]").get_attribute("href"))
    expect(page.locator('[data-walk="-1"]')).not_to_have_attribute("href", "/logs")
    page.keyboard.press("u")
    page.wait_for_url("**/logs?q=signal.refusal")
    assert watched.trouble == []


def test_turns_of_one_conversation_are_one_step_of_the_list(browser: Browser, address: str) -> None:
    watched = open_at(browser, address, "/logs?unit=interaction&q=signal.refusal")
    page = watched.page
    page.locator("a.row-link").nth(1).click()
    place = page.locator("[data-place]")
    expect(place).to_have_text("1 of 2")
    page.keyboard.press("n")
    page.wait_for_url("**/conversations/long?turn=t9*")
    expect(place).to_have_text("2 of 2")
    page.keyboard.press("n")
    page.keyboard.press("p")
    page.wait_for_url(f"**turn={0:032x}*")
    expect(place).to_have_text("1 of 2")
    assert watched.trouble == []


def test_without_script_everything_is_a_link(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + HOSTILE)
    page.locator("summary", has_text="chat gpt-5-mini").first.click()
    page.get_by_role("link", name="All attributes").first.click()
    expect(page.locator("main")).to_contain_text("gen_ai.tool.name")
    page.goto(address + HOSTILE)
    page.get_by_role("link", name="Show all 1,048,580 characters").click()
    expect(page.locator("h1")).to_have_text("What the assistant said")
    page.goto(address + HOSTILE)
    page.get_by_role("link", name="What others ask").click()
    expect(page.locator("main")).to_contain_text("14 that say the same")
    context.close()


def test_what_can_not_be_loaded_is_said_and_tried_again(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    page.route("**/spans?*", lambda route: route.fulfill(status=503, body="<main><p>no store</p></main>"))
    page.goto(address + HOSTILE)
    span = page.locator(".trace.here .span").first
    span.locator("summary").click()
    expect(span).to_contain_text("Not loaded: no store")
    page.unroute("**/spans?*")
    span.locator("summary").click()
    span.locator("summary").click()
    expect(span.locator(".attributes").first).to_be_visible()
