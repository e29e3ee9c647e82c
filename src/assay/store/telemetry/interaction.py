"""Interactions as everybody reads them: one finished row a trace, computed from its spans' facts."""

from __future__ import annotations

from assay.store.telemetry.dialect import Stage, staged
from assay.store.telemetry.mapping import FACTS, RANK
from assay.store.telemetry.schema import View

ROUNDS = 7
"""Ancestors are found by doubling: 7 rounds reach 128 levels up."""
MAX_TREE = 4096
"""A trace of more spans keeps no tree, which takes memory by the square: every usage counts, and a span
is a root where it names no parent."""

CALLS = "Array(Tuple(model String, input_tokens UInt64, output_tokens UInt64, cost_usd Nullable(Float64)))"
TOOLS = "Array(Tuple(name String, arguments String, result String, error UInt8))"
FIELDS = tuple(field.partition(" ")[0] for field in FACTS[len(RANK) + 1 :])


def select_final() -> str:
    """The SELECT behind `interactions_final`."""
    stages = (_ordered(), _arrays(), _usage(), _parents(), _nearest(), _counted(), _chosen(), _pairs())
    return staged(("trace_id", "touched", "facts", "texts"), "interactions FINAL", stages, _columns())


def _ordered() -> Stage:
    """The spans in time order; one without a start comes last."""
    order = "(x.2.start_ns <= 0, x.2.start_ns, x.1)"
    return {
        "rows": f"arraySort(x -> {order}, arrayZip(mapKeys(facts), mapValues(facts)))",
        "told": f"arraySort(x -> {order}, arrayZip(mapKeys(texts), mapValues(texts)))",
    }


def _arrays() -> Stage:
    return {
        "ids": "arrayMap(x -> x.1, rows)",
        "tree": f"if(length(rows) > {MAX_TREE}, [], arrayMap(x -> (x.1, x.2.parent_id), rows))",
        "all_parent_id": "arrayMap(x -> x.2.parent_id, rows)",
        "places": "arrayMap(i -> toUInt32(i), arrayEnumerate(rows))",
        **{f"all_{name}": f"arrayMap(x -> x.2.{name}, rows)" for name in FIELDS},
    }


def _usage() -> Stage:
    """Which spans are model calls, with usage or without, and what they used."""
    number = "arrayMap(t -> accurateCastOrDefault(toFloat64OrZero(t), 'UInt64'), {0})"
    price = "toFloat64OrNull(c)"
    usage = "(i != '' OR o != '') AND k NOT IN ('embedding', 'tool', 'retrieval')"
    return {
        "keys": "arrayMap(x -> cityHash64(x.1), tree)",
        "parents": "arrayMap(x -> if(x.2 IN ('', x.1), 0, cityHash64(x.2)), tree)",
        "is_usage": f"arrayMap((i, o, k) -> {usage}, all_tokens_in, all_tokens_out, all_kind)",
        "is_call": f"arrayMap((i, o, k) -> k = 'llm' OR ({usage}), all_tokens_in, all_tokens_out, all_kind)",
        "all_input_tokens": number.format("all_tokens_in"),
        "all_output_tokens": number.format("all_tokens_out"),
        "all_cost_usd": f"arrayMap(c -> if({price} BETWEEN 0 AND 1e9, {price}, NULL), all_cost)",
    }


def _parents() -> Stage:
    return {"up": "arrayMap(p -> toUInt32(indexOf(keys, p)), parents)"}


def _nearest() -> Stage:
    """For each span the place of the nearest ancestor with usage, and of the nearest model call."""
    jump = "arrayMap(p -> if(p = 0 OR {flags}[p], p, {acc}[p]), {acc})"
    both = f"({jump.format(flags='is_usage', acc='a.1')}, {jump.format(flags='is_call', acc='a.2')})"
    walk = f"arrayFold((a, i) -> {both}, range({ROUNDS}), (up, up))"
    alone = "(arrayMap(i -> toUInt32(0), places), arrayMap(i -> toUInt32(0), places))"
    return {
        "nearest": f"if(arrayCount(is_call) < 2 OR empty(up), {alone}, {walk})",
        "parent": "if(empty(up), arrayMap(p -> toUInt32(p != ''), all_parent_id), up)",
    }


def _counted() -> Stage:
    """Whose tokens count. Several conventions repeat a call's usage on the spans above it.

    A span with usage counts if no span below has usage. A model call without usage (it failed, or
    streamed) counts if nothing below is a call and no counted span above speaks for it.
    """
    below = "arrayDistinct(arrayFilter((p, f) -> p > 0 AND f, {nearest}, {flags}))"
    counts = (
        "(u AND NOT has(above_usage, i)) OR (c AND NOT u AND NOT has(above_call, i) "
        "AND (n = 0 OR has(above_usage, n)))"
    )
    return {
        "above_usage": below.format(nearest="nearest.1", flags="is_usage"),
        "above_call": below.format(nearest="nearest.2", flags="is_call"),
        "is_counted": f"arrayMap((i, u, c, n) -> {counts}, places, is_usage, is_call, nearest.1)",
    }


