"""A derived table is built anew beside the one in use, day by day, and takes its place.

From its first moment the new table is fed with what arrives, so that nothing is missed; each day that
is done is written down, so that a rebuild that was broken off goes on where it was. Which of the two
tables is which is known by their ids: a stop at the moment of the exchange confuses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

from assay.errors import StoreError
from assay.records import Progress, no_progress
from assay.store.telemetry.carry import carry_over
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.derive import (
    BESIDE,
    FEEDING,
    MIXED,
    PRESENT,
    Derived,
    Known,
    Wanted,
    drop_view,
    fingerprint,
    from_of,
    insert_from,
    is_behind,
    read_known,
    read_wanted,
    remember,
    run_all,
    source_columns,
    view_of,
)
from assay.store.telemetry.room import check_room
from assay.store.telemetry.schema import (
    Feed,
    Table,
    Topology,
    create_distributed,
    create_table,
    local_name,
    on_cluster,
)

SETTLE_S: Final = 60.0
"""Inserts that began before the new feeds were there are waited for, this long at most."""

BIG: Final = "SETTINGS max_table_size_to_drop = 0, max_partition_size_to_drop = 0"


class Day(NamedTuple):
    """The rows of one source of one day."""

    feed: Feed
    day: date
    rows: int

    @property
    def part(self) -> str:
        return f"{self.feed.name} {self.day}"


class Changed(NamedTuple):
    """What mapping a day again has done: its interactions, and how many of them are not as before."""

    day: date
    interactions: int
    changed: int


def replace_table(t: Telemetry, derived: Derived, wanted: Wanted, progress: Progress = no_progress) -> None:
    """Make the table as `derived` has it, with everything in it. For opening: queries of the present
    program do not fit a table of other columns, so this ends before anything is served."""
    known, table = read_known(t), derived.table
    here = local_name(table.name, t.topology)
    if here not in known.objects:
        run_all(t, create_table(table, t.topology))
        if not _days(t, derived):
            _make_feeds(t, derived, wanted)
            _remember_all(t, derived, wanted)
            return
        known = read_known(t)
    fresh = _build(t, derived, wanted, known, progress)
    if read_known(t).objects[here] != fresh:
        for feed in derived.feeds:
            t.command(drop_view(feed.name, t.topology))
        _exchange(t, table)
    _make_feeds(t, derived, wanted)
    _drop_feeds_beside(t, derived)
    _feed_missed(t, derived)
    _drop_beside(t, derived)
    _remember_all(t, derived, wanted)


def remap(
    t: Telemetry, derived: Derived = PRESENT, progress: Progress = no_progress, *, again: bool = False
) -> Iterator[Changed]:
    """Map everything that is there with the present mapping, while the store is in use. Where the
    present mapping made it all there is nothing to do, but `again` does it nevertheless.

    Yields each day when its changed interactions are touched, so that what they changed is settled
    again. Breaking off loses nothing: the next call goes on. Raises StoreFull where the disk has no
    room for the new table beside the old one."""
    if again:
        remember(t, "history", "", MIXED)
    elif not is_behind(t, derived):
        return
    known, wanted = read_known(t), read_wanted(t, derived)
    everything = not known.says("history", "final", wanted.final)
    here = local_name(derived.table.name, t.topology)
    if not known.says("history", "", wanted.mapped):
        fresh = _build(t, derived, wanted, known, progress)
        if read_known(t).objects[here] != fresh:
            _exchange(t, derived.table)
        _drop_feeds_beside(t, derived)
        _feed_missed(t, derived)
    beside = _beside(derived.table)
    old = beside if local_name(beside.name, t.topology) in read_known(t).objects else None
    yield from _touch_changed(t, derived, old, everything, progress)
    _drop_beside(t, derived)
    _remember_all(t, derived, wanted)


def _build(t: Telemetry, derived: Derived, wanted: Wanted, known: Known, progress: Progress) -> str:
    """The new table, filled; the id of it, which tells it from the old one."""
    beside, of = _beside(derived.table), f"{wanted.mapped} "
    fresh = known.prints.get(("beside", ""), "").removeprefix(of)
    begun = fresh in known.objects.values() and known.says("beside", "", of + fresh)
    if begun and known.objects.get(local_name(derived.table.name, t.topology)) == fresh:
        return fresh  # the exchange was made already
    check_room(t, (derived.table.name,), beside.name)
    if not begun:
        _drop_feeds_beside(t, derived)
        _drop_beside(t, derived)
        run_all(t, create_table(beside, t.topology))
        fresh = read_known(t).objects[local_name(beside.name, t.topology)]
        remember(t, "beside", "", of + fresh)
    for feed in derived.feeds:
        run_all(t, view_of(feed, wanted.selects[feed.name], beside, t.topology))
    _wait_for_inserts(t)
    days = _days(t, derived)
    total, done = sum(day.rows for day in days), 0
    columns = source_columns(t, derived)
    for day in days:
        progress("mapping", done, total)
        if not known.says("mapped", day.part, fresh):
            source = from_of(day.feed, day.feed.source, columns)
            part = f"(SELECT * FROM {source} WHERE {day.feed.day} = {{day:Date}})"
            t.command(insert_from(beside, day.feed.select(part)), {"day": day.day.isoformat()})
            remember(t, "mapped", day.part, fresh)
        done += day.rows
    progress("mapping", total, total)
    carry_over(t, derived.table, beside, progress)
    return fresh


def _days(t: Telemetry, derived: Derived) -> list[Day]:
    """What there is to map, newest first: recent days are asked for most."""
    columns = source_columns(t, derived)
    found = [
        Day(feed, row["day"], row["rows"])
        for feed in derived.feeds
        for row in t.query(
            f"SELECT toDate32({feed.day}) AS day, count() AS rows "
            f"FROM {from_of(feed, feed.source, columns)} GROUP BY day"
        ).to_pylist()
    ]
    return sorted(found, key=lambda day: (day.day, day.feed.name), reverse=True)


def _exchange(t: Telemetry, table: Table) -> None:
    """The two tables change names, in one step. Views write to names, so they follow.

    On a cluster the distributed table in front takes the columns of what now stands behind it."""
    one, other = (local_name(name, t.topology) for name in (table.name, _beside(table).name))
    t.command(f"EXCHANGE TABLES {one} AND {other}{on_cluster(t.topology)}")
    if t.topology.kind == "cluster":
        for each in (table, _beside(table)):
            t.command(create_distributed(each, t.topology, "CREATE OR REPLACE TABLE"))


def _feed_missed(t: Telemetry, derived: Derived) -> None:
    """What arrived while the feeds changed went to the old table alone: it is mapped once more."""
    if local_name(_beside(derived.table).name, t.topology) not in read_known(t).objects:
        return
    beside, columns = _beside(derived.table).name, source_columns(t, derived)
    recent = f"SELECT trace_id FROM {beside} WHERE touched >= now64(3, 'UTC') - toIntervalMinute(10)"
    for feed in derived.feeds:
        source = from_of(feed, feed.source, columns)
        part = f"(SELECT * FROM {source} WHERE TraceId GLOBAL IN ({recent}))"
        t.command(insert_from(derived.table, feed.select(part)))


def _touch_changed(
    t: Telemetry, derived: Derived, old: Table | None, everything: bool, progress: Progress
) -> Iterator[Changed]:
    """Touch the interactions of which the mapping says something else than before: they settle again."""
    name, done = derived.table.name, read_known(t)
    rows = t.query(
        f"SELECT toDate32(day) AS day, uniqExact(trace_id) AS n FROM {name} GROUP BY day ORDER BY day DESC"
    )
    days = rows.to_pylist()
    total, seen = sum(row["n"] for row in days), 0
    mark = fingerprint(done.objects[local_name(name, t.topology)], str(everything), derived.final.select)
    for row in days:
        progress("comparing", seen, total)
        part = row["day"].isoformat()
        if not done.says("touched", part, mark):
            if everything or old is None:
                ids = f"SELECT DISTINCT trace_id FROM {name} WHERE day = {{day:Date}}"
            else:
                ids = _differing(derived.table, old)
            (count,) = t.query(f"SELECT count() AS n FROM ({ids})", {"day": part}).to_pylist()
            if count["n"]:
                t.command(
                    f"INSERT INTO {name} (trace_id, day, touched) "
                    f"SELECT trace_id, {{day:Date}}, now64(3, 'UTC') FROM ({ids}) {FEEDING}",
                    {"day": part},
                )
            remember(t, "touched", part, mark)
            yield Changed(row["day"], row["n"], count["n"])
        seen += row["n"]
    progress("comparing", total, total)


def _differing(new: Table, old: Table) -> str:
    """The traces of a day whose rows are not the same in both tables."""
    columns = [column.partition(" ")[0] for column in new.columns]
    told = ", ".join(name for name in columns if name not in ("trace_id", "day", "touched"))

    def rows(table: Table, told: str) -> str:
        return (
            f"SELECT trace_id, sipHash64(toString(({told}))) AS said FROM {table.name} FINAL "
            "WHERE day = {day:Date}"
        )

    both = f"{rows(new, told)} UNION ALL {rows(old, told)}"
    return f"SELECT trace_id FROM ({both}) GROUP BY trace_id HAVING count() != 2 OR uniqExact(said) != 1"


def _wait_for_inserts(t: Telemetry) -> None:
    """An insert that was planned before the new feeds were made does not feed them."""
    began = time.monotonic()
    running = running_inserts(t.topology)
    while True:
        since = time.monotonic() - began
        (row,) = t.query(running, {"since": since}).to_pylist()
        if not row["n"]:
            return
        if since > SETTLE_S:
            raise StoreError(
                f"an insert of spans runs for over {SETTLE_S:g} s: nothing was changed; run it again later"
            )
        time.sleep(0.05)


def running_inserts(topology: Topology) -> str:
    """How many inserts into the sources run for `since` seconds, on whatever node they do."""
    processes = "system.processes"
    if topology.kind == "cluster":
        processes = f"clusterAllReplicas('{topology.cluster}', {processes})"
    return (
        f"SELECT count() AS n FROM {processes} WHERE query_kind IN ('Insert', 'AsyncInsertFlush') "
        "AND match(query, 'otel_(traces|logs)') AND elapsed >= {since:Float64}"
    )


def _make_feeds(t: Telemetry, derived: Derived, wanted: Wanted) -> None:
    for feed in derived.feeds:
        t.command(drop_view(feed.name, t.topology))
        run_all(t, view_of(feed, wanted.selects[feed.name], derived.table, t.topology))


def _remember_all(t: Telemetry, derived: Derived, wanted: Wanted) -> None:
    """Everything is as the present mapping has it."""
    for feed in derived.feeds:
        remember(t, "feed", feed.name, fingerprint(wanted.selects[feed.name]))
    remember(t, derived.table.name, "", wanted.structure)
    remember(t, "history", "", wanted.mapped)
    remember(t, "history", "final", wanted.final)
    for name in ("beside", "mapped", "touched"):
        t.command(
            "INSERT INTO derived (name, part, fingerprint) SELECT name, part, '' FROM derived FINAL "
            "WHERE name = {name:String} AND fingerprint != ''",
            {"name": name},
        )


def _beside(table: Table) -> Table:
    return replace(table, name=f"{table.name}{BESIDE}")


def _drop_feeds_beside(t: Telemetry, derived: Derived) -> None:
    for feed in derived.feeds:
        t.command(drop_view(f"{feed.name}{BESIDE}", t.topology))


def _drop_beside(t: Telemetry, derived: Derived) -> None:
    for name in _names(_beside(derived.table), t.topology):
        t.command(f"DROP TABLE IF EXISTS {name}{on_cluster(t.topology)} SYNC {BIG}")


def _names(table: Table, topology: Topology) -> tuple[str, ...]:
    """The distributed table first, then the one behind it."""
    return tuple(dict.fromkeys((table.name, local_name(table.name, topology))))
