"""What log records say of spans: messages, the details of a call, evaluations.

They come before or after their span, or without one. A record is one entry of `told`, keyed by what it
says, so that sending it again changes nothing. One that names no trace is kept under the response or the
conversation that it names, until that is known (`link_records`).
"""

from __future__ import annotations

from typing import Final

from assay.store.telemetry import speech
from assay.store.telemetry.attributes import chosen, keep, pick
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.conventions import LATE, Field
from assay.store.telemetry.dialect import Stage, first_of, staged
from assay.store.telemetry.facts import near
from assay.store.telemetry.mapping import (
    COLUMNS,
    DETAILS,
    FACTS,
    MOVED,
    RESULT,
    TEXTS,
    TOLD,
    finish_in,
    map_type,
)
from assay.store.telemetry.schema import Feed

MESSAGES: Final = tuple(f"gen_ai.{who}.message" for who in ("system", "user", "assistant", "tool"))
EVENTS: Final = (*MESSAGES, "gen_ai.choice", DETAILS, RESULT)
"""The names of events that are read."""
CHOICE: Final = "'gen_ai.choice'"
BY_RESPONSE: Final = "response:"
BY_CONVERSATION: Final = "conversation:"
LATER: Final = 2**62
"""How far an interaction is from what was said before it began."""

_EVENT: Final = "if(EventName != '', EventName, LogAttributes['event.name'])"
_COLUMNS: Final = ("Timestamp", "TraceId", "SpanId", "Body", "LogAttributes", "EventName")


def map_records(source: str) -> str:
    """The SELECT from log records to rows of `interactions`, in the order of its columns."""
    known = f"{_EVENT} IN {EVENTS}"
    row = {
        "trace_id": "owner",
        "day": "toDate(Timestamp)",
        "touched": "now64(3, 'UTC')",
        "traced": "toUInt8(0)",
        "conversation_ids": "if(conversation = '' OR TraceId = '', [], [conversation])",
        "response_ids": "CAST([], 'Array(UInt64)')",
        "facts": f"CAST(map(), '{map_type(FACTS)}')",
        "texts": f"CAST(map(), '{map_type(TEXTS)}')",
        "told": (
            "CAST(map(hex(key), (toUnixTimestamp64Nano(Timestamp), SpanId, input, output, system, more)), "
            f"'{map_type(TOLD)}')"
        ),
    }
    stages = (
        *keep("LogAttributes"),
        _picked(),
        {"heard": speech.heard("arrayFilter(s -> s.2 != '', [(1, asked), (2, answered)])")},
        _said(),
    )
    mapped = staged(_COLUMNS, source, stages, row, where=known)
    return f"SELECT * FROM (\n{mapped}\n) WHERE trace_id != ''"


RECORDS_FEED: Final = Feed(
    name="records_feed", source="otel_logs", day="toDate(Timestamp)", select=map_records
)
"""How log records become rows of `interactions`."""


def _picked() -> Stage:
    """What the attributes say; the body of an event of 1.36 and before is a message, or holds one."""
    body = first_of("Body", "LogAttributes['gen_ai.event.content']", "LogAttributes['content']")
    spoken = f"if(startsWith({body}, '{{'), concat('{{\"role\":\"user\",', substring({body}, 2)), {body})"
    said = f"multiIf({_EVENT} = '{{0}}', {{1}}, {_EVENT} = '{DETAILS}', {{2}}, '')"
    content = f"JSONExtractString({body}, 'content')"
    return {
        "event": _EVENT,
        "conversation": f"replaceAll({pick(Field.CONVERSATION)}, '\"', '')",
        "response": pick(Field.RESPONSE),
        "asked": said.format("gen_ai.user.message", spoken, pick(Field.IN)),
        "answered": said.format("gen_ai.choice", body, pick(Field.OUT)),
        "instructed": (
            f"if({_EVENT} = 'gen_ai.system.message', {first_of(content, body)}, {pick(Field.SYSTEM)})"
        ),
        "more": (
            f"arrayConcat({finish_in(f'if({_EVENT} = {CHOICE}, [Body], [])')}, "
            f"arraySort({chosen('LogAttributes', LATE, Field.OPINION_BY)}))"
        ),
        "key": (
            "cityHash64(TraceId, SpanId, Timestamp, Body, EventName, mapKeys(LogAttributes), "
            "mapValues(LogAttributes))"
        ),
    }


def _said() -> Stage:
    owner = (
        f"multiIf(TraceId != '', TraceId, event != '{RESULT}', '', response != '', "
        f"concat('{BY_RESPONSE}', response), conversation != '', "
        f"concat('{BY_CONVERSATION}', conversation), '')"
    )
    return {
        "owner": owner,
        "input": "arrayFirst(h -> h.1 = 1, heard).2",
        "output": "arrayFirst(h -> h.1 = 2, heard).2",
        "system": first_of("instructed", "arrayFirst(h -> h.1 = 1, heard).3"),
    }


def link_records(t: Telemetry) -> None:
    """Give evaluations that name no trace to the one whose response, or whose conversation, they name.

    Of several that is the last one begun by then, else the first. Where a trace that came later is nearer,
    the evaluation is taken back from the other, so that no order of arrival changes whose it is. Nothing is
    written where all is linked; what names nothing that has arrived is looked at again the next time."""
    for prefix, places in ((BY_RESPONSE, _by_response), (BY_CONVERSATION, _by_conversation)):
        (row,) = t.query(f"SELECT count() AS waiting FROM interactions WHERE {_waiting(prefix)}").to_pylist()
        if row["waiting"]:
            orphans = _orphans(prefix)
            t.command(near(t.topology, _link(orphans, places(orphans))))


