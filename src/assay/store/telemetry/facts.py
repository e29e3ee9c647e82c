"""The SQL from interactions to rows of `signals`: facts, similarity, cost, and the signals raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from assay.query import Condition, fold_words
from assay.records import Price, Signal, Unit
from assay.store.telemetry import schema
from assay.store.telemetry.condition import Where, compile_condition, folded_words
from assay.store.telemetry.schema import Topology

STEM: Final = 6
"""Words of two requests are the same if they share this many first letters."""

COMPARED: Final = 50
"""Earlier requests of the conversation that one is compared with."""

COMPARED_CHARS: Final = 4_000
"""How much of a request is compared: longer ones carry documents."""

COUNTED: Final = (
    "spans",
    "llm_calls",
    "tool_calls",
    "tool_errors",
    "errors",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "redactions",
)
NAMED: Final = ("service", "environment", "version", "user_id", "model", "provider")
SHARED_FACTS: Final = (*NAMED, *COUNTED, "latency_ms", "ttft_ms", "feedback", "input", "output", "attributes")
"""Columns that `signals` takes from `interactions_final` as they are."""

TELLING: Final = tuple(column.partition(" ")[0] for column in schema.TELLING)

FACTS: Final = "unit, log_id, conversation_id, started, ended, turns, cost_usd, similarity, " + ", ".join(
    (*SHARED_FACTS, *TELLING)
)
"""What conditions of signals ask for."""

COLUMNS: Final = f"{FACTS}, signals, computed_at, is_deleted"
"""The columns of `signals` in the order in which both selects below give them."""

BUCKET: Final = "settling WHERE run = {run:String} AND bucket = {bucket:UInt32}"
"""The traces, with their conversations, that one step of a run works on."""

DAYS: Final = "toDate(started) >= {first_day:Date} AND toDate(started) <= {last_day:Date}"
"""The days of the bucket's logs: no other part of `signals` is read."""

_FIRST_DAY: Final = date(1970, 1, 1)

PLACE: Final = (
    "arrayFirstIndex((p, day) -> startsWith(c.model, p) AND day <= toDate32(started) "
    "AND match(substring(c.model, length(p) + 1), '^([-@:](20[0-9]{2}.*|[0-9]{4}|latest))?$'), "
    "{priced:Array(String)}, {priced_since:Array(Date32)})"
)
"""Which price is a call's: its model's own, or that of the name without a date at its end, on that day."""

COST: Final = (
    "arraySum(x -> ifNull(x.1.cost_usd, ("
    "(x.1.input_tokens - least(x.1.cached_tokens, x.1.input_tokens)) * {read_prices:Array(Float64)}[x.2] + "
    "least(x.1.cached_tokens, x.1.input_tokens) * {cached_prices:Array(Float64)}[x.2] + "
    f"x.1.output_tokens * {{write_prices:Array(Float64)}}[x.2]) / 1e6), arrayMap(c -> (c, {PLACE}), calls))"
)


def near(topology: Topology, sql: str) -> str:
    """On one machine a subquery needs no GLOBAL, and without it the engine reads only what it names."""
    return sql if topology.kind == "cluster" else sql.replace("GLOBAL ", "")


def bind_prices(prices: Sequence[Price]) -> dict[str, Any]:
    """The values that a call's cost needs: longer names first, of one name the newest price."""
    newest = sorted(prices, key=lambda price: price.since, reverse=True)
    ranked = sorted(newest, key=lambda price: len(price.model), reverse=True)
    return {
        "priced": [price.model for price in ranked],
        "priced_since": [max(price.since, _FIRST_DAY) for price in ranked],
        "read_prices": [float(price.input) for price in ranked],
        "cached_prices": [float(price.input if price.cached is None else price.cached) for price in ranked],
        "write_prices": [float(price.output) for price in ranked],
    }


