"""What a span means: every semantic convention assay reads, mapped once, in SQL.

The first key that is not empty wins (`conventions.KEYS`). A span becomes two tuples, `FACTS` and `TEXTS`,
led by its rank: of two versions of a span the richer is kept, in whatever order they come.

The database plans this query anew for every insert, at about 0.1 ms a function: hence one pass over the
keys, one expression for both sides of a conversation, and raw values where the reader can take them apart.
"""

from __future__ import annotations

from assay.store.telemetry import speech
from assay.store.telemetry.attributes import (
    MORE,
    RESOURCE,
    TRUST,
    chosen,
    codes_of,
    keep,
    number_of,
    numbers_of,
    pick,
)
from assay.store.telemetry.conventions import KINDS, LATE, Field
from assay.store.telemetry.dialect import Stage, first_of, quoted, staged, transform
from assay.store.telemetry.schema import Feed, Table

RANK = ("richness UInt64", "hash UInt64")
FACTS = (
    *RANK,
    "parent_id String",
    "start_ns Int64",
    "end_ns Int64",
    "first_ns Int64",
    "kind String",
    "error UInt8",
    "message String",
    "tokens_in String",
    "tokens_out String",
    "model String",
    "service String",
    "conversation_id String",
    "user_id String",
    "grade_in UInt8",
    "grade_out UInt8",
    f"more {MORE}",
)
"""Grades: 2 is a text, 1 something else, 0 nothing. `first_ns` is the delay of the first token, 0 unknown."""
TEXTS = (
    *RANK,
    "start_ns Int64",
    "kind String",
    "name String",
    "error UInt8",
    "input String",
    "output String",
    "system String",
    "documents Array(String)",
    "calls String",
)
TOLD = (
    "time_ns Int64",
    "span_id String",
    "input String",
    "output String",
    "system String",
    f"more {MORE}",
)
"""What somebody says of a span elsewhere than in it: log records, evaluations that link to it."""
MOVED = "moved"
"""The span of an entry that turned out to be about another trace: nobody reads it."""

INTERACTIONS = Table(
    name="interactions",
    columns=(
        "trace_id String",
        "day Date",
        "touched SimpleAggregateFunction(max, DateTime64(3, 'UTC'))",
        "traced SimpleAggregateFunction(max, UInt8)",
        "conversation_ids SimpleAggregateFunction(groupUniqArrayArray, Array(String))",
        "response_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))",
        f"facts SimpleAggregateFunction(maxMap, Map(String, Tuple({', '.join(FACTS)})))",
        f"texts SimpleAggregateFunction(maxMap, Map(String, Tuple({', '.join(TEXTS)})))",
        f"told SimpleAggregateFunction(maxMap, Map(String, Tuple({', '.join(TOLD)})))",
    ),
    indexes=(
        "idx_touched touched TYPE minmax GRANULARITY 1",
        "idx_conversation conversation_ids TYPE bloom_filter(0.01) GRANULARITY 1",
        "idx_response response_ids TYPE bloom_filter(0.01) GRANULARITY 1",
    ),
    engine="AggregatingMergeTree",
    partition_by="day",
    order_by="trace_id",
    shard_by="cityHash64(trace_id)",
    settings=("index_granularity = 1024",),
)
"""A row a trace and day of its spans. Each column is a join that is idempotent and has no order.

`traced` is 0 for what came before its trace, or without one: nobody but `interactions_final` reads it."""

COLUMNS = tuple(column.partition(" ")[0] for column in INTERACTIONS.columns)

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
    "Events.Timestamp",
    "Events.Name",
    "Events.Attributes",
    "Links.TraceId",
    "Links.SpanId",
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

