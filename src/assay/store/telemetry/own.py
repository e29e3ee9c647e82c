"""SQL that a team writes for a signal of its own: checked before any of it stands in a statement.

It is parsed as a bound value, never run as text: one expression over a log's facts, of functions that
give the same for the same row. Only the parsed form, written down anew by the engine, is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from assay.errors import FilterError, StoreError, StoreUnreachable
from assay.query import suggest
from assay.query.complain import complain, refuse_halves
from assay.records import Signal
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import FACT_NAMES, FACTS

_BEGIN: Final = "SELECT (\n"
_END: Final = "\n)"
_HEAD: Final = ("SelectWithUnionQuery", "ExpressionList", "SelectQuery", "ExpressionList")
"""How a syntax tree begins: the query, its list, its one select, the list of what that gives."""
_TAIL: Final = (
    "   TablesInSelectQuery (children 1)",
    "    TablesInSelectQueryElement (children 1)",
    "     TableExpression (children 1)",
    "      TableIdentifier system.one",
)
"""How it ends where the engine adds the table of one row."""

_HARMFUL: Final = frozenset({"sleep", "sleepEachRow", "throwIf", "globalVariable", "catboostEvaluate"})
"""Functions of no use here that the engine calls deterministic."""

_LEFT_OUT: Final = {
    "Subquery": "a subquery",
    "SelectWithUnionQuery": "a subquery",
    "WindowDefinition": "a window",
    "Asterisk": "`*`",
    "QualifiedAsterisk": "`*`",
    "QueryParameter": "a parameter",
}
_QUOTED: Final = re.compile(r"`([^`]+)`")


def checked(t: Telemetry, signals: Sequence[Signal]) -> dict[str, str]:
    """By name, the SQL of those signals that have some, as the engine writes it.

    Raises FilterError with the position of the first mistake."""
    return {signal.name: check_expression(t, signal.name, signal.sql) for signal in signals if signal.sql}


def check_expression(t: Telemetry, name: str, sql: str) -> str:
    """The expression as the engine writes it: without comments, in parentheses wherever it matters.

    Raises FilterError with the position of what is wrong: no SQL, more than one expression of a log's
    facts, or no truth value."""
    try:
        written = _parse(t, sql)
        _refuse_more(t, sql, written)
        _compile(t, sql, written)
    except FilterError as error:
        raise FilterError(f"signals.{name}: {error}", position=error.position) from None
    return written


def _parse(t: Telemetry, sql: str) -> str:
    """The one expression that stands there."""
    refuse_halves(sql)
    try:
        (row,) = t.query(
            "SELECT formatQuerySingleLine({text:String}) AS written",
            {"text": _BEGIN + sql.rstrip("; \n") + _END},
        ).to_pylist()
    except StoreUnreachable:
        raise
    except StoreError as error:
        raise _syntax(sql, str(error)) from None
    written = str(row["written"]).removeprefix("SELECT").strip()
    if not sql.strip() or written in ("", "()", "tuple()"):
        raise FilterError("sql is empty", position=0)
    return written


def _syntax(sql: str, said: str) -> FilterError:
    """The engine counts bytes from 1, and from the beginning of its statement."""
    unmatched = re.search(r"Unmatched parentheses: \S+ at position (\d+)", said)
    found = unmatched or re.search(r"failed at position (\d+)", said)
    place = int(found.group(1)) - 1 - len(_BEGIN) if found else 0
    position = len(sql.encode()[: max(place, 0)].decode(errors="ignore"))
    if "Multi-statements" in said:
        return complain(sql, position, "one expression, not several statements")
    if unmatched and place < 0:
        return complain(sql, len(sql), "a parenthesis is never closed")
    if unmatched:
        return complain(sql, position, "this parenthesis has no other half")
    if position >= len(sql):
        return complain(sql, len(sql), "the SQL ends too early")
    if "is not closed" in said:
        return complain(sql, position, "this quote is never closed")
    return complain(sql, position, "the SQL is not understood from here on")


def _refuse_more(t: Telemetry, sql: str, written: str) -> None:
    """Nothing but functions, facts and constants: no query in it, no other table, no name of its own."""
    try:
        lines = t.query(f"SELECT explain FROM (EXPLAIN AST SELECT {written})")["explain"].to_pylist()
    except StoreUnreachable:
        raise
    except StoreError as error:
        raise complain(sql, 0, f"the SQL can't be used: {brief(str(error))}") from None
    tree = [str(line).rstrip() for line in lines]
    clauses = 1
    if tuple(tree[-len(_TAIL) :]) == _TAIL:
        tree, clauses = tree[: -len(_TAIL)], 2
    one, both = " (children 1)", f" (children {clauses})"
    head = [kind + (both if kind == "SelectQuery" else one) for kind in _HEAD]
    if [line.strip() for line in tree[: len(_HEAD)]] != head:
        raise complain(sql, 0, "a signal is one expression: no list, no FROM, no WITH, no further clause")
    functions: dict[str, None] = {}
    for line in tree[len(_HEAD) :]:
        kind, _, rest = line.strip().partition(" ")
        if alias := _alias(kind, rest):
            raise complain(sql, _place(sql, alias), f"`AS {alias}`: an expression has no name here")
        if kind == "Function":
            functions[rest.partition(" (")[0]] = None
        elif kind not in ("Identifier", "Literal", "ExpressionList"):
            what = _LEFT_OUT.get(kind, kind)
            raise complain(
                sql, _place(sql, "SELECT"), f"{what} can't stand in a signal: use a log's own facts"
            )
    _refuse_tables(sql, tree)
    _refuse_functions(t, sql, list(functions))


def _alias(kind: str, rest: str) -> str:
    """The name that a part of the expression is given, which would stand for a fact of that name. It comes
    last; a text may hold the same words."""
    if " (alias " not in rest or (kind == "Literal" and not rest.endswith(")")):
        return ""
    return rest.rpartition(" (alias ")[2].partition(")")[0]


def _refuse_tables(sql: str, tree: Sequence[str]) -> None:
    """`x IN name` would look into a table of that name."""
    for number, line in enumerate(tree):
        if re.fullmatch(r"Function (global)?(not)?(Null)?in(Ignore\w*)? \(children 1\)", line.strip(), re.I):
            depth = len(line) - len(line.lstrip()) + 2
            inside = [other for other in tree[number + 2 :] if other.startswith(" " * depth)]
            operands = [other.strip() for other in inside if other[depth : depth + 1] != " "][:2]
            if len(operands) == 2 and operands[1].startswith("Identifier"):
                table = operands[1].removeprefix("Identifier ")
                raise complain(sql, _place(sql, table), f"`IN {table}` names a table: list the values")


def _refuse_functions(t: Telemetry, sql: str, used: list[str]) -> None:
    found = t.query(
        "SELECT name, is_aggregate = 0 AND COLUMNS('^(is_)?deterministic$') = 1 AS good "
        "FROM system.functions WHERE name IN {used:Array(String)} OR lower(name) IN {used:Array(String)} "
        "OR name IN {lowered:Array(String)}",
        {"used": used, "lowered": [name.lower() for name in used]},
    ).to_pylist()
    good = {row["name"].lower(): bool(row["good"]) for row in found}
    for name in used:
        if name == "lambda":
            continue
        if name.lower() not in good:
            names = _function_names(t)
            raise complain(sql, _place(sql, name), f"unknown function `{name}`; {suggest(name, names)}")
        if not good[name.lower()] or name in _HARMFUL:
            raise complain(
                sql,
                _place(sql, name),
                f"`{name}` can't stand in a signal: only what gives the same for the same facts",
            )


def _function_names(t: Telemetry) -> list[str]:
    rows = t.query("SELECT name FROM system.functions WHERE is_aggregate = 0").to_pylist()
    return [row["name"] for row in rows]


def _compile(t: Telemetry, sql: str, written: str) -> None:
    """Compile it over the facts. The statement holds only what was parsed and passed."""
    facts = f"SELECT {FACTS} FROM signals LIMIT 0"
    try:
        found = t.query(f"SELECT {written} AS raised FROM ({facts})").schema.field("raised").type
    except StoreUnreachable:
        raise
    except StoreError as error:
        raise _meaning(sql, str(error)) from None
    if not (pa.types.is_boolean(found) or pa.types.is_null(found) or found in (pa.uint8(), pa.int8())):
        raise complain(
            sql, 0, f"it gives {found}, no truth value: compare it with something, as in turns > 3"
        )


def _meaning(sql: str, said: str) -> FilterError:
    quoted = _QUOTED.search(said)
    if quoted and "identifier" in said.partition("`")[0]:
        name = quoted.group(1).partition(".")[0]
        return complain(sql, _place(sql, name), f"unknown fact `{name}`; {suggest(name, FACT_NAMES)}")
    called = re.search(r"(?:function|Function) `?(\w+)", said)
    position = _place(sql, called.group(1)) if called else 0
    return complain(sql, position, f"the SQL can't be used: {brief(said)}")


def _place(sql: str, name: str) -> int:
    """Where the name stands as a word of its own; 0 where it can't be found."""
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE)
    return found.start() if found else 0


def brief(said: str) -> str:
    """The engine's first sentence, without its code and what it repeats of the statement."""
    text = re.sub(r"^.*?DB::Exception: ", "", said)
    return re.split(r"\. In scope|: In scope|: while executing|\(TYPE|\([A-Z_]{6,}\)", text)[0].strip()[:300]
