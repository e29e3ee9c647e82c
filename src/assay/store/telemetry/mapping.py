"""What a span means: every semantic convention assay reads, mapped once, in SQL.

OpenTelemetry GenAI (messages as attributes; up to 1.36 as span events) and OpenInference. The
first key that is not empty wins. A span becomes two tuples, `FACTS` and `TEXTS`, led by its rank:
of two versions of a span the richer is kept, in whatever order they come.

The database plans this query anew for every insert, at about 0.1 ms a function: hence one
expression for both sides of a conversation, and raw values where the reader can take them apart.
"""

from __future__ import annotations

from assay.store.telemetry.dialect import (
    MESSAGES,
    SHAPE,
    TEXT_KEYS,
    Stage,
    attr,
    event,
    first_of,
    is_plain,
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
    "tokens_in String",
    "tokens_out String",
    "cost String",
    "model String",
    "service String",
    "environment String",
    "version String",
    "conversation_id String",
    "user_id String",
    "grade_in UInt8",
    "grade_out UInt8",
    "opinions Array(Tuple(String, String))",
    "metadata String",
    "tags String",
    "attributes Array(Tuple(String, String))",
)
"""Grades: 2 is a text, 1 something else, 0 nothing."""
TEXTS = (
    *RANK,
    "start_ns Int64",
    "kind String",
    "name String",
    "error UInt8",
    "input String",
    "output String",
    "documents Array(Tuple(String, String))",
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

SPAN_COLUMNS = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "SpanName",
    "ServiceName",
    "ResourceAttributes",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
    "Events.Name",
    "Events.Attributes",
)
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

DETAILS = "gen_ai.client.inference.operation.details"
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
COSTS = ("gen_ai.usage.cost", "operation.cost", "llm.cost.total")
VALUES_IN = ("gen_ai.tool.call.arguments", "input.value", "gen_ai.retrieval.query.text", "tool.parameters")
VALUES_OUT = ("gen_ai.tool.call.result", "output.value")
TOOL_NAMES = ("gen_ai.tool.name", "tool.name")
ROLES = "[['user', 'human'], ['assistant', 'ai', 'model']]"
INFERENCE_KINDS = {
    "LLM": "llm",
    "EMBEDDING": "embedding",
    "TOOL": "tool",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "AGENT": "agent",
    "CHAIN": "chain",
}
OPERATION_KINDS = {
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "embeddings": "embedding",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    "rerank": "retrieval",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "agent",
}
FLAT = r"^llm[.](input|output)_messages[.].*([.]role|[.]message[.]content|_content[.]text)$"
DOCUMENTS = r"^(retrieval[.]documents|reranker[.]output_documents)[.][0-9]+[.]document[.]content$"
OPINIONS = r"annotations[.][0-9]+[.]annotation[.](annotator_kind|score)$"
MAX_MESSAGE_CHARS = 2000


def map_spans(topology: Topology, source: str = "") -> str:
    """The SELECT from spans to rows of `interactions`."""
    told = "input != '' OR output != '' OR kind = 'tool' OR notEmpty(documents)"
    row = {
        "trace_id": "TraceId",
        "day": "toDate(Timestamp)",
        "touched": "now64(3, 'UTC')",
        "conversation_ids": "if(conversation_id = '', [], [conversation_id])",
        "facts": f"CAST(map(SpanId, {_tuple(FACTS)}), '{_map(FACTS)}')",
        "texts": f"CAST(if({told}, map(SpanId, {_tuple(TEXTS)}), map()), '{_map(TEXTS)}')",
    }
    return staged(SPAN_COLUMNS, source or local_name("otel_traces", topology), stages(), row)


def feed(topology: Topology) -> View:
    """The materialised view from `otel_traces` to `interactions`."""
    return View(name="interactions_feed", to="interactions", select=map_spans(topology))


def backfill(topology: Topology) -> str:
    """Bring in the spans that were there before the view was. It may be repeated."""
    columns = "trace_id, day, touched, conversation_ids, facts, texts"
    return f"INSERT INTO interactions ({columns}) {map_spans(topology, 'otel_traces')}"


def stages() -> tuple[Stage, ...]:
    """From a span's columns to the fields of its two tuples, in steps that build on each other."""
    return (_keys(), _fields(), _values(), _parsed(), _spoken(), _told(), _rest())


def _tuple(fields: tuple[str, ...]) -> str:
    return f"({', '.join(field.partition(' ')[0] for field in fields)})"


