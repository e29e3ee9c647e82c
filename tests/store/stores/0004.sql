CREATE TABLE IF NOT EXISTS assay_migrations (
    number UInt32,
    title String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
) ENGINE = ReplacingMergeTree(applied_at)
PARTITION BY tuple()
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested(Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links Nested(TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree()
PARTITION BY toDate(Timestamp)
PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

INSERT INTO assay_migrations (number, title) VALUES (1, 'spans as the Collector''s exporter stores them');

CREATE TABLE IF NOT EXISTS interactions (
    trace_id String,
    day Date,
    touched SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    conversation_ids SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    facts SimpleAggregateFunction(maxMap, Map(String, Tuple(richness UInt64, hash UInt64, parent_id String, start_ns Int64, end_ns Int64, kind String, error UInt8, message String, tokens_in String, tokens_out String, cost String, model String, service String, environment String, version String, conversation_id String, user_id String, grade_in UInt8, grade_out UInt8, opinions Array(Tuple(String, String)), metadata String, tags String, attributes Array(Tuple(String, String))))),
    texts SimpleAggregateFunction(maxMap, Map(String, Tuple(richness UInt64, hash UInt64, start_ns Int64, kind String, name String, error UInt8, input String, output String, documents Array(Tuple(String, String))))),
    INDEX idx_touched touched TYPE minmax GRANULARITY 1,
    INDEX idx_conversation conversation_ids TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = AggregatingMergeTree()
PARTITION BY day
ORDER BY trace_id
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS interactions_feed TO interactions AS
SELECT TraceId AS trace_id,
    toDate(Timestamp) AS day,
    now64(3, 'UTC') AS touched,
    if(conversation_id = '', [], [conversation_id]) AS conversation_ids,
    CAST(map(SpanId, (richness, hash, parent_id, start_ns, end_ns, kind, error, message, tokens_in, tokens_out, cost, model, service, environment, version, conversation_id, user_id, grade_in, grade_out, opinions, metadata, tags, attributes)), 'Map(String, Tuple(richness UInt64, hash UInt64, parent_id String, start_ns Int64, end_ns Int64, kind String, error UInt8, message String, tokens_in String, tokens_out String, cost String, model String, service String, environment String, version String, conversation_id String, user_id String, grade_in UInt8, grade_out UInt8, opinions Array(Tuple(String, String)), metadata String, tags String, attributes Array(Tuple(String, String))))') AS facts,
    CAST(if(input != '' OR output != '' OR kind = 'tool' OR notEmpty(documents), map(SpanId, (richness, hash, start_ns, kind, name, error, input, output, documents)), map()), 'Map(String, Tuple(richness UInt64, hash UInt64, start_ns Int64, kind String, name String, error UInt8, input String, output String, documents Array(Tuple(String, String))))') AS texts
FROM (
SELECT SpanId, Timestamp, TraceId, conversation_id, cost, environment, error, hash, kind, model, richness, service, tokens_in, tokens_out, user_id, version,
    ParentSpanId AS parent_id,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    start_ns + toInt64(if(Duration < 10000000000000000, Duration, 0)) AS end_ns,
    if(error, substringUTF8(coalesce(nullIf(StatusMessage, ''), nullIf(Events.Attributes[indexOf(Events.Name, 'exception')]['exception.message'], ''), nullIf(attr_values[indexOf(attr_keys, 'error.type')], ''), 'error'), 1, 2000), '') AS message,
    coalesce(nullIf(text[1], ''), if(kind = 'llm', '', value_in)) AS input,
    coalesce(nullIf(text[2], ''), if(kind = 'llm', '', value_out)) AS output,
    toUInt8(multiIf(input = '', 0, is_spoken AND text[1] != '', 2, 1)) AS grade_in,
    toUInt8(multiIf(output = '', 0, is_spoken AND text[2] != '', 2, 1)) AS grade_out,
    if(kind = 'tool', coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.name')], ''), nullIf(attr_values[indexOf(attr_keys, 'tool.name')], ''), toString(SpanName)), '') AS name,
    if(kind != 'retrieval', [], arrayConcat(documents_flat, arrayMap(d -> ('', if(d.content != '', d.content, d.text)), JSONExtract(attr_values[indexOf(attr_keys, 'gen_ai.retrieval.documents')], 'Array(Tuple(content String, text String))')))) AS documents,
    if(has_events, arrayConcat(annotations, arrayMap(a -> ('feedback', a['gen_ai.evaluation.score.value']), arrayFilter((a, n) -> n = 'gen_ai.evaluation.result' AND positionCaseInsensitive(a['gen_ai.evaluation.name'], 'feedback') > 0, Events.Attributes, Events.Name))), annotations) AS opinions,
    attr_values[indexOf(attr_keys, 'metadata')] AS metadata,
    attr_values[indexOf(attr_keys, 'tag.tags')] AS tags,
    arrayMap(p -> (substring(p.1, 12), p.2), arrayConcat(explicit, explicit_resource)) AS attributes
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, model, richness, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap((s, o, e, v, is_spoken) -> coalesce(nullIf(s, ''), nullIf(if(empty(o), '', arrayStringConcat(arrayMap(x -> x.3, arrayFilter(x -> x.1 = o[-1].1, o)), '\n')), ''), nullIf(e, ''), if(is_spoken AND NOT (substring(v, 1, 1) IN ('{', '[') AND isValidJSON(v)), v, '')), said, ordered, said_in_events, [value_in, value_out], [is_spoken, is_spoken]) AS text
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, model, richness, said_in_events, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap((p, r) -> coalesce(nullIf(arrayLast(t -> t != '', arrayMap(m -> if(has(r, lower(coalesce(nullIf(m.role, ''), nullIf(m.kwargs.type, ''), m.type))), coalesce(nullIf(arrayStringConcat(arrayFilter(t -> t != '', arrayMap(p -> if(p.type IN ('', 'text', 'input_text', 'output_text'), coalesce(nullIf(p.content, ''), p.text), ''), if(startsWith(m.content, '[{'), JSONExtract(m.content, 'Array(Tuple(type String, text String, content String))'), m.parts))), '\n'), ''), nullIf(if(startsWith(m.content, '[{'), '', m.content), ''), nullIf(m.data.content, ''), m.kwargs.content), ''), arrayConcat(p.messages, if(startsWith(p.input, '[{'), JSONExtract(p.input, 'Array(Tuple(role String, content String, type String, parts Array(Tuple(type String, text String, content String)), data Tuple(content String), kwargs Tuple(type String, content String)))'), [])))), ''), arrayFirst(t -> t != '' AND NOT (substring(t, 1, 1) IN ('{', '[') AND isValidJSON(t)), [p.choices[1].message.content, p.choices[1].text, p.output, p.answer, p.final_answer, p.response, p.result, p.input, p.question, p.query, p.prompt, p.user_input, p.message, p.text, p.content])), parsed, [['user', 'human'], ['assistant', 'ai', 'model']]) AS said,
    arrayMap((ls, ns) -> arraySort(arrayMap(l -> (toUInt32OrZero(l.1[3]), toUInt32OrZero(l.1[6]), l.2), arrayFilter(l -> l.2 != '' AND l.1[5] != 'role' AND has(ns, l.1[3]), ls))), lines, numbers) AS ordered
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, lines, model, richness, said_in_events, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap(s -> JSONExtract(if(startsWith(s, '['), concat('{"messages":', s, '}'), if(startsWith(s, '{'), s, '')), 'Tuple(messages Array(Tuple(role String, content String, type String, parts Array(Tuple(type String, text String, content String)), data Tuple(content String), kwargs Tuple(type String, content String))), choices Array(Tuple(text String, message Tuple(content String))), output String, answer String, final_answer String, response String, result String, input String, question String, query String, prompt String, user_input String, message String, text String, content String)'), sides) AS parsed,
    arrayMap((ls, r) -> arrayMap(l -> l.1[3], arrayFilter(l -> l.1[5] = 'role' AND has(r, lower(l.2)), ls)), lines, [['user', 'human'], ['assistant', 'ai', 'model']]) AS numbers
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, kind, model, richness, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    kind NOT IN ('tool', 'retrieval', 'embedding') AS is_spoken,
    [coalesce(nullIf(messages_in, ''), if(is_spoken AND NOT (kind = 'llm' AND notEmpty(flat)), value_in, '')), coalesce(nullIf(messages_out, ''), if(is_spoken AND NOT (kind = 'llm' AND notEmpty(flat)), value_out, ''))] AS sides,
    arrayMap(n -> arrayFilter(l -> l.1[2] = n, arrayMap(p -> (splitByChar('.', p.1), p.2), flat)), ['input_messages', 'output_messages']) AS lines,
    if(empty(spoken_events), ['', ''], arrayMap(n -> arrayLast(e -> e.1 = n, spoken_events).2, ['gen_ai.user.message', 'gen_ai.choice'])) AS said_in_events
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, documents_flat, explicit, explicit_resource, flat, has_events,
    toUInt64(Duration > 0) * 1099511627776 + (StatusCode != 'Unset') + length(StatusMessage) + length(SpanAttributes) + arraySum(x -> length(x), mapValues(SpanAttributes)) + arraySum(x -> length(x), mapValues(ResourceAttributes)) + 16 * length(Events.Name) AS richness,
    cityHash64(Timestamp, Duration, ParentSpanId, SpanName, StatusCode, StatusMessage, ServiceName, mapKeys(SpanAttributes), mapValues(SpanAttributes), mapValues(ResourceAttributes), Events.Name, toString(Events.Attributes)) AS hash,
    transform(attr_values[indexOf(attr_keys, 'openinference.span.kind')], ['LLM', 'EMBEDDING', 'TOOL', 'RETRIEVER', 'RERANKER', 'AGENT', 'CHAIN'], ['llm', 'embedding', 'tool', 'retrieval', 'retrieval', 'agent', 'chain'], transform(attr_values[indexOf(attr_keys, 'gen_ai.operation.name')], ['chat', 'text_completion', 'generate_content', 'embeddings', 'execute_tool', 'retrieval', 'rerank', 'invoke_agent', 'create_agent', 'invoke_workflow'], ['llm', 'llm', 'llm', 'embedding', 'tool', 'retrieval', 'retrieval', 'agent', 'agent', 'agent'], if(attr_values[indexOf(attr_keys, 'gen_ai.operation.name')] = '' AND attr_values[indexOf(attr_keys, 'gen_ai.request.model')] != '', 'llm', 'other'))) AS kind,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.response.model')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.request.model')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.response.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.request.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'embedding.model_name')], ''), attr_values[indexOf(attr_keys, 'reranker.model_name')]) AS model,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.input_tokens')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.prompt_tokens')], ''), attr_values[indexOf(attr_keys, 'llm.token_count.prompt')]) AS tokens_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.output_tokens')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.completion_tokens')], ''), attr_values[indexOf(attr_keys, 'llm.token_count.completion')]) AS tokens_out,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.cost')], ''), nullIf(attr_values[indexOf(attr_keys, 'operation.cost')], ''), attr_values[indexOf(attr_keys, 'llm.cost.total')]) AS cost,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.conversation.id')], ''), attr_values[indexOf(attr_keys, 'session.id')]) AS conversation_id,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'user.id')], ''), attr_values[indexOf(attr_keys, 'enduser.id')]) AS user_id,
    coalesce(nullIf(resource_values[indexOf(resource_keys, 'service.version')], ''), attr_values[indexOf(attr_keys, 'gen_ai.agent.version')]) AS version,
    coalesce(nullIf(resource_values[indexOf(resource_keys, 'deployment.environment.name')], ''), resource_values[indexOf(resource_keys, 'deployment.environment')]) AS environment,
    toString(ServiceName) AS service,
    toUInt8(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.input.messages')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.client.inference.operation.details')]['gen_ai.input.messages'], '')) AS messages_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.output.messages')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.client.inference.operation.details')]['gen_ai.output.messages'], '')) AS messages_out,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.call.arguments')], ''), nullIf(attr_values[indexOf(attr_keys, 'input.value')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.retrieval.query.text')], ''), nullIf(attr_values[indexOf(attr_keys, 'tool.parameters')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.content.prompt')]['gen_ai.prompt'], '')) AS value_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.call.result')], ''), nullIf(attr_values[indexOf(attr_keys, 'output.value')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.content.completion')]['gen_ai.completion'], '')) AS value_out,
    if(has_events, arrayFilter(e -> e.2 != '', arrayMap((n, a) -> (toString(n), coalesce(nullIf(a['content'], ''), nullIf(JSONExtractString(a['message'], 'content'), ''), nullIf(JSONExtractString(a['gen_ai.event.content'], 'content'), ''), JSONExtractString(a['gen_ai.event.content'], 'message', 'content'))), Events.Name, Events.Attributes)), []) AS spoken_events
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, ResourceAttributes, ServiceName, SpanAttributes, SpanId, SpanName, StatusCode, StatusMessage, Timestamp, TraceId,
    mapKeys(SpanAttributes) AS attr_keys,
    mapValues(SpanAttributes) AS attr_values,
    mapKeys(ResourceAttributes) AS resource_keys,
    mapValues(ResourceAttributes) AS resource_values,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^llm[.](input|output)_messages[.].*([.]role|[.]message[.]content|_content[.]text)$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^llm[.](input|output)_messages[.].*([.]role|[.]message[.]content|_content[.]text)$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS flat,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^(retrieval[.]documents|reranker[.]output_documents)[.][0-9]+[.]document[.]content$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^(retrieval[.]documents|reranker[.]output_documents)[.][0-9]+[.]document[.]content$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS documents_flat,
    if(has(mapValues(SpanAttributes), 'HUMAN'), CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, 'annotations[.][0-9]+[.]annotation[.](annotator_kind|score)$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, 'annotations[.][0-9]+[.]annotation[.](annotator_kind|score)$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))'), []) AS annotations,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS explicit,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(ResourceAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(ResourceAttributes))), arrayFilter((x, ok) -> ok, mapValues(ResourceAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(ResourceAttributes)))), 'Array(Tuple(String, String))') AS explicit_resource,
    arrayExists(n -> startsWith(n, 'gen_ai.'), Events.Name) AS has_events
FROM (
SELECT Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, ResourceAttributes, SpanAttributes, Duration, StatusCode, StatusMessage, Events.Name, Events.Attributes FROM otel_traces
)
)
)
)
)
)
)
);

