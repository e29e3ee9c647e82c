"""Interactions as everybody reads them: one finished row a trace, computed from its spans' facts."""

from __future__ import annotations

from typing import Final

from assay.store.telemetry import opinions, telling, usage
from assay.store.telemetry.attributes import TRUST, free_name
from assay.store.telemetry.conventions import HIDDEN, Field
from assay.store.telemetry.dialect import Stage, first_of, staged
from assay.store.telemetry.mapping import FACTS, MOVED, RANK
from assay.store.telemetry.schema import View
from assay.store.telemetry.speech import instructions
from assay.store.telemetry.usage import CALLS, field_of

MAX_TREE: Final = 4096
"""A trace of more spans keeps no tree, which takes memory by the square: usage counts by the kind of its
span, and a span is a root where it names no parent."""
MAX_HEARD: Final = 256
"""Log records of a trace that are asked for what was said."""

MAX_TEMPLATE_CHARS: Final = 200
"""A prompt's template is told by its beginning: it is to be divided by, not to be read."""

TOOLS: Final = "Array(Tuple(name String, arguments String, result String, error UInt8))"
CALLED: Final = (
    "Array(Tuple(type String, name String, toolName String, arguments String, args String, input String, "
    "function Tuple(name String, arguments String)))"
)
"""Calls of tools inside messages, in the words of several conventions."""
FIELDS: Final = tuple(field.partition(" ")[0] for field in FACTS[len(RANK) + 1 :])


def select_final(traces: str = "", columns: Stage | None = None) -> str:
    """The SELECT behind `interactions_final`; or of these traces (a condition over `trace_id`) some columns,
    which may be expressions over its own. Around the view a condition would be found only by planning."""
    *counted, last = usage.stages()
    stages = (_ordered(), _arrays(), *counted, {**last, **_quoted()}, _chosen())
    return staged(
        ("trace_id", "touched", "facts", "texts", "told"),
        f"interactions FINAL PREWHERE {traces}" if traces else "interactions FINAL",
        stages if columns is None else (*stages, _columns()),
        columns or _columns(),
        where="notEmpty(facts)",
    )


def _ordered() -> Stage:
    """The spans in time order, one without a start last; and what log records say, in time order."""
    order = "(x.2.start_ns <= 0, x.2.start_ns, x.1)"
    own = f"arrayFilter(x -> x.2.span_id != '{MOVED}', arrayZip(mapKeys(told), mapValues(told)))"
    return {
        "rows": f"arraySort(x -> {order}, arrayZip(mapKeys(facts), mapValues(facts)))",
        "lines": f"arraySort(x -> {order}, arrayZip(mapKeys(texts), mapValues(texts)))",
        "notes": f"arraySort(x -> (x.2.time_ns, x.1), {own})",
    }


def _arrays() -> Stage:
    """The facts as arrays, one a field; what spans passed on in time order and by trust; what log records
    quote, the last first; what anybody thought; the tools that ran, and those that only a message calls."""
    quoting = "arrayFilter(x -> x.2.input != '' OR x.2.output != '', notes)"
    more = "arrayConcat(arrayMap(x -> x.2.more, rows), arrayMap(r -> r.2.more, notes))"
    return {
        "said": "arrayFlatten(arrayMap(x -> x.2.more, rows))",
        "quotes": f"arraySlice(arrayReverse({quoting}), 1, {MAX_HEARD})",
        "evaluations": opinions.evaluations(more),
        **_tools(),
        "ids": "arrayMap(x -> x.1, rows)",
        "tree": f"if(length(rows) > {MAX_TREE}, [], arrayMap(x -> (x.1, x.2.parent_id), rows))",
        "all_parent_id": "arrayMap(x -> x.2.parent_id, rows)",
        "places": "arrayMap(i -> toUInt32(i), arrayEnumerate(rows))",
        **{f"all_{name}": f"arrayMap(x -> x.2.{name}, rows)" for name in FIELDS},
    }


def _quoted() -> Stage:
    """Where a quoting record's span stands in the trace: its place, 0 where it did not come."""
    place = "arrayMap(x -> toUInt32(indexOf(keys, cityHash64(x.2.span_id))), quotes)"
    return {"quoted_at": f"if(empty(quotes), [], {place})"}