SILENT = "('tool', 'retrieval', 'embedding', 'evaluator', 'guardrail')"
"""Kinds of span in which nobody speaks with the user."""
DETAILS = "gen_ai.client.inference.operation.details"
RESULT = "gen_ai.evaluation.result"
STREAMING = (
    r"^(First Token Stream Event|(gen_ai|llm)[.]content[.]completion[.]chunk|mlflow[.]chunk[.]item[.]0)$"
)
DOCUMENT = (
    "Tuple(content String, text String, page_content String, pageContent String, document String, "
    "node Tuple(text String))"
)
LISTS = f"Tuple(documents Array({DOCUMENT}), output Array({DOCUMENT}), results Array({DOCUMENT}))"
WHY = r'(?:finish|stop)_?[rR]easons?\\\\*"\\s*:\\s*\\[?\\s*\\\\*"([A-Za-z_-]+)'
"""Why a model stopped, in the JSON of an answer that may itself stand in JSON."""
MAX_MESSAGE_CHARS = 2000
MAX_SYSTEM_CHARS = 16_000


def map_spans(source: str) -> str:
    """The SELECT from spans to rows of `interactions`, in the order of `COLUMNS`."""
    told = (
        "input != '' OR output != '' OR kind = 'tool' OR notEmpty(documents) OR calls != '' OR system != ''"
    )
    verdict = "'', '', '', more"
    row = {
        "trace_id": "if(is_verdict, Links.TraceId[1], TraceId)",
        "day": "toDate(Timestamp)",
        "touched": "now64(3, 'UTC')",
        "traced": "toUInt8(NOT is_verdict)",
        "conversation_ids": "if(conversation_id = '' OR is_verdict, [], [conversation_id])",
        "response_ids": "if(response = '' OR is_verdict, [], [cityHash64(response)])",
        "facts": f"CAST(if(is_verdict, map(), map(SpanId, {_tuple(FACTS)})), '{map_type(FACTS)}')",
        "texts": (
            f"CAST(if(NOT is_verdict AND ({told}), map(SpanId, {_tuple(TEXTS)}), map()), '{map_type(TEXTS)}')"
        ),
        "told": (
            f"CAST(if(is_verdict, map(SpanId, (start_ns, Links.SpanId[1], {verdict})), map()), "
            f"'{map_type(TOLD)}')"
        ),
    }
    return staged(SPAN_COLUMNS, source, stages(), row)


def stages() -> tuple[Stage, ...]:
    """From a span's columns to the fields of its tuples, in as few steps as there can be: each is a nested
    query, and what is inside is planned again at every level."""
    codes, kept = keep("SpanAttributes")
    return (codes, {**kept, **events()}, _picked(), _spoken(), _texts(), _rest())


def _tuple(fields: tuple[str, ...]) -> str:
    return f"({', '.join(field.partition(' ')[0] for field in fields)})"


def map_type(fields: tuple[str, ...]) -> str:
    """The type of a map, by span or record, of such tuples."""
    return f"Map(String, Tuple({', '.join(fields)}))"


def _picked() -> Stage:
    """What one attribute says."""
    said = f"lower(replaceAll({pick(Field.KIND)}, '\"', ''))"
    counts = f"has(fields, {int(Field.MODEL)}) AND has(fields, {int(Field.TOKENS_IN)})"
    by_name = f"if({pick(Field.KIND)} = '' AND {counts}, 'llm', 'other')"
    of_resource = codes_of("ResourceAttributes", RESOURCE)
    asked_model = f"JSONExtractString({pick(Field.PARAMETERS)}, 'model')"
    return {
        "richness": RICHNESS,
        "hash": HASH,
        "said_kind": transform(said, dict(KINDS), by_name),
        "model": f"if(has(fields, {int(Field.MODEL)}), {_bare(Field.MODEL)}, {asked_model})",
        "tokens_in": pick(Field.TOKENS_IN),
        "tokens_out": pick(Field.TOKENS_OUT),
        "conversation_id": _bare(Field.CONVERSATION),
        "user_id": _bare(Field.USER),
        "response": pick(Field.RESPONSE),
        "service": "toString(ServiceName)",
        "error": f"toUInt8(StatusCode IN ('Error', 'STATUS_CODE_ERROR') OR {pick(Field.LEVEL)} = 'ERROR')",
        "raw_in": first_of(pick(Field.IN), pick(Field.BOTH), "told_in_events[1]"),
        "raw_out": first_of(pick(Field.OUT), pick(Field.BOTH), "told_in_events[2]"),
        "documents_raw": pick(Field.DOCUMENTS),
        "start_ns": "toUnixTimestamp64Nano(Timestamp)",
        "first_event": f"arrayFirstIndex(n -> match(n, '{STREAMING}'), Events.Name)",
        "flat": chosen("SpanAttributes", Field.ROLE_IN, Field.CALL_ARGUMENTS),
        "more": (
            f"arrayConcat(told_opinions, {_noted()}, "
            f"arraySort({chosen('SpanAttributes', LATE, Field.OPINION_BY)}), "
            f"{chosen('ResourceAttributes', LATE, Field.OPINION_BY, codes=of_resource)})"
        ),
    }


