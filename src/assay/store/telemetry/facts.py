"""What rows of `signals` hold: the facts and their order, a call's cost, the names that a row raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from assay.query import Condition, fold_words
from assay.records import Price, Signal, Unit
from assay.store.telemetry.condition import Heard, Where, compile_condition
from assay.store.telemetry.schema import Topology

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
    "retrievals",
    "empty_retrievals",
)
NAMED: Final = (
    "service",
    "environment",
    "version",
    "user_id",
    "model",
    "provider",
    "route",
    "finish_reason",
)
SHARED_FACTS: Final = (
    *NAMED,
    *COUNTED,
    "repeated_calls",
    "latency_ms",
    "ttft_ms",
    "feedback",
    "error",
    "comment",
    "input",
    "output",
    "attributes",
)
"""Columns that `signals` takes from `interactions_final` as they are."""

COMPUTED: Final = (
    "cost_usd",
    "similarity",
    "output_similarity",
    "return_similarity",
    "latency_z",
    "cost_z",
    "language",
    "output_language",
    "other_language",
    "output_personal",
    "prompt_overlap",
    "unfamiliar",
    "asks_back",
    "place",
    "tools_before",
)
"""Those that a log gets from its texts, from others beside it, from prices."""

FACT_NAMES: Final = (
    "unit",
    "log_id",
    "conversation_id",
    "started",
    "ended",
    "turns",
    *COMPUTED,
    *SHARED_FACTS,
)
"""What conditions of signals ask for."""

FACTS: Final = ", ".join(FACT_NAMES)

COLUMNS: Final = f"{FACTS}, signals, computed_at, is_deleted"
"""The columns of `signals` in the order in which interactions and conversations give them."""

BUCKET: Final = "settling WHERE run = {run:String} AND bucket = {bucket:UInt32}"
"""The traces, with their conversations, that one step of a run works on."""

NEVER: Final = "toDateTime64(0, 3, 'UTC')"
"""When such a trace was touched of which retention has left only facts."""

REMOVED: Final = f"{BUCKET} AND touched = {NEVER}"
"""Those of the bucket."""

DRAFTED: Final = "drafts WHERE run = {run:String} AND bucket = {bucket:UInt32}"
"""What the bucket's other traces say."""

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
    """The words that do not count when texts are compared, with the empty one."""
    common = {word for phrase in words.get("common", ()) for word in fold_words(phrase).split()}
    return {"common": sorted({"", *common})}


def raised(
    signals: Sequence[tuple[Signal, Condition | None]],
    unit: Unit,
    words: Mapping[str, Sequence[str]],
    heard: Heard | None = None,
) -> Where:
    """The names of the unit's signals that a row of facts raises, as an array. `heard` answers for lists
    that were listened for already; signals that are SQL or functions of a team's are not asked."""
    params: dict[str, Any] = {}
    names = []
    for number, (signal, condition) in enumerate(signals):
        if signal.unit != unit or condition is None:
            continue
        where = compile_condition(condition, words=words, prefix=f"s{number}_", source="facts", heard=heard)
        params |= where.params | {f"n{number}": signal.name}
        names.append(f"if({where.sql}, {{n{number}:String}}, '')")
    if not names:
        return Where("CAST([], 'Array(String)')", params)
    return Where(f"arrayFilter(name -> name != '', [{', '.join(names)}])", params)
