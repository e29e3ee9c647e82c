"""A filter means the same in SQL and in Python, and what is in it stays a value."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.query.conditions import CONDITIONS, HOSTILE, START, TEXTS, WORDS

from assay.errors import FilterError
from assay.query import AnyTurn, Condition, InConversation, fold_words, holds, parse
from assay.records import Unit, Window
from assay.store.telemetry.condition import compile_condition, folded_words, listens
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.hearing import listen

NOW = START + timedelta(days=2)
MAP = pa.map_(pa.string(), pa.string())


def make_row(number: int, **facts: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "unit": "conversation",
        "log_id": f"log-{number}",
        "conversation_id": f"log-{number}",
        "started": START + timedelta(hours=7 * number, microseconds=number),
        "ended": START + timedelta(hours=7 * number + 1),
        "service": "shop",
        "environment": "",
        "version": "v7",
        "user_id": "",
        "model": "",
        "turns": number,
        "spans": 3 * number,
        "llm_calls": 1,
        "tool_calls": 0,
        "tool_errors": 0,
        "errors": number % 2,
        "latency_ms": 1.5 * number,
        "input_tokens": 7 * number,
        "output_tokens": 3,
        "cost_usd": 0.1 * number,
        "feedback": None,
        "similarity": 0.5,
        "redactions": number % 3,
        "provider": "",
        "cached_tokens": number,
        "reasoning_tokens": 0,
        "ttft_ms": None if number % 2 else 10.0 * number,
        "route": "shop chat",
        "finish_reason": "stop",
        "error": "",
        "comment": "",
        "repeated_calls": number % 4,
        "retrievals": number % 3,
        "empty_retrievals": number % 2,
        "latency_z": 0.5 * number if number % 3 else None,
        "cost_z": None if number % 2 else -1.5,
        "output_similarity": 0.25,
        "return_similarity": 0.1 * number,
        "language": "en",
        "output_language": "",
        "other_language": number % 2,
        "output_personal": number % 2,
        "prompt_overlap": 0,
        "unfamiliar": 0.0,
        "asks_back": number % 2,
        "place": number % 3,
        "tools_before": number % 4,
        "input": "",
        "output": "",
        "attributes": {},
        "signals": [],
    }
    return row | facts


ROWS = [
    make_row(0, input="a HUMAN, please", output="Refund", feedback=0.0, signals=["error", "or"]),
    make_row(1, input="can’t you?", version="", attributes={"topic": "v7", "n": "1.50"}, feedback=0.5),
    make_row(2, input="real  person", output="ñandú", attributes={"n": "-3", "a'b": "'"}, feedback=1.0),
    make_row(
        3,
        input="ÑANDÚ",
        output="İstanbul ΑΣ",
        attributes={"n": "7\n", "topic": "\\"},
        reasoning_tokens=2**53 + 1,
    ),
    make_row(
        4,
        input="",
        output="o'neil",
        signals=["refusal"],
        attributes={"tags": " c, two words,user's"},
        model="'); DROP TABLE signals; --",
    ),
    make_row(
        5,
        input="{c0:String}",
        output="100%s \x00 \\' \"",
        attributes={"n": "seven", "topic": '"', "tags": '["ünï","a"]'},
    ),
    make_row(6, input="humanity", user_id="\x00", attributes={"n": "1e3", "topic": "Refund"}),
    *(make_row(7 + number, input=text, output=text, model=text) for number, text in enumerate(HOSTILE)),
]
SCORED = {"log-0": 0.0, "log-1": 0.5, "log-2": 1.0}
LABELLED = {"log-1": 1.0, "log-4": 0.5}
SAID = {"log-4": "a real person, refund"}
DRAWN = {("conversation", "log-1"): ("daily",), ("conversation", "log-3"): ("daily", "or")}
DRAWN |= {("interaction", "turn-2"): ("or",)}


def make_turn(number: int, talk: int, minutes: int, **facts: Any) -> dict[str, Any]:
    """An interaction of conversation `talk`."""
    begun = START + timedelta(hours=7 * talk, minutes=minutes)
    same = {"unit": "interaction", "log_id": f"turn-{number}", "conversation_id": f"log-{talk}"}
    return make_row(talk, **same | {"started": begun, "ended": begun, "turns": 1} | facts)


TURNS = [
    make_turn(0, 4, 1, input=SAID["log-4"]),
    make_turn(1, 1, 5, input="can’t you?", version="v6", attributes={"topic": "v7"}, signals=["or"]),
    make_turn(2, 1, 50, output="Refund", feedback=0.0, attributes={"tags": '["beta"]'}),
    make_turn(3, 3, 2, input="ÑANDÚ", output="a human", latency_ms=0.0),
    make_turn(4, 3, 3, input="", output="{c0:String}", model="v7", signals=["error", "refusal"]),
    make_turn(5, 99, 0, input="real person", output="of a conversation that is not there"),
]


def _linked() -> list[dict[str, Any]]:
    """All that is known of every log, in Python: each knows its conversation, or its interactions."""
    talks = {row["log_id"]: dict(row, interactions=[], said=[]) for row in ROWS}
    turns = [dict(row, conversation=talks.get(row["conversation_id"])) for row in TURNS]
    for turn in turns:
        if talk := turn["conversation"]:
            talk["interactions"].append(turn)
            talk["said"] += [turn["input"], turn["output"]]
    for row in (*talks.values(), *turns):
        key = (row["unit"], row["log_id"])
        row["selected"] = DRAWN.get(key, ())
        row["scores"] = {"resolved": SCORED[key[1]]} if key[1] in SCORED else {}
        row["labels"] = {"resolved": LABELLED[key[1]]} if key[1] in LABELLED else {}
    return [*talks.values(), *turns]


KNOWN = _linked()


@pytest.fixture(scope="module")
def filled(embedded: Telemetry) -> Telemetry:
    """The rows above, with scores of machines and people, and what was drawn."""
    for table in ("signals", "scores", "selections"):
        embedded.command(f"TRUNCATE TABLE {table}")
    embedded.insert("signals", _facts_table([*ROWS, *TURNS]))
    embedded.insert("scores", _scores_table())
    embedded.insert("selections", _selections_table())
    return embedded


def _selections_table() -> pa.Table:
    same = {"policy_version": "1", "stage": "judge", "started": START, "stratum": "", "reason": ""}
    same |= {"probability": 0.5, "draw": 0.1, "selected": 1, "decided_at": NOW}
    rows = [
        {**same, "policy": policy, "unit": unit, "log_id": log_id}
        for (unit, log_id), policies in DRAWN.items()
        for policy in policies
    ]
    passed = {**same, "policy": "daily", "unit": "conversation", "log_id": "log-2", "selected": 0}
    return pa.Table.from_pylist([*rows, passed])


def _facts_table(rows: list[dict[str, Any]]) -> pa.Table:
    stamped = [{**row, "attributes": list(row["attributes"].items()), "computed_at": NOW} for row in rows]
    fields = [
        pa.field(name, MAP if name == "attributes" else pa.array([r[name] for r in stamped]).type)
        for name in stamped[0]
    ]
    return pa.Table.from_pylist(stamped, pa.schema(fields))


def _scores_table() -> pa.Table:
    same = {"metric": "resolved", "metric_version": "1", "unit": "conversation", "started": START}
    rows = [
        *(_score(key, "judge", value, NOW) for key, value in SCORED.items()),
        # An older version said otherwise, and a newer one could not tell.
        _score("log-0", "judge", 1.0, NOW - timedelta(days=1), metric_version="0"),
        _score("log-0", "judge", None, NOW + timedelta(hours=1), metric_version="2", fate="failed"),
        _score("log-3", "judge", None, NOW, fate="skipped"),
        _score("log-1", "human", 1.0, NOW, rater="ann"),
        _score("log-4", "human", 0.0, NOW, rater="ann"),
        _score("log-4", "human", 1.0, NOW, rater="bob"),
    ]
    return pa.Table.from_pylist([same | row for row in rows])


def _score(log_id: str, kind: str, value: float | None, at: datetime, **more: Any) -> dict[str, Any]:
    plain = {"metric_version": "1", "rater": "", "fate": "scored"}
    return plain | {"log_id": log_id, "kind": kind, "value": value, "scored_at": at} | more


def in_sql(
    t: Telemetry,
    condition: Condition,
    unit: Unit = "conversation",
    within: Window | None = None,
    *,
    told: bool = False,
) -> set[str]:
    where = compile_condition(condition, words=WORDS, now=NOW, within=within, unit=unit if told else None)
    beyond = "started >= {since:DateTime64(6)} AND started < {until:DateTime64(6)} AND " if within else ""
    rows = t.query(
        f"SELECT log_id FROM signals FINAL WHERE unit = '{unit}' AND {beyond} {where.sql}",
        where.params | ({"since": within.start, "until": within.end} if within else {}),
    )
    return {row["log_id"] for row in rows.to_pylist()}


def in_python(condition: Condition, unit: Unit = "conversation", within: Window | None = None) -> set[str]:
    return {
        row["log_id"]
        for row in KNOWN
        if row["unit"] == unit
        and (within is None or within.start <= row["started"] < within.end)
        and holds(condition, row, words=WORDS, now=NOW)
    }


@given(CONDITIONS, st.sampled_from(["conversation", "interaction"]), st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_python_agree(
    filled: Telemetry, condition: Condition, unit: Unit, told: bool, cut: bool
) -> None:
    start = START + timedelta(hours=7, microseconds=1)
    within = Window(start=start, end=start + timedelta(hours=14)) if cut else None
    assert in_sql(filled, condition, unit, within, told=told) == in_python(condition, unit, within)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("any(signal.or)", {"turn-1"}),
        ("any(output = 'Refund' and version = 'v7')", {"turn-2"}),
        ("conversation(judged)", {"turn-1", "turn-2"}),
        ("conversation(any(signal.error))", {"turn-3", "turn-4"}),
        ("conversation(turns >= 0) and input says 'real person'", {"turn-0"}),
        ("selected", {"turn-2"}),
        ("tag = 'beta'", {"turn-2"}),
    ],
)
def test_an_interaction_knows_its_conversation(filled: Telemetry, text: str, expected: set[str]) -> None:
    condition = parse(text)
    assert in_python(condition, "interaction") == expected
    assert in_sql(filled, condition, "interaction") == expected
    assert in_sql(filled, condition, "interaction", told=True) == expected


@pytest.mark.parametrize("depth", [2, 30])
def test_what_is_nested_deep_stays_short(depth: int) -> None:
    text = "any(conversation(" * depth + "signal.error" + "))" * depth
    part = AnyTurn(part=InConversation(part=parse("signal.error")))
    for _ in range(depth - 1):
        part = AnyTurn(part=InConversation(part=part))
    assert len(compile_condition(part).sql) < 400 * depth
    if depth < 20:
        assert parse(text) == part


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score.resolved < 0.5", {"log-0"}),
        ("score.resolved != 0.5", {"log-0", "log-2"}),
        ("label.resolved = 0.5", {"log-4"}),
        ("judged", {"log-0", "log-1", "log-2"}),
        ("labelled and not judged", {"log-4"}),
        ('text contains "REAL PERSON, REF"', {"log-4"}),
        ("text mentions @asks_human", {"log-0", "log-2", "log-3", "log-4"}),
        ("input mentions @odd", {"log-1", "log-3"}),
        ("last 40h and turns < 4", {"log-2", "log-3"}),
        ('attr["n"] >= 1.5', {"log-1"}),
        ("feedback < 0.5", {"log-0"}),
        ("feedback is known", {"log-0", "log-1", "log-2"}),
        ("attr['a\\'b'] is known", {"log-2"}),
        ("says 'REAL person'", {"log-2", "log-4"}),
        ("input says 'can t'", {"log-1"}),
        ("any(signal.error and model = 'v7')", {"log-3"}),
        ("any(feedback = 0) and not any(feedback is unknown)", set()),
        ("any(version = 'v6') and any(tag = 'beta')", {"log-1"}),
        ("any(version = 'v6' and tag = 'beta')", set()),
        ("conversation(judged) and turns = 2", {"log-2"}),
        ("selected", {"log-1", "log-3"}),
        ("selected.or", {"log-3"}),
        ("tag in ('two words', \"user's\")", {"log-4"}),
        ("tag = 'ünï'", {"log-5"}),
        ('started >= "2026-11-01T07:00:00.000001" and started < "2026-11-01T07:00:00.000002"', {"log-1"}),
    ],
)
def test_a_filter_finds_its_logs(filled: Telemetry, text: str, expected: set[str]) -> None:
    assert in_sql(filled, parse(text)) == expected


@given(TEXTS)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_are_parted_alike(filled: Telemetry, text: str) -> None:
    sql = f"SELECT {folded_words('x')} AS folded FROM (SELECT {{x:String}} AS x)"
    (row,) = filled.query(sql, {"x": text}).to_pylist()
    assert " ".join(row["folded"].split()) == fold_words(text).strip()


def test_whole_numbers_keep_their_digits(filled: Telemetry) -> None:
    for text in ("reasoning_tokens = 9007199254740992", "reasoning_tokens in (9007199254740992, 1)"):
        condition = parse(text)
        assert in_sql(filled, condition) == in_python(condition) == set(), text
    assert "log-3" in in_sql(filled, parse("reasoning_tokens > 9007199254740992"))


def test_hostile_values_are_bound_and_the_store_lives(filled: Telemetry) -> None:
    for text in HOSTILE:
        assert in_sql(filled, parse(f"model = {_quoted(text)}")) == {
            row["log_id"] for row in ROWS if row["model"] == text
        }


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def test_a_long_word_list_is_searched_whole(filled: Telemetry) -> None:
    words = {"long": [f"word {number}" for number in range(1_200)] + ["humanity"]}
    where = compile_condition(parse("input mentions @long"), words=words)
    rows = filled.query(f"SELECT log_id FROM signals FINAL WHERE {where.sql}", where.params)
    assert rows.column("log_id").to_pylist() == ["log-6"]


@pytest.mark.parametrize(("phrases", "length"), [(1_200, 8), (400, 45), (600, 300), (1, 7_000)])
def test_a_list_of_long_phrases_is_heard_whole(embedded: Telemetry, phrases: int, length: int) -> None:
    long = [f"phrase {number} ".ljust(length, "é") for number in range(phrases)]
    words = {"long": long, "odd": ["humanity"]}
    ears = listen([parse("input mentions @odd"), parse("input mentions @long")], words)
    found = [ears.heard["input", name] for name in ("long", "odd")]
    for said in (long[0], long[-1], "humanity", "phrase"):
        sql = f"SELECT {{said:String}} AS input, {folded_words('input')} AS folded_input"
        sql = f"SELECT {ears.hits['hits_input']} AS hits_input FROM ({sql})"
        table = embedded.query(f"SELECT {found[0]}, {found[1]} FROM ({sql})", ears.params | {"said": said})
        assert [bool(column[0].as_py()) for column in table.columns] == [said in long, said == "humanity"]


def test_what_is_heard_already_is_not_searched_again() -> None:
    condition = parse("text mentions @asks_human or input mentions @odd or attr['a'] mentions @asks_human")
    assert listens(condition) == {("input", "asks_human"), ("output", "asks_human"), ("input", "odd")}
    heard = {("input", "asks_human"): "(heard[1])", ("input", "odd"): "(heard[2])"}
    where = compile_condition(
        condition, words=WORDS, source="facts", heard=heard, folded={"output": "folded_output"}
    )
    assert where.sql.startswith("((((heard[1])) OR (match(folded_output, {c0:String}))) OR ((heard[2])) OR ")
    assert set(where.params) == {"c0", "c1", "c2"}


def test_an_empty_word_list_holds_of_nothing(filled: Telemetry) -> None:
    assert compile_condition(parse("input mentions @none"), words={"none": ["..."]}).sql == "0"


def test_what_can_not_be_asked_is_said() -> None:
    with pytest.raises(FilterError, match="unknown word list `nope`"):
        compile_condition(parse("input mentions @nope"))
    with pytest.raises(FilterError, match="depends on when"):
        compile_condition(parse("last 2d"))
    for text in ("signal.error", "judged", "score.x > 0"):
        with pytest.raises(FilterError, match="use facts"):
            compile_condition(parse(text), source="facts")


def test_conditions_of_one_statement_keep_their_values_apart(filled: Telemetry) -> None:
    few = compile_condition(parse("turns < 2"), prefix="a")
    odd = compile_condition(parse("errors = 1"), prefix="b")
    counts = f"countIf({few.sql}) AS few, countIf({odd.sql}) AS odd"
    sql = f"SELECT {counts} FROM signals FINAL WHERE unit = 'conversation'"
    expected = {
        "few": sum(row["turns"] < 2 for row in ROWS),
        "odd": sum(row["errors"] == 1 for row in ROWS),
    }
    assert filled.query(sql, few.params | odd.params).to_pylist() == [expected]


def test_times_outside_the_stores_range_are_its_ends(filled: Telemetry) -> None:
    everything = {row["log_id"] for row in ROWS}
    assert in_sql(filled, parse('started > "0001-01-01" and ended < "9999-12-31"')) == everything