def _chosen() -> Stage:
    """Which spans speak for the trace."""
    asked = "arrayZip(all_grade_in, arrayMap(p -> p > 0, parent), places, ids)"
    answered = (
        "arrayFilter((c, k) -> c.1 > 0 AND (NOT c.2 OR k IN ('llm', 'agent')), "
        "arrayZip(all_grade_out, arrayMap(p -> p > 0, parent), "
        "arrayMap(k -> k != 'llm', all_kind), all_end_ns, places, ids), all_kind)"
    )
    timed = "arrayFilter((t, s) -> s > 0, {0}, all_start_ns)"
    first_text = "arrayFirst(t -> t != '', arrayConcat(arrayFilter((t, p) -> p = 0, {0}, parent), {0}))"
    return {
        "asking": f"arraySort(c -> (-c.1, c.2, c.3), arrayFilter(c -> c.1 > 0, {asked}))[1].4",
        "answering": f"arraySort(c -> (-c.1, c.2, c.3, -c.4, -c.5), {answered})[1].6",
        "start": f"arrayMin({timed.format('all_start_ns')})",
        "end": f"arrayMax({timed.format('all_end_ns')})",
        "root_ns": (
            "arrayFirst((d, p, s) -> p = 0 AND s > 0, "
            "arrayMap((e, s) -> e - s, all_end_ns, all_start_ns), parent, all_start_ns)"
        ),
        "counted": (
            "arrayFilter((x, f, k) -> f OR k = 'embedding', "
            "arrayZip(all_model, all_input_tokens, all_output_tokens, "
            "all_cost_usd), is_counted, all_kind)"
        ),
        "answer_model": (
            "arraySort(m -> (-m.1, m.2), arrayFilter((m, f) -> f AND m.2 != '', "
            "arrayZip(all_end_ns, all_model), is_counted))[1].2"
        ),
        "metadata": first_text.format("all_metadata"),
        "tags": first_text.format("all_tags"),
        "conversation": "arrayFirst(x -> x != '', all_conversation_id)",
        "opinion": _opinion(),
    }


def _opinion() -> str:
    """The lowest score in [0, 1] that a user gave, nothing without any; a thumb of -1 counts as 0.

    An annotation comes as two pairs: `...N.annotation.annotator_kind` and `...N.annotation.score`.
    """
    human = (
        "arrayMap(p -> replaceOne(p.1, '.annotator_kind', '.score'), "
        "arrayFilter(p -> p.2 = 'HUMAN' AND endsWith(p.1, '.annotator_kind'), o))"
    )
    scores = (
        f"arrayMap(p -> toFloat64OrNull(p.2), arrayFilter(p -> p.1 = 'feedback' OR has({human}, p.1), o))"
    )
    valid = f"arrayFilter(s -> s <= 1, arrayFlatten(arrayMap(o -> {scores}, all_opinions)))"
    return f"arrayMin(arrayMap(s -> greatest(assumeNotNull(s), 0), arrayConcat([2.], {valid})))"


def _pairs() -> Stage:
    """What can be sliced by: explicit attributes, then metadata one level deep, then tags."""
    value = "if(startsWith(p.2, '\"'), JSONExtractString(p.2), p.2)"
    metadata = f"arrayMap(p -> (p.1, {value}), JSONExtractKeysAndValuesRaw(metadata))"
    return {
        "pairs": (
            f"arrayConcat(arrayFlatten(all_attributes), if(metadata = '', [], {metadata}), "
            "if(tags = '', [], [('tags', tags)]))"
        ),
    }


def _columns() -> Stage:
    first = "arrayFirst(x -> x != '', all_{0})"
    tokens = "arraySum((t, f) -> if(f, t, 0), all_{0}, is_counted)"
    unique = "arraySort(arrayFilter((p, n) -> n = 1, pairs, arrayEnumerateUniq(arrayMap(p -> p.1, pairs))))"
    wrapped = "startsWith(x.2.output, '{') AND JSONExtractString(x.2.output, 'type') = 'tool'"
    unwrapped = "JSONExtractString(x.2.output, 'data', 'content')"
    result = f"if({wrapped} AND {unwrapped} != '', {unwrapped}, x.2.output)"
    number = "toUInt32OrZero(splitByChar('.', d.1)[3])"
    in_order = f"arrayMap(d -> d.2, arraySort(d -> {number}, x.2.documents))"
    documents = f"arrayFlatten(arrayMap(x -> {in_order}, told))"
    return {
        "trace_id": "trace_id",
        "conversation_id": "if(conversation = '', trace_id, conversation)",
        "started": "fromUnixTimestamp64Micro(intDiv(start, 1000), 'UTC')",
        "ended": "fromUnixTimestamp64Micro(intDiv(greatest(start, end), 1000), 'UTC')",
        **{name: first.format(name) for name in ("service", "environment", "version", "user_id")},
        "model": "answer_model",
        "latency_ms": "if(root_ns > 0, root_ns, greatest(end - start, 0)) / 1e6",
        "input": "texts[asking].input",
        "output": "texts[answering].output",
        "input_tokens": tokens.format("input_tokens"),
        "output_tokens": tokens.format("output_tokens"),
        "calls": f"CAST(counted, '{CALLS}')",
        "llm_calls": "toUInt32(arrayCount(is_counted))",
        "tool_calls": "toUInt32(countEqual(all_kind, 'tool'))",
        "tool_errors": "toUInt32(arrayCount((k, e) -> k = 'tool' AND e, all_kind, all_error))",
        "errors": "toUInt32(arraySum(all_error))",
        "error": first.format("message"),
        "spans": "toUInt32(length(rows))",
        "feedback": "if(opinion > 1, NULL, opinion)",
        "attributes": f"CAST({unique}, 'Map(String, String)')",
        "tools": (
            f"CAST(arrayMap(x -> (x.2.name, x.2.input, {result}, x.2.error), "
            f"arrayFilter(x -> x.2.kind = 'tool', told)), '{TOOLS}')"
        ),
        "context": f"arrayDistinct(arrayFilter(t -> t != '', {documents}))",
        "touched": "touched",
    }


INTERACTIONS_FINAL = View(name="interactions_final", select=select_final())
"""One row a trace. Filter it by `trace_id` where you can: that alone is looked up by key."""
