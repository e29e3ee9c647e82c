"""What a span means: every semantic convention assay reads, mapped once, in SQL.

OpenTelemetry GenAI (messages as attributes; up to 1.36 as span events) and OpenInference. The
first key that is not empty wins. A span becomes two tuples, `FACTS` and `TEXTS`, led by its rank:
of two versions of a span the richer is kept, in whatever order they come.
"""

from __future__ import annotations

from assay.store.telemetry.dialect import (
    MESSAGES,
    Stage,
    attr,
    first_of,
    json_text,
    messages_of,
    number_of,
    object_of,
    resource,
    staged,
    text_of,
)
from assay.store.telemetry.schema import Table, Topology, View, local_name

RANK = ("richness UInt64", "hash UInt64")
FACTS = (
    *RANK,
    "parent_id String",
    "start_ns Int64",
    "end_ns Int64",
    "kind String",
    "error UInt8",
    "message String",
    "usage UInt8",
    "input_tokens UInt64",
    "output_tokens UInt64",
    "cost_usd Float64",
    "model String",
    "service String",
    "environment String",
    "version String",
    "conversation_id String",
    "user_id String",
    "input_grade UInt8",
    "output_grade UInt8",
    "feedback Float64",
    "metadata Array(Tuple(String, String))",
    "attributes Array(Tuple(String, String))",
)
"""Unknown: `cost_usd` -1, `feedback` 2. Grades: 2 is a text, 1 something else, 0 nothing."""
TEXTS = (
    *RANK,
    "start_ns Int64",
    "kind String",
    "name String",
    "error UInt8",
    "input String",
    "output String",
    "documents Array(String)",
)

INTERACTIONS = Table(
    name="interactions",
    columns=(
        "trace_id String",
        "day Date",
        "touched SimpleAggregateFunction(max, DateTime64(3, 'UTC'))",
        "conversation_ids SimpleAggregateFunction(groupUniqArrayArray, Array(String))",
        f"facts SimpleAggregateFunction(maxMap, Map(String, Tuple({', '.join(FACTS)})))",
        f"texts SimpleAggregateFunction(maxMap, Map(String, Tuple({', '.join(TEXTS)})))",
    ),
    indexes=(
        "idx_touched touched TYPE minmax GRANULARITY 1",
        "idx_conversation conversation_ids TYPE bloom_filter(0.01) GRANULARITY 1",
    ),
    engine="AggregatingMergeTree",
    partition_by="day",
    order_by="trace_id",
    shard_by="cityHash64(trace_id)",
    settings=("index_granularity = 1024",),
)
"""A row a trace and day of its spans. Each column is a join that is idempotent and has no order."""

RICHNESS = (
    "toUInt64(Duration > 0) * 1099511627776 + (StatusCode != 'Unset') + length(StatusMessage)"
    " + length(SpanAttributes) + arraySum(x -> length(x), mapValues(SpanAttributes))"
    " + arraySum(x -> length(x), mapValues(ResourceAttributes)) + 16 * length(Events.Name)"
)
HASH = (
    "cityHash64(Timestamp, Duration, ParentSpanId, SpanName, StatusCode, StatusMessage, ServiceName, "
    "mapKeys(SpanAttributes), mapValues(SpanAttributes), mapValues(ResourceAttributes), "
    "Events.Name, toString(Events.Attributes))"
)
"""Of two versions of a span: ended beats unended, then more text beats less, then the hash decides."""

USER = "('user', 'human')"
MODEL = "('assistant', 'ai', 'model')"
USER_KEYS = ("input", "question", "query", "prompt", "message", "text", "user_input", "content")
ANSWER_KEYS = ("output", "answer", "response", "result", "text", "content", "message", "final_answer")
DETAILS = "Events.Attributes[indexOf(Events.Name, 'gen_ai.client.inference.operation.details')]"
MODELS = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
    "embedding.model_name",
    "reranker.model_name",
)
TOKENS_IN = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
TOKENS_OUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
MAX_MESSAGE_CHARS = 2000
COSTS = ("gen_ai.usage.cost", "operation.cost", "llm.cost.total")
TOOL_NAMES = ("gen_ai.tool.name", "tool.name")
TOOL_ARGUMENTS = ("gen_ai.tool.call.arguments", "input.value", "tool.parameters", "tool_arguments")
TOOL_RESULTS = ("gen_ai.tool.call.result", "output.value", "tool_response")