def _noted() -> str:
    """What no attribute says alone: the name of a span that may be the first of its trace, and why a model
    stopped where that stands inside of its answer."""
    silent = SILENT.replace("(", "('llm', ", 1)
    named = f"if(ParentSpanId = '' OR said_kind NOT IN {silent}, [toString(SpanName)], [])"
    steps = f"arrayMap(t -> (toUInt16({Field.STEP * TRUST}), '', t), arrayFilter(t -> t != '', {named}))"
    ended = finish_in(f"if(NOT has(fields, {int(Field.FINISH)}), [raw_out], [])")
    return f"arrayConcat({steps}, {ended})"


def finish_in(texts: str) -> str:
    """Why a model stopped, from such texts, as what is passed on."""
    open_ = f"arrayFilter(t -> position(t, 'eason') > 0, {texts})"
    found = f"arrayFilter(t -> t != '', arrayMap(t -> extract(t, '{WHY}'), {open_}))"
    return f"arrayMap(t -> (toUInt16({Field.FINISH * TRUST + TRUST - 1}), '', t), {found})"


def _bare(field: Field) -> str:
    """Some write every value as JSON: a name without its quotation marks."""
    return f"replaceAll({pick(field)}, '\"', '')"


def events() -> Stage:
    """What only span events say: the messages of 1.36 and before, and of those who put them there now."""
    attribute = "Events.Attributes[indexOf(Events.Name, '{0}')][{1}]"
    text = first_of("a['content']", "a['message']", "a['gen_ai.event.content']")
    said = f"arrayMap((a, n) -> if(n = s.4, {text}, ''), Events.Attributes, Events.Name)"
    last = f"arrayLast(t -> t != '', {said})"
    found = first_of(
        attribute.format(DETAILS, "s.1"), "Events.Attributes[indexOf(Events.Name, s.2)][s.3]", last
    )
    sides = [
        ("gen_ai.input.messages", "gen_ai.content.prompt", "gen_ai.prompt", "gen_ai.user.message"),
        ("gen_ai.output.messages", "gen_ai.content.completion", "gen_ai.completion", "gen_ai.choice"),
    ]
    has_events = "arrayExists(n -> startsWith(n, 'gen_ai.'), Events.Name)"
    return {
        "told_in_events": f"arrayMap(s -> {found}, if({has_events}, {sides}, []))",
        "told_opinions": _opinions(),
    }


