"""The Logs page: its address says all of it, links lead where they say, forms do what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import pytest
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient
from tests.web.desk import FIRST, LIES, SIGNALS, WRITTEN, breakdown
from tests.web.fake import HOSTILE_ID, ROWS, SCRIPT, START, FakePages
from tests.web.test_pages import Reader, read

from assay.app.requests import PickRequest, RemoveFilterRequest, SaveFilterRequest, SavePolicyRequest
from assay.errors import CallerError
from assay.records import Breakdown, OpenPage, OpenRow, PolicyInfo, Series, Window
from assay.web.asked import Asked, read_address
from assay.web.columns import COLUMNS, MOST, offered, read_columns
from assay.web.desk import never_policy
from assay.web.histogram import bars_of, draw
from assay.web.logs import CHIPS, chips_of
from assay.web.site import create_web

NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)


def asked(address: str) -> Asked:
    return read_address(QueryParams(address), NOW)


# --- the address --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("", "All time"),
        ("last=24h", "Last 24 hours"),
        ("since=2025-11-20T08:00&until=2025-11-20T09:30", "20 Nov 08:00 – 09:30"),
        ("since=2025-11-19T08:00&until=2025-11-20T09:30", "19 Nov 08:00 – 20 Nov 09:30"),
        ("since=2025-11-19T08:00", "Since 19 Nov 08:00"),
        ("until=2025-11-19T10:00%2B02:00", "Until 19 Nov 08:00"),
        ("from=2025-11-07&to=2025-11-08", "7 – 8 Nov 2025"),
    ],
)
def test_a_period_is_said_in_words(address: str, label: str) -> None:
    assert asked(address).label == label


def test_the_last_hours_end_now() -> None:
    assert asked("last=6h").window == Window(start=NOW - timedelta(hours=6), end=NOW)


@pytest.mark.parametrize("wrong", ["last=1y", "since=noon", "since=2025-11-02&until=2025-11-01", "limit=0"])
def test_a_wrong_period_is_refused(wrong: str) -> None:
    with pytest.raises(CallerError):
        asked(wrong)


def test_a_link_keeps_all_but_the_place_in_the_list() -> None:
    here = asked('unit=interaction&q=turns > 1&last=7d&col=model&col=attr["a,b"]&limit=20&after=1.x&deep=1')
    assert parse_qsl(urlsplit(here.link()).query) == [
        ("unit", "interaction"),
        ("q", "turns > 1"),
        ("last", "7d"),
        ("col", "model"),
        ("col", 'attr["a,b"]'),
        ("limit", "20"),
    ]
    other = parse_qs(urlsplit(here.link(q="errors > 0", after="2.y")).query)
    assert (other["q"], other["after"], other["unit"]) == (["errors > 0"], ["2.y"], ["interaction"])
    assert "q=" not in here.link(q="")
    assert parse_qs(urlsplit(here.at(since="2025-11-01T00:00")).query).get("last") is None
    assert dict(here.fields("col", "q")) == {"unit": "interaction", "last": "7d", "limit": "20"}


def test_no_column_at_all_can_be_chosen() -> None:
    none = asked("col=")
    assert none.columns == ()
    assert "col=" in none.link()
    assert asked("").columns is None


# --- columns ------------------------------------------------------------------------------------


def test_columns_are_named_in_the_address_and_unknown_ones_are_left_out() -> None:
    found = read_columns(["cost_usd", "nothing", 'attr["topic"]', "cost_usd", 'attr["x'], "conversation")
    assert [column.name for column in found] == ["cost_usd", 'attr["topic"]']
    assert [column.cell(ROWS[0]) for column in found] == ["$0.0041", f"billing{SCRIPT}"]
    assert len(read_columns(list(COLUMNS), "conversation")) == MOST
    assert [column.name for column in read_columns([], "conversation")] == ["turns", "latency_ms"]


def test_every_column_has_a_cell() -> None:
    cells = {name: column.cell(ROWS[0]) for name, column in COLUMNS.items()}
    assert cells["tokens"] == "6,113"
    assert cells["latency_ms"] == "4.2 s"
    assert cells["feedback"] == "0"
    assert cells["ttft_ms"] == ""
    assert COLUMNS["latency_ms"].cell(replace(ROWS[0], latency_ms=0.0)) == ""
    assert cells["ended"] == "2025-11-20 14:09:00 UTC"


def test_attributes_of_the_page_are_offered() -> None:
    names = [column.name for column in offered(ROWS, read_columns(['attr["far"]'], "conversation"))]
    assert names[-3:] == ['attr["far"]', 'attr["topic"]', 'attr["plan"]']
    assert set(COLUMNS) < set(names)


# --- over time ----------------------------------------------------------------------------------


def link(since: datetime, until: datetime) -> str:
    return f"/logs?since={since:%d-%H}&until={until:%d-%H}&q={SCRIPT}"


def test_hours_without_a_log_have_their_place() -> None:
    bars = bars_of(breakdown("conversation", "", 9))
    assert [bar.at for bar in bars] == [FIRST + timedelta(hours=hour) for hour in range(26)]
    assert [bar.logs for bar in bars if bar.logs] == [3, 13, 23, 53, 203, 253]


def test_what_is_shown_is_drawn_from_end_to_end() -> None:
    window = Window(start=FIRST - timedelta(hours=3, minutes=10), end=FIRST + timedelta(hours=30))
    bars = bars_of(replace(breakdown("conversation", "", 9), shown=window))
    assert bars[0].at == FIRST - timedelta(hours=4)
    assert bars[-1].at == FIRST + timedelta(hours=29)
    assert bars_of(replace(breakdown("conversation", "", 9), bars=())) == []


def test_each_bar_leads_to_its_time() -> None:
    drawn = draw(breakdown("conversation", "", 9), link)
    assert drawn is not None
    assert str(drawn.drawing).count("<a ") == 26
    assert "since=20-00&amp;until=20-01" in drawn.drawing
    assert "<script>" not in drawn.drawing
    assert "548 logs over time, 8 of them with an error" in drawn.drawing
    assert "20 Nov 03:00" in drawn.axis
    assert (drawn.bars, drawn.most, drawn.start) == (26, 253, FIRST)


def test_a_bar_that_the_window_cuts_leads_to_the_rest_of_it() -> None:
    window = Window(start=FIRST + timedelta(minutes=40, seconds=7), end=FIRST + timedelta(hours=2, minutes=5))
    found: list[Window] = []

    def note(since: datetime, until: datetime) -> str:
        found.append(Window(start=since, end=until))
        return asked("q=turns > 1").within()(since, until)

    drawn = draw(replace(breakdown("conversation", "", 9), shown=window), note)
    assert drawn is not None
    assert (found[0].start, found[-1].end) == (window.start, window.end)
    assert [found[0].end, found[-1].start] == [FIRST + timedelta(hours=1), FIRST + timedelta(hours=2)]
    assert drawn.shown == window
    assert "since=2025-11-19T22%3A40%3A07&amp;until=2025-11-19T23%3A00" in drawn.drawing


def test_one_bar_compares_nothing() -> None:
    made = breakdown("conversation", "", 9)
    hour = Window(start=FIRST, end=FIRST + timedelta(hours=1))
    assert draw(replace(made, shown=hour), link) is None
    assert draw(replace(made, bars=()), link) is None


# --- the page -----------------------------------------------------------------------------------


def test_facets_lead_to_the_filter_with_and_without_a_value(client: TestClient) -> None:
    page = read(client, "/logs?q=turns > 1&last=30d")
    links = {parse_qs(urlsplit(target).query).get("q", [""])[0] for target in page.links()}
    assert {"turns > 1 and signal.asks_for_human", "not signal.asks_for_human"} <= links
    assert all("last=30d" in target for target in page.links() if "asks_for_human" in target)
    assert "and 17 rarer ones" in page.text
    assert "5 more" in page.text


def test_nothing_in_a_value_deceives_or_runs(client: TestClient) -> None:
    html = client.get("/logs?q=turns > 1").text
    assert WRITTEN not in html
    assert LIES not in html
    assert "⟦RLO⟧" in html


def test_signals_stand_by_severity_and_lead_to_themselves() -> None:
    names = ("zeta", "refusal", "asks_for_human", *(f"own_{number}" for number in range(CHIPS)))
    row = replace(ROWS[0], signals=names)
    chips = chips_of(row, SIGNALS, breakdown("conversation", "turns > 1", 9), asked("q=turns > 1"))
    assert [chip.name for chip in chips[:3]] == ["asks_for_human", "refusal", "own_0"]
    assert "turns+%3E+1+and+signal.asks_for_human" in chips[0].link
    assert "q=turns+%3E+1+and+signal.own_0" in chips[2].link
    either = chips_of(row, SIGNALS, breakdown("conversation", "", 0), asked("q=turns > 1 or errors > 0"))
    assert parse_qs(urlsplit(either[1].link).query)["q"] == ["(turns > 1 or errors > 0) and signal.refusal"]


def test_a_priority_that_is_not_counted_yet_is_added_all_the_same(
    client: TestClient, pages: FakePages
) -> None:
    pages.row = {"priority": "medium"}
    links = read(client, "/logs?q=turns > 1").links()
    assert any(
        parse_qs(urlsplit(one).query).get("q") == ['turns > 1 and priority = "medium"'] for one in links
    )


def test_a_row_shows_priority_picks_and_columns(client: TestClient, pages: FakePages) -> None:
    pages.row = {"priority": "high"}
    html = client.get('/logs?col=model&col=attr["topic"]').text
    assert 'class="priority high"' in html
    assert html.count("to review</span>") == 1
    assert html.count('data-label="Model"') == 4
    assert "billing&lt;script&gt;" in html
    assert 'data-label="Turns"' not in html


def test_ids_are_sent_as_they_are(client: TestClient) -> None:
    boxes = [
        attributes["value"]
        for _, attributes in read(client, "/logs").elements
        if attributes.get("name") == "id"
    ]
    assert boxes == [HOSTILE_ID, "c-2", "c-3", "c-4"]


def test_a_count_in_part_says_so_and_is_completed(client: TestClient, pages: FakePages) -> None:
    pages.partial = START
    page = client.get("/logs?q=turns > 1").text
    assert "data-partial" in page
    assert "counted back to 7 Nov" in page
    whole = client.get("/logs/summary?q=turns > 1").text
    assert "data-partial" not in whole
    assert 'data-total="12430"' in whole
    for part in ("count", "over-time", "facets"):
        assert page.count(f'id="{part}"') == whole.count(f'id="{part}"') == 1


def test_a_search_that_stopped_says_so(client: TestClient, pages: FakePages) -> None:
    assert "Searched back" not in client.get("/logs?q=turns > 1").text
    pages.page = {"searched_to": START}
    body = client.get("/logs?q=turns > 1").text
    assert "Searched back to" in body
    assert "deep=1" in body


def test_an_export_is_of_what_is_shown(client: TestClient) -> None:
    page = read(client, "/logs?q=turns > 1&since=2025-11-01&until=2025-11-02")
    exports = [target for target in page.links() if target.startswith("/api/export/conversations")]
    assert len(exports) == 3
    for target in exports:
        query = parse_qs(urlsplit(target).query)
        assert query["q"] == ["turns > 1"]
        assert query["since"] == ["2025-11-01T00:00:00+00:00"]


def test_what_is_open_is_counted_and_listed(client: TestClient, pages: FakePages) -> None:
    assert "Still open" not in client.get("/logs").text
    row = OpenRow(
        interaction_id="i-1",
        conversation_id=HOSTILE_ID,
        started=START,
        arrived=START,
        input=SCRIPT,
        output="",
        service="shop",
        errors=2,
    )
    pages.open = OpenPage(interactions=7, conversations=3, failed=1, rows=(row,), minutes=())
    assert "Still open: 3 conversations" in client.get("/logs").text
    body = client.get("/logs?open=1").text
    assert "<script>document" not in body
    assert "2 errors" in body
    found = msgspec.json.decode(client.get("/api/arrivals?limit=5").content, type=OpenPage)
    assert (found.interactions, found.rows) == (7, (row,))


# --- what can be done ---------------------------------------------------------------------------


def send(client: TestClient, path: str, **form: Any) -> Any:
    return client.post(path, data=form, follow_redirects=False)


def test_ticked_logs_are_picked_and_given_up(client: TestClient, pages: FakePages) -> None:
    back = "/logs?unit=conversation&q=turns+%3E+1"
    answer = send(client, "/logs/pick", id=["c-2", HOSTILE_ID], back=back, unit="conversation")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{back}&done=picked-2")
    assert pages.deeds == [PickRequest(log_ids=("c-2", HOSTILE_ID))]
    assert "2 conversations more to review" in client.get(answer.headers["location"]).text
    gone = send(client, "/logs/pick", id=["c-2"], back=back, unit="interaction", remove="1")
    assert gone.headers["location"].endswith("done=unpicked-1")
    assert pages.deeds[-1] == PickRequest(log_ids=("c-2",), unit="interaction", remove=True)


def test_nothing_ticked_is_said(client: TestClient, pages: FakePages) -> None:
    answer = send(client, "/logs/pick", unit="conversation")
    assert answer.status_code == 400
    assert "no log is ticked" in answer.text
    assert pages.deeds == []


def test_a_filter_is_saved_listed_and_forgotten(client: TestClient, pages: FakePages) -> None:
    answer = send(client, "/logs/save-filter", name="slow_ones", q="latency_ms > 1", unit="interaction")
    assert answer.headers["location"] == "/logs?done=filter-slow_ones"
    assert pages.deeds == [SaveFilterRequest(name="slow_ones", filter="latency_ms > 1", unit="interaction")]
    page = read(client, "/logs?done=filter-slow_ones")
    assert "saved.slow_ones stands for this filter" in page.text
    assert any("q=saved.slow_ones" in target and "unit=interaction" in target for target in page.links())
    send(client, "/logs/remove-filter", name="slow_ones")
    assert pages.deeds[-1] == RemoveFilterRequest(name="slow_ones")
    wrong = send(client, "/logs/save-filter", name="no way", q="turns > 1")
    assert wrong.status_code == 400
    assert "name a filter" in wrong.text


def test_a_filter_becomes_a_policy(client: TestClient, pages: FakePages) -> None:
    answer = send(
        client, "/logs/save-policy", name="slow", q="latency_ms > 1", size="50", label_size="", unit=""
    )
    assert answer.headers["location"] == "/logs?done=policy-slow"
    settings = {"unit": "conversation", "where": "latency_ms > 1", "size": 50}
    assert pages.deeds == [SavePolicyRequest(name="slow", settings=settings)]
    assert "Policy slow is saved" in read(client, answer.headers["location"]).text
    assert send(client, "/logs/save-policy", name="slow", size="many").status_code == 400


def test_a_policy_that_can_not_be_is_told_where_it_was_written(
    client: TestClient, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: SavePolicyRequest) -> PolicyInfo:
        raise CallerError(f"policy {request.name}: unknown signal `nope` {SCRIPT}")

    monkeypatch.setattr(pages, "save_policy", refuse)
    back = "/logs?unit=interaction&q=turns+%3E+1&last=7d"
    given = {"name": "mine", "size": "7", "label_size": "3", "unit": "interaction", "q": "turns > 1"}
    answer = send(client, "/logs/save-policy", back=back, **given)
    assert answer.status_code == 400
    assert "policy mine: unknown signal <code>nope</code>" in answer.text
    assert SCRIPT not in answer.text
    page = Reader(answer.text)
    fields = {attributes.get("name"): attributes.get("value") for _, attributes in page.elements}
    assert (fields["size"], fields["label_size"]) == ("7", "3")
    assert any(attributes.get("value") == "mine" for _, attributes in page.elements)
    assert pages.listed[-1]["unit"] == "interaction"
    assert pages.listed[-1]["q"] == "turns > 1"
    assert 'data-address="/logs?unit=interaction&amp;q=turns+%3E+1&amp;last=7d"' in answer.text
    elsewhere = send(client, "/logs/save-policy", back="/logs?last=nonsense", **given)
    assert elsewhere.status_code == 400
    assert "unknown signal" in elsewhere.text


def test_a_name_that_is_refused_is_given_back(client: TestClient) -> None:
    answer = send(client, "/logs/save-filter", name="no way", q="turns > 1", back="/logs?q=turns+%3E+1")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="no way"' in answer.text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("last 24h and turns > 1", "last"),
        ("turns > 1 and saved.angry", "saved"),
        ("score.resolved < 0.5", "score"),
        ("not judged", "judged"),
        ("selected.daily", "selected"),
        ('input says "last words" and signal.saved', ""),
        ('attr["label"] = "x"', ""),
        ("", ""),
    ],
)
def test_a_filter_that_can_be_no_policy_says_so(client: TestClient, text: str, word: str) -> None:
    html = client.get("/logs", params={"q": text}).text
    assert never_policy(text) == word
    assert (f"it asks for <code>{word}</code>" in html) == bool(word)
    assert ('action="/logs/save-policy"' in html) != bool(word)


def test_who_decides_is_said(pages: FakePages) -> None:
    pages.save_policy(SavePolicyRequest(name="mine", settings={}))
    for decides, said in ((True, "settle from now on"), (False, "assay sample")):
        client = TestClient(create_web(pages, warm=False, decides=decides), base_url="http://localhost")
        assert said in read(client, "/logs?done=policy-mine").text


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/logs?", "/logs/pick", "", "/logsx"]
)
def test_a_form_leads_back_to_the_list_alone(client: TestClient, back: str) -> None:
    assert send(client, "/logs/pick", id="c-2", back=back).headers["location"] == "/logs?done=picked-1"


def test_other_sites_can_not_send_these_forms(client: TestClient, pages: FakePages) -> None:
    for path in ("/logs/pick", "/logs/save-filter", "/logs/save-policy", "/api/export/labels"):
        answer = client.post(path, data={"id": "c-2"}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert pages.deeds == []


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("nonsense-3", 0),
        ("picked-<b>x</b>", 0),
        ("picked-3", 1),
        ("policy-drop", 0),
        ("policy-gold", 1),
        ("policy-daily", 0),
        ("filter-angry", 1),
        ("filter-happy", 0),
        ("forgot-angry", 0),
        ("forgot-happy", 1),
        ("", 0),
    ],
)
def test_the_page_says_only_what_it_has_words_for(client: TestClient, done: str, said: int) -> None:
    html = client.get("/logs", params={"done": done}).text
    assert "<b>x</b>" not in html
    assert html.count('class="done"') == said


def test_a_form_that_is_too_large_is_refused(client: TestClient) -> None:
    many = client.post("/logs/pick", data={"id": [str(number) for number in range(20_100)]})
    assert many.status_code == 400
    large = client.post("/logs/pick", data={"id": "x" * 3_000_000})
    assert large.status_code == 413


# --- the API ------------------------------------------------------------------------------------


def test_the_api_gives_the_breakdown(client: TestClient, pages: FakePages) -> None:
    answer = client.get("/api/breakdown?q=turns > 1&last=24h")
    found = msgspec.json.decode(answer.content, type=Breakdown)
    assert found == breakdown("conversation", "turns > 1", 12_430)
    assert pages.listed[-1]["window"] is not None
    wrong = client.get("/api/breakdown?q=sginal.refusal")
    assert wrong.status_code == 400
    assert wrong.json()["error"]["position"] == 0


def test_the_api_gives_numbers_over_time(client: TestClient, pages: FakePages) -> None:
    found = msgspec.json.decode(
        client.get("/api/series?of=latency_ms&by=hour&unit=interaction&q=errors > 0").content, type=Series
    )
    assert pages.summed[-1] == ("latency_ms", "hour", "interaction", "errors > 0", None)
    assert [point.logs for point in found.points] == [10, 30]
    wrong = client.get("/api/series?of=mood")
    assert wrong.status_code == 400
    assert "latency_ms" in wrong.text


def test_ticked_logs_are_exported(client: TestClient, pages: FakePages) -> None:
    answer = client.post("/api/export/labels?form=jsonl", data={"id": ["c-2", HOSTILE_ID]})
    assert answer.status_code == 200
    assert pages.exported[-1].log_ids == ("c-2", HOSTILE_ID)
    assert len(answer.text.splitlines()) == 2
    none = client.post("/api/export/labels?form=jsonl", data={})
    assert none.status_code == 400
    assert "no log is named" in none.text
