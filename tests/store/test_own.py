"""SQL of a team's own: what is one truth value of a log's facts passes, everything else is refused."""

from __future__ import annotations

import pytest

from assay.errors import FilterError
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.own import check_expression


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("tool_calls > 3", "tool_calls > 3"),
        ("tool_calls > 3 -- many", "tool_calls > 3"),
        (
            "tool_calls>3 and length(output)<20 /* short */ or feedback = 0",
            "((tool_calls > 3) AND (length(output) < 20)) OR (feedback = 0)",
        ),
        ("attributes['tier'] IN ('gold', 'silver')", "(attributes['tier']) IN ('gold', 'silver')"),
        ("output ILIKE '%refund%'", "output ILIKE '%refund%'"),
        (
            "arrayExists(word -> word = 'x', splitByChar(' ', input))",
            "arrayExists(word -> (word = 'x'), splitByChar(' ', input))",
        ),
        ("toHour(started) >= 22", "toHour(started) >= 22"),
        ("service = 'shop'", "service = 'shop'"),
        ("latency_ms / turns > 2000;", "(latency_ms / turns) > 2000"),
        ("feedback IS NULL", "feedback IS NULL"),
        ("input = 'so (alias x) it is'", "input = 'so (alias x) it is'"),
        ("input = 'a\nLiteral (alias x)'", "input = 'a\\nLiteral (alias x)'"),
        ("CASE WHEN turns > 3 THEN 1 ELSE 0 END", "multiIf(turns > 3, 1, 0)"),
    ],
)
def test_an_expression_is_written_anew(telemetry: Telemetry, sql: str, written: str) -> None:
    assert check_expression(telemetry, "own", sql) == f"({written})"


@pytest.mark.parametrize(
    ("sql", "position", "said"),
    [
        ("", 0, "sql is empty"),
        ("tool_calls > and 3", 17, "not understood"),
        ("turns > 1 and é = )", 14, "not understood"),
        ("turns > (1", 10, "never closed"),
        ("input = 'abc", 8, "never closed"),
        ("turns >", 7, "ends too early"),
        ("tunrs > 3", 0, "unknown fact `tunrs`; did you mean `turns`?"),
        ("turns > 1 AND lenght(output) > 3", 14, "unknown function `lenght`; did you mean `length`"),
        ("length(output)", 0, "gives uint64, no truth value"),
        ("turns > 1 and input > 3", 0, "can't be used"),
        ("turns IN (SELECT 1)", 10, "a subquery can't stand"),
        ("exists(SELECT 1 FROM otel_traces)", 7, "a subquery can't stand"),
        ("(SELECT count() FROM url('http://x')) > 1", 1, "a subquery can't stand"),
        ("log_id IN scores", 10, "names a table"),
        ("log_id NOT IN scores", 14, "names a table"),
        ("1) FROM signals WHERE (1", 0, "one expression"),
        ("1), (2", 0, "one expression"),
        ("1) AS a, (2", 0, "one expression"),
        ("1; DROP TABLE signals", 1, "not understood"),
        ("1); DROP TABLE signals; SELECT (1", 2, "several statements"),
        ("1) FORMAT JSON --", 17, "too early|no other half|not understood"),
        ("1) UNION ALL SELECT (1", 0, "one expression"),
        ("--", 0, "sql is empty"),
        ("/* later */", 0, "sql is empty"),
        ("input = 'a\ud800'", 10, "half a character"),
        ("(turns AS output) > 3", 10, "has no name here"),
        ("(0 AS latency_ms) = 0", 6, "has no name here"),
        ("input = ('gone (alias x)' AS input)", 0, "has no name here"),
        ("(1, 'x') = ((1, 'x') AS model)", 24, "has no name here"),
        ("1 IN ([1, 2] AS turns)", 16, "has no name here"),
        ("tupleElement((1 AS a, 2), 1) = 1", 19, "has no name here"),
        ("isNull(NULL AS output)", 15, "has no name here"),
        ("(-1 AS turns) = turns", 7, "has no name here"),
        ("started > now()", 10, "`now` can't stand"),
        ("NOW() > started", 0, "`NOW` can't stand"),
        ("rand() % 2 = 1", 0, "`rand` can't stand"),
        ("sum(turns) > 3", 0, "`sum` can't stand"),
        ("sum(turns) OVER () > 3", 0, "can't stand"),
        ("arrayJoin([1, 0])", 0, "`arrayJoin` can't stand"),
        ("file('/etc/passwd') = ''", 0, "`file` can't stand"),
        ("dictGet('a', 'b', turns) = 1", 0, "`dictGet` can't stand"),
        ("joinGet('a', 'b', turns) = 1", 0, "`joinGet` can't stand"),
        ("sleep(1) = 0", 0, "`sleep` can't stand"),
        ("hostName() = 'x'", 0, "`hostName` can't stand"),
        ("turns > {x:UInt8}", 0, "can't be used|a parameter"),
        ("*", 0, "can't stand|one expression"),
        ("COLUMNS('input') = ''", 0, "can't stand"),
    ],
)
def test_anything_else_is_refused_where_it_stands(
    telemetry: Telemetry, sql: str, position: int, said: str
) -> None:
    with pytest.raises(FilterError, match=rf"(?s)signals\.own: .*({said})") as caught:
        check_expression(telemetry, "own", sql)
    assert caught.value.position == position


def test_a_refused_statement_has_not_run(telemetry: Telemetry) -> None:
    with pytest.raises(FilterError):
        check_expression(telemetry, "own", "1); TRUNCATE TABLE settled; SELECT (1")
    assert telemetry.query("EXISTS TABLE settled").column(0).to_pylist() == [1]
