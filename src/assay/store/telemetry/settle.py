"""Facts and signals of every conversation that is idle for long enough and new or changed.

A run writes down once which traces it works on (table `settling`), in buckets in order of time, so
that memory stays flat and each bucket reads its own days. A conversation's row is written last: a run
that breaks off leaves nothing half done that the next one would not do again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final, get_args

from assay.query import Condition
from assay.records import Price, Progress, SettleReport, Signal, Unit, no_progress
from assay.store.telemetry import compare, facts, hearing, likeness, talks
from assay.store.telemetry.baselines import Baselines
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.drafts import drop_drafts, drop_old_drafts, write_drafts
from assay.store.telemetry.events import link_records
from assay.store.telemetry.facts import BUCKET, COLUMNS, NEVER, near
from assay.store.telemetry.made import Fault, Made, add_made, add_sql, no_fault, own_sql
from assay.store.telemetry.place import IDLE, SETTINGS, WANTED, Bucket, plan, plan_again
from assay.store.telemetry.schema import local_name

BUCKET_SIZE: Final = 10_000
"""Interactions in a bucket, about: its texts are in memory at once."""

UNSEEN: Final = timedelta(minutes=2)
"""A span that was being written while a run looked may carry a time before that run: conversations
touched this shortly before they were computed have their spans counted again."""

STEP: Final = timedelta(seconds=30)
"""`upto` moves on in steps: it is a row to write each time."""

ROUNDING: Final = 1e-6
"""Likeness that differs by less is the same."""

RESERVE_BYTES: Final = 64_000_000
"""What a bucket may write, about: a run stops before it where the disk's reserve would be touched."""


def settle(
    t: Telemetry,
    signals: Sequence[tuple[Signal, Condition | None]],
    *,
    words: Mapping[str, Sequence[str]],
    languages: Mapping[str, Sequence[str]] = MappingProxyType({}),
    familiar: Sequence[str] = (),
    made: Made = MappingProxyType({}),
    fault: Fault = no_fault,
    prices: Sequence[Price],
    idle_s: float,
    ended: Sequence[str] = (),
    now: datetime,
    progress: Progress = no_progress,
    gap_s: float | None = None,
    bucket_size: int = BUCKET_SIZE,
) -> SettleReport:
    """Compute the rows of `signals` of each conversation that is new or changed and idle for `idle_s`.

    `prices` are for calls that came without a cost; conversations of the traces in `ended` count as
    idle; `words` are the lists that signals mention, and `common` the words that say nothing;
    `languages` says by which words each is known, `familiar` are the stems of the reference set, `made`
    the signals that are functions; `fault` is told of a team's SQL that failed; with `gap_s`, traces that
    name no conversation are joined by their user while there is less time between them. Doing it again
    changes nothing.
    """
    link_records(t)
    computed_at, upto = server_time(t), read_upto(t)
    if not _is_touched(t, upto):
        return SettleReport(interactions=0, conversations=0, unsettled=0)
    t.check_reserve(RESERVE_BYTES)
    run, idle_before = computed_at.isoformat(), _micros(now - timedelta(seconds=idle_s))
    _drop_runs(t, before=(computed_at - timedelta(hours=6)).isoformat())
    settled = _Run(
        t,
        signals,
        words=words,
        languages=languages,
        familiar=familiar,
        made=made,
        fault=fault,
        shared={
            "computed_at": computed_at,
            "idle_before": idle_before,
            "ended": list(ended),
            **facts.bind_prices(prices),
        },
    )
    try:
        work = plan(
            t,
            run,
            upto=upto,
            recent=computed_at - UNSEEN * 2,
            idle_before=idle_before,
            ended=ended,
            gap_s=gap_s,
            size=bucket_size,
        )
        interactions, conversations = settled.write_all(run, work.buckets, progress)
        planned = sum(bucket.talks for bucket in work.buckets)
        late = _oldest_left(t, run, computed_at) if planned > conversations else None
        settled.write_overtaken(run, after=work.buckets, size=bucket_size)
        _move_on(t, computed_at, upto, [moment for moment in (work.oldest, late) if moment])
    finally:
        _drop_partition(t, run)
    return SettleReport(
        interactions=interactions,
        conversations=conversations,
        unsettled=work.waiting + planned - conversations,
    )


