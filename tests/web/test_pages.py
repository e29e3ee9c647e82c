"""Each page says what it is there to say, and nothing that was written can run or deceive."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import httpx
import pytest
from starlette.testclient import TestClient
from tests.web.fake import HOSTILE_ID, REPORT, SCRIPT, FakePages

from assay.errors import StoreUnreachable
from assay.web.guard import HEADERS
from assay.web.numbers import conversation_path
from assay.web.serve import serve_in_thread
from assay.web.site import create_web

CONVERSATION = "/conversations/" + quote(HOSTILE_ID, safe="")
PAGES = [
    "/",
    "/?metric=tone",
    "/logs",
    CONVERSATION,
    "/metrics",
    "/operations?metric=resolved",
    "/explain/resolved",
    "/operations/ingest",
]
OUR_SCRIPTS = {"theme.js", "charts.js", "vega.js", "live.js", "logs.js", "complete.js", "conversation.js"}


class Reader(HTMLParser):
    """What a browser would find: elements, their attributes, and the text of one page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.elements if tag == "a"]


def read(client: TestClient, address: str, status: int = 200) -> Reader:
    response = client.get(address)
    assert response.status_code == status, response.text
    return Reader(response.text)


@pytest.mark.parametrize("address", PAGES)
def test_nothing_hostile_becomes_an_element(client: TestClient, address: str) -> None:
    response = client.get(address)
    page = Reader(response.text)
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
        if tag == "script" and attributes.get("type") != "application/json":
            source = attributes["src"] or ""
            assert source.split("?")[0].rsplit("/", 1)[-1] in OUR_SCRIPTS
        if tag == "img":
            assert (attributes["src"] or "").startswith("/static/")
    for character in "\u202e\u202c\u2066\u2069\x00\x07\x1b\U000e0041":
        assert character not in response.text


@pytest.mark.parametrize("address", PAGES)
def test_every_page_carries_the_policy(client: TestClient, address: str) -> None:
    response = client.get(address)
    for name, value in HEADERS.items():
        assert response.headers[name] == value
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"


def test_overview_answers_both_questions(client: TestClient) -> None:
    page = read(client, "/")
    assert "How are we doing overall?" in page.text
    assert "87.4 %" in page.text
    assert "95 % interval 85.0 to 89.8 %" in page.text
    assert "93.1 % by −5.7 points" in page.text
    assert "simulated judge" in page.text
    assert "Where should we focus?" in page.text
    assert "stands out" in page.text
    assert "/logs?unit=conversation&q=signal.refusal+and+score.resolved+%3C+0.5" in page.links()
    assert "3 groups not clearly different from the rest" in page.text
    assert "212 conversations are still open" in page.text


def test_overview_draws_the_trend_without_a_script(client: TestClient) -> None:
    html = client.get("/").text
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg"') == 2
    assert "var(--chart-line)" in html
    found = re.search(r'<script type="application/json" id="trend-wide">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    assert "<" not in found[1]
    assert json.loads(found[1])["layer"]
    assert "Thu 20 Nov 2025" in html


def test_no_value_is_a_reason_and_never_a_zero(client: TestClient) -> None:
    page = read(client, "/?metric=tone")
    assert "No estimate yet" in page.text
    assert "6 human labels are too few" in page.text
    assert "44 more labels would give one" in page.text
    assert not re.search(r"\b0(\.0)? %", page.text.split("Where should we focus?")[0])


def test_simulated_is_said_only_where_it_is_so(client: TestClient, pages: FakePages) -> None:
    real = pages.answer.metrics[1]
    pages.answer = replace(REPORT, metrics=(real,))
    assert "simulated" not in read(client, "/").text
    assert "simulated" not in read(client, "/metrics").text


def test_links_carry_the_period(client: TestClient, pages: FakePages) -> None:
    page = read(client, "/?from=2025-11-10&to=2025-11-12")
    assert "10 – 12 Nov 2025" in page.text
    window = pages.windows[-1]
    assert window is not None
    assert (window.start.isoformat(), window.end.isoformat()) == (
        "2025-11-10T00:00:00+00:00",
        "2025-11-13T00:00:00+00:00",
    )
    assert "/explain/resolved?from=2025-11-10&to=2025-11-12" in page.links()
    followed = next(link for link in page.links() if link.startswith("/logs?"))
    read(client, followed)
    assert pages.listed[-1]["window"] == window


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/?from=yesterday", "is not a day"),
        ("/?from=2025-11-12&to=2025-11-10", "swap from and to"),
        ("/?to=9999-12-31", "is out of reach"),
        ("/logs?unit=moon", "is unknown"),
        ("/logs?limit=1000000", "must be a number from 1 to"),
        ("/logs?limit=" + "9" * 5_000, "must be a number from 1 to"),
        ("/logs?" + "&".join(f"col=attr[%22{n}%22]" for n in range(41)), "41 columns are asked for"),
    ],
)
def test_a_wrong_address_says_what_to_change(client: TestClient, address: str, says: str) -> None:
    assert says in read(client, address, 400).text


