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
from assay.store.telemetry.mapping import COLUMNS, DETAILS, FACTS, RESULT, TEXTS, TOLD, map_type
from assay.store.telemetry.schema import Feed

MESSAGES: Final = tuple(f"gen_ai.{who}.message" for who in ("system", "user", "assistant", "tool"))
EVENTS: Final = (*MESSAGES, "gen_ai.choice", DETAILS, RESULT)
"""The names of events that are read."""
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
        "more": f"arraySort({chosen('LogAttributes', LATE, Field.OPINION_BY)})",
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

    Of a conversation that is its last interaction begun by then, else its first. Nothing is written where
    all is linked; whatever names nothing that has arrived is looked at again the next time."""
    (row,) = t.query(f"SELECT count() AS waiting FROM interactions WHERE {_waiting()}").to_pylist()
    if row["waiting"]:
        t.command(near(t.topology, _link(_by_response())))
        t.command(near(t.topology, _link(_by_conversation())))


def _waiting(prefixes: tuple[str, ...] = (BY_RESPONSE, BY_CONVERSATION)) -> str:
    """Ranges of the key; what has waited for long is left alone."""
    ranges = (f"(trace_id >= '{prefix}' AND trace_id < '{prefix[:-1]};')" for prefix in prefixes)
    return f"({' OR '.join(ranges)}) AND touched >= now() - INTERVAL 30 DAY"


def _orphans(prefix: str) -> str:
    return (
        f"SELECT substring(trace_id, {len(prefix) + 1}) AS name, day, key, value "
        "FROM (SELECT trace_id, day, told FROM interactions FINAL "
        f"WHERE {_waiting((prefix,))}) ARRAY JOIN mapKeys(told) AS key, mapValues(told) AS value"
    )


def _by_response() -> str:
    orphans = f"SELECT cityHash64(name) AS response, day, key, value FROM ({_orphans(BY_RESPONSE)})"
    waited = f"SELECT groupUniqArray(response) FROM ({orphans})"
    traces = (
        "SELECT trace_id, arrayJoin(groupUniqArrayArray(response_ids)) AS response FROM interactions "
        f"WHERE hasAny(response_ids, ({waited})) GROUP BY trace_id"
    )
    return (
        "SELECT traces.trace_id AS trace_id, orphans.day AS day, orphans.key AS key, orphans.value AS value "
        f"FROM ({traces}) AS traces INNER JOIN ({orphans}) AS orphans USING (response)"
    )


def _by_conversation() -> str:
    orphans = _orphans(BY_CONVERSATION)
    traces = (
        "SELECT trace_id, min(arrayMin(arrayMap(f -> f.start_ns, mapValues(facts)))) AS begun, "
        "arrayJoin(groupUniqArrayArray(conversation_ids)) AS name FROM interactions WHERE traced = 1 "
        f"AND hasAny(conversation_ids, (SELECT groupUniqArray(name) FROM ({orphans}))) GROUP BY trace_id"
    )
    distance = (
        "(if(traces.begun <= orphans.value.time_ns, orphans.value.time_ns - traces.begun, "
        f"{LATER}), traces.begun, traces.trace_id)"
    )
    return (
        f"SELECT argMin(traces.trace_id, {distance}) AS trace_id, any(orphans.day) AS day, "
        f"orphans.key AS key, any(orphans.value) AS value FROM ({traces}) AS traces "
        f"INNER JOIN ({orphans}) AS orphans USING (name) GROUP BY orphans.key"
    )


def _link(found: str) -> str:
    """What is linked already is not written again: it would touch its trace for ever."""
    row = (
        "trace_id, day, now64(3, 'UTC'), 0, [], [], "
        f"CAST(map(), '{map_type(FACTS)}'), CAST(map(), '{map_type(TEXTS)}'), "
        f"CAST(map(key, value), '{map_type(TOLD)}')"
    )
    known = (
        "SELECT trace_id, arrayJoin(mapKeys(told)) FROM interactions "
        f"WHERE trace_id GLOBAL IN (SELECT trace_id FROM ({found}))"
    )
    return (
        f"INSERT INTO interactions ({', '.join(COLUMNS)}) SELECT {row} FROM ({found}) "
        f"WHERE (trace_id, key) GLOBAL NOT IN ({known})"
    )
