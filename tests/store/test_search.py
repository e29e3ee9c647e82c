"""Words of long texts are found through an index, and no text is found that is not there any longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from assay.query import parse
from assay.records import Window
from assay.store.telemetry.condition import compile_condition
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.logs import count_logs
from assay.store.telemetry.migrations import MIGRATIONS
from assay.store.telemetry.retain import Keep, retain
from assay.store.telemetry.search import index_of

PutLogs = Callable[..., None]
START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(days=3))
TEXTS = [
    "The refund policy, please",
    "REFUND-POLICY",
    "refunds; policy of refund",
    "Größe? İstanbul can’t: refund\tpolicy",
    "",
    "ΑΣ refund " * 2_000 + "policy",
]


@pytest.fixture
def filled(telemetry: Telemetry, put_logs: PutLogs) -> Telemetry:
    ids = [f"c{number}" for number in range(len(TEXTS))]
    put_logs(ids, START, input=TEXTS, output=list(reversed(TEXTS)))
    return telemetry


def count(t: Telemetry, text: str) -> int:
    return count_logs(t, "conversation", WINDOW, parse(text))


FOUND = [
    ('input says "refund"', 5),
    ('input says "refund policy"', 4),
    ('input says "REFUND, policy!"', 4),
    ('input says "policy refund"', 0),
    ('input says "policy of refund"', 1),
    ('input says "fund"', 0),
    ('input says "größe"', 1),
    ('input says "t"', 1),
    ('input says "can\'t"', 1),
    ('input contains "efund"', 5),
    ('input contains "fund-pol"', 1),
    ('input contains "und\\tpol"', 1),
    ('input contains "größe? İ"', 1),
    ('input contains "refund%"', 0),
    ('says "refund policy"', 6),
    ('not says "refund"', 0),
    (f'input says "{"refund ΑΣ " * 40}"', 1),
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_what_is_said_is_found(filled: Telemetry, text: str, expected: int) -> None:
    assert count(filled, text) == expected


def test_rows_without_an_index_are_searched_alike(filled: Telemetry) -> None:
    for column in ("input", "output"):
        filled.command(f"ALTER TABLE signals CLEAR INDEX idx_{column} SETTINGS mutations_sync = 2")
    try:
        assert [count(filled, text) for text, _ in FOUND] == [expected for _, expected in FOUND]
    finally:
        (step,) = (step for step in MIGRATIONS if step.number == 10)
        for statement in step.statements(filled.topology):
            filled.command(f"{statement} SETTINGS mutations_sync = 2")


@pytest.mark.parametrize(
    "text",
    [
        'input says "refund"',
        'output says "refund policy"',
        'says "refund"',
        'input contains "efun"',
        'output contains "fund pol"',
        'says "refund" and turns = 1 and not judged',
    ],
)
def test_the_index_is_asked(filled: Telemetry, text: str) -> None:
    where = compile_condition(parse(text), unit="conversation", within=WINDOW)
    sql = f"SELECT count() FROM signals FINAL WHERE unit = 'conversation' AND {where.sql}"
    plan = filled.query(f"EXPLAIN indexes = 1, actions = 1 {sql.replace('GLOBAL ', '')}", where.params)
    steps = "\n".join(row["explain"] for row in plan.to_pylist())
    assert "__text_index_idx_" in steps, steps


def test_the_schema_and_the_step_make_the_same_index(filled: Telemetry) -> None:
    rows = filled.query(
        "SELECT name, expr, type FROM system.data_skipping_indices WHERE table = 'signals' AND type = 'text'"
    ).to_pylist()
    assert {row["name"] for row in rows} == {"idx_input", "idx_output"}
    (step,) = (step for step in MIGRATIONS if step.number == 10)
    assert index_of("input") in step.statements(filled.topology)[0]


def test_a_text_that_has_outlived_its_time_is_not_found(filled: Telemetry) -> None:
    today = date(2026, 11, 20)
    retain(filled, Keep(content_days=5), today)
    assert [count(filled, text) for text, _ in FOUND if not text.startswith("not")] == [0] * (len(FOUND) - 1)
    assert count(filled, 'not says "refund"') == len(TEXTS)
    size = filled.query(
        "SELECT sum(secondary_indices_uncompressed_bytes) AS size FROM system.parts "
        "WHERE active AND table = 'signals' AND partition = '2026-11-01'"
    ).to_pylist()[0]["size"]
    assert size < 5_000