CREATE OR REPLACE VIEW interactions_final AS
SELECT trace_id AS trace_id,
    if(conversation = '', trace_id, conversation) AS conversation_id,
    fromUnixTimestamp64Micro(intDiv(start, 1000), 'UTC') AS started,
    fromUnixTimestamp64Micro(intDiv(greatest(start, end), 1000), 'UTC') AS ended,
    arrayFirst(x -> x != '', all_service) AS service,
    arrayFirst(x -> x != '', all_environment) AS environment,
    arrayFirst(x -> x != '', all_version) AS version,
    arrayFirst(x -> x != '', all_user_id) AS user_id,
    answer_model AS model,
    if(root_ns > 0, root_ns, greatest(end - start, 0)) / 1e6 AS latency_ms,
    texts[asking].input AS input,
    texts[answering].output AS output,
    arraySum((t, f) -> if(f, t, 0), all_input_tokens, is_counted) AS input_tokens,
    arraySum((t, f) -> if(f, t, 0), all_output_tokens, is_counted) AS output_tokens,
    CAST(counted, 'Array(Tuple(model String, input_tokens UInt64, output_tokens UInt64, cost_usd Nullable(Float64)))') AS calls,
    toUInt32(arrayCount(is_counted)) AS llm_calls,
    toUInt32(countEqual(all_kind, 'tool')) AS tool_calls,
    toUInt32(arrayCount((k, e) -> k = 'tool' AND e, all_kind, all_error)) AS tool_errors,
    toUInt32(arraySum(all_error)) AS errors,
    arrayFirst(x -> x != '', all_message) AS error,
    toUInt32(length(rows)) AS spans,
    if(opinion > 1, NULL, opinion) AS feedback,
    CAST(arraySort(arrayFilter((p, n) -> n = 1, pairs, arrayEnumerateUniq(arrayMap(p -> p.1, pairs)))), 'Map(String, String)') AS attributes,
    CAST(arrayMap(x -> (x.2.name, x.2.input, if(startsWith(x.2.output, '{') AND JSONExtractString(x.2.output, 'type') = 'tool' AND JSONExtractString(x.2.output, 'data', 'content') != '', JSONExtractString(x.2.output, 'data', 'content'), x.2.output), x.2.error), arrayFilter(x -> x.2.kind = 'tool', told)), 'Array(Tuple(name String, arguments String, result String, error UInt8))') AS tools,
    arrayDistinct(arrayFilter(t -> t != '', arrayFlatten(arrayMap(x -> arrayMap(d -> d.2, arraySort(d -> toUInt32OrZero(splitByChar('.', d.1)[3]), x.2.documents)), told)))) AS context,
    touched AS touched
