"""Facts and signals of every conversation that is idle for long enough and new or changed.

A run writes down once which traces it works on (table `settling`), in buckets in order of time, so
that memory stays flat and each bucket reads its own days. A conversation's row is written last: a run
that breaks off leaves nothing half done that the next one would not do again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from assay.query import Condition
from assay.records import Progress, SettleReport, Signal, no_progress
from assay.store.telemetry import facts
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import BUCKET, COLUMNS, near
from assay.store.telemetry.schema import local_name

BUCKET_SIZE: Final = 10_000
"""Interactions in a bucket, about: its texts are in memory at once."""

UNSEEN: Final = timedelta(minutes=2)
"""A span that was being written while a run looked may carry a time before that run: conversations
touched this shortly before they were computed have their spans counted again."""

STEP: Final = timedelta(seconds=30)
"""`upto` moves on in steps: it is a row to write each time."""

_SETTINGS: Final = (
    "SETTINGS max_partitions_per_insert_block = 0, optimize_move_to_prewhere_if_final = 1, "
    "max_bytes_before_external_sort = 200000000, compile_expressions = 0"
)


def settle(
    t: Telemetry,
    signals: Sequence[tuple[Signal, Condition]],
    *,
    words: Mapping[str, Sequence[str]],
    prices: Mapping[str, tuple[float, float]],
    idle_s: float,
    ended: Sequence[str] = (),
    now: datetime,
    progress: Progress = no_progress,
    bucket_size: int = BUCKET_SIZE,
) -> SettleReport:
    """Compute the rows of `signals` of each conversation that is new or changed and idle for `idle_s`.

    `prices` are US dollars per million tokens, (read, written), by model, for calls that came without
    a cost; conversations of the traces in `ended` count as idle; `words` are the lists that signals
    mention, and `common` the words that say nothing. Doing it again changes nothing.
    """
    computed_at, upto = server_time(t), read_upto(t)
    if not _is_touched(t, upto):
        return SettleReport(interactions=0, conversations=0, unsettled=0)
    run = computed_at.isoformat()
    _drop_runs(t, before=(computed_at - timedelta(hours=6)).isoformat())
    settled = _Run(t, signals, words, prices, computed_at, now - timedelta(seconds=idle_s), ended)
    try:
        buckets = _plan(t, run, computed_at, upto, bucket_size)
        total = sum(traces for _, traces, _ in buckets)
        done, conversations, interactions = 0, 0, 0
        for bucket, traces, _ in buckets:
            progress("signals", done, total)
            written = settled.write(run, bucket)
            interactions += written[0]
            conversations += written[1]
            done += traces
        progress("signals", total, total)
        if conversations:
            _forget_empty(t, computed_at)
        _move_on(t, run, computed_at, upto)
    finally:
        _drop_partition(t, run)
    return SettleReport(
        interactions=interactions,
        conversations=conversations,
        unsettled=sum(count for _, _, count in buckets) - conversations,
    )


class _Run:
    """The statements of one run, compiled once."""

    def __init__(
        self,
        t: Telemetry,
        signals: Sequence[tuple[Signal, Condition]],
        words: Mapping[str, Sequence[str]],
        prices: Mapping[str, tuple[float, float]],
        computed_at: datetime,
        idle_before: datetime,
        ended: Sequence[str],
    ) -> None:
        self._t = t
        self._shared = {
            "computed_at": computed_at,
            "idle_before": int(idle_before.astimezone(UTC).timestamp() * 1_000_000),
            "ended": list(ended),
        }
        of_interactions = facts.raised(signals, "interaction", words)
        of_conversations = facts.raised(signals, "conversation", words)
        self._interactions = _insert(t, facts.select_interactions(of_interactions.sql))
        self._conversations = _insert(t, facts.select_conversations(of_conversations.sql))
        self._interaction_params = (
            of_interactions.params | facts.bind_prices(prices) | facts.bind_common(words)
        )
        self._conversation_params = of_conversations.params

    def write(self, run: str, bucket: int) -> tuple[int, int]:
        """Settle one bucket; how many interactions and conversations were idle for long enough."""
        params = {**self._shared, "run": run, "bucket": bucket}
        self._t.command(self._interactions, params | self._interaction_params)
        self._t.command(_forget_moved(self._t), params)
        count = f"SELECT count() AS traces, uniqExact(conversation_id) AS talks FROM ({facts.written()})"
        (row,) = self._t.query(near(self._t.topology, count), params).to_pylist()
        self._t.command(self._conversations, params | self._conversation_params)
        return row["traces"], row["talks"]


def _insert(t: Telemetry, select: str, into: str = f"signals ({COLUMNS})") -> str:
    return f"INSERT INTO {into} {near(t.topology, select)} {_SETTINGS}"


def _plan(
    t: Telemetry, run: str, computed_at: datetime, upto: datetime, size: int
) -> list[tuple[int, int, int]]:
    """Write down what is to be done; the buckets, each with its traces and conversations."""
    params = {"run": run, "size": size, "recent": computed_at - UNSEEN * 2, "upto": upto}
    t.command(_insert(t, _changed(), "settling (run, bucket, trace_id, conversation_id, touched)"), params)
    rows = t.query(
        "SELECT bucket, count() AS traces, uniqExact(conversation_id) AS talks "
        "FROM settling WHERE run = {run:String} GROUP BY bucket ORDER BY bucket",
        params,
    )
    return [(row["bucket"], row["traces"], row["talks"]) for row in rows.to_pylist()]


def _changed() -> str:
    """Every trace of each conversation that is not computed, or that has changed since.

    Only conversations that something touched since `upto` are looked at, those that it left among
    them; all their traces are, by every id that they name (a trace may name two)."""
    recent = "SELECT trace_id FROM interactions WHERE touched >= {upto:DateTime64(3, 'UTC')}"
    talks = (
        "SELECT arrayJoin(conversation_ids) FROM interactions "
        "WHERE touched >= {upto:DateTime64(3, 'UTC')} "
        "UNION ALL SELECT conversation_id FROM signals FINAL "
        f"WHERE unit = 'interaction' AND log_id GLOBAL IN ({recent}) UNION ALL {recent}"
    )
    same_talk = (
        f"SELECT trace_id FROM interactions ARRAY JOIN conversation_ids AS id WHERE id GLOBAL IN ({talks})"
    )
    near_by = f"trace_id GLOBAL IN ({talks} UNION ALL {same_talk})"
    several = (
        f"SELECT trace_id FROM interactions WHERE {near_by} GROUP BY trace_id "
        "HAVING length(groupUniqArrayArray(conversation_ids)) > 1"
    )
    told = f"SELECT trace_id, conversation_id FROM interactions_final WHERE trace_id GLOBAL IN ({several})"
    traces = (
        "SELECT trace_id, min(day) AS first_day, max(touched) AS last_touched, "
        "groupUniqArrayArray(conversation_ids) AS ids "
        f"FROM interactions WHERE {near_by} GROUP BY trace_id"
    )
    placed = (
        "SELECT trace_id, first_day, last_touched, "
        "multiIf(length(ids) = 0, trace_id, length(ids) = 1, ids[1], told.conversation_id) AS talk "
        f"FROM ({traces}) AS traces LEFT ANY JOIN ({told}) AS told USING (trace_id)"
    )
    grouped = (
        "SELECT talk, groupArray(trace_id) AS members, min(first_day) AS begun, "
        f"max(last_touched) AS changed, count() AS size FROM ({placed}) GROUP BY talk"
    )
    known = "SELECT log_id, turns, computed_at FROM signals FINAL WHERE unit = 'conversation'"
    todo = (
        f"SELECT talk, members, begun, changed, talks.size AS size FROM ({grouped}) AS talks "
        f"LEFT ANY JOIN ({known}) AS known ON known.log_id = talks.talk "
        f"WHERE talk GLOBAL IN ({talks}) "
        "AND (known.log_id = '' OR changed >= toDateTime64(known.computed_at, 3, 'UTC') "
        f"OR turns != talks.size OR talk GLOBAL IN ({_grown()}))"
    )
    return (
        "SELECT {run:String}, toUInt32(intDiv(running - 1, {size:UInt32})), trace_id, talk, changed FROM ("
        "SELECT talk, members, changed, "
        "sum(size) OVER (ORDER BY begun, talk ROWS UNBOUNDED PRECEDING) AS running "
        f"FROM ({todo})) ARRAY JOIN members AS trace_id"
    )


def _grown() -> str:
    """Conversations computed lately, with another number of spans than was counted then."""
    touched = "SELECT trace_id FROM interactions WHERE touched >= {recent:DateTime64(3, 'UTC')}"
    counted = (
        "SELECT trace_id, uniqExactArray(mapKeys(facts)) AS arrived FROM interactions "
        f"WHERE trace_id GLOBAL IN ({touched}) GROUP BY trace_id"
    )
    known = (
        "SELECT log_id, conversation_id, spans FROM signals FINAL WHERE unit = 'interaction' "
        f"AND log_id GLOBAL IN ({touched})"
    )
    return (
        f"SELECT known.conversation_id FROM ({known}) AS known "
        f"INNER JOIN ({counted}) AS counted ON counted.trace_id = known.log_id "
        "WHERE spans != arrived"
    )


def _forget_moved(t: Telemetry) -> str:
    """Take back the rows of logs that now start at another moment: it is a part of their key."""
    traces = f"SELECT unit, log_id, started AS begun FROM ({facts.written()})"
    talks = (
        "SELECT 'conversation' AS unit, conversation_id AS log_id, min(started) AS begun "
        f"FROM ({facts.written()}) GROUP BY conversation_id"
    )
    before = (
        "SELECT * FROM signals WHERE is_deleted = 0 AND computed_at < {computed_at:DateTime64(6, 'UTC')}"
        f" AND ((unit = 'interaction' AND log_id GLOBAL IN (SELECT trace_id FROM {BUCKET}))"
        f" OR (unit = 'conversation' AND log_id GLOBAL IN (SELECT conversation_id FROM {BUCKET})))"
    )
    moved = (
        f"SELECT before.* FROM ({before}) AS before "
        f"INNER JOIN (SELECT * FROM ({traces}) UNION ALL SELECT * FROM ({talks})) AS latest "
        "ON latest.unit = before.unit AND latest.log_id = before.log_id "
        "WHERE before.started != latest.begun"
    )
    return _take_back(t, moved)


def _forget_empty(t: Telemetry, computed_at: datetime) -> None:
    """Take back conversations whose last interaction turned out to belong to another one."""
    inhabited = "SELECT conversation_id FROM signals FINAL WHERE unit = 'interaction'"
    empty = f"SELECT * FROM signals FINAL WHERE unit = 'conversation' AND log_id GLOBAL NOT IN ({inhabited})"
    t.command(_take_back(t, empty), {"computed_at": computed_at})


def _take_back(t: Telemetry, rows: str) -> str:
    columns = COLUMNS.replace("computed_at, is_deleted", "")
    taken = "{computed_at:DateTime64(6, 'UTC')} - toIntervalMicrosecond(1), 1"
    return _insert(t, f"SELECT {columns} {taken} FROM ({rows})")


def read_upto(t: Telemetry) -> datetime:
    """Whatever was touched before this moment is settled."""
    rows = t.query("SELECT upto FROM settled FINAL WHERE name = 'interactions'").to_pylist()
    return rows[0]["upto"].astimezone(UTC) if rows else datetime(1970, 1, 1, tzinfo=UTC)


def _is_touched(t: Telemetry, upto: datetime) -> bool:
    sql = "SELECT 1 AS one FROM interactions WHERE touched >= {upto:DateTime64(3, 'UTC')} LIMIT 1"
    return t.query(sql, {"upto": upto}).num_rows > 0


def _move_on(t: Telemetry, run: str, computed_at: datetime, upto: datetime) -> None:
    """Note up to where everything is computed: a little before now, or the oldest that is not idle."""
    written = (
        "SELECT log_id FROM signals WHERE unit = 'conversation' "
        "AND computed_at = {computed_at:DateTime64(6, 'UTC')}"
    )
    sql = (
        "SELECT min(touched) AS oldest, count() AS traces FROM settling "
        f"WHERE run = {{run:String}} AND conversation_id GLOBAL NOT IN ({written})"
    )
    (row,) = t.query(near(t.topology, sql), {"run": run, "computed_at": computed_at}).to_pylist()
    reached = computed_at - UNSEEN
    if row["traces"]:
        reached = min(reached, row["oldest"].astimezone(UTC))
    if reached - upto >= STEP:
        t.command(
            "INSERT INTO settled (name, upto, at) "
            "SELECT 'interactions', {reached:DateTime64(3, 'UTC')}, {at:DateTime64(6, 'UTC')}",
            {"reached": reached, "at": computed_at},
        )


def server_time(t: Telemetry) -> datetime:
    """The store's own clock: what was touched is stamped by it."""
    (row,) = t.query("SELECT now64(6, 'UTC') AS now").to_pylist()
    found: datetime = row["now"]
    return found.astimezone(UTC)


def _drop_runs(t: Telemetry, *, before: str) -> None:
    """Drop what broken runs have left."""
    rows = t.query("SELECT DISTINCT run FROM settling WHERE run < {before:String}", {"before": before})
    for row in rows.to_pylist():
        _drop_partition(t, row["run"])


def _drop_partition(t: Telemetry, run: str) -> None:
    cluster = f" ON CLUSTER '{t.topology.cluster}'" if t.topology.kind == "cluster" else ""
    t.command(
        f"ALTER TABLE {local_name('settling', t.topology)}{cluster} DROP PARTITION {{run:String}}",
        {"run": run},
    )
