"""The pages in a real Chromium: nothing fails in the console, nothing hostile runs, and they fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from tests.web.fake import EMPTY, HOSTILE_ID, FakePages

from assay.web.charts import Charts
from assay.web.serve import Serving, serve_in_thread
from assay.web.site import create_web

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SCREENSHOTS = Path(__file__).parent / "screenshots"
PAGES = {
    "overview": "/",
    "overview-unknown": "/?metric=tone",
    "logs": "/logs?q=signal.refusal",
    "conversation": "/conversations/" + quote(HOSTILE_ID, safe=""),
    "metrics": "/metrics",
    "operations": "/operations?metric=resolved",
    "ingest": "/operations/ingest",
    "explain": "/explain/resolved",
}
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTRAST = """
() => {
  const parse = (text) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const shown = element.checkVisibility({ visibilityProperty: true });
    if (!own || !shown || element.closest("svg, .hidden, .skip")) continue;
    let behind = element;
    while (behind && parse(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const a = light(parse(getComputedStyle(element).color));
    const b = light(parse(getComputedStyle(behind ?? document.body).backgroundColor));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const said = element.textContent.trim().slice(0, 40);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${element.className} ${said}`);
  }
  return [...new Set(found)];
}
"""


@pytest.fixture(scope="module")
def charts() -> Charts:
    """Shared drawings and one bundle."""
    made = Charts()
    made.warm()
    return made


@pytest.fixture(scope="module")
def address(charts: Charts) -> Iterator[str]:
    """A running server of the fake project."""
    serving = serve_in_thread(create_web(FakePages(), warm=False, charts=charts))
    yield serving.address
    serving.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is absent")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield chromium
        chromium.close()


class Watched:
    """A page whose console, errors and foreign requests are noted."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.on("console", lambda message: self.trouble.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.trouble.append("a dialog opened"))
        page.on("request", lambda request: self._asked(request.url, address))

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:")):
            self.trouble.append(f"asked for {url}")


def open_page(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> Watched:
    size: ViewportSize = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme="dark" if scheme == "dark" else "light")
    return Watched(context.new_page(), address)


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_pages_render_without_trouble(browser: Browser, address: str, width: int, scheme: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    watched = open_page(browser, address, width, scheme)
    page = watched.page
    for name, path in PAGES.items():
        page.goto(address + path, wait_until="load")
        if page.locator("[data-spec]").count():
            page.wait_for_selector("[data-drawn=done]:visible")
        assert watched.trouble == [], name
        assert page.title() != "owned", name
        assert page.evaluate(OVERFLOW) == 0, name
        assert page.evaluate(CONTRAST) == [], name
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
    page.context.close()


def test_the_chart_comes_alive_in_place(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    page.route("**/vega.js", lambda route: route.abort())
    page.goto(address)
    still = page.locator(".chart .wide > svg").bounding_box()
    assert page.locator("[data-drawn]").count() == 0
    assert page.locator(".chart .wide > svg path").count() > 5
    page.unroute("**/vega.js")
    page.goto(address)
    page.wait_for_selector("[data-drawn=done]:visible")
    alive = page.locator(".chart .chart-ready svg").bounding_box()
    assert still is not None
    assert alive is not None
    assert abs(still["height"] - alive["height"]) < 20
    assert abs(still["width"] - alive["width"]) < 2
    page.mouse.move(alive["x"] + alive["width"] / 2, alive["y"] + alive["height"] / 2)
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert "Labelled" in tip.inner_text()
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_selector(".narrow[data-drawn=done]:visible")
    assert page.evaluate(OVERFLOW) == 0
    page.context.close()


def test_the_page_is_whole_without_javascript(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address)
    assert page.locator(".chart .narrow svg path").count() > 5
    assert page.locator(".chart .wide").is_hidden()
    page.get_by_text("The numbers behind the chart").click()
    assert page.get_by_text("Thu 20 Nov 2025").is_visible()
    page.goto(address + "/logs")
    page.fill("input[type=search]", "turns > 1000")
    page.get_by_role("button", name="Filter").click()
    assert page.get_by_text("Nothing matches").is_visible()
    context.close()


def test_what_arrives_is_renewed_while_it_is_looked_at(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    page.goto(address + PAGES["ingest"])
    first = page.locator("[data-live] > p time").text_content()
    page.wait_for_function(
        "before => document.querySelector('[data-live] > p time').textContent !== before", arg=first
    )
    assert page.locator("[data-live]").count() == 1
    assert page.get_by_text("Renewed every 5 s.").is_visible()
    assert watched.trouble == []
    page.context.close()


def test_the_theme_switch_is_remembered(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    page.goto(address + "/metrics")
    background = "getComputedStyle(document.body).backgroundColor"
    system = page.evaluate(background)
    switch = page.locator("[data-theme-switch]")
    switch.click()  # light
    assert page.evaluate(background) == system
    switch.click()  # dark
    dark = page.evaluate(background)
    assert dark != system
    page.goto(address + "/operations")
    assert page.evaluate(background) == dark
    assert "Dark theme" in (page.locator("[data-theme-switch]").get_attribute("aria-label") or "")
    assert watched.trouble == []
    page.context.close()


def test_contrast_is_measured(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    watched.page.goto(address + "/metrics")
    watched.page.evaluate("document.querySelector('h1').style.color = 'rgb(190, 190, 190)'")
    assert len(watched.page.evaluate(CONTRAST)) == 1
    watched.page.context.close()


def test_the_keyboard_reaches_everything(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator(".pop summary").focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("30 days").is_visible()
    page.get_by_text("30 days").press("Enter")
    page.wait_for_url("**/?from=2025-10-22&to=2025-11-20")
    assert watched.trouble == []
    page.context.close()


def test_a_long_turn_unfolds(browser: Browser, address: str) -> None:
    watched = open_page(browser, address, 390)
    page = watched.page
    page.goto(address + PAGES["conversation"])
    page.get_by_text("Show all 1,048,580 characters").click()
    expect(page.get_by_text("Show all 1,048,580 characters")).to_have_count(0)
    assert page.evaluate(OVERFLOW) == 0
    assert watched.trouble == []
    page.context.close()


def test_an_empty_project_and_an_error(browser: Browser, charts: Charts) -> None:
    serving: Serving = serve_in_thread(create_web(FakePages(EMPTY), warm=False, charts=charts))
    try:
        watched = open_page(browser, serving.address, 390)
        for path in ("/", "/logs", "/metrics", "/operations"):
            watched.page.goto(serving.address + path)
            assert watched.page.evaluate(OVERFLOW) == 0
        assert watched.trouble == []
        answer = watched.page.goto(serving.address + "/logs?q=turns > 3 and sginal.refusal")
        assert answer is not None
        assert answer.status == 400
        assert watched.page.evaluate(CONTRAST) == []
        watched.page.context.close()
    finally:
        serving.stop()


def test_the_first_page_is_quick_once_warm(browser: Browser, address: str) -> None:
    watched = open_page(browser, address)
    page = watched.page
    timing = "performance.getEntriesByType('navigation')[0].responseEnd"
    page.goto(address)
    times = []
    for _ in range(5):
        page.goto(address)
        times.append(page.evaluate(timing))
    assert min(times) < 300
    page.context.close()