FROM (
SELECT all_environment, all_error, all_input_tokens, all_kind, all_message, all_output_tokens, all_service, all_user_id, all_version, answer_model, answering, asking, conversation, counted, end, is_counted, opinion, root_ns, rows, start, texts, told, touched, trace_id,
    arrayConcat(arrayFlatten(all_attributes), if(metadata = '', [], arrayMap(p -> (p.1, if(startsWith(p.2, '"'), JSONExtractString(p.2), p.2)), JSONExtractKeysAndValuesRaw(metadata))), if(tags = '', [], [('tags', tags)])) AS pairs
FROM (
SELECT all_attributes, all_environment, all_error, all_input_tokens, all_kind, all_message, all_output_tokens, all_service, all_user_id, all_version, is_counted, rows, texts, told, touched, trace_id,
    arraySort(c -> (-c.1, c.2, c.3), arrayFilter(c -> c.1 > 0, arrayZip(all_grade_in, arrayMap(p -> p > 0, parent), places, ids)))[1].4 AS asking,
    arraySort(c -> (-c.1, c.2, c.3, -c.4, -c.5), arrayFilter((c, k) -> c.1 > 0 AND (NOT c.2 OR k IN ('llm', 'agent')), arrayZip(all_grade_out, arrayMap(p -> p > 0, parent), arrayMap(k -> k != 'llm', all_kind), all_end_ns, places, ids), all_kind))[1].6 AS answering,
    arrayMin(arrayFilter((t, s) -> s > 0, all_start_ns, all_start_ns)) AS start,
    arrayMax(arrayFilter((t, s) -> s > 0, all_end_ns, all_start_ns)) AS end,
    arrayFirst((d, p, s) -> p = 0 AND s > 0, arrayMap((e, s) -> e - s, all_end_ns, all_start_ns), parent, all_start_ns) AS root_ns,
    arrayFilter((x, f, k) -> f OR k = 'embedding', arrayZip(all_model, all_input_tokens, all_output_tokens, all_cost_usd), is_counted, all_kind) AS counted,
    arraySort(m -> (-m.1, m.2), arrayFilter((m, f) -> f AND m.2 != '', arrayZip(all_end_ns, all_model), is_counted))[1].2 AS answer_model,
    arrayFirst(t -> t != '', arrayConcat(arrayFilter((t, p) -> p = 0, all_metadata, parent), all_metadata)) AS metadata,
    arrayFirst(t -> t != '', arrayConcat(arrayFilter((t, p) -> p = 0, all_tags, parent), all_tags)) AS tags,
    arrayFirst(x -> x != '', all_conversation_id) AS conversation,
    arrayMin(arrayMap(s -> greatest(assumeNotNull(s), 0), arrayConcat([2.], arrayFilter(s -> s <= 1, arrayFlatten(arrayMap(o -> arrayMap(p -> toFloat64OrNull(p.2), arrayFilter(p -> p.1 = 'feedback' OR has(arrayMap(p -> replaceOne(p.1, '.annotator_kind', '.score'), arrayFilter(p -> p.2 = 'HUMAN' AND endsWith(p.1, '.annotator_kind'), o)), p.1), o)), all_opinions)))))) AS opinion
FROM (
SELECT all_attributes, all_conversation_id, all_cost_usd, all_end_ns, all_environment, all_error, all_grade_in, all_grade_out, all_input_tokens, all_kind, all_message, all_metadata, all_model, all_opinions, all_output_tokens, all_service, all_start_ns, all_tags, all_user_id, all_version, ids, parent, places, rows, texts, told, touched, trace_id,
    arrayDistinct(arrayFilter((p, f) -> p > 0 AND f, nearest.1, is_usage)) AS above_usage,
    arrayDistinct(arrayFilter((p, f) -> p > 0 AND f, nearest.2, is_call)) AS above_call,
    arrayMap((i, u, c, n) -> (u AND NOT has(above_usage, i)) OR (c AND NOT u AND NOT has(above_call, i) AND (n = 0 OR has(above_usage, n))), places, is_usage, is_call, nearest.1) AS is_counted
FROM (
SELECT all_attributes, all_conversation_id, all_cost_usd, all_end_ns, all_environment, all_error, all_grade_in, all_grade_out, all_input_tokens, all_kind, all_message, all_metadata, all_model, all_opinions, all_output_tokens, all_service, all_start_ns, all_tags, all_user_id, all_version, ids, is_call, is_usage, places, rows, texts, told, touched, trace_id,
    if(arrayCount(is_call) < 2 OR empty(up), (arrayMap(i -> toUInt32(0), places), arrayMap(i -> toUInt32(0), places)), arrayFold((a, i) -> (arrayMap(p -> if(p = 0 OR is_usage[p], p, a.1[p]), a.1), arrayMap(p -> if(p = 0 OR is_call[p], p, a.2[p]), a.2)), range(7), (up, up))) AS nearest,
    if(empty(up), arrayMap(p -> toUInt32(p != ''), all_parent_id), up) AS parent
FROM (
SELECT all_attributes, all_conversation_id, all_cost_usd, all_end_ns, all_environment, all_error, all_grade_in, all_grade_out, all_input_tokens, all_kind, all_message, all_metadata, all_model, all_opinions, all_output_tokens, all_parent_id, all_service, all_start_ns, all_tags, all_user_id, all_version, ids, is_call, is_usage, places, rows, texts, told, touched, trace_id,
    arrayMap(p -> toUInt32(indexOf(keys, p)), parents) AS up
FROM (
SELECT all_attributes, all_conversation_id, all_end_ns, all_environment, all_error, all_grade_in, all_grade_out, all_kind, all_message, all_metadata, all_model, all_opinions, all_parent_id, all_service, all_start_ns, all_tags, all_user_id, all_version, ids, places, rows, texts, told, touched, trace_id,
    arrayMap(x -> cityHash64(x.1), tree) AS keys,
    arrayMap(x -> if(x.2 IN ('', x.1), 0, cityHash64(x.2)), tree) AS parents,
    arrayMap((i, o, k) -> (i != '' OR o != '') AND k NOT IN ('embedding', 'tool', 'retrieval'), all_tokens_in, all_tokens_out, all_kind) AS is_usage,
    arrayMap((i, o, k) -> k = 'llm' OR ((i != '' OR o != '') AND k NOT IN ('embedding', 'tool', 'retrieval')), all_tokens_in, all_tokens_out, all_kind) AS is_call,
    arrayMap(t -> accurateCastOrDefault(toFloat64OrZero(t), 'UInt64'), all_tokens_in) AS all_input_tokens,
    arrayMap(t -> accurateCastOrDefault(toFloat64OrZero(t), 'UInt64'), all_tokens_out) AS all_output_tokens,
    arrayMap(c -> if(toFloat64OrNull(c) BETWEEN 0 AND 1e9, toFloat64OrNull(c), NULL), all_cost) AS all_cost_usd
FROM (
SELECT rows, texts, told, touched, trace_id,
    arrayMap(x -> x.1, rows) AS ids,
    if(length(rows) > 4096, [], arrayMap(x -> (x.1, x.2.parent_id), rows)) AS tree,
    arrayMap(x -> x.2.parent_id, rows) AS all_parent_id,
    arrayMap(i -> toUInt32(i), arrayEnumerate(rows)) AS places,
    arrayMap(x -> x.2.start_ns, rows) AS all_start_ns,
    arrayMap(x -> x.2.end_ns, rows) AS all_end_ns,
    arrayMap(x -> x.2.kind, rows) AS all_kind,
    arrayMap(x -> x.2.error, rows) AS all_error,
    arrayMap(x -> x.2.message, rows) AS all_message,
    arrayMap(x -> x.2.tokens_in, rows) AS all_tokens_in,
    arrayMap(x -> x.2.tokens_out, rows) AS all_tokens_out,
    arrayMap(x -> x.2.cost, rows) AS all_cost,
    arrayMap(x -> x.2.model, rows) AS all_model,
    arrayMap(x -> x.2.service, rows) AS all_service,
    arrayMap(x -> x.2.environment, rows) AS all_environment,
    arrayMap(x -> x.2.version, rows) AS all_version,
    arrayMap(x -> x.2.conversation_id, rows) AS all_conversation_id,
    arrayMap(x -> x.2.user_id, rows) AS all_user_id,
    arrayMap(x -> x.2.grade_in, rows) AS all_grade_in,
    arrayMap(x -> x.2.grade_out, rows) AS all_grade_out,
    arrayMap(x -> x.2.opinions, rows) AS all_opinions,
    arrayMap(x -> x.2.metadata, rows) AS all_metadata,
    arrayMap(x -> x.2.tags, rows) AS all_tags,
    arrayMap(x -> x.2.attributes, rows) AS all_attributes
FROM (
SELECT texts, touched, trace_id,
    arraySort(x -> (x.2.start_ns <= 0, x.2.start_ns, x.1), arrayZip(mapKeys(facts), mapValues(facts))) AS rows,
    arraySort(x -> (x.2.start_ns <= 0, x.2.start_ns, x.1), arrayZip(mapKeys(texts), mapValues(texts))) AS told
FROM (
SELECT trace_id, touched, facts, texts FROM interactions FINAL
)
)
)
)
)
)
)
)
);