def bind_common(words: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The words that do not count when requests are compared, with the empty one."""
    common = {word for phrase in words.get("common", ()) for word in fold_words(phrase).split()}
    return {"common": sorted({"", *common})}


def raised(
    signals: Sequence[tuple[Signal, Condition]], unit: Unit, words: Mapping[str, Sequence[str]]
) -> Where:
    """The names of the unit's signals that a row of facts raises, as an array."""
    params: dict[str, Any] = {}
    names = []
    for number, (signal, condition) in enumerate(signals):
        if signal.unit != unit:
            continue
        where = compile_condition(condition, words=words, prefix=f"s{number}_", source="facts")
        params |= where.params | {f"n{number}": signal.name}
        names.append(f"if({where.sql}, {{n{number}:String}}, '')")
    if not names:
        return Where("CAST([], 'Array(String)')", params)
    return Where(f"arrayFilter(name -> name != '', [{', '.join(names)}])", params)


def select_interactions(signals: str) -> str:
    """Rows of `signals` for the bucket's interactions, of conversations that are idle for long enough."""
    traces = f"SELECT trace_id FROM {BUCKET} AND conversation_id GLOBAL IN ({_idle()})"
    found = (
        f"SELECT trace_id, started, ended, {', '.join(SHARED_FACTS)}, {COST} AS cost_usd, "
        f"{_stems()} AS stems FROM interactions_final WHERE trace_id GLOBAL IN ({traces})"
    )
    rows = (
        f"SELECT found.*, places.conversation_id AS conversation_id FROM ({found}) AS found "
        f"INNER JOIN (SELECT trace_id, conversation_id FROM {BUCKET}) AS places USING (trace_id)"
    )
    compared = (
        "SELECT *, groupArray(stems) OVER (PARTITION BY conversation_id ORDER BY started, trace_id "
        f"ROWS BETWEEN {COMPARED} PRECEDING AND 1 PRECEDING) AS earlier FROM ({rows})"
    )
    facts = (
        "SELECT 'interaction' AS unit, trace_id AS log_id, conversation_id, started, ended, "
        f"toUInt32(1) AS turns, cost_usd, {_similarity()} AS similarity, "
        f"{', '.join(SHARED_FACTS)}, {_unknown()} FROM ({compared})"
    )
    return f"SELECT *, {signals} AS signals, {{computed_at:DateTime64(6, 'UTC')}}, 0 FROM ({facts})"


def _unknown() -> str:
    """The facts that nothing computes yet, empty."""
    kinds = (column.split(" ")[:2] for column in schema.TELLING)
    return ", ".join(f"defaultValueOfTypeName('{kind}') AS {name}" for name, kind in kinds)


def select_conversations(signals: str, interactions: str) -> str:
    """Rows of `signals` for the bucket's conversations, from these interactions: those written just now
    and, where some are removed, what is left of the others."""
    last, first = "argMaxIf({0}, (started, log_id), {0} != '')", "argMinIf({0}, (started, log_id), {0} != '')"
    merged = (
        "arrayFold((all, one) -> mapUpdate(all, one.3), "
        "arraySort(groupArray((started, log_id, attributes))), CAST(map(), 'Map(String, String)'))"
    )
    facts = {
        "started": "min(started)",
        "ended": "max(ended)",
        "turns": "toUInt32(count())",
        "cost_usd": "sum(cost_usd)",
        "similarity": "max(similarity)",
        **{name: last.format(name) for name in NAMED},
        **{name: f"sum({name})" for name in COUNTED},
        "latency_ms": "max(latency_ms)",
        "ttft_ms": "max(ttft_ms)",
        "feedback": "min(feedback)",
        "input": first.format("input"),
        "output": "argMax(output, (started, log_id))",
        "attributes": merged,
        **{name: f"any({name})" for name in TELLING},
        "inherited": "groupUniqArrayArray(signals)",
    }
    columns = ", ".join(f"{expression} AS conversation_{name}" for name, expression in facts.items())
    grouped = f"SELECT conversation_id AS id, {columns} FROM ({interactions}) GROUP BY conversation_id"
    named = ", ".join(f"conversation_{name} AS {name}" for name in facts)
    own = f"SELECT 'conversation' AS unit, id AS log_id, id AS conversation_id, {named} FROM ({grouped})"
    every = f"arraySort(arrayDistinct(arrayConcat(inherited, {signals})))"
    return f"SELECT {FACTS}, {every}, {{computed_at:DateTime64(6, 'UTC')}}, 0 FROM ({own})"


def written() -> str:
    """The bucket's interactions that this run has written."""
    return (
        f"SELECT * FROM signals FINAL WHERE unit = 'interaction' AND {DAYS} "
        "AND computed_at = {computed_at:DateTime64(6, 'UTC')} "
        f"AND log_id GLOBAL IN (SELECT trace_id FROM {BUCKET})"
    )


def standing() -> str:
    """The same, and the facts that are left of the same conversations' removed interactions."""
    talks = f"SELECT conversation_id FROM ({written()})"
    return (
        f"SELECT * FROM ({written()}) UNION ALL "
        f"SELECT * FROM signals FINAL WHERE unit = 'interaction' AND {DAYS} "
        f"AND log_id GLOBAL IN (SELECT trace_id FROM {BUCKET} AND touched = toDateTime64(0, 3, 'UTC')) "
        f"AND conversation_id GLOBAL IN ({talks})"
    )


def _idle() -> str:
    """The bucket's conversations in which nothing happened for long enough, or that are known to be over.

    A log can't have ended after it was delivered: a clock that runs ahead must not keep it open.
    """
    ends = (
        "SELECT trace_id, max(arrayMax(arrayMap(span -> span.end_ns, mapValues(facts)))) AS end_ns, "
        "max(touched) AS delivered "
        f"FROM interactions WHERE trace_id GLOBAL IN (SELECT trace_id FROM {BUCKET}) GROUP BY trace_id"
    )
    return (
        f"SELECT conversation_id FROM ({ends}) AS ends "
        f"INNER JOIN (SELECT trace_id, conversation_id FROM {BUCKET}) AS traces USING (trace_id) "
        "GROUP BY conversation_id "
        "HAVING max(least(intDiv(end_ns, 1000), toUnixTimestamp64Micro(toDateTime64(delivered, 6, 'UTC')))) "
        "<= {idle_before:Int64} OR max(has({ended:Array(String)}, trace_id))"
    )


def _stems() -> str:
    """The words of a request that say something, as a sorted set of hashes."""
    words = f"splitByChar(' ', {folded_words(f'substringUTF8(input, 1, {COMPARED_CHARS})')})"
    telling = f"arrayFilter(word -> word NOT IN {{common:Array(String)}}, {words})"
    return (
        f"arraySort(arrayDistinct(arrayMap(word -> cityHash64(substringUTF8(word, 1, {STEM})), {telling})))"
    )


def _similarity() -> str:
    """The highest Dice coefficient of the request's words and those of an earlier one."""
    counts = "least(length(stems), length(other)) >= 3 OR (length(stems) = 2 AND stems = other)"
    dice = "2 * length(arrayIntersect(stems, other)) / (length(stems) + length(other))"
    return f"arrayMax(arrayPushBack(arrayMap(other -> if({counts}, {dice}, 0.), earlier), 0.))"