def test_empty_project_says_what_to_do(empty_client: TestClient) -> None:
    page = read(empty_client, "/")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost" in page.text
    assert "POST /v1/traces" in page.text
    assert "assay import FILE" in page.text
    for address in ("/logs", "/metrics", "/operations"):
        assert read(empty_client, address).text


def test_navigation_shows_only_pages_that_exist(client: TestClient) -> None:
    for tag, attributes in read(client, "/").elements:
        target = attributes.get("href") or ""
        if tag == "a" and target.startswith("/") and "conversations" not in target:
            assert client.get(target).status_code == 200, target


def test_logs_list_and_its_next_page(client: TestClient, pages: FakePages) -> None:
    page = read(client, "/logs?q=signal.refusal")
    assert "12,430 conversations match" in page.text
    assert CONVERSATION in page.links()
    assert "/logs?unit=conversation&q=signal.refusal&after=1%3Bc-4" in page.links()
    read(client, "/logs?unit=interaction&after=1%3Bc-4")
    assert pages.listed[-1] == {"unit": "interaction", "q": "", "window": None, "limit": 50, "after": "1;c-4"}


def test_interactions_link_to_their_turn(client: TestClient) -> None:
    assert (
        f"{CONVERSATION}?{urlencode({'turn': HOSTILE_ID})}#turn-{quote(HOSTILE_ID, safe='')}"
        in read(client, "/logs?unit=interaction").links()
    )


def test_a_filter_error_shows_its_place(client: TestClient) -> None:
    response = client.get("/logs", params={"q": "turns > 3 and sginal.refusal"})
    assert response.status_code == 400
    assert "<pre>turns &gt; 3 and <mark>s</mark>ginal.refusal</pre>" in response.text
    assert "at character 15" in response.text
    assert "<code>signal.refusal</code>" in response.text


def test_the_filter_box_keeps_what_was_typed(client: TestClient) -> None:
    hostile = '"><script>alert(1)</script>\u202e'
    page = read(client, "/logs?q=" + quote(hostile))
    box = next(attributes for tag, attributes in page.elements if attributes.get("name") == "q")
    assert box["value"] == hostile


def test_no_match_is_said(client: TestClient) -> None:
    assert "Nothing matches" in read(client, "/logs?q=turns > 1000").text


def test_conversation_shows_transcript_scores_and_why(client: TestClient) -> None:
    page = read(client, CONVERSATION)
    for said in (
        "Where is my refund?",
        "find_order",
        "tone 0.75",
        "TimeoutError",
        "The user asked twice.",
        "by ana",
        "Drawn for the judge",
        "a chance of 25.00 %",
        "the judge's reply was no JSON",
        "⟦RLO⟧evil⟦PDF⟧",
        "bell⟦07⟧",
        "tag⟦tag A⟧",
    ):
        assert said in page.text, said
    assert any(attributes.get("id") == f"turn-{0:032x}" for _, attributes in page.elements)