INSERT INTO interactions (trace_id, day, touched, conversation_ids, facts, texts) SELECT TraceId AS trace_id,
    toDate(Timestamp) AS day,
    now64(3, 'UTC') AS touched,
    if(conversation_id = '', [], [conversation_id]) AS conversation_ids,
    CAST(map(SpanId, (richness, hash, parent_id, start_ns, end_ns, kind, error, message, tokens_in, tokens_out, cost, model, service, environment, version, conversation_id, user_id, grade_in, grade_out, opinions, metadata, tags, attributes)), 'Map(String, Tuple(richness UInt64, hash UInt64, parent_id String, start_ns Int64, end_ns Int64, kind String, error UInt8, message String, tokens_in String, tokens_out String, cost String, model String, service String, environment String, version String, conversation_id String, user_id String, grade_in UInt8, grade_out UInt8, opinions Array(Tuple(String, String)), metadata String, tags String, attributes Array(Tuple(String, String))))') AS facts,
    CAST(if(input != '' OR output != '' OR kind = 'tool' OR notEmpty(documents), map(SpanId, (richness, hash, start_ns, kind, name, error, input, output, documents)), map()), 'Map(String, Tuple(richness UInt64, hash UInt64, start_ns Int64, kind String, name String, error UInt8, input String, output String, documents Array(Tuple(String, String))))') AS texts