def _map(fields: tuple[str, ...]) -> str:
    return f"Map(String, Tuple({', '.join(fields)}))"


def _keys() -> Stage:
    """Patterns are matched against the dictionary of keys, not against each key of each span."""
    return {
        "attr_keys": "mapKeys(SpanAttributes)",
        "attr_values": "mapValues(SpanAttributes)",
        "resource_keys": "mapKeys(ResourceAttributes)",
        "resource_values": "mapValues(ResourceAttributes)",
        "flat": _matching(FLAT),
        "documents_flat": _matching(DOCUMENTS),
        "annotations": f"if(has(mapValues(SpanAttributes), 'HUMAN'), {_matching(OPINIONS)}, [])",
        "explicit": _matching("^assay[.]attr[.]"),
        "explicit_resource": _matching("^assay[.]attr[.]", "ResourceAttributes"),
        "has_events": "arrayExists(n -> startsWith(n, 'gen_ai.'), Events.Name)",
    }


def _matching(pattern: str, attributes: str = "SpanAttributes") -> str:
    """The (key, value) pairs whose key matches."""
    keys, values = f"mapKeys({attributes})", f"mapValues({attributes})"
    mask = f"arrayMap(k -> match(k, '{pattern}'), {keys})"
    kept = "arrayFilter((x, ok) -> ok, {0}, {1})"
    pairs = f"arrayZip({kept.format(keys, mask)}, {kept.format(values, mask)})"
    return f"CAST({pairs}, 'Array(Tuple(String, String))')"


def _fields() -> Stage:
    """What one attribute says."""
    operation, inference = attr("gen_ai.operation.name"), attr("openinference.span.kind")
    requested = attr("gen_ai.request.model")
    by_name = f"if({operation} = '' AND {requested} != '', 'llm', 'other')"
    return {
        "richness": RICHNESS,
        "hash": HASH,
        "kind": _transform(inference, INFERENCE_KINDS, _transform(operation, OPERATION_KINDS, by_name)),
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
        "messages_in": first_of(attr("gen_ai.input.messages"), event(DETAILS, "gen_ai.input.messages")),
        "messages_out": first_of(attr("gen_ai.output.messages"), event(DETAILS, "gen_ai.output.messages")),
        "value_in": first_of(*map(attr, VALUES_IN), event("gen_ai.content.prompt", "gen_ai.prompt")),
        "value_out": first_of(
            *map(attr, VALUES_OUT), event("gen_ai.content.completion", "gen_ai.completion")
        ),
        "spoken_events": _spoken_events(),
    }


def _transform(text: str, kinds: dict[str, str], otherwise: str) -> str:
    return f"transform({text}, {list(kinds)}, {list(kinds.values())}, {otherwise})"


def _spoken_events() -> str:
    """The (event name, text) of the span events that carried messages before 1.37."""
    text = first_of(
        "a['content']",
        "JSONExtractString(a['message'], 'content')",
        "JSONExtractString(a['gen_ai.event.content'], 'content')",
        "JSONExtractString(a['gen_ai.event.content'], 'message', 'content')",
    )
    pairs = f"arrayMap((n, a) -> (toString(n), {text}), Events.Name, Events.Attributes)"
    return f"if(has_events, arrayFilter(e -> e.2 != '', {pairs}), [])"


def _values() -> Stage:
    """Both sides, asked and answered: JSON to look into, unless OpenInference says it flat already."""
    value = "if(is_spoken AND NOT (kind = 'llm' AND notEmpty(flat)), {0}, '')"
    lines = "arrayMap(p -> (splitByChar('.', p.1), p.2), flat)"
    sides = "['input_messages', 'output_messages']"
    by_name = (
        "arrayMap(n -> arrayLast(e -> e.1 = n, spoken_events).2, ['gen_ai.user.message', 'gen_ai.choice'])"
    )
    return {
        "is_spoken": "kind NOT IN ('tool', 'retrieval', 'embedding')",
        "sides": (
            f"[{first_of('messages_in', value.format('value_in'))}, "
            f"{first_of('messages_out', value.format('value_out'))}]"
        ),
        "lines": f"arrayMap(n -> arrayFilter(l -> l.1[2] = n, {lines}), {sides})",
        "said_in_events": f"if(empty(spoken_events), ['', ''], {by_name})",
    }


