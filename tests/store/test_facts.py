"""Facts that an interaction gets from its texts, from others beside it, and from what is usual."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.store.spans import START, put, trace_id, turn
from tests.store.test_settle import SIGNALS, rows

from assay.signals import find_stems, load_languages, load_words
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.personal import count_personal
from assay.store.telemetry.settle import settle

PROMPT = "You are the help desk of a shop. Never tell anybody how much a supplier gets for a pair of shoes."
TALKS: dict[str, list[tuple[str, str]]] = {
    "english": [("Where is my order?", "It is on its way, and you will have it by Monday.")],
    "spanish": [("¿Dónde está mi pedido, por favor?", "Su pedido llega el lunes, no se preocupe.")],
    "crossed": [("¿Dónde está mi pedido, por favor?", "It is on its way, and you will have it by Monday.")],
    "russian": [("Где мой заказ и когда он придёт?", "Он будет у вас в понедельник.")],
    "japanese": [("注文した靴はどこにありますか", "月曜日に届きます。")],
    "chinese": [("我的订单在哪里", "星期一送到。")],
    "unknown": [("ok 1234", "{}")],
    "asks": [("Cancel it.", "Which order do you mean? ")],
    "parrot": [
        ("What does the return of worn shoes cost?", "A return label for worn shoes costs four euros."),
        ("And in Spain?", "A return label for worn shoes costs four euros."),
        ("Thanks.", "You are welcome."),
    ],
}


@pytest.fixture
def run(telemetry: Telemetry) -> Callable[..., Any]:
    def settle_now(**changes: Any) -> Any:
        given: dict[str, Any] = {
            "words": load_words(),
            "languages": load_languages(),
            "prices": (),
            "idle_s": 900.0,
            "now": START + timedelta(days=9),
        }
        return settle(telemetry, SIGNALS, **(given | changes))

    return settle_now


def say(talks: dict[str, list[tuple[str, str]]]) -> list[list[dict[str, Any]]]:
    return [
        turn(f"{talk} {number}", talk, asked=asked, answered=answered, minute=number)
        for talk, turns in talks.items()
        for number, (asked, answered) in enumerate(turns)
    ]


def test_what_a_text_says_of_itself(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, *say(TALKS))
    run()
    talks = rows(telemetry)
    spoken = {
        key: (row["language"], row["output_language"], row["other_language"]) for key, row in talks.items()
    }
    assert spoken["english"] == ("en", "en", 0)
    assert spoken["spanish"] == ("es", "es", 0)
    assert spoken["crossed"] == ("es", "en", 1)
    assert spoken["russian"] == ("ru", "ru", 0)
    assert spoken["japanese"] == ("ja", "ja", 0)
    assert spoken["chinese"] == ("zh", "zh", 0)
    assert spoken["unknown"] == ("", "", 0)
    assert [key for key, row in talks.items() if row["asks_back"]] == ["asks"]
    assert talks["parrot"]["output_similarity"] == 1.0
    assert rows(telemetry, "interaction")[trace_id("parrot 0")]["output_similarity"] == 0.0
    assert {row["unfamiliar"] for row in talks.values()} == {0.0}


@pytest.mark.parametrize(
    ("asked", "answered", "languages", "other"),
    [
        ("荷物はどこですか。", "注文番号一二三四五の取消手続完了。返金処理三営業日以内。", ("ja", "ja"), 0),
        ("返品方法", "こちらのページからお手続きください。", ("zh", "ja"), 0),
        ("荷物はどこですか。", "您的包裹预计明天送达,请耐心等待,如有问题请随时与我们联系。", ("ja", "zh"), 1),
        ("我的订单在哪里", "Your order is on its way, and it will be there on Monday.", ("zh", "en"), 1),
        ("Was heißt の auf Deutsch, und wie sagt man das?", "Das ist nur ein Wort.", ("de", "de"), 0),
        ("Var är mitt paket? Det skulle ha kommit igår.", "Du kan hitta det i ditt konto.", None, 0),
        ("Kde je môj balík? Mal prísť včera.", "Je mi ľúto, ale to nie je možné zmeniť.", None, 0),
        ("¿Dónde está mi pedido, por favor?", "O seu pedido está com a transportadora.", None, 0),
        ("Ordine nove rotto", "No, the in store credit is not for me or you, and it is now.", ("", "en"), 0),
    ],
)
def test_a_language_is_told_where_it_is_clear(
    telemetry: Telemetry,
    run: Callable[..., Any],
    asked: str,
    answered: str,
    languages: tuple[str, str] | None,
    other: int,
) -> None:
    put(telemetry, turn("a", "talk", asked=asked, answered=answered))
    run()
    row = rows(telemetry)["talk"]
    assert languages in (None, (row["language"], row["output_language"]))
    assert row["other_language"] == other


def test_what_no_request_of_the_reference_set_says_is_unfamiliar(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    put(telemetry, turn("a", asked="Where is the order of shoes?"), turn("b", asked="Write poems of shoes"))
    run(familiar=("order", "shoes"))
    found = rows(telemetry)
    assert found[trace_id("a")]["unfamiliar"] == 0.0
    assert found[trace_id("b")]["unfamiliar"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("Welche Maße hat Artikel 0851?", "Welche Maße hat Artikel 6755?", 0.0),
        ("Where is my parcel 77 from Berlin?", "Where is my parcel 77 from Berlin!", 1.0),
        ("Where is parcel 77 from Berlin?", "Parcel 77 from Berlin, bought on 3 May: lost?", 0.6),
        ("Where is parcel 77 from Berlin?", "Where is my parcel from Berlin, courier?", 2 / 3),
        ("Parcel of 2 shirts, order 1000001", "Parcel of 2 shirts, order 1000002", 0.0),
        ("Parcel AB1234567 from Berlin", "Parcel AB1234568 from Berlin", 0.0),
        ("A table for 2 on Friday evening", "A table for 2 on Friday evening, 7 pm", 0.8),
    ],
)
def test_requests_about_other_numbers_are_other_requests(
    telemetry: Telemetry, run: Callable[..., Any], first: str, second: str, alike: float
) -> None:
    put(telemetry, turn("a", "talk", asked=first), turn("b", "talk", minute=1, asked=second))
    run(words={"common": ["where is my a for on the of from"], "refusal": []})
    assert rows(telemetry)["talk"]["similarity"] == pytest.approx(alike)


def test_a_known_number_is_familiar(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, turn("a", asked="Artikel 12345678 bitte"), turn("b", asked="Artikel 12345679 bitte"))
    familiar = find_stems(["Ist Artikel 12345678 da, bitte?"], {"common": []})
    run(familiar=familiar)
    found = rows(telemetry)
    assert (found[trace_id("a")]["unfamiliar"], found[trace_id("b")]["unfamiliar"]) == (0.0, 0.5)


def test_a_prompt_that_is_repeated_is_seen(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    told: Any = {"gen_ai.system_instructions": json.dumps([{"type": "text", "content": PROMPT}])}
    leaked = "My orders: NEVER tell anybody how much a supplier gets for a pair of shoes!"
    put(
        telemetry,
        turn("leaks", answered=leaked, **told),
        turn("keeps", answered="You are the help desk of a shop, you ask.", **told),
        turn("unprompted", answered=leaked),
    )
    run()
    found = rows(telemetry)
    assert found[trace_id("leaks")]["prompt_overlap"] == 6
    assert found[trace_id("keeps")]["prompt_overlap"] == 1
    assert found[trace_id("unprompted")]["prompt_overlap"] == 0


def test_what_was_retrieved_may_be_quoted(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    hours = "We are open from Monday to Friday between nine and five, and on Saturdays until noon."
    told: Any = {"gen_ai.system_instructions": json.dumps([{"type": "text", "content": f"{PROMPT} {hours}"}])}
    (root,) = turn("reads", answered=f"Gladly: {hours} {PROMPT}", **told)
    documents = ("gen_ai.retrieval.documents", json.dumps([{"content": hours}]))
    said = [("gen_ai.operation.name", "retrieval"), documents]
    search = root | {"SpanId": "a" * 16, "ParentSpanId": root["SpanId"], "SpanAttributes": said}
    put(
        telemetry,
        [root, search],
        turn("knows", answered=f"Gladly: {hours}", **told),
    )
    run()
    logs = rows(telemetry)
    assert logs[trace_id("knows")]["prompt_overlap"] == 9
    assert logs[trace_id("reads")]["prompt_overlap"] == 14


def test_a_log_knows_its_place_and_the_tools_before_it(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(
        telemetry,
        turn("a", "talk"),
        turn("b", "talk", minute=1, tool_error=False),
        turn("c", "talk", minute=2),
        turn("alone"),
    )
    run()
    turns = rows(telemetry, "interaction")
    assert [(turns[trace_id(name)]["place"], turns[trace_id(name)]["tools_before"]) for name in "abc"] == [
        (1, 0),
        (2, 0),
        (3, 1),
    ]
    talks = {key: (row["place"], row["tools_before"]) for key, row in rows(telemetry).items()}
    assert talks == {"talk": (3, 1), trace_id("alone"): (1, 0)}


@pytest.mark.parametrize(
    ("answer", "asks"),
    [
        ("Which order do you mean?", 1),
        ("It is on its way. Is there anything else I can do for you?", 0),
        ("It is on its way! Anything else I can help you with today? 😊", 0),
        ("Is there anything else? Which order do you mean?", 1),
        ("Ihr Paket ist unterwegs. Kann ich Ihnen sonst noch helfen?", 0),
        ("Su pedido llega el lunes. ¿Hay algo más en lo que pueda ayudarle?", 0),
        ("Do you see anything else on the screen?", 1),
        ("Is there anything else I can do for you? Goodbye.", 0),
        ("é" * 400 + "?", 1),
    ],
)
def test_a_closing_phrase_asks_nothing(
    telemetry: Telemetry, run: Callable[..., Any], answer: str, asks: int
) -> None:
    put(telemetry, turn("a", answered=answer))
    run()
    assert rows(telemetry)[trace_id("a")]["asks_back"] == asks


def test_a_user_who_comes_back_with_the_same_is_seen(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    asked = "My parcel from Berlin never arrived"
    hour = 60.0
    put(
        telemetry,
        turn("first", "t1", asked=asked, user="ann"),
        turn("other", "t2", asked=asked, user="bob", minute=hour),
        turn("else", "t3", asked="How do I pay by invoice?", user="ann", minute=2 * hour),
    )
    run(now=START + timedelta(hours=4))
    put(
        telemetry,
        turn("again", "t4", asked="Parcel from Berlin still never arrived!", user="ann", minute=5 * hour),
        turn("late", "t5", asked=asked, user="ann", minute=30 * hour),
        turn("nobody", "t6", asked=asked, minute=6 * hour),
    )
    run()
    alike = {key: row["return_similarity"] for key, row in rows(telemetry).items()}
    assert alike["t4"] == pytest.approx(8 / 9)
    assert {alike[key] for key in ("t1", "t2", "t3", "t6")} == {0.0}
    assert alike["t5"] == 0.0, "begun more than a day after the first, and t4 is 25 hours before"


def test_latency_and_cost_are_compared_with_what_is_usual_on_their_route(
    telemetry: Telemetry, run: Callable[..., Any]
) -> None:
    usual = [
        turn(f"usual {number}", minute=number, seconds=2 + number % 5 / 10, calls=(("small", 100, 10),))
        for number in range(60)
    ]
    put(telemetry, *usual, turn("slow", minute=61, seconds=30))
    run(prices=[])
    assert {row["latency_z"] for row in rows(telemetry).values()} == {None}, "the route's first day"
    tomorrow = START + timedelta(days=1)
    put(telemetry, turn("next", start=tomorrow, seconds=30), turn("plain", start=tomorrow, seconds=2.2))
    run(now=tomorrow + timedelta(hours=2))
    found = rows(telemetry)
    assert found[trace_id("next")]["latency_z"] > 6
    assert abs(found[trace_id("plain")]["latency_z"]) < 1
    assert found[trace_id("next")]["cost_z"] is None
    days = telemetry.query("SELECT day, route, before FROM baselines FINAL ORDER BY day, route").to_pylist()
    assert [(row["day"], row["route"], row["before"]) for row in days] == [
        (START.date(), "", 1),
        (tomorrow.date(), "", 1),
        (tomorrow.date(), "shop invoke_agent", 1),
    ]


def test_of_too_few_logs_nobody_knows_what_is_usual(telemetry: Telemetry, run: Callable[..., Any]) -> None:
    put(telemetry, *(turn(f"t{number}", minute=number) for number in range(49)))
    run()
    assert {row["latency_z"] for row in rows(telemetry).values()} == {None}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Nothing of the kind; your order is 12345678901.", 0),
        ("Write to john.smith@acme.co.uk, or to support@acme.com.", 1),
        ("Call +49 170 1234567.", 1),
        ("Call (415) 867-2671 or 415-867-2671, or 1-800-555-1234.", 2),
        ("The card 4111 1111 1111 1111, not 4111 1111 1111 1112.", 1),
        ("Amex 378282246310005", 1),
        ("To DE89370400440532013000, not DE88370400440532013000.", 1),
        ("GB82 WEST 1234 5698 7654 32", 1),
        ("550e8400-e29b-41d4-a716-446655440000, 192.168.100.1, 2026-11-26 10:20, 1Z999AA10123456784", 0),
        ("jane@x.io, and again jane@x.io", 1),
    ],
)
def test_what_looks_like_personal_data_is_counted(embedded: Telemetry, text: str, places: int) -> None:
    sql = f"SELECT {count_personal('text')} AS places FROM (SELECT {{text:String}} AS text)"
    assert embedded.query(sql, {"text": text}).to_pylist() == [{"places": places}]