def _waiting(prefix: str) -> str:
    """A range of the key; what has waited for long is left alone."""
    return f"trace_id >= '{prefix}' AND trace_id < '{prefix[:-1]};' AND touched >= now() - INTERVAL 30 DAY"


def _orphans(prefix: str) -> str:
    return (
        f"SELECT substring(trace_id, {len(prefix) + 1}) AS name, day, key, value "
        "FROM (SELECT trace_id, day, told FROM interactions FINAL "
        f"WHERE {_waiting(prefix)}) ARRAY JOIN mapKeys(told) AS key, mapValues(told) AS value"
    )


def _by_response(orphans: str) -> str:
    """Which traces gave a response of this name."""
    hashed = f"SELECT cityHash64(name) AS response, name FROM ({orphans}) GROUP BY name"
    waited = f"SELECT groupUniqArray(response) FROM ({hashed})"
    traces = (
        "SELECT trace_id, arrayJoin(response_ids) AS response FROM interactions "
        f"WHERE traced = 1 AND hasAny(response_ids, ({waited}))"
    )
    return (
        "SELECT DISTINCT traces.trace_id AS trace_id, hashed.name AS name "
        f"FROM ({traces}) AS traces INNER JOIN ({hashed}) AS hashed USING (response)"
    )


def _by_conversation(orphans: str) -> str:
    """Which traces are of a conversation of this name: they say so; or it is a trace's id, for that trace
    and those that were settled as one conversation with it."""
    own = (
        "SELECT trace_id, day FROM interactions "
        f"WHERE traced = 1 AND trace_id GLOBAL IN (SELECT name FROM ({orphans}))"
    )
    one = (
        "SELECT log_id AS name, conversation_id FROM signals FINAL WHERE unit = 'interaction' "
        f"AND log_id GLOBAL IN (SELECT trace_id FROM ({own})) "
        f"AND toDate(started) GLOBAL IN (SELECT day FROM ({own}))"
    )
    talks = f"unit = 'conversation' AND log_id GLOBAL IN (SELECT conversation_id FROM ({one}))"
    every = (
        "SELECT log_id AS trace_id, conversation_id FROM signals FINAL WHERE unit = 'interaction' "
        f"AND started >= (SELECT min(started) FROM signals WHERE {talks}) "
        f"AND started <= (SELECT max(ended) FROM signals WHERE {talks}) "
        f"AND conversation_id GLOBAL IN (SELECT conversation_id FROM ({one}))"
    )
    waited = f"SELECT groupUniqArray(name) FROM ({orphans})"
    return (
        "SELECT DISTINCT trace_id, name FROM ("
        "SELECT trace_id, arrayJoin(conversation_ids) AS name FROM interactions "
        f"WHERE traced = 1 AND hasAny(conversation_ids, ({waited})) "
        f"UNION ALL SELECT trace_id, trace_id AS name FROM ({own}) "
        "UNION ALL SELECT every.trace_id AS trace_id, one.name AS name "
        f"FROM ({every}) AS every INNER JOIN ({one}) AS one USING (conversation_id))"
    )


def _link(orphans: str, places: str) -> str:
    """What stands where it belongs is not written again: it would touch its trace for ever.

    An entry of a later time prevails over the one before, so each change is a little later than that."""
    traces = (
        "SELECT trace_id, min(arrayMin(arrayMap(f -> f.start_ns, mapValues(facts)))) AS begun "
        f"FROM interactions WHERE traced = 1 AND trace_id GLOBAL IN (SELECT trace_id FROM ({places})) "
        "GROUP BY trace_id"
    )
    distance = f"(if(begun <= value.time_ns, value.time_ns - begun, {LATER}), begun, trace_id)"
    placed = (
        "SELECT places.trace_id AS trace_id, traces.begun AS begun, orphans.day AS day, orphans.key AS key, "
        f"orphans.value AS value FROM ({places}) AS places "
        f"INNER JOIN ({traces}) AS traces USING (trace_id) INNER JOIN ({orphans}) AS orphans USING (name)"
    )
    ranked = (
        f"SELECT *, row_number() OVER (PARTITION BY key ORDER BY {distance}) = 1 AS is_nearest "
        f"FROM ({placed})"
    )
    held = (
        "SELECT trace_id, key, value.time_ns AS at, value.span_id AS span_id FROM ("
        "SELECT trace_id, told FROM interactions FINAL "
        f"WHERE trace_id GLOBAL IN (SELECT trace_id FROM ({places}))"
        ") ARRAY JOIN mapKeys(told) AS key, mapValues(told) AS value "
        f"WHERE key GLOBAL IN (SELECT key FROM ({orphans}))"
    )
    value = (
        "(if(held.key = '', value.time_ns, held.at + 1), if(is_nearest, value.span_id, "
        f"'{MOVED}'), value.input, value.output, value.system, value.more)"
    )
    row = (
        "trace_id, day, now64(3, 'UTC'), 0, [], [], "
        f"CAST(map(), '{map_type(FACTS)}'), CAST(map(), '{map_type(TEXTS)}'), "
        f"CAST(map(ranked.key, {value}), '{map_type(TOLD)}')"
    )
    return (
        f"INSERT INTO interactions ({', '.join(COLUMNS)}) SELECT {row} FROM ({ranked}) AS ranked "
        f"LEFT ANY JOIN ({held}) AS held ON held.trace_id = ranked.trace_id AND held.key = ranked.key "
        f"WHERE is_nearest != (held.key != '' AND held.span_id != '{MOVED}')"
    )