def _complete(buckets: Sequence[Bucket], now: datetime) -> list[date]:
    """For each bucket the day before which nothing of the run comes after it, today at the latest."""
    days = accumulate((bucket.first_day for bucket in reversed(buckets[1:])), min, initial=now.date())
    return list(days)[::-1][: len(buckets)]


class _Run:
    """The statements of one run, compiled once."""

    def __init__(
        self,
        t: Telemetry,
        signals: Sequence[tuple[Signal, Condition | None]],
        *,
        words: Mapping[str, Sequence[str]],
        languages: Mapping[str, Sequence[str]],
        familiar: Sequence[str],
        made: Made,
        fault: Fault,
        shared: dict[str, Any],
    ) -> None:
        self._t, self._made, self._fault, self._shared = t, made, fault, shared
        self._sql = {unit: own_sql(signals, unit) for unit in get_args(Unit)}
        self._baselines = Baselines(t)
        self._overtaken: dict[str, tuple[datetime, datetime]] = {}
        ears, tongues = hearing.listen_for(signals, "interaction", words), hearing.learn(languages)
        known = likeness.hash_stems(t, familiar)
        of_interactions = facts.raised(signals, "interaction", words, ears.heard)
        self._ears = hearing.listen_for(signals, "conversation", words)
        self._of_talks = facts.raised(signals, "conversation", words, self._ears.heard)
        selects = {
            removed: compare.select_interactions(
                of_interactions.sql, ears, tongues, familiar=bool(known), removed=removed
            )
            for removed in (False, True)
        }
        self._interactions = {
            removed: f"{_insert(t, select)}, query_plan_enable_optimizations = 0"
            for removed, select in selects.items()
        }
        self._shared |= of_interactions.params | compare.bind_compared(words, ears, tongues, known)
        self._of_talks.params.update(self._ears.params)

    def write_all(self, run: str, buckets: Sequence[Bucket], progress: Progress) -> tuple[int, int]:
        """Settle the buckets one after the other; how many interactions and conversations were idle."""
        total, done, interactions, conversations = sum(bucket.traces for bucket in buckets), 0, 0, 0
        today = self._shared["computed_at"]
        for bucket, complete in zip(buckets, _complete(buckets, today), strict=True):
            progress("signals", done, total)
            written = self.write(run, bucket, complete=complete)
            interactions += written[0]
            conversations += written[1]
            done += bucket.traces
        if total:
            progress("signals", total, total)
            self.forget_empty(run)
        return interactions, conversations

    def write(self, run: str, bucket: Bucket, *, complete: date) -> tuple[int, int]:
        """Settle one bucket; how many interactions and conversations were idle for long enough. Everything
        that is known of the days before `complete` is in it or settled."""
        params = {**self._shared, "run": run, "bucket": bucket.number}
        params |= {"first_day": bucket.first_day, "last_day": bucket.last_day}
        self._t.check_reserve(RESERVE_BYTES)
        stood = self._stood(params)
        try:
            write_drafts(self._t, params)
            self._baselines.prepare(params, complete=complete)
            self._t.command(self._interactions[bucket.removed > 0], params)
            return self._put_together(bucket, params, stood=stood)
        finally:
            drop_drafts(self._t, params)

    def _put_together(self, bucket: Bucket, params: dict[str, Any], *, stood: bool) -> tuple[int, int]:
        """The conversations of what was written; how many of both."""
        count = (
            "SELECT count() AS traces, uniqExact(conversation_id) AS talks, countIf(user_id != '') AS named "
            f"FROM ({talks.written()})"
        )
        (row,) = self._t.query(near(self._t.topology, count), params).to_pylist()
        if row["traces"]:
            self._add_own("interaction", talks.written(), params)
            rows = talks.standing() if bucket.removed else talks.written()
            if stood:
                self._t.command(_forget_moved(self._t, rows), params)
            named = row["named"] > 0
            select = talks.select_conversations(
                self._of_talks.sql, self._ears, rows, named=named, removed=bucket.removed > 0
            )
            self._t.command(_insert(self._t, select), params | self._of_talks.params)
            if named:
                self._note_overtaken(params)
            self._add_own("conversation", _TALKS, params)
        return row["traces"], row["talks"]

    def _add_own(self, unit: Unit, rows: str, params: dict[str, Any]) -> None:
        """What the team's SQL and functions raise on rows that stand already."""
        add_sql(self._t, self._sql[unit], rows, params, self._fault)
        add_made(self._t, unit, self._made, rows, params)

    def _note_overtaken(self, params: dict[str, Any]) -> None:
        """Note whose return looks otherwise, now that the bucket's conversations before it are there."""
        topology = self._t.topology
        later = {row["talk"]: row for row in self._t.query(near(topology, talks.later()), params).to_pylist()}
        if not later:
            return
        wider = params | {"last_day": params["last_day"] + timedelta(days=1), "talks": list(later)}
        wider |= {"users": sorted({row["user_id"] for row in later.values()})}
        rows = self._t.query(near(topology, talks.alike_now()), wider).to_pylist()
        now = {row["talk"]: row["alike"] for row in rows}
        for talk, row in later.items():
            if abs(now.get(talk, 0.0) - row["stood"]) > ROUNDING:
                self._overtaken[talk] = (row["started"], row["ended"])

    def write_overtaken(self, run: str, *, after: Sequence[Bucket], size: int) -> None:
        """Settle once more what an earlier conversation that was settled later has overtaken."""
        if not self._overtaken:
            return
        first = min(started for started, _ in self._overtaken.values())
        last = max(ended for _, ended in self._overtaken.values())
        again = plan_again(
            self._t,
            run,
            sorted(self._overtaken),
            first=first,
            last=last,
            number=after[-1].number + 1,
            size=size,
        )
        self._overtaken = {}
        for bucket in again:
            self.write(run, bucket, complete=self._shared["computed_at"].date())

    def _stood(self, params: dict[str, Any]) -> bool:
        """Whether any of the bucket's logs has a row that may have to be taken back."""
        for older in (f"SELECT 1 AS one FROM signals WHERE {_OLDER} LIMIT 1", _SOME_BEFORE):
            if not self._t.query(near(self._t.topology, older), params).num_rows:
                return False
        return True

    def forget_empty(self, run: str) -> None:
        """Take back conversations whose last interaction turned out to belong to another one."""
        params = {**self._shared, "run": run}
        span = f"SELECT count() AS logs, min(started) AS first, max(ended) AS last FROM ({_PASSED_OVER})"
        (row,) = self._t.query(near(self._t.topology, span), params).to_pylist()
        if row["logs"]:
            params |= {"first": row["first"], "last": row["last"]}
            self._t.command(_take_back(self._t, _EMPTY), params)