def map_spans(topology: Topology, source: str = "") -> str:
    """The SELECT from spans to rows of `interactions`."""
    spans = f"SELECT * FROM {source or local_name('otel_traces', topology)}"
    mapped = staged(spans, _attributes(), _fields(), _kind(), _said(), _flat(), _json(), _texts(), _last())
    return (
        "SELECT TraceId AS trace_id, toDate(Timestamp) AS day, now64(3, 'UTC') AS touched,\n"
        "    if(conversation_id = '', [], [conversation_id]) AS conversation_ids,\n"
        f"    {_tuples(FACTS)} AS facts,\n"
        f"    if(input != '' OR output != '' OR kind = 'tool' OR notEmpty(documents), "
        f"{_tuples(TEXTS)}, map()) AS texts\n"
        f"FROM (\n{mapped}\n)"
    )


def _tuples(fields: tuple[str, ...]) -> str:
    names = ", ".join(field.partition(" ")[0] for field in fields)
    return f"CAST(map(SpanId, ({names})), 'Map(String, Tuple({', '.join(fields)}))')"


def feed(topology: Topology) -> View:
    """The materialised view from `otel_traces` to `interactions`."""
    return View(name="interactions_feed", to="interactions", select=map_spans(topology))


def backfill(topology: Topology) -> str:
    """Bring in the spans that were there before the view was. It may be repeated."""
    columns = "trace_id, day, touched, conversation_ids, facts, texts"
    return f"INSERT INTO interactions ({columns}) {map_spans(topology, 'otel_traces')}"


def _attributes() -> Stage:
    return {
        "attr_keys": "mapKeys(SpanAttributes)",
        "attr_values": "mapValues(SpanAttributes)",
        "resource_keys": "mapKeys(ResourceAttributes)",
        "resource_values": "mapValues(ResourceAttributes)",
        "has_events": "arrayExists(n -> startsWith(n, 'gen_ai.'), Events.Name)",
    }


def _fields() -> Stage:
    """What one attribute says."""
    return {
        "richness": RICHNESS,
        "hash": HASH,
        "operation": attr("gen_ai.operation.name"),
        "inference": attr("openinference.span.kind"),
        "model": first_of(*map(attr, MODELS)),
        "tokens_in": first_of(*map(attr, TOKENS_IN)),
        "tokens_out": first_of(*map(attr, TOKENS_OUT)),
        "cost": first_of(*map(attr, COSTS)),
        "conversation_id": first_of(attr("gen_ai.conversation.id"), attr("session.id")),
        "user_id": first_of(attr("user.id"), attr("enduser.id")),
        "version": first_of(resource("service.version"), attr("gen_ai.agent.version")),
        "environment": first_of(resource("deployment.environment.name"), resource("deployment.environment")),
        "service": "toString(ServiceName)",
        "error": "toUInt8(StatusCode IN ('Error', 'STATUS_CODE_ERROR'))",
        "messages_in": first_of(
            attr("gen_ai.input.messages"), f"if(has_events, {DETAILS}['gen_ai.input.messages'], '')"
        ),
        "messages_out": first_of(
            attr("gen_ai.output.messages"), f"if(has_events, {DETAILS}['gen_ai.output.messages'], '')"
        ),
    }


def _kind() -> Stage:
    return {
        "kind": (
            "multiIf(inference = 'LLM', 'llm', inference = 'EMBEDDING', 'embedding', "
            "inference = 'TOOL', 'tool', inference IN ('RETRIEVER', 'RERANKER'), 'retrieval', "
            "inference IN ('AGENT', 'CHAIN'), 'agent', "
            "operation IN ('chat', 'text_completion', 'generate_content'), 'llm', "
            "operation = 'embeddings', 'embedding', operation = 'execute_tool', 'tool', "
            "operation IN ('retrieval', 'rerank'), 'retrieval', "
            "operation IN ('invoke_agent', 'create_agent', 'invoke_workflow'), 'agent', "
            f"operation = '' AND inference = '' AND {attr('gen_ai.request.model')} != '', 'llm', 'other')"
        ),
    }


def _said() -> Stage:
    """What GenAI's messages say, and the plain values of the other conventions."""
    values_in = ("input.value", "gen_ai.retrieval.query.text")
    flat = "startsWith(p.1, 'llm.input_messages.') OR startsWith(p.1, 'llm.output_messages.')"
    wanted = "endsWith(p.1, '.role') OR endsWith(p.1, '.message.content') OR endsWith(p.1, '_content.text')"
    return {
        "said_in": text_of(messages_of("messages_in"), USER),
        "said_out": text_of(messages_of("messages_out"), MODEL),
        "event_in": _event_text(
            "gen_ai.user.message",
            ("a['content']", "JSONExtractString(a['gen_ai.event.content'], 'content')"),
            "gen_ai.content.prompt",
            (text_of(messages_of("a['gen_ai.prompt']"), USER), json_text("a['gen_ai.prompt']")),
        ),
        "event_out": _event_text(
            "gen_ai.choice",
            (
                "JSONExtractString(a['message'], 'content')",
                "a['content']",
                "JSONExtractString(a['gen_ai.event.content'], 'message', 'content')",
            ),
            "gen_ai.content.completion",
            (text_of(messages_of("a['gen_ai.completion']"), MODEL), json_text("a['gen_ai.completion']")),
        ),
        "flat": (
            f"if(inference = '', [], arrayFilter(p -> p.2 != '' AND ({flat}) AND ({wanted}), "
            "arrayZip(attr_keys, attr_values)))"
        ),
        "value_in": (
            f"if(kind = 'tool', {first_of(*map(attr, TOOL_ARGUMENTS))}, {first_of(*map(attr, values_in))})"
        ),
        "value_out": f"if(kind = 'tool', {first_of(*map(attr, TOOL_RESULTS))}, {attr('output.value')})",
    }