FROM (
SELECT SpanId, Timestamp, TraceId, conversation_id, cost, environment, error, hash, kind, model, richness, service, tokens_in, tokens_out, user_id, version,
    ParentSpanId AS parent_id,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    start_ns + toInt64(if(Duration < 10000000000000000, Duration, 0)) AS end_ns,
    if(error, substringUTF8(coalesce(nullIf(StatusMessage, ''), nullIf(Events.Attributes[indexOf(Events.Name, 'exception')]['exception.message'], ''), nullIf(attr_values[indexOf(attr_keys, 'error.type')], ''), 'error'), 1, 2000), '') AS message,
    coalesce(nullIf(text[1], ''), if(kind = 'llm', '', value_in)) AS input,
    coalesce(nullIf(text[2], ''), if(kind = 'llm', '', value_out)) AS output,
    toUInt8(multiIf(input = '', 0, is_spoken AND text[1] != '', 2, 1)) AS grade_in,
    toUInt8(multiIf(output = '', 0, is_spoken AND text[2] != '', 2, 1)) AS grade_out,
    if(kind = 'tool', coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.name')], ''), nullIf(attr_values[indexOf(attr_keys, 'tool.name')], ''), toString(SpanName)), '') AS name,
    if(kind != 'retrieval', [], arrayConcat(documents_flat, arrayMap(d -> ('', if(d.content != '', d.content, d.text)), JSONExtract(attr_values[indexOf(attr_keys, 'gen_ai.retrieval.documents')], 'Array(Tuple(content String, text String))')))) AS documents,
    if(has_events, arrayConcat(annotations, arrayMap(a -> ('feedback', a['gen_ai.evaluation.score.value']), arrayFilter((a, n) -> n = 'gen_ai.evaluation.result' AND positionCaseInsensitive(a['gen_ai.evaluation.name'], 'feedback') > 0, Events.Attributes, Events.Name))), annotations) AS opinions,
    attr_values[indexOf(attr_keys, 'metadata')] AS metadata,
    attr_values[indexOf(attr_keys, 'tag.tags')] AS tags,
    arrayMap(p -> (substring(p.1, 12), p.2), arrayConcat(explicit, explicit_resource)) AS attributes
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, model, richness, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap((s, o, e, v, is_spoken) -> coalesce(nullIf(s, ''), nullIf(if(empty(o), '', arrayStringConcat(arrayMap(x -> x.3, arrayFilter(x -> x.1 = o[-1].1, o)), '\n')), ''), nullIf(e, ''), if(is_spoken AND NOT (substring(v, 1, 1) IN ('{', '[') AND isValidJSON(v)), v, '')), said, ordered, said_in_events, [value_in, value_out], [is_spoken, is_spoken]) AS text
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, model, richness, said_in_events, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap((p, r) -> coalesce(nullIf(arrayLast(t -> t != '', arrayMap(m -> if(has(r, lower(coalesce(nullIf(m.role, ''), nullIf(m.kwargs.type, ''), m.type))), coalesce(nullIf(arrayStringConcat(arrayFilter(t -> t != '', arrayMap(p -> if(p.type IN ('', 'text', 'input_text', 'output_text'), coalesce(nullIf(p.content, ''), p.text), ''), if(startsWith(m.content, '[{'), JSONExtract(m.content, 'Array(Tuple(type String, text String, content String))'), m.parts))), '\n'), ''), nullIf(if(startsWith(m.content, '[{'), '', m.content), ''), nullIf(m.data.content, ''), m.kwargs.content), ''), arrayConcat(p.messages, if(startsWith(p.input, '[{'), JSONExtract(p.input, 'Array(Tuple(role String, content String, type String, parts Array(Tuple(type String, text String, content String)), data Tuple(content String), kwargs Tuple(type String, content String)))'), [])))), ''), arrayFirst(t -> t != '' AND NOT (substring(t, 1, 1) IN ('{', '[') AND isValidJSON(t)), [p.choices[1].message.content, p.choices[1].text, p.output, p.answer, p.final_answer, p.response, p.result, p.input, p.question, p.query, p.prompt, p.user_input, p.message, p.text, p.content])), parsed, [['user', 'human'], ['assistant', 'ai', 'model']]) AS said,
    arrayMap((ls, ns) -> arraySort(arrayMap(l -> (toUInt32OrZero(l.1[3]), toUInt32OrZero(l.1[6]), l.2), arrayFilter(l -> l.2 != '' AND l.1[5] != 'role' AND has(ns, l.1[3]), ls))), lines, numbers) AS ordered
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, is_spoken, kind, lines, model, richness, said_in_events, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    arrayMap(s -> JSONExtract(if(startsWith(s, '['), concat('{"messages":', s, '}'), if(startsWith(s, '{'), s, '')), 'Tuple(messages Array(Tuple(role String, content String, type String, parts Array(Tuple(type String, text String, content String)), data Tuple(content String), kwargs Tuple(type String, content String))), choices Array(Tuple(text String, message Tuple(content String))), output String, answer String, final_answer String, response String, result String, input String, question String, query String, prompt String, user_input String, message String, text String, content String)'), sides) AS parsed,
    arrayMap((ls, r) -> arrayMap(l -> l.1[3], arrayFilter(l -> l.1[5] = 'role' AND has(r, lower(l.2)), ls)), lines, [['user', 'human'], ['assistant', 'ai', 'model']]) AS numbers
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, conversation_id, cost, documents_flat, environment, error, explicit, explicit_resource, has_events, hash, kind, model, richness, service, tokens_in, tokens_out, user_id, value_in, value_out, version,
    kind NOT IN ('tool', 'retrieval', 'embedding') AS is_spoken,
    [coalesce(nullIf(messages_in, ''), if(is_spoken AND NOT (kind = 'llm' AND notEmpty(flat)), value_in, '')), coalesce(nullIf(messages_out, ''), if(is_spoken AND NOT (kind = 'llm' AND notEmpty(flat)), value_out, ''))] AS sides,
    arrayMap(n -> arrayFilter(l -> l.1[2] = n, arrayMap(p -> (splitByChar('.', p.1), p.2), flat)), ['input_messages', 'output_messages']) AS lines,
    if(empty(spoken_events), ['', ''], arrayMap(n -> arrayLast(e -> e.1 = n, spoken_events).2, ['gen_ai.user.message', 'gen_ai.choice'])) AS said_in_events
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, SpanId, SpanName, StatusMessage, Timestamp, TraceId, annotations, attr_keys, attr_values, documents_flat, explicit, explicit_resource, flat, has_events,
    toUInt64(Duration > 0) * 1099511627776 + (StatusCode != 'Unset') + length(StatusMessage) + length(SpanAttributes) + arraySum(x -> length(x), mapValues(SpanAttributes)) + arraySum(x -> length(x), mapValues(ResourceAttributes)) + 16 * length(Events.Name) AS richness,
    cityHash64(Timestamp, Duration, ParentSpanId, SpanName, StatusCode, StatusMessage, ServiceName, mapKeys(SpanAttributes), mapValues(SpanAttributes), mapValues(ResourceAttributes), Events.Name, toString(Events.Attributes)) AS hash,
    transform(attr_values[indexOf(attr_keys, 'openinference.span.kind')], ['LLM', 'EMBEDDING', 'TOOL', 'RETRIEVER', 'RERANKER', 'AGENT', 'CHAIN'], ['llm', 'embedding', 'tool', 'retrieval', 'retrieval', 'agent', 'chain'], transform(attr_values[indexOf(attr_keys, 'gen_ai.operation.name')], ['chat', 'text_completion', 'generate_content', 'embeddings', 'execute_tool', 'retrieval', 'rerank', 'invoke_agent', 'create_agent', 'invoke_workflow'], ['llm', 'llm', 'llm', 'embedding', 'tool', 'retrieval', 'retrieval', 'agent', 'agent', 'agent'], if(attr_values[indexOf(attr_keys, 'gen_ai.operation.name')] = '' AND attr_values[indexOf(attr_keys, 'gen_ai.request.model')] != '', 'llm', 'other'))) AS kind,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.response.model')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.request.model')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.response.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'llm.request.model_name')], ''), nullIf(attr_values[indexOf(attr_keys, 'embedding.model_name')], ''), attr_values[indexOf(attr_keys, 'reranker.model_name')]) AS model,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.input_tokens')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.prompt_tokens')], ''), attr_values[indexOf(attr_keys, 'llm.token_count.prompt')]) AS tokens_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.output_tokens')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.completion_tokens')], ''), attr_values[indexOf(attr_keys, 'llm.token_count.completion')]) AS tokens_out,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.usage.cost')], ''), nullIf(attr_values[indexOf(attr_keys, 'operation.cost')], ''), attr_values[indexOf(attr_keys, 'llm.cost.total')]) AS cost,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.conversation.id')], ''), attr_values[indexOf(attr_keys, 'session.id')]) AS conversation_id,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'user.id')], ''), attr_values[indexOf(attr_keys, 'enduser.id')]) AS user_id,
    coalesce(nullIf(resource_values[indexOf(resource_keys, 'service.version')], ''), attr_values[indexOf(attr_keys, 'gen_ai.agent.version')]) AS version,
    coalesce(nullIf(resource_values[indexOf(resource_keys, 'deployment.environment.name')], ''), resource_values[indexOf(resource_keys, 'deployment.environment')]) AS environment,
    toString(ServiceName) AS service,
    toUInt8(StatusCode IN ('Error', 'STATUS_CODE_ERROR')) AS error,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.input.messages')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.client.inference.operation.details')]['gen_ai.input.messages'], '')) AS messages_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.output.messages')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.client.inference.operation.details')]['gen_ai.output.messages'], '')) AS messages_out,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.call.arguments')], ''), nullIf(attr_values[indexOf(attr_keys, 'input.value')], ''), nullIf(attr_values[indexOf(attr_keys, 'gen_ai.retrieval.query.text')], ''), nullIf(attr_values[indexOf(attr_keys, 'tool.parameters')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.content.prompt')]['gen_ai.prompt'], '')) AS value_in,
    coalesce(nullIf(attr_values[indexOf(attr_keys, 'gen_ai.tool.call.result')], ''), nullIf(attr_values[indexOf(attr_keys, 'output.value')], ''), if(has_events, Events.Attributes[indexOf(Events.Name, 'gen_ai.content.completion')]['gen_ai.completion'], '')) AS value_out,
    if(has_events, arrayFilter(e -> e.2 != '', arrayMap((n, a) -> (toString(n), coalesce(nullIf(a['content'], ''), nullIf(JSONExtractString(a['message'], 'content'), ''), nullIf(JSONExtractString(a['gen_ai.event.content'], 'content'), ''), JSONExtractString(a['gen_ai.event.content'], 'message', 'content'))), Events.Name, Events.Attributes)), []) AS spoken_events