def test_a_megabyte_is_folded_and_cut(client: TestClient) -> None:
    html = client.get(CONVERSATION).text
    assert "Show all 1,048,580 characters" in html
    assert len(html) < 60_000
    more = f"/texts?id={quote(HOSTILE_ID, safe='')}&turn={1:032x}&part=output"
    assert more in Reader(html).links()
    assert "The policy says so. " * 52_429 in read(client, more).text


def test_odd_conversation_ids_are_found_again(pages: FakePages) -> None:
    asked: list[str] = []

    def conversation(conversation_id: str) -> None:
        asked.append(conversation_id)

    pages.conversation = conversation  # type: ignore[method-assign]  # only the id matters
    ids = ["..", ".", "", "a/b", "a%2Fb", "?x=1", "#x", "ünï", " ", "a\nb", "../../etc", "+", HOSTILE_ID]
    serving = serve_in_thread(create_web(pages, warm=False))  # a real server: it decodes the path itself
    try:
        for odd in ids:
            assert httpx.get(serving.address + conversation_path(odd)).status_code == 404
    finally:
        serving.stop()
    assert asked == ids


def test_explanation_has_the_numbers_and_the_formula(client: TestClient) -> None:
    page = read(client, "/explain/resolved")
    for said in (
        "12,430 conversations were seen",
        "1,204 were drawn",
        "180 of these",
        "labels by the judge's verdict",
        "412",
    ):
        assert said in page.text, said
    assert "What people say is counted verdict by verdict." in page.text
    assert "No number is given." in read(client, "/explain/tone").text
    assert "The scores are weighted and averaged." in read(client, "/explain/valid_json").text


def test_operations_show_books_that_do_not_add_up(client: TestClient) -> None:
    page = read(client, "/operations?metric=resolved")
    assert "resolved by hour" in page.text
    assert "The books of metric tone do not add up" in page.text
    whole = client.get("/operations").text
    assert whole.count('<span class="badge bad">') == whole.count('class="lost"') == 1


def test_operations_show_what_goes_wrong_by_itself(client: TestClient, pages: FakePages) -> None:
    pages.trouble = (f"policies could not decide: {SCRIPT}",)
    page = read(client, "/operations")
    assert f"policies could not decide: {SCRIPT}" in page.text


def test_operations_show_what_each_policy_did(client: TestClient) -> None:
    page = read(client, "/operations?policy=gold")
    assert "gold by hour" in page.text
    assert "by later news" in page.text.lower()
    assert "old" not in [link.rpartition("=")[2] for link in page.links()]
    lost = client.get("/operations?policy=gold").text
    assert lost.count("2 lost") == 1
    assert "policy daily, version" in page.text
    assert "no policy" in read(client, "/operations?policy=nope", 404).text


def test_unknown_pages_metrics_and_conversations(client: TestClient) -> None:
    assert "Nothing here" in read(client, "/nowhere", 404).text
    assert "resolved, valid_json, tone" in read(client, "/?metric=nope", 404).text
    assert "no metric" in read(client, "/explain/nope", 404).text
    assert "there is no conversation" in read(client, "/conversations/nope", 404).text


def test_a_store_that_does_not_answer_is_503(client: TestClient, pages: FakePages) -> None:
    pages.error = StoreUnreachable("db:8123 did not answer; is it running?")
    response = client.get("/")
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 5
    assert "db:8123 did not answer" in response.text


def test_unforeseen_errors_keep_their_text_to_themselves(client: TestClient, pages: FakePages) -> None:
    pages.error = ValueError("password=hunter2")
    response = client.get("/")
    assert response.status_code == 500
    assert "hunter2" not in response.text
    assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_static_files_may_be_kept(client: TestClient) -> None:
    page = read(client, "/")
    sources = [attrs.get("href") or "" for tag, attrs in page.elements if tag == "link"]
    for source in sources:
        response = client.get(source)
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
    assert client.get("/static/../base.py").status_code == 404