def _insert(t: Telemetry, select: str) -> str:
    return f"INSERT INTO signals ({COLUMNS}) {near(t.topology, select)} {SETTINGS}"


def _forget_moved(t: Telemetry, interactions: str) -> str:
    """Take back the rows of logs that now start at another moment: it is a part of their key."""
    traces = f"SELECT unit, log_id, started AS begun FROM ({talks.written()})"
    whole = (
        "SELECT 'conversation' AS unit, conversation_id AS log_id, min(started) AS begun "
        f"FROM ({interactions}) GROUP BY conversation_id"
    )
    before = f"SELECT * FROM signals WHERE {_BEFORE}"
    moved = (
        f"SELECT before.* FROM ({before}) AS before "
        f"INNER JOIN (SELECT * FROM ({traces}) UNION ALL SELECT * FROM ({whole})) AS latest "
        "ON latest.unit = before.unit AND latest.log_id = before.log_id "
        "WHERE before.started != latest.begun"
    )
    return _take_back(t, moved)


_OLDER: Final = f"is_deleted = 0 AND {facts.DAYS} AND computed_at < {{computed_at:DateTime64(6, 'UTC')}}"
_BEFORE: Final = (
    f"{_OLDER} AND ((unit = 'interaction' AND log_id GLOBAL IN (SELECT trace_id FROM {BUCKET}))"
    f" OR (unit = 'conversation' AND log_id GLOBAL IN (SELECT conversation_id FROM {BUCKET})))"
)
"""Rows of the bucket's logs that an earlier run has written."""
_SOME_BEFORE: Final = f"SELECT 1 AS one FROM signals WHERE {_BEFORE} LIMIT 1"