FROM (
SELECT Duration, Events.Attributes, Events.Name, ParentSpanId, ResourceAttributes, ServiceName, SpanAttributes, SpanId, SpanName, StatusCode, StatusMessage, Timestamp, TraceId,
    mapKeys(SpanAttributes) AS attr_keys,
    mapValues(SpanAttributes) AS attr_values,
    mapKeys(ResourceAttributes) AS resource_keys,
    mapValues(ResourceAttributes) AS resource_values,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^llm[.](input|output)_messages[.].*([.]role|[.]message[.]content|_content[.]text)$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^llm[.](input|output)_messages[.].*([.]role|[.]message[.]content|_content[.]text)$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS flat,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^(retrieval[.]documents|reranker[.]output_documents)[.][0-9]+[.]document[.]content$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^(retrieval[.]documents|reranker[.]output_documents)[.][0-9]+[.]document[.]content$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS documents_flat,
    if(has(mapValues(SpanAttributes), 'HUMAN'), CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, 'annotations[.][0-9]+[.]annotation[.](annotator_kind|score)$'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, 'annotations[.][0-9]+[.]annotation[.](annotator_kind|score)$'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))'), []) AS annotations,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(SpanAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(SpanAttributes))), arrayFilter((x, ok) -> ok, mapValues(SpanAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(SpanAttributes)))), 'Array(Tuple(String, String))') AS explicit,
    CAST(arrayZip(arrayFilter((x, ok) -> ok, mapKeys(ResourceAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(ResourceAttributes))), arrayFilter((x, ok) -> ok, mapValues(ResourceAttributes), arrayMap(k -> match(k, '^assay[.]attr[.]'), mapKeys(ResourceAttributes)))), 'Array(Tuple(String, String))') AS explicit_resource,
    arrayExists(n -> startsWith(n, 'gen_ai.'), Events.Name) AS has_events