def _spoken() -> Stage:
    """What has to be unfolded is: JSON, unless flat attributes say it already."""
    task = (
        f"{pick(Field.KIND)} = 'task' AND match(raw_out, '^[[][{{].*\"(page_)?content\"') "
        "AND match(raw_out, '\"(score|metadata)\"')"
    )
    vectors = "said_kind = 'other' AND has(Events.Name, 'db.query.result')"
    said = [int(Field.TEXT_IN), int(Field.TEXT_OUT)]
    folded = "substring(s.2, 1, 1) IN ('{', '[', '\"')"
    open_ = f"{folded} AND said_kind NOT IN {SILENT} AND NOT (said_kind = 'llm' AND has(fields, s.3))"
    sides = f"arrayFilter(s -> {open_}, [(1, raw_in, {said[0]}), (2, raw_out, {said[1]})])"
    return {
        "kind": f"if((said_kind = 'chain' AND {task}) OR ({vectors}), 'retrieval', said_kind)",
        "is_spoken": f"said_kind NOT IN {SILENT}",
        "heard": speech.heard(sides),
        "flat_said": _flat_said(),
    }


def _flat_said() -> str:
    """What flat messages say: PREFIX.N.message.role beside PREFIX.N.message.content, and the like.

    An array of what is asked, what is answered, and the system prompt; empty where there are none."""
    own = f"arrayFilter(x -> intDiv(x.1, {TRUST}) = s.1 AND has(s.2, lower(x.3)), flat)"
    fields = [int(Field.ROLE_IN), int(Field.ROLE_OUT), int(Field.ROLE_IN)]
    sides = f"if(empty(flat), [], arrayZip({fields}, {speech.ROLES}))"
    numbers = f"arrayMap(s -> (s.1 + 1, arrayMap(x -> {number_of('x.2')}, {own})), {sides})"
    mine = f"arrayFilter(x -> intDiv(x.1, {TRUST}) = s.1 AND has(s.2, {number_of('x.2')}), flat)"
    lines = f"arrayMap(s -> arraySort(arrayMap(x -> ({numbers_of('x.2')}, x.3), {mine})), {numbers})"
    last = "arrayFilter(x -> x.1.1 = ls[-1].1.1, ls)"
    return f"arrayMap(ls -> arrayStringConcat(arrayMap(x -> x.2, {last}), '\\n'), {lines})"


def _texts() -> Stage:
    """The text of each side, in order of trust."""
    plain = "if(is_spoken AND substring({0}, 1, 1) NOT IN ('{{', '[', '\"'), {0}, '')"
    listed = first_of("documents_raw", "raw_out")
    one = "arrayFirst(h -> h.1 = {0}, heard).{1}"
    return {
        "text_in": first_of(one.format(1, 2), "flat_said[1]", plain.format("raw_in")),
        "text_out": first_of(one.format(2, 2), "flat_said[2]", plain.format("raw_out")),
        "told_system": first_of(pick(Field.SYSTEM), one.format(1, 3), "flat_said[3]"),
        "told_calls": one.format(2, 4),
        "listed": f"if(kind = 'retrieval' AND NOT has(fields, {int(Field.DOCUMENT)}), {listed}, '')",
    }


def _rest() -> Stage:
    """The remaining fields of the tuples."""
    thrown = "Events.Attributes[indexOf(Events.Name, 'exception')]['exception.{0}']"
    told = first_of("StatusMessage", thrown.format("message"), pick(Field.WENT_WRONG))
    typed = first_of(thrown.format("type"), "SpanAttributes['error.type']")
    led = "if(t = '' OR position(m, t) > 0 OR match(t, '^[0-9]*$'), m, if(m = '', t, concat(t, ': ', m)))"
    message = f"arrayMap((m, t) -> {first_of(led, quoted('error'))}, [{told}], [{typed}])[1]"
    shown = "multiIf(text_{0} != '', text_{0}, kind = 'llm' OR NOT has(fields, {1}), '', raw_{0})"
    grade = "toUInt8(multiIf({0} != '' AND is_spoken, 2, kind != 'llm' AND has(fields, {1}), 1, 0))"
    return {
        "parent_id": "ParentSpanId",
        "end_ns": "start_ns + toInt64(if(Duration < 10000000000000000, Duration, 0))",
        "first_ns": (
            "if(first_event = 0, toInt64(0), toUnixTimestamp64Nano(Events.Timestamp[first_event]) - start_ns)"
        ),
        "message": f"if(error, substringUTF8({message}, 1, {MAX_MESSAGE_CHARS}), '')",
        "input": shown.format("in", int(Field.IN)),
        "output": shown.format("out", int(Field.OUT)),
        "grade_in": grade.format("text_in", int(Field.IN)),
        "grade_out": grade.format("text_out", int(Field.OUT)),
        "name": f"if(kind = 'tool', {first_of(_bare(Field.TOOL), 'toString(SpanName)')}, '')",
        "system": f"substringUTF8({speech.instructions('told_system')}, 1, {MAX_SYSTEM_CHARS})",
        "documents": _documents(),
        "calls": _calls(),
        "is_verdict": (
            "said_kind = 'evaluator' AND ParentSpanId = '' AND length(Links.TraceId) = 1 "
            f"AND (has(fields, {int(Field.OPINION_NAME)}) OR has(fields, {int(Field.OPINION_SCORE)}))"
        ),
    }