def _chosen() -> Stage:
    """Which spans speak for the trace: the root where it has a text, else the first asked and the last
    answered; what only log records say comes after the texts of spans."""
    asked = (
        "arrayConcat(arrayMap((g, r, k, i, s) -> (toUInt8(if(r OR k != 'tool', g, 0)), toUInt8(0), NOT r, i, "
        "toUInt32(0), s), all_grade_in, on_root, all_kind, places, ids), "
        "arrayMap((x, p, n) -> (toUInt8(if(x.2.input = '', 0, 2)), toUInt8(1), NOT on_root[p], p, "
        "toUInt32(n), x.2.input), quotes, quoted_at, arrayEnumerate(quotes)))"
    )
    answered = (
        "arrayConcat(arrayMap((g, r, k, e, i, s) -> "
        "(toUInt8(if(r OR k IN ('llm', 'agent'), g, 0)), toUInt8(0), NOT r, k != 'llm', "
        "e, i, s), all_grade_out, on_root, all_kind, all_end_ns, places, ids), "
        "arrayMap((x, p, n) -> (toUInt8(if(x.2.output = '', 0, 2)), toUInt8(1), NOT on_root[p], "
        f"all_kind[p] != 'llm', if(p = 0, x.2.time_ns, all_end_ns[p]), toUInt32({MAX_HEARD} - n), "
        "x.2.output), quotes, quoted_at, arrayEnumerate(quotes)))"
    )
    spoken = f"arrayFilter(c -> c.1 > 0, {answered})"
    latest = f"arraySort(c -> (-c.1, c.2, c.3, c.4, -c.5, -toInt64(c.6)), {spoken})"
    first_text = "arrayFirst(t -> t != '', arrayConcat(arrayFilter((t, r) -> r, {0}, on_root), {0}))"
    metadata = f"arrayMap(ms -> {field_of(Field.METADATA)}, all_more)"
    tags = f"arrayMap(ms -> {field_of(Field.TAG)}, all_more)"
    timed = "arrayFilter((t, s) -> s > 0, {0}, all_start_ns)"
    return {
        "asking": f"arraySort(c -> (-c.1, c.2, c.3, c.4, c.5), arrayFilter(c -> c.1 > 0, {asked}))[1]",
        "answering": f"{latest}[1]",
        "start": f"arrayMin({timed.format('all_start_ns')})",
        "end": f"arrayMax({timed.format('all_end_ns')})",
        "root_ns": (
            "arrayFirst((d, r, s) -> r AND s > 0, "
            "arrayMap((e, s) -> e - s, all_end_ns, all_start_ns), on_root, all_start_ns)"
        ),
        "counted": (
            "arrayFilter((x, f, k) -> f OR (k = 'embedding' AND x.3 + x.4 > 0), "
            "arrayZip(all_model, all_provider, all_input_tokens, all_output_tokens, all_cached_tokens, "
            "all_reasoning_tokens, all_cost_usd), is_counted, all_kind)"
        ),
        "answer": (
            "arraySort(m -> (-m.1, m.2, m.3), arrayFilter((m, f) -> f AND m.2 != '', "
            "arrayZip(all_end_ns, all_model, all_provider), is_counted))[1]"
        ),
        "metadata": first_text.format(metadata),
        "tags": first_text.format(tags),
        "conversation": "arrayFirst(x -> x != '', all_conversation_id)",
        "opinion": opinions.opinion(),
        "pairs": _pairs(),
    }