def _parsed() -> Stage:
    """JSON that is a list is one of messages; an object may hold them, or the text under a known key.

    Flat keys: PREFIX.N.message.role, and PREFIX.N.message.content or .contents.M.message_content.text.
    """
    listed = "if(startsWith(s, '['), concat('{\"messages\":', s, '}'), if(startsWith(s, '{'), s, ''))"
    own = "arrayFilter(l -> l.1[5] = 'role' AND has(r, lower(l.2)), ls)"
    return {
        "parsed": f"arrayMap(s -> JSONExtract({listed}, '{SHAPE}'), sides)",
        "numbers": f"arrayMap((ls, r) -> arrayMap(l -> l.1[3], {own}), lines, {ROLES})",
    }


def _spoken() -> Stage:
    """The text of the last message on each side."""
    found = f"[p.choices[1].message.content, p.choices[1].text, {', '.join(f'p.{key}' for key in TEXT_KEYS)}]"
    inside = f"arrayFirst(t -> t != '' AND {is_plain('t')}, {found})"
    talk = f"arrayConcat(p.messages, if(startsWith(p.input, '[{{'), JSONExtract(p.input, '{MESSAGES}'), []))"
    own = "arrayFilter(l -> l.2 != '' AND l.1[5] != 'role' AND has(ns, l.1[3]), ls)"
    place = "(toUInt32OrZero(l.1[3]), toUInt32OrZero(l.1[6]), l.2)"
    return {
        "said": f"arrayMap((p, r) -> {first_of(text_of(talk, 'r'), inside)}, parsed, {ROLES})",
        "ordered": f"arrayMap((ls, ns) -> arraySort(arrayMap(l -> {place}, {own})), lines, numbers)",
    }


def _told() -> Stage:
    """The text of each side, in order of trust; chains say only their first message flat."""
    last = "arrayStringConcat(arrayMap(x -> x.3, arrayFilter(x -> x.1 = o[-1].1, o)), '\\n')"
    text = first_of("s", f"if(empty(o), '', {last})", "e", f"if(is_spoken AND {is_plain('v')}, v, '')")
    return {
        "text": (
            f"arrayMap((s, o, e, v, is_spoken) -> {text}, said, ordered, said_in_events, "
            "[value_in, value_out], [is_spoken, is_spoken])"
        ),
    }


def _rest() -> Stage:
    """The remaining fields of the two tuples."""
    exception = "Events.Attributes[indexOf(Events.Name, 'exception')]['exception.message']"
    message = first_of("StatusMessage", exception, attr("error.type"), "'error'")
    grade = "toUInt8(multiIf({0} = '', 0, is_spoken AND text[{1}] != '', 2, 1))"
    listed = "'Array(Tuple(content String, text String))'"
    documents = f"JSONExtract({attr('gen_ai.retrieval.documents')}, {listed})"
    return {
        "parent_id": "ParentSpanId",
        "start_ns": "toUnixTimestamp64Nano(Timestamp)",
        "end_ns": "start_ns + toInt64(if(Duration < 10000000000000000, Duration, 0))",
        "message": f"if(error, substringUTF8({message}, 1, {MAX_MESSAGE_CHARS}), '')",
        "input": first_of("text[1]", "if(kind = 'llm', '', value_in)"),
        "output": first_of("text[2]", "if(kind = 'llm', '', value_out)"),
        "grade_in": grade.format("input", 1),
        "grade_out": grade.format("output", 2),
        "name": f"if(kind = 'tool', {first_of(*map(attr, TOOL_NAMES), 'toString(SpanName)')}, '')",
        "documents": (
            f"if(kind != 'retrieval', [], arrayConcat(documents_flat, arrayMap(d -> ('', "
            f"if(d.content != '', d.content, d.text)), {documents})))"
        ),
        "opinions": f"if(has_events, arrayConcat(annotations, {_evaluations()}), annotations)",
        "metadata": attr("metadata"),
        "tags": attr("tag.tags"),
        "attributes": "arrayMap(p -> (substring(p.1, 12), p.2), arrayConcat(explicit, explicit_resource))",
    }


def _evaluations() -> str:
    """Feedback among the evaluations that span events carry, as (name, score)."""
    pair = "('feedback', a['gen_ai.evaluation.score.value'])"
    name = "positionCaseInsensitive(a['gen_ai.evaluation.name'], 'feedback') > 0"
    return (
        f"arrayMap(a -> {pair}, arrayFilter((a, n) -> n = 'gen_ai.evaluation.result' AND {name}, "
        "Events.Attributes, Events.Name))"
    )
