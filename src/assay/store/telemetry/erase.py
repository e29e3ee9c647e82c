"""All that is kept of one user or conversation: found, deleted, and counted again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from assay.records import Erased, Progress, no_progress
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.events import BY_CONVERSATION, BY_RESPONSE
from assay.store.telemetry.facts import near
from assay.store.telemetry.mapping import INTERACTIONS
from assay.store.telemetry.schema import local_name, on_cluster

USER_KEY: Final = (
    r"(?i:(^|[._-])(end[._-]?)?user([._-]?(pseudo[._-]?)?(id|uuid|name|full[._-]?name|e?mail|hash))?$)"
    r"|[a-z0-9]User(Id|ID|Uuid|UUID|Name|Email)?$"
)
"""Attributes that name a user, whatever they are called: what only speaks of one, an age or a count of
messages, may happen to be the same number as somebody's id."""

IDS: Final = 1_000
"""Ids bound in one statement: a server takes fields of limited size only."""

WAIT_S = 90.0
"""The embedded engine mostly removes files with deleted rows within 40 s, after five minutes at the
latest; a server may take ten."""

ROUNDS: Final = 3
"""What arrived while rows were deleted is looked for again."""

_TRACES: Final = "{traces:Array(String)}"
_LOG: Final = (
    f"(unit = 'interaction' AND log_id IN {_TRACES}) "
    "OR (unit = 'conversation' AND log_id IN {talks:Array(String)})"
)
_IN_ATTRIBUTES: Final = (
    "arrayExists(k -> LogAttributes[k] IN {whole:Array(String)}, "
    "['gen_ai.conversation.id', 'session.id', 'langfuse.session.id'])"
)
_VERDICT: Final = (
    f"(SpanAttributes['openinference.span.kind'] = 'EVALUATOR' AND hasAny(Links.TraceId, {_TRACES}))"
)
"""A span of another trace that says what was thought of one of these."""

_IN_TALKS = "hasAny(conversation_ids, {ids:Array(String)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom it is about. `users` are an id and its hash; `traces` and `talks` every log of theirs,
    `responses` what models answered in them, and `shared` the conversations in which others speak too."""

    users: tuple[str, ...]
    talks: tuple[str, ...]
    traces: tuple[str, ...]
    responses: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of `interactions`: a record that names no trace is kept under what it does name."""
        responses = (f"{BY_RESPONSE}{response}" for response in self.responses)
        return (*self.traces, *responses, *(f"{BY_CONVERSATION}{talk}" for talk in self.talks))


def find_user(t: Telemetry, users: Sequence[str]) -> Subject:
    """Every trace that names the user, and those of the same conversations unless others speak in them."""
    asked = {"users": list(users)}
    own = _ids(
        t,
        "SELECT trace_id AS id FROM interactions "
        "WHERE arrayExists(f -> f.user_id IN {users:Array(String)}, mapValues(facts)) "
        "UNION DISTINCT SELECT log_id AS id FROM signals "
        "WHERE unit = 'interaction' AND user_id IN {users:Array(String)} "
        "UNION DISTINCT SELECT TraceId AS id FROM otel_traces "
        f"WHERE {_says('SpanAttributes', 'ResourceAttributes')}",
        asked,
    )
    talks = _ids(
        t,
        "SELECT log_id AS id FROM signals WHERE unit = 'conversation' AND user_id IN {users:Array(String)}",
        asked,
    )
    talks |= _each(
        t,
        "SELECT arrayJoin(conversation_ids) AS id FROM interactions WHERE trace_id IN {ids:Array(String)}",
        own,
    )
    talks |= _each(t, "SELECT conversation_id AS id FROM signals WHERE log_id IN {ids:Array(String)}", own)
    shared = _each(
        t,
        f"SELECT arrayJoin(conversation_ids) AS id FROM interactions WHERE {_IN_TALKS} "
        "AND arrayExists(f -> f.user_id != '' AND f.user_id NOT IN {users:Array(String)}, mapValues(facts)) "
        "UNION DISTINCT SELECT conversation_id AS id FROM signals "
        "WHERE conversation_id IN {ids:Array(String)} AND unit = 'interaction' "
        "AND user_id != '' AND user_id NOT IN {users:Array(String)}",
        talks,
        asked,
    )
    shared &= talks - own
    whole = find_conversations(t, tuple(talks - shared))
    traces = own | set(whole.traces)
    return Subject(
        users=tuple(users),
        talks=whole.talks,
        traces=tuple(sorted(traces)),
        responses=_responses(t, traces),
        shared=tuple(sorted(shared)),
    )


def find_conversations(t: Telemetry, talks: Sequence[str]) -> Subject:
    """Every trace of these conversations; one that names none is its own."""
    traces = _each(
        t,
        f"SELECT trace_id AS id FROM interactions WHERE {_IN_TALKS} OR trace_id IN {{ids:Array(String)}} "
        "UNION DISTINCT SELECT log_id AS id FROM signals WHERE unit = 'interaction' "
        "AND (conversation_id IN {ids:Array(String)} OR log_id IN {ids:Array(String)})",
        set(talks),
    )
    return Subject(
        users=(),
        talks=tuple(sorted(talks)),
        traces=tuple(sorted(traces)),
        responses=_responses(t, traces),
    )


def _responses(t: Telemetry, traces: set[str]) -> tuple[str, ...]:
    sql = (
        "SELECT DISTINCT SpanAttributes['gen_ai.response.id'] AS id FROM otel_traces "
        "WHERE TraceId IN {ids:Array(String)}"
    )
    return tuple(sorted(_each(t, sql, traces)))