def _pairs() -> str:
    """What can be sliced by, the first of a name: explicit attributes, those behind a free prefix,
    metadata one level deep, tags, the prompt, evaluations."""
    value = "if(startsWith({0}, '\"'), JSONExtractString({0}), {0})"
    named = (
        f"arrayMap(m -> ({free_name('m.2')}, if(intDiv(m.1, {TRUST}) = {int(Field.EXPLICIT)}, m.3, "
        f"{value.format('m.3')})), arrayFilter(m -> intDiv(m.1, {TRUST}) = {{0}}, said))"
    )
    listed = (
        f"arrayMap(p -> (p.1, {value.format('p.2')}), arrayFilter(p -> NOT match(p.1, '^{HIDDEN}'), "
        "JSONExtractKeysAndValuesRaw(metadata)))"
    )
    prompts = f"JSONExtract({field_of(Field.PROMPTS, 'said')}, 'Array(Tuple(name String, version String))')"
    prompt = first_of(field_of(Field.PROMPT_NAME, "said"), f"({prompts})[1].name")
    version = first_of(field_of(Field.PROMPT_VERSION, "said"), f"({prompts})[1].version")
    template, agent = (field_of(field, "said") for field in (Field.TEMPLATE, Field.AGENT))
    thought = "if(isNull(e.2), e.3, toString(assumeNotNull(e.2)))"
    return (
        f"arrayConcat({named.format(int(Field.EXPLICIT))}, {named.format(int(Field.NAMED))}, "
        f"if(metadata = '', [], {listed}), [('tags', tags), ('prompt.name', {prompt}), "
        f"('prompt.version', {version}), "
        f"('prompt.template', substringUTF8({template}, 1, {MAX_TEMPLATE_CHARS})), "
        f"('agent', {value.format(agent)})], "
        f"arrayMap(e -> (concat('evaluation.', e.1), {thought}), evaluations))"
    )


def _tools() -> Stage:
    """The tools that ran, and those that only a message calls."""
    wrapped = "startsWith(x.2.output, '{') AND JSONExtractString(x.2.output, 'type') = 'tool'"
    unwrapped = "JSONExtractString(x.2.output, 'data', 'content')"
    result = f"if({wrapped} AND {unwrapped} != '', {unwrapped}, {_alone('x.2.output', 'output')})"
    ran = (
        f"arrayMap(x -> (x.2.name, {_arguments('x.2.input')}, {result}, x.2.error), "
        "arrayFilter(x -> x.2.kind = 'tool', lines))"
    )
    told = "arrayFilter(x -> x.2.calls != '' AND x.2.kind = 'llm', lines)"
    name = first_of("c.function.name", "c.name", "c.toolName")
    given = first_of("c.function.arguments", "c.arguments", "c.input", "c.args")
    listed = f"arrayMap(c -> ({name}, {given}, '', toUInt8(0)), JSONExtract(x.2.calls, '{CALLED}'))"
    pairs = "JSONExtract(x.2.calls, 'Array(Tuple(String, String))')"
    flat = (
        "arrayFilter(c -> c.1 != '', arrayMap((p, n) -> (if(endsWith(p.1, 'name'), p.2, ''), n.2, '', "
        f"toUInt8(0)), {pairs}, arrayPushBack(arrayPopFront({pairs}), ('', ''))))"
    )
    called = f"arrayFlatten(arrayMap(x -> if(startsWith(x.2.calls, '[['), {flat}, {listed}), {told}))"
    return {
        "ran": ran,
        "called": f"arrayDistinct(arrayFilter(c -> c.1 != '', {called}))",
    }


def _arguments(text: str) -> str:
    """The arguments of a decorated function by name; others as they came."""
    named = f"JSONExtractRaw({text}, 'kwargs')"
    wrapped = f"match({text}, '^[{{] *\"(args|kwargs)\"') AND {named} NOT IN ('', '{{}}')"
    return f"if({wrapped}, {named}, {_alone(text, 'input')})"


def _alone(text: str, key: str) -> str:
    """What an object says that has this key only; a JSON string without its quotation marks."""
    only = f"match({text}, '^[{{] *\"{key}\" *:') AND length(JSONExtractKeys({text})) = 1"
    inner = f"if({only}, JSONExtractRaw({text}, '{key}'), {text})"
    return (
        f"arrayMap(t -> if(startsWith(t, '\"') AND endsWith(t, '\"'), JSONExtractString(t), t), [{inner}])[1]"
    )


