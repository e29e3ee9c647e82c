"""What model calls used: tokens, cost, time to the first token; and whose usage counts.

Several conventions repeat a call's usage on the spans above it. A span with usage counts if no span below
has usage. A model call without usage (it failed, or streamed) counts if nothing below is a call and no
counted span above speaks for it.
"""

from __future__ import annotations

from typing import Final

from assay.store.telemetry.attributes import TRUST
from assay.store.telemetry.conventions import PROVIDERS, Field
from assay.store.telemetry.dialect import Stage, first_of, transform

ROUNDS: Final = 7
"""Ancestors are found by doubling: 7 rounds reach 128 levels up."""

CALLS: Final = (
    "Array(Tuple(model String, provider String, input_tokens UInt64, output_tokens UInt64, "
    "cached_tokens UInt64, reasoning_tokens UInt64, cost_usd Nullable(Float64)))"
)
DETAILS: Final = (
    "Tuple(input String, input_tokens String, prompt_tokens String, promptTokens String, output String, "
    "output_tokens String, completion_tokens String, completionTokens String, "
    "input_cached_tokens String, input_cache_read String, cache_read_input_tokens String, "
    "prompt_tokens_details Tuple(cached_tokens String), "
    "input_token_details Tuple(cache_read String), output_token_details Tuple(reasoning String), "
    "output_reasoning_tokens String, output_reasoning String, reasoning_tokens String, "
    "completion_tokens_details Tuple(reasoning_tokens String))"
)
"""Usage as JSON: Langfuse's own and OpenAI's words for it, MLflow's, Langtrace's."""
COSTS: Final = (
    "Tuple(total String, total_cost String, input String, output String, "
    "input_cost String, output_cost String)"
)


def field_of(field: Field, more: str = "ms") -> str:
    """The most trusted value of a field among those that were passed on."""
    return f"arrayFirst(m -> intDiv(m.1, {TRUST}) = {int(field)}, {more}).3"


def stages() -> tuple[Stage, ...]:
    """From the arrays of facts to `is_counted` and what each span used."""
    return (_asked(), _told(), _usage(), _nearest(), _counted())


def _asked() -> Stage:
    """Usage that came as JSON; the tree of spans, by place."""
    return {
        "details": (
            f"arrayMap(ms -> JSONExtract({field_of(Field.USAGE)}, '{DETAILS}'), "
            f"if(arrayExists(m -> intDiv(m.1, {TRUST}) = {int(Field.USAGE)}, said), all_more, []))"
        ),
        "keys": "arrayMap(x -> cityHash64(x.1), tree)",
        "parents": "arrayMap(x -> if(x.2 IN ('', x.1), 0, cityHash64(x.2)), tree)",
    }


def _told() -> Stage:
    """Counts as they came, those of JSON where there is no other."""
    read = first_of("d.input_tokens", "d.prompt_tokens", "d.promptTokens", "d.input")
    wrote = first_of("d.output_tokens", "d.completion_tokens", "d.completionTokens", "d.output")
    merged = "if(empty(details), all_{0}, arrayMap((t, d) -> if(t != '', t, {1}), all_{0}, details))"
    cached = first_of(
        *("d.cache_read_input_tokens", "d.input_cached_tokens", "d.input_cache_read"),
        "d.prompt_tokens_details.cached_tokens",
    )
    thought = first_of(
        *("d.output_reasoning_tokens", "d.output_reasoning", "d.reasoning_tokens"),
        "d.completion_tokens_details.reasoning_tokens",
    )
    return {
        "read": merged.format("tokens_in", read),
        "wrote": merged.format("tokens_out", wrote),
        "cached": _detail(Field.CACHED, Field.IN_DETAILS, "cache_read", cached),
        "thought": _detail(Field.REASONING, Field.OUT_DETAILS, "reasoning", thought),
        "costs": _costs(),
        "up": "arrayMap(p -> toUInt32(indexOf(keys, p)), parents)",
    }


def _detail(field: Field, printed: Field, key: str, otherwise: str) -> str:
    """A count of its own, from a printed Python dictionary, or from usage that came as JSON."""
    own = field_of(field)
    repr_ = f"JSONExtract(replaceAll({field_of(printed)}, '\\'', '\"'), '{key}', 'String')"
    alone = f"arrayMap(ms -> {first_of(own, repr_)}, all_more)"
    both = f"arrayMap((ms, d) -> {first_of(own, otherwise, repr_)}, all_more, details)"
    return f"if(empty(details), {alone}, {both})"