def count_rows(t: Telemetry, subject: Subject) -> dict[str, int]:
    """The rows about the subject in every table that may have some."""
    counts: dict[str, int] = {}
    for table, condition, params in _conditions(t, subject):
        sql = f"SELECT count() AS rows FROM {table} WHERE {condition}"
        (row,) = t.query(near(t.topology, sql), params).to_pylist()
        counts[table] = counts.get(table, 0) + row["rows"]
    return counts


def erase(
    t: Telemetry, find: Callable[[], Subject], progress: Progress = no_progress
) -> tuple[Subject, tuple[Erased, ...], int]:
    """Delete every row about the subject, and count again; who it was, the counts, and how many files with
    deleted rows are still on the disk. Returns once the tables are written again without them."""
    first = subject = find()
    before = after = count_rows(t, first)
    for _ in range(ROUNDS):
        if not any(count_rows(t, subject).values()):
            break
        for table, condition, params in _conditions(t, subject):
            progress(f"deleting from {table}", 0, None)
            place = f"{local_name(table, t.topology)}{on_cluster(t.topology)}"
            t.command(f"ALTER TABLE {place} DELETE WHERE {condition} SETTINGS mutations_sync = 2", params)
        _compute_again(t, subject)
        after, subject = count_rows(t, first), find()
    rows = tuple(Erased(table=table, before=count, after=after[table]) for table, count in before.items())
    return first, rows, _old_files(t, list(before), WAIT_S)


def _conditions(t: Telemetry, subject: Subject) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each table with the condition that its rows about the subject fulfil, and the values in it."""
    derived = [INTERACTIONS.name, *_beside(t)]
    talks = list(_batches((*subject.talks, *subject.shared)))
    traces, keys = list(_batches(subject.traces)), list(_batches(subject.keys))
    responses = list(_batches(subject.responses))
    for turn in range(max(map(len, (talks, traces, keys, responses))) or 1):
        some = talks[turn] if turn < len(talks) else []
        params: dict[str, Any] = {
            "users": list(subject.users) if not turn else [],
            "talks": some,
            "whole": [talk for talk in some if talk not in subject.shared],
            "traces": traces[turn] if turn < len(traces) else [],
            "keys": keys[turn] if turn < len(keys) else [],
            "responses": responses[turn] if turn < len(responses) else [],
        }
        named = _says("SpanAttributes", "ResourceAttributes")
        yield "otel_traces", f"TraceId IN {_TRACES} OR {_VERDICT} OR {named}", params
        yield (
            "otel_logs",
            f"TraceId IN {_TRACES} OR {_says('LogAttributes', 'ResourceAttributes')} OR {_IN_ATTRIBUTES} "
            "OR LogAttributes['gen_ai.response.id'] IN {responses:Array(String)}",
            params,
        )
        yield "rejected", f"trace_id IN {_TRACES}", params
        yield "drafts", f"trace_id IN {_TRACES} OR user_id IN {{users:Array(String)}}", params
        for table in derived:
            yield table, "trace_id IN {keys:Array(String)}", params
        yield "signals", f"({_LOG}) OR (unit = 'interaction' AND user_id IN {{users:Array(String)}})", params
        yield "selections", _LOG, params
        yield "embeddings", _LOG, params
        yield "receipts", _LOG, params
        yield "scores", _LOG, params


def _says(*columns: str) -> str:
    """Whether an attribute that names a user has one of their ids."""
    return " OR ".join(
        f"arrayExists((k, v) -> v IN {{users:Array(String)}} AND match(k, '{USER_KEY}'), "
        f"mapKeys({column}), mapValues({column}))"
        for column in columns
    )


def _beside(t: Telemetry) -> list[str]:
    """Tables of interactions that are being built anew, or were left over."""
    suffix = "_local" if t.topology.kind == "cluster" else ""
    rows = t.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND startsWith(name, {name:String}) AND name != {own:String}",
        {"name": INTERACTIONS.name + "_", "own": INTERACTIONS.name + suffix},
    ).to_pylist()
    return [row["name"].removesuffix(suffix) for row in rows]


def _compute_again(t: Telemetry, subject: Subject) -> None:
    """Have the facts of conversations in which others speak computed anew, of what is left of them."""
    for talks in _batches(subject.shared):
        t.command(
            "INSERT INTO interactions (trace_id, day, touched) SELECT trace_id, day, now64(3, 'UTC') "
            "FROM interactions WHERE hasAny(conversation_ids, {talks:Array(String)})",
            {"talks": talks},
        )


def _old_files(t: Telemetry, tables: Sequence[str], wait_s: float) -> int:
    """Parts with deleted rows that the engine has not removed yet; waited for a while."""
    parts = (
        f"clusterAllReplicas('{t.topology.cluster}', system.parts)"
        if t.topology.kind == "cluster"
        else "system.parts"
    )
    sql = (
        f"SELECT count() AS parts FROM {parts} WHERE NOT active AND database = currentDatabase() "
        "AND table IN {tables:Array(String)} AND modification_time <= {at:DateTime}"
    )
    (row,) = t.query("SELECT now() AS at").to_pylist()
    params = {"tables": [local_name(table, t.topology) for table in tables], "at": row["at"]}
    deadline = time.monotonic() + wait_s
    while (left := int(t.query(sql, params).to_pylist()[0]["parts"])) and time.monotonic() < deadline:
        time.sleep(0.25)
    return left


def _ids(t: Telemetry, sql: str, params: Mapping[str, Any]) -> set[str]:
    return {row["id"] for row in t.query(near(t.topology, sql), params).to_pylist()} - {""}


def _each(t: Telemetry, sql: str, ids: set[str], params: Mapping[str, Any] | None = None) -> set[str]:
    found: set[str] = set()
    for some in _batches(sorted(ids)):
        found |= _ids(t, sql, {**(params or {}), "ids": some})
    return found


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), IDS):
        yield list(ids[start : start + IDS])