_TALKS: Final = (
    f"SELECT * FROM signals FINAL WHERE unit = 'conversation' AND {facts.DAYS} "
    "AND computed_at = {computed_at:DateTime64(6, 'UTC')} "
    f"AND log_id GLOBAL IN (SELECT conversation_id FROM {BUCKET})"
)

_PASSED_OVER: Final = (
    f"SELECT * FROM signals FINAL WHERE unit = 'conversation' AND log_id GLOBAL IN ({WANTED}) "
    "AND log_id GLOBAL NOT IN ("
    f"SELECT conversation_id FROM settling WHERE run = {{run:String}} AND bucket < {IDLE})"
)
"""Conversations that the run is about and to which no trace of it belongs."""

_EMPTY: Final = (
    f"SELECT * FROM ({_PASSED_OVER}) WHERE log_id GLOBAL NOT IN ("
    "SELECT conversation_id FROM signals FINAL WHERE unit = 'interaction' "
    "AND started >= {first:DateTime64(6, 'UTC')} AND started <= {last:DateTime64(6, 'UTC')} "
    f"AND conversation_id GLOBAL IN ({WANTED}))"
)


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


def _oldest_left(t: Telemetry, run: str, computed_at: datetime) -> datetime | None:
    """The oldest touch of what was planned and not written: it was not idle, seen from all its traces."""
    written = (
        "SELECT conversation_id FROM signals WHERE unit = 'interaction' "
        "AND computed_at = {computed_at:DateTime64(6, 'UTC')}"
    )
    sql = (
        "SELECT min(touched) AS oldest, count() AS traces FROM settling WHERE run = {run:String} "
        f"AND bucket < {IDLE} AND conversation_id GLOBAL NOT IN ({written}) "
        f"AND touched > {NEVER}"
    )
    (row,) = t.query(near(t.topology, sql), {"run": run, "computed_at": computed_at}).to_pylist()
    return row["oldest"].astimezone(UTC) if row["traces"] else None


def _move_on(t: Telemetry, computed_at: datetime, upto: datetime, left: Sequence[datetime]) -> None:
    """Note up to where everything is computed: a little before now, or the oldest that waits."""
    reached = min([computed_at - UNSEEN, *left])
    if reached - upto >= STEP:
        t.command(
            "INSERT INTO settled (name, upto, at) "
            "SELECT 'interactions', {reached:DateTime64(3, 'UTC')}, {at:DateTime64(6, 'UTC')}",
            {"reached": reached, "at": computed_at},
        )


def _micros(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1_000_000)


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
    drop_old_drafts(t, before=before)


def _drop_partition(t: Telemetry, run: str) -> None:
    cluster = f" ON CLUSTER '{t.topology.cluster}'" if t.topology.kind == "cluster" else ""
    t.command(
        f"ALTER TABLE {local_name('settling', t.topology)}{cluster} DROP PARTITION {{run:String}}",
        {"run": run},
    )