def _costs() -> str:
    """Of each span the cost in US dollars, NULL where it did not come; parts are added up."""
    parts = f"arrayFilter(m -> intDiv(m.1, {TRUST}) = {int(Field.COST_PART)}, ms)"
    added = f"if(empty({parts}), NULL, arraySum(arrayMap(m -> toFloat64OrZero(m.3), {parts})))"
    json = f"arrayMap(c -> JSONExtract(c, '{COSTS}'), [{field_of(Field.COSTS)}])[1]"
    total = f"arrayMap(c -> toFloat64OrNull({first_of('c.total', 'c.total_cost')}), [{json}])[1]"
    summed = (
        "arrayMap(c -> if(c.input = '' AND c.output = '' AND c.input_cost = '' AND c.output_cost = '', "
        "NULL, "
        "toFloat64OrZero(c.input) + toFloat64OrZero(c.output) + toFloat64OrZero(c.input_cost) "
        f"+ toFloat64OrZero(c.output_cost)), [{json}])[1]"
    )
    each = f"coalesce(toFloat64OrNull({field_of(Field.COST)}), {total}, {summed}, {added})"
    known = f"m -> intDiv(m.1, {TRUST}) BETWEEN {int(Field.COST)} AND {int(Field.COSTS)}"
    none = "arrayMap(m -> CAST(NULL, 'Nullable(Float64)'), all_more)"
    return f"if(arrayExists({known}, said), arrayMap(ms -> {each}, all_more), {none})"


def _usage() -> Stage:
    """Which spans are model calls, with usage or without, and what they used."""
    number = "arrayMap(t -> accurateCastOrDefault(toFloat64OrZero(t), 'UInt64'), {0})"
    usage = "(i != '' OR o != '') AND k NOT IN ('embedding', 'tool', 'retrieval', 'evaluator')"
    return {
        "parent": "if(empty(up), arrayMap(p -> toUInt32(p != ''), all_parent_id), up)",
        "is_usage": f"arrayMap((i, o, k) -> {usage}, read, wrote, all_kind)",
        "is_call": f"arrayMap((i, o, k) -> k = 'llm' OR ({usage}), read, wrote, all_kind)",
        "all_input_tokens": number.format("read"),
        "all_output_tokens": number.format("wrote"),
        "all_cached_tokens": number.format("cached"),
        "all_reasoning_tokens": number.format("thought"),
        "all_cost_usd": "arrayMap(c -> if(c BETWEEN 0 AND 1e9, c, NULL), costs)",
        "all_provider": f"arrayMap(ms -> {provider_of(field_of(Field.PROVIDER))}, all_more)",
        "all_first_ms": f"arrayMap((ms, s, n) -> {_first_ms()}, all_more, all_start_ns, all_first_ns)",
    }


def provider_of(name: str) -> str:
    """A provider by OpenTelemetry's name."""
    bare = f"lower(replaceAll({name}, '\"', ''))"
    return transform(bare, dict(PROVIDERS), bare)


def _first_ms() -> str:
    """The time to the first token of one call, NULL where it did not come."""
    moment = f"parseDateTime64BestEffortOrNull(replaceAll({field_of(Field.FIRST_TOKEN)}, '\"', ''), 9, 'UTC')"
    told = (
        f"coalesce(toFloat64OrNull({field_of(Field.TTFT_S)}) * 1000, "
        f"toFloat64OrNull({field_of(Field.TTFT_MS)}), "
        f"(toUnixTimestamp64Nano({moment}) - s) / 1e6, if(n > 0, n / 1e6, NULL))"
    )
    return f"arrayMap(t -> if(t BETWEEN 0 AND 1e9, t, NULL), [{told}])[1]"


def _nearest() -> Stage:
    """For each span the place of the nearest ancestor with usage, and of the nearest model call."""
    jump = "arrayMap(p -> if(p = 0 OR {flags}[p], p, {acc}[p]), {acc})"
    both = f"({jump.format(flags='is_usage', acc='a.1')}, {jump.format(flags='is_call', acc='a.2')})"
    walk = f"arrayFold((a, i) -> {both}, range({ROUNDS}), (up, up))"
    alone = "(arrayMap(i -> toUInt32(0), places), arrayMap(i -> toUInt32(0), places))"
    return {
        "nearest": f"if(arrayCount(is_call) < 2 OR empty(up), {alone}, {walk})",
        "on_root": "arrayMap(p -> p = 0, parent)",
        "has_tree": "notEmpty(up)",
        "calls_use": "arrayExists((u, k) -> u AND k = 'llm', is_usage, all_kind)",
        "none_use": "NOT has(is_usage, 1)",
    }


def _counted() -> Stage:
    """Without a tree model calls count where any of them has usage, for the agents above repeat it."""
    below = "arrayDistinct(arrayFilter((p, f) -> p > 0 AND f, {nearest}, {flags}))"
    counts = (
        "((u AND NOT has(above_usage, i)) OR (c AND NOT u AND NOT has(above_call, i) "
        "AND (n = 0 OR has(above_usage, n))))"
    )
    flat = "(calls_use AND k = 'llm') OR (NOT calls_use AND (u OR none_use))"
    return {
        "above_usage": below.format(nearest="nearest.1", flags="is_usage"),
        "above_call": below.format(nearest="nearest.2", flags="is_call"),
        "is_counted": (
            f"arrayMap((i, u, c, k, n) -> {counts} AND (has_tree OR {flat}), "
            "places, is_usage, is_call, all_kind, nearest.1)"
        ),
    }