def _columns() -> Stage:
    first = "arrayFirst(x -> x != '', all_{0})"
    tokens = "arraySum((t, f) -> if(f, t, 0), all_{0}, is_counted)"
    unique = (
        "arraySort(arrayFilter((p, n) -> n = 1, filled, arrayEnumerateUniq(arrayMap(p -> p.1, filled))))"
    ).replace("filled", "arrayFilter(p -> p.1 != '' AND p.2 != '', pairs)")
    missing = "arrayFilter(c -> NOT has(arrayMap(t -> t.1, ran), c.1), called)"
    spoken = "arrayFirst(x -> x.2.system != '', {0}).2.system"
    told = first_of(spoken.format("lines"), spoken.format("notes"))
    query = f"arrayMap(t -> {first_of(_only('t'), 't')}, [x.2.input])[1]"
    return {
        "trace_id": "trace_id",
        "conversation_id": "if(conversation = '', trace_id, conversation)",
        "started": "fromUnixTimestamp64Micro(intDiv(start, 1000), 'UTC')",
        "ended": "fromUnixTimestamp64Micro(intDiv(greatest(start, end), 1000), 'UTC')",
        "service": first.format("service"),
        "environment": field_of(Field.ENVIRONMENT, "said"),
        "version": field_of(Field.VERSION, "said"),
        "user_id": first.format("user_id"),
        "model": "answer.2",
        "provider": first_of("answer.3", first.format("provider")),
        "latency_ms": "if(root_ns > 0, root_ns, greatest(end - start, 0)) / 1e6",
        "ttft_ms": "arrayFirstOrNull(t -> isNotNull(t), all_first_ms)",
        "system": instructions(told),
        "input": "if(asking.2 = 1, asking.6, texts[asking.6].input)",
        "output": "if(answering.2 = 1, answering.7, texts[answering.7].output)",
        "input_tokens": tokens.format("input_tokens"),
        "output_tokens": tokens.format("output_tokens"),
        "cached_tokens": tokens.format("cached_tokens"),
        "reasoning_tokens": tokens.format("reasoning_tokens"),
        "calls": f"CAST(counted, '{CALLS}')",
        "llm_calls": "toUInt32(arrayCount(is_counted))",
        "tool_calls": f"toUInt32(countEqual(all_kind, 'tool') + length({missing}))",
        "tool_errors": "toUInt32(arrayCount((k, e) -> k = 'tool' AND e, all_kind, all_error))",
        "errors": "toUInt32(arraySum(all_error))",
        "error": telling.first_error(),
        "spans": "toUInt32(length(rows))",
        "records": "toUInt32(length(notes))",
        "feedback": "if(opinion > 1, NULL, opinion)",
        "evaluations": f"CAST(evaluations, '{opinions.EVALUATIONS}')",
        "redactions": _redactions(),
        "attributes": f"CAST({unique}, 'Map(String, String)')",
        "tools": f"CAST(arrayConcat(ran, {missing}), '{TOOLS}')",
        "context": (
            "arrayDistinct(arrayFilter(t -> t != '', arrayFlatten(arrayMap(x -> x.2.documents, lines))))"
        ),
        "queries": (
            "arrayDistinct(arrayFilter(t -> t != '', arrayMap(x -> "
            f"{query}, arrayFilter(x -> x.2.kind = 'retrieval', lines))))"
        ),
        "touched": "touched",
        **telling.columns(),
    }


def _only(text: str) -> str:
    """The only argument of a decorated function, or the only text of an object; '' where there is none."""
    pairs = f"JSONExtractKeysAndValues({text}, 'String')"
    texts = (
        f"arrayFilter(p -> substring(p.2, 1, 1) NOT IN ('{{', '[') AND isNull(toFloat64OrNull(p.2)), {pairs})"
    )
    alone = f"arrayMap(ps -> if(length(ps) = 1, ps[1].2, ''), [{texts}])[1]"
    given = first_of(f"JSONExtractString({text}, 'args', 1)", f"JSONExtractString({text}, 'query')", alone)
    return f"if(startsWith({text}, '{{'), {given}, '')"


def _redactions() -> str:
    """How much was taken out before anything was written, in spans and in log records."""
    everything = "arrayConcat(said, arrayFlatten(arrayMap(r -> r.2.more, notes)))"
    own = f"arrayFilter(m -> intDiv(m.1, {TRUST}) = {int(Field.REDACTIONS)}, {everything})"
    return f"toUInt32(least(arraySum(arrayMap(m -> toUInt64OrZero(m.3), {own})), 4294967295))"


INTERACTIONS_FINAL = View(name="interactions_final", select=select_final())
"""One row a trace. Filter it by `trace_id` where you can: that alone is looked up by key."""
