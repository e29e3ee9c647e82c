"""The Logs page in a real Chromium: completion, facets, time, keys and ticks, with hostile logs in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.test_browser import CONTRAST, OVERFLOW, SCREENSHOTS, VIEWS, Watched, open_page
from tests.browser.test_browser import browser as browser  # the fixture
from tests.web.fake import HOSTILE_ID, START, FakePages

from assay.app.requests import PickRequest, SaveFilterRequest, SavePolicyRequest
from assay.errors import CallerError
from assay.web.charts import Charts
from assay.web.serve import serve_in_thread
from assay.web.site import create_web

pytestmark = pytest.mark.browser

FILTERED = "/logs?q=turns > 1"


@pytest.fixture
def pages() -> FakePages:
    return FakePages()


@pytest.fixture
def address(pages: FakePages) -> Iterator[str]:
    serving = serve_in_thread(create_web(pages, warm=False, charts=Charts()))
    yield serving.address
    serving.stop()


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def at(browser: Browser, address: str, path: str = "/logs", width: int = 1280) -> tuple[Watched, Page]:
    watched = open_page(browser, address, width)
    watched.page.goto(address + path)
    return watched, watched.page


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_fits_and_nothing_hostile_runs(
    browser: Browser, address: str, pages: FakePages, width: int, scheme: str
) -> None:
    pages.row = {"priority": "high"}
    watched = open_page(browser, address, width, scheme)
    page = watched.page
    page.goto(f'{address}{FILTERED}&col=model&col=attr["topic"]&col=cost_usd')
    if width < 860:
        expect(page.locator("#facets")).to_be_hidden()
        page.get_by_text("Facets", exact=True).click()
    expect(page.locator("#facets")).to_be_visible()
    page.locator(".rest > summary").first.click()
    page.locator("tr.log input[name=id]").first.check()
    assert page.title() != "owned"
    assert page.evaluate(OVERFLOW) == 0
    assert page.evaluate(CONTRAST) == []
    for summary in page.locator(".tools > details > summary").all():
        summary.click()
        assert page.evaluate(OVERFLOW) == 0
    page.screenshot(path=SCREENSHOTS / f"logs-open-{width}-{scheme}.png", full_page=True)
    assert watched.trouble == []
    page.context.close()


def test_what_may_come_next_is_offered_and_taken(browser: Browser, address: str) -> None:
    watched, page = at(browser, address)
    page.keyboard.press("/")
    box = page.locator("#filter input[name=q]")
    expect(box).to_be_focused()
    page.keyboard.type("signal.ref")
    offers = page.locator(".offers li")
    expect(offers).to_have_count(1)
    assert "<script>" in offers.first.inner_text()
    page.keyboard.press("Tab")
    expect(box).to_have_value("signal.refusal ")
    page.keyboard.type('and input contains "\U0001f600" and version = ')
    expect(offers.first).to_contain_text("</script></textarea>")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    taken = box.input_value()
    assert taken.startswith('signal.refusal and input contains "\U0001f600" and version = "</script>')
    expect(page.locator(".offers")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".offers")).to_be_hidden()
    expect(box).to_have_value(taken)
    page.keyboard.press("Enter")
    page.wait_for_url("**/logs?unit=conversation&q=*")
    assert query(page)["q"][0].strip() == taken.strip()
    assert page.title() != "owned"
    assert watched.trouble == []
    page.context.close()


@pytest.mark.parametrize("written", ['version = "1.9"', "turns > 3", "judged", "turns > 3 "])
def test_tab_leaves_a_filter_that_is_finished(browser: Browser, address: str, written: str) -> None:
    watched, page = at(browser, address)
    box = page.locator("#filter input[name=q]")
    box.press_sequentially(written)
    page.wait_for_timeout(300)
    page.keyboard.press("Tab")
    expect(box).not_to_be_focused()
    expect(box).to_have_value(written)
    expect(page.locator(".offers")).to_be_hidden()
    assert watched.trouble == []
    page.context.close()


def test_tab_takes_once_and_then_goes_on(browser: Browser, address: str) -> None:
    watched, page = at(browser, address)
    box = page.get_by_role("combobox", name="Filter", exact=True)
    box.press_sequentially('version = "1.9"')
    expect(page.locator(".offers li").first).to_contain_text("and")
    expect(page.get_by_role("combobox", name="Filter", exact=True)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(box).to_have_value('version = "1.9" and ')
    expect(box).to_be_focused()
    page.wait_for_timeout(300)
    expect(page.locator(".offers")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(box).not_to_be_focused()
    expect(box).to_have_value('version = "1.9" and ')
    assert watched.trouble == []
    page.context.close()


def test_the_list_is_two_keys_away(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, FILTERED)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_be_focused()
    assert watched.trouble == []
    page.context.close()


@pytest.mark.parametrize(("width", "count"), [(1280, 0), (390, 1)])
def test_facets_are_unfolded_where_they_are_folded(
    browser: Browser, address: str, width: int, count: int
) -> None:
    watched, page = at(browser, address, FILTERED, width)
    expect(page.get_by_role("checkbox", name="Facets")).to_have_count(count)
    assert watched.trouble == []
    page.context.close()


def test_the_bars_are_one_stop_of_the_keyboard(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, FILTERED)
    bars = page.locator(".timeline a")
    expect(page.locator('.timeline a[tabindex="0"]')).to_have_count(1)
    expect(page.get_by_role("img", name="logs over time")).to_have_count(0)
    page.locator('.timeline a[tabindex="0"]').focus()
    page.keyboard.press("Home")
    expect(bars.first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(bars.nth(2)).to_be_focused()
    expect(page.locator('.timeline a[tabindex="0"]')).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**since=2025-11-20T00*")
    assert watched.trouble == []
    page.context.close()


def test_a_value_is_chosen_and_left_out(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, FILTERED)
    page.get_by_role("link", name="asks_for_human 410").click()
    page.wait_for_url("**asks_for_human*")
    assert query(page)["q"] == ["turns > 1 and signal.asks_for_human"]
    page.get_by_role("link", name="high 12").click(modifiers=["Shift"])
    page.wait_for_url("**not+priority*")
    assert query(page)["q"] == ['not priority = "high"']
    page.locator("details.facet > summary").first.click()
    page.reload()
    expect(page.get_by_role("link", name="asks_for_human 410")).to_be_hidden()
    assert watched.trouble == []
    page.context.close()


def test_a_stretch_of_time_is_dragged_over(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, f"{FILTERED}&last=30d&after=1%3Bc")
    box = page.locator(".over-time .strip").bounding_box()
    assert box is not None
    bar = box["width"] / 26
    page.mouse.move(box["x"] + 2.5 * bar, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 5.5 * bar, box["y"] + 25, steps=4)
    expect(page.locator(".brush")).to_be_visible()
    page.mouse.up()
    page.wait_for_url("**since=*")
    asked = query(page)
    assert (asked["since"], asked["until"]) == (["2025-11-20T00:00"], ["2025-11-20T04:00"])
    assert asked["q"] == ["turns > 1"]
    assert not {"last", "after"} & asked.keys()
    page.locator(".over-time a").nth(3).click()
    page.wait_for_url("**since=2025-11-20T01*")
    assert watched.trouble == []
    page.context.close()


def test_the_list_is_read_and_ticked_by_keyboard(browser: Browser, address: str, pages: FakePages) -> None:
    watched, page = at(browser, address, FILTERED)
    expect(page.locator("#ticked")).to_be_hidden()
    for key in ("j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator("#ticked-count")).to_have_text("3 ticked:")
    page.keyboard.press("k")
    expect(page.locator("tr.current")).to_contain_text("How do I change")
    page.keyboard.press("r")
    page.wait_for_url("**/logs?unit=conversation&q=turns*")
    assert pages.deeds == [PickRequest(log_ids=(HOSTILE_ID, "c-2", "c-3"))]
    expect(page.get_by_role("status")).to_contain_text("3 conversations more to review")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/conversations/*")
    page.go_back()
    page.keyboard.press("a")
    expect(page.locator("#ticked-count")).to_have_text("4 ticked:")
    page.keyboard.press("Escape")
    expect(page.locator("#ticked")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    page.wait_for_url("**after=*")
    assert watched.trouble == []
    page.context.close()


def test_ticked_logs_come_as_a_file(browser: Browser, address: str, pages: FakePages) -> None:
    watched, page = at(browser, address)
    page.route(
        "**/api/export/conversations*",
        lambda route: route.continue_(url=route.request.url.replace("conversations", "labels")),
    )
    page.locator("tr.log .tick").nth(0).click()
    page.locator("tr.log .tick").nth(2).click(modifiers=["Shift"])
    with page.expect_download() as download:
        page.keyboard.press("e")
    rows = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert len(rows) == 2
    assert pages.exported[-1].log_ids == (HOSTILE_ID, "c-2", "c-3")
    assert watched.trouble == []
    page.context.close()


def test_a_click_on_a_row_opens_it_and_one_on_a_box_does_not(browser: Browser, address: str) -> None:
    watched, page = at(browser, address)
    page.locator("tr.log").nth(1).locator("td").last.click()
    page.wait_for_url("**/conversations/c-2")
    page.go_back()
    page.locator("tr.log input[name=id]").nth(1).click()
    assert urlsplit(page.url).path == "/logs"
    page.context.close()
    assert all("404" in trouble for trouble in watched.trouble)  # of c-2 the fake knows its row alone


def test_a_filter_is_kept_under_a_name(browser: Browser, address: str, pages: FakePages) -> None:
    watched, page = at(browser, address, FILTERED)
    page.get_by_text("Saved 1").click()
    page.get_by_label("Save this filter as").fill("long_ones")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("saved.long_ones")
    page.get_by_text("Policy", exact=True).click()
    page.get_by_label("Save as policy").fill("long_ones")
    page.get_by_label("A day, for judges").fill("25")
    page.get_by_role("button", name="Save policy").click()
    expect(page.get_by_role("status")).to_contain_text("long_ones is saved")
    assert pages.deeds == [
        SaveFilterRequest(name="long_ones", filter="turns > 1", unit="conversation"),
        SavePolicyRequest(
            name="long_ones", settings={"unit": "conversation", "where": "turns > 1", "size": 25}
        ),
    ]
    assert watched.trouble == []
    page.context.close()


def test_a_policy_that_can_not_be_leaves_the_list_as_it_was(
    browser: Browser, address: str, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: SavePolicyRequest) -> None:
        raise CallerError("policy mine is saved already")

    monkeypatch.setattr(pages, "save_policy", refuse)
    watched, page = at(browser, address, f"{FILTERED}&last=7d")
    page.get_by_text("Policy", exact=True).click()
    page.get_by_label("Save as policy").fill("mine")
    page.get_by_label("A day, for judges").fill("25")
    page.get_by_role("button", name="Save policy").click()
    expect(page.get_by_role("alert")).to_have_text("policy mine is saved already")
    expect(page.get_by_label("Save as policy")).to_have_value("mine")
    expect(page.get_by_label("A day, for judges")).to_have_value("25")
    assert urlsplit(page.url).path == "/logs"
    assert (query(page)["q"], query(page)["last"]) == (["turns > 1"], ["7d"])
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert all("400" in trouble for trouble in watched.trouble)
    page.context.close()


def test_a_stretch_ends_where_what_was_counted_ends(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, FILTERED)
    box = page.locator(".over-time .strip").bounding_box()
    assert box is not None
    bar = box["width"] / 26
    page.mouse.move(box["x"] + 0.5 * bar, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 25.5 * bar, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_url("**since=*")
    asked = query(page)
    assert asked["since"] == ["2025-11-19T22:10:00+00:00"]
    assert asked["until"] == ["2025-11-20T23:20:00+00:00"]
    assert watched.trouble == []
    page.context.close()


def test_columns_are_chosen_and_kept(browser: Browser, address: str) -> None:
    watched, page = at(browser, address, FILTERED)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Model", exact=True).check()
    page.get_by_label("Latency", exact=True).uncheck()
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**col=*")
    heads = [head.strip() for head in page.locator("th").all_inner_texts() if head.strip()]
    assert heads == ["Conversation", "Turns", "Model", "Started"] or heads == [
        "Conversation",
        "Model",
        "Turns",
        "Started",
    ]
    assert query(page)["q"] == ["turns > 1"]
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**after=*")
    assert "model" in query(page)["col"]
    assert watched.trouble == []
    page.context.close()


def test_counts_in_part_are_completed_and_news_are_told(
    browser: Browser, address: str, pages: FakePages
) -> None:
    pages.partial = START
    watched = open_page(browser, address)
    page = watched.page
    page.clock.install()
    page.goto(address + FILTERED)
    expect(page.locator("#count[data-partial]")).to_have_count(0)
    expect(page.locator("#fresh")).to_be_hidden()
    pages.more = 7
    page.clock.run_for(31_000)
    expect(page.locator("#fresh")).to_have_text("7 more came in: show the newest")
    expect(page.locator("#count")).to_contain_text("12,437")
    assert watched.trouble == []
    page.context.close()


def test_the_name_stands_beside_no_page_without_javascript(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address + FILTERED)
    brand, nav = (page.locator(part).bounding_box() for part in (".brand", ".nav"))
    assert brand is not None
    assert nav is not None
    assert brand["y"] + brand["height"] <= nav["y"]
    assert brand["width"] > 100
    context.close()


def test_all_of_it_works_without_javascript(browser: Browser, address: str, pages: FakePages) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address + FILTERED)
    page.get_by_text("Facets", exact=True).click()
    page.get_by_role("link", name="Leave out asks_for_human").click()
    assert query(page)["q"] == ["not signal.asks_for_human"]
    page.locator(".over-time a").nth(2).click(force=True)
    assert query(page)["since"] == ["2025-11-20T00:00"]
    page.locator("tr.log input[name=id]").nth(1).check()
    page.get_by_role("button", name="Add to review").click()
    assert pages.deeds == [PickRequest(log_ids=("c-2",))]
    assert page.get_by_text("more to review").is_visible()
    context.close()