def _documents() -> str:
    """The texts of what was retrieved, in order."""
    own = f"arrayFilter(x -> intDiv(x.1, {TRUST}) = {int(Field.DOCUMENT)}, flat)"
    flat = f"arrayMap(x -> x.2, arraySort(arrayMap(x -> ({number_of('x.2')}, x.3), {own})))"
    wrapped = "if(startsWith(listed, '['), concat('{\"documents\":', listed, '}'), listed)"
    text = first_of("d.content", "d.text", "d.page_content", "d.pageContent", "d.node.text", "d.document")
    shape = f"JSONExtract({wrapped}, '{LISTS}')"
    every = f"arrayFlatten(arrayMap(l -> arrayConcat(l.documents, l.output, l.results), [{shape}]))"
    parsed = f"arrayMap(d -> {text}, {every})"
    told = "arrayMap(a -> a['db.query.result.document'], Events.Attributes)"
    return (
        f"arrayFilter(t -> t != '', multiIf(kind != 'retrieval', [], "
        f"startsWith(listed, '[\"'), JSONExtract(listed, 'Array(String)'), "
        f"substring(listed, 1, 1) IN ('[', '{{'), {parsed}, "
        f"listed = '' AND notEmpty(Events.Name), {told}, {flat}))"
    )


def _calls() -> str:
    """The tools that the answer calls; those of flat messages one after the other, as (key, value)."""
    own = f"arrayFilter(x -> x.1 >= {Field.CALL_NAME * TRUST}, flat)"
    told = f"toJSONString(arrayMap(x -> (x.2, x.3), arraySort(x -> ({numbers_of('x.2')}, x.1), {own})))"
    return f"if(has(fields, {int(Field.CALL_NAME)}), {told}, told_calls)"


def _opinions() -> str:
    """Evaluations that span events carry, as attributes would say them."""
    keys = {
        Field.OPINION_NAME: "gen_ai.evaluation.name",
        Field.OPINION_SCORE: "gen_ai.evaluation.score.value",
        Field.OPINION_LABEL: "gen_ai.evaluation.score.label",
        Field.OPINION_WHY: "gen_ai.evaluation.explanation",
    }
    codes = [field * TRUST for field in keys]
    told = (
        "arrayMap((c, k) -> (toUInt16(c), concat('event.', toString(i)), a[k]), "
        f"{codes}, {list(keys.values())})"
    )
    each = (
        f"arrayMap((a, n, i) -> if(n = '{RESULT}', {told}, []), "
        "Events.Attributes, Events.Name, arrayEnumerate(Events.Name))"
    )
    return f"arrayFilter(o -> o.3 != '', arrayFlatten({each}))"


SPANS_FEED = Feed(name="interactions_feed", source="otel_traces", day="toDate(Timestamp)", select=map_spans)
"""How spans become rows of `interactions`."""