def _event_text(name: str, texts: tuple[str, ...], old_name: str, old_texts: tuple[str, ...]) -> str:
    """The last text of the span events of these names."""
    cases = f"n = '{name}', {first_of(*texts)}, n = '{old_name}', {first_of(*old_texts)}, ''"
    found = f"arrayMap((n, a) -> multiIf({cases}), Events.Name, Events.Attributes)"
    return f"if(has_events, arrayLast(t -> t != '', {found}), '')"


def _flat() -> Stage:
    """OpenInference's flat messages, as (message, part, key, text), and who wrote which."""
    place = "toUInt32OrZero(splitByChar('.', p.1)[3]), toUInt32OrZero(splitByChar('.', p.1)[6])"
    lines = f"arrayMap(p -> ({place}, p.1, p.2), flat)"
    return {
        "lines_in": f"if(empty(flat), [], arrayFilter(l -> startsWith(l.3, 'llm.input_'), {lines}))",
        "lines_out": f"if(empty(flat), [], arrayFilter(l -> startsWith(l.3, 'llm.output_'), {lines}))",
    }


def _flat_text(lines: str, roles: str) -> str:
    by_role = (
        f"arrayMap(l -> l.1, arrayFilter(l -> endsWith(l.3, '.role') AND lower(l.4) IN {roles}, {lines}))"
    )
    texts = f"arraySort(arrayFilter(l -> NOT endsWith(l.3, '.role') AND has({by_role}, l.1), {lines}))"
    last = f"arrayFilter(l -> l.1 = arrayMax(arrayMap(m -> m.1, {texts})), {texts})"
    return f"if(empty({lines}), '', arrayStringConcat(arrayMap(l -> l.4, {last}), '\\n'))"


def _json() -> Stage:
    """Values that are JSON, kept only where messages do not say already what was said."""
    known_in = "said_in = '' AND (kind != 'llm' OR empty(lines_in))"
    known_out = "said_out = '' AND (kind != 'llm' OR empty(lines_out))"
    return {
        "is_spoken": "kind NOT IN ('tool', 'retrieval', 'embedding')",
        "flat_in": _flat_text("lines_in", USER),
        "flat_out": _flat_text("lines_out", MODEL),
        "json_in": f"if(is_spoken AND {known_in}, {object_of('value_in')}, '')",
        "json_out": f"if(is_spoken AND {known_out}, {object_of('value_out')}, '')",
        "parsed_in": f"JSONExtract(json_in, '{_shape(USER_KEYS)}')",
        "parsed_out": f"JSONExtract(json_out, '{_shape(ANSWER_KEYS)}')",
    }


def _shape(keys: tuple[str, ...]) -> str:
    choices = "choices Array(Tuple(text String, message Tuple(content String)))"
    return f"Tuple(messages {MESSAGES}, {choices}, {', '.join(f'{key} String' for key in keys)})"


def _texts() -> Stage:
    """The text of each span, in order of trust; chains list only their first message flat."""
    inside_in = first_of(
        text_of("parsed_in.messages", USER),
        f"if(startsWith(parsed_in.input, '['), {text_of(messages_of('parsed_in.input'), USER)}, '')",
        *(json_text(f"parsed_in.{key}") for key in USER_KEYS),
    )
    inside_out = first_of(
        text_of("parsed_out.messages", MODEL),
        "parsed_out.choices[1].message.content",
        "parsed_out.choices[1].text",
        *(json_text(f"parsed_out.{key}") for key in ANSWER_KEYS),
    )
    return {
        "text_in": first_of(
            "said_in",
            "event_in",
            "if(kind = 'llm', flat_in, '')",
            f"if(json_in = '', '', {inside_in})",
            "flat_in",
            json_text("value_in"),
        ),
        "text_out": first_of(
            "said_out",
            "event_out",
            "if(kind = 'llm', flat_out, '')",
            f"if(json_out = '', '', {inside_out})",
            "flat_out",
            json_text("value_out"),
        ),
    }