FROM (
SELECT Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, ResourceAttributes, SpanAttributes, Duration, StatusCode, StatusMessage, Events.Name, Events.Attributes FROM otel_traces
)
)
)
)
)
)
)
);

INSERT INTO assay_migrations (number, title) VALUES (2, 'interactions, joined from spans');

CREATE TABLE IF NOT EXISTS signals (
    unit LowCardinality(String),
    log_id String,
    conversation_id String,
    started DateTime64(6, 'UTC'),
    ended DateTime64(6, 'UTC'),
    service LowCardinality(String),
    environment LowCardinality(String),
    version LowCardinality(String),
    user_id String,
    model LowCardinality(String),
    turns UInt32,
    spans UInt32,
    llm_calls UInt32,
    tool_calls UInt32,
    tool_errors UInt32,
    errors UInt32,
    latency_ms Float64,
    input_tokens UInt64,
    output_tokens UInt64,
    cost_usd Float64,
    feedback Nullable(Float64),
    similarity Float64,
    input String CODEC(ZSTD(1)),
    output String CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String),
    signals Array(LowCardinality(String)),
    computed_at DateTime64(6, 'UTC'),
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(computed_at, is_deleted)
PARTITION BY toDate(started)
ORDER BY (unit, log_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS selections (
    policy LowCardinality(String),
    policy_version LowCardinality(String),
    stage LowCardinality(String),
    unit LowCardinality(String),
    log_id String,
    started DateTime64(6, 'UTC'),
    stratum LowCardinality(String),
    probability Float64,
    draw Float64,
    selected UInt8,
    reason LowCardinality(String),
    decided_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(decided_at)
PARTITION BY toDate(started)
ORDER BY (policy, stage, unit, log_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS scores (
    metric LowCardinality(String),
    metric_version LowCardinality(String),
    kind LowCardinality(String),
    unit LowCardinality(String),
    log_id String,
    started DateTime64(6, 'UTC'),
    fate LowCardinality(String),
    value Nullable(Float64),
    category String,
    explanation String CODEC(ZSTD(1)),
    reason String,
    cost_usd Float64,
    latency_ms Float64,
    rater String,
    model LowCardinality(String),
    simulated UInt8,
    run_id String,
    scored_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(scored_at)
PARTITION BY toDate(started)
ORDER BY (metric, kind, metric_version, unit, log_id, rater)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

INSERT INTO assay_migrations (number, title) VALUES (3, 'signals, selections and scores');

CREATE TABLE IF NOT EXISTS settling (
    run String,
    bucket UInt32,
    trace_id String,
    conversation_id String,
    touched DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree()
PARTITION BY run
ORDER BY (bucket, conversation_id, trace_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS settled (
    name String,
    upto DateTime64(3, 'UTC'),
    at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(at)
PARTITION BY tuple()
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

INSERT INTO assay_migrations (number, title) VALUES (4, 'what settling works on, and how far it has come');