def _last() -> Stage:
    """The remaining fields of the two tuples."""
    exception = "Events.Attributes[indexOf(Events.Name, 'exception')]['exception.message']"
    message = first_of("StatusMessage", exception, attr("error.type"), "'error'")
    price = "toFloat64OrNull(cost)"
    return {
        "parent_id": "ParentSpanId",
        "start_ns": "toUnixTimestamp64Nano(Timestamp)",
        "end_ns": "start_ns + toInt64(if(Duration < 10000000000000000, Duration, 0))",
        "message": f"if(error, substringUTF8({message}, 1, {MAX_MESSAGE_CHARS}), '')",
        "usage": "toUInt8((tokens_in != '' OR tokens_out != '') AND kind NOT IN ('tool', 'retrieval'))",
        "input_tokens": number_of("tokens_in"),
        "output_tokens": number_of("tokens_out"),
        "cost_usd": f"ifNull(if({price} BETWEEN 0 AND 1e9, {price}, -1), -1)",
        "input": first_of("text_in", "value_in"),
        "output": first_of("text_out", "value_out"),
        "input_grade": "toUInt8(multiIf(input = '', 0, is_spoken AND text_in != '', 2, 1))",
        "output_grade": "toUInt8(multiIf(output = '', 0, is_spoken AND text_out != '', 2, 1))",
        "name": f"if(kind = 'tool', {first_of(*map(attr, TOOL_NAMES), 'toString(SpanName)')}, '')",
        "documents": _documents(),
        "feedback": _feedback(),
        "metadata": _metadata(),
        "attributes": _explicit(),
    }


def _documents() -> str:
    """Retrieved texts in their order: a JSON list, or OpenInference's flat keys."""
    lists = "(startsWith(p.1, 'retrieval.documents.') OR startsWith(p.1, 'reranker.output_documents.'))"
    key = f"{lists} AND endsWith(p.1, '.document.content')"
    found = f"arrayFilter(p -> p.2 != '' AND {key}, arrayZip(attr_keys, attr_values))"
    flat = f"arrayMap(p -> p.2, arraySort(p -> toUInt32OrZero(splitByChar('.', p.1)[3]), {found}))"
    json = f"JSONExtract({attr('gen_ai.retrieval.documents')}, 'Array(Tuple(content String, text String))')"
    listed = f"arrayFilter(t -> t != '', arrayMap(d -> if(d.content != '', d.content, d.text), {json}))"
    return f"multiIf(kind != 'retrieval', [], inference != '', {flat}, {listed})"


def _feedback() -> str:
    """The lowest score in [0, 1] that a user gave, 2 without any; thumbs given as -1 count as 0."""
    heads = (
        "arrayMap(k -> substring(k, 1, length(k) - 14), arrayFilter((k, v) -> v = 'HUMAN' "
        "AND endsWith(k, '.annotation.annotator_kind'), attr_keys, attr_values))"
    )
    annotated = (
        f"if(has(attr_values, 'HUMAN'), arrayMap(p -> toFloat64OrNull(p.2), arrayFilter(p -> "
        f"endsWith(p.1, '.annotation.score') AND has({heads}, substring(p.1, 1, length(p.1) - 5)), "
        "arrayZip(attr_keys, attr_values))), [])"
    )
    evaluated = (
        "if(has_events, arrayMap((n, a) -> if(n = 'gen_ai.evaluation.result' AND "
        "positionCaseInsensitive(a['gen_ai.evaluation.name'], 'feedback') > 0, "
        "toFloat64OrNull(a['gen_ai.evaluation.score.value']), NULL), Events.Name, Events.Attributes), [])"
    )
    scores = f"CAST(arrayConcat({annotated}, {evaluated}), 'Array(Nullable(Float64))')"
    valid = f"arrayMap(s -> assumeNotNull(greatest(s, 0)), arrayFilter(s -> s <= 1, {scores}))"
    return f"if(has_events OR has(attr_values, 'HUMAN'), arrayMin(arrayConcat([2.], {valid})), 2)"


def _metadata() -> str:
    """OpenInference's metadata, one level deep, and its tags."""
    json = attr("metadata")
    pair = "(p.1, if(startsWith(p.2, '\"'), JSONExtractString(p.2), p.2))"
    pairs = f"if({json} = '', [], arrayMap(p -> {pair}, JSONExtractKeysAndValuesRaw({json})))"
    tags = f"if({attr('tag.tags')} = '', [], [('tags', {attr('tag.tags')})])"
    return f"arrayConcat({pairs}, {tags})"


def _explicit() -> str:
    """Attributes named `assay.attr.*`, of the span before those of the resource."""
    picked = "arrayFilter(p -> startsWith(p.1, 'assay.attr.'), arrayZip({0}_keys, {0}_values))"
    cut = "arrayMap(p -> (substring(p.1, 12), p.2), {0})"
    return " ".join(
        f"arrayConcat({cut.format(picked.format('attr'))}, {cut.format(picked.format('resource'))})".split()
    )
