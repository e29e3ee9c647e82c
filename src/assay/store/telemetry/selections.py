"""What was decided of each log, and which logs wait for a decision."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.records import Selection, Stage, Unit, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.grouping import Grouping, Rows, divide, read_facts
from assay.store.telemetry.receipts import is_complete, note_decisions
from assay.store.telemetry.rows import utc
from assay.store.telemetry.scope import JUDGE, LOGS, NEAR, bind_around, bind_scope, decided

DRAW: Final = (
    "reinterpretAsUInt64(reverse(substring(SHA256(concat({salt:String}, "
    "if(occasion = 0, '', concat(':', toString(occasion))), ':', log_id)), 1, 8))) / 18446744073709551616"
)
"""A log's permanent random number; `assay.sampling.draw` computes the same."""

MOST: Final = 50_000
"""So many logs are read by one statement, about: with all that a model reads they take some 50 MB."""

LATER: Final = "toIntervalSecond(1)"
"""Facts that are computed anew by a backfill are stamped a moment later: nothing came in since."""

IDS: Final = 2_000
"""So many logs are named in one statement."""

OF_POLICY: Final = "policy = {policy:String} AND stage = {stage:String}"
ON_DAYS: Final = "started >= {start:DateTime64(6, 'UTC')} AND started < {end:DateTime64(6, 'UTC')}"


def days_with_logs(t: Telemetry, unit: Unit, window: Window) -> list[date]:
    """The UTC days of the window on which settled logs began, in order."""
    whole = Window(start=window.days()[0].start, end=window.days()[-1].end) if window.days() else window
    rows = t.query(
        f"SELECT DISTINCT toDate(started) AS day FROM {LOGS} ORDER BY day", bind_scope(unit, whole)
    )
    return [row["day"] for row in rows.to_pylist()]


def candidates(
    t: Telemetry,
    grouping: Grouping,
    stage: Stage,
    window: Window,
    *,
    salt: str,
    since: datetime | None = None,
    few: bool = False,
) -> Generator[pa.Table, None, None]:
    """Settled logs that the policy, of whatever version, has yet to decide on, in batches: those it has
    not decided at the stage, those whose facts have changed since and, without `since`, those of which a
    decision was lost: its occasion comes again. For stage `label`: of those selected for the judge.

    Columns: log_id, started, facts_at, `occasion` (0 at first), `missed` (the chance that no earlier
    occasion selected it), `lost` (this very occasion was), draw, at stage `label` the judge's
    `stratum`, "" where another version gave it, and what the grouping asks for. With `since` only those
    whose facts were computed then or later. They come in the order in which
    they began. Many are read piece by piece, unless they are known to be `few`."""
    repair = since is None and not _is_complete(t, grouping, window)
    for piece in [window] if few else divide(t, grouping.unit, window, MOST):
        yield from _candidates(t, grouping, stage, piece, salt, since, repair=repair)


def _candidates(
    t: Telemetry,
    grouping: Grouping,
    stage: Stage,
    window: Window,
    salt: str,
    since: datetime | None,
    *,
    repair: bool,
) -> Iterator[pa.Table]:
    facts = read_facts(grouping, stage, window, since=since)
    some = f" AND log_id GLOBAL IN (SELECT log_id FROM {facts.source})"
    earlier = _earlier(some, repair=repair)
    again = f"OR (d.passed > 0 AND f.facts_at > d.seen_at + {LATER})" if grouping.again else ""
    # Without second chances a lost one gets none: it had every chance already, so to say.
    chance = "d.passed" if grouping.again else "if(d.lost, 0., d.passed)"
    sql = (
        f"SELECT *, {DRAW} AS draw FROM (SELECT f.*, d.occasions AS occasion, "
        f"if(d.occasions = 0, 1., {chance}) AS missed, toBool(d.lost AND d.occasions > 0) AS lost "
        f"FROM ({_drawable(facts, stage, some)}) AS f GLOBAL LEFT JOIN ({earlier}) AS d "
        f"ON f.log_id = d.log_id WHERE d.occasions = 0 OR d.lost {again}) ORDER BY started, log_id "
        "SETTINGS join_use_nulls = 0"
    )
    yield from _stream(t, grouping, sql, facts.params | {"stage": stage, "salt": salt})


def _earlier(some: str, *, repair: bool) -> str:
    """Of each log that was decided on: its next occasion, the chance that none so far selected it, and upon
    which facts it was last looked at. To `repair`: the first occasion that has a receipt and no row."""
    seen = "if(toUnixTimestamp64Micro(facts_at) = 0, decided_at, facts_at)"
    rows = f"FROM selections FINAL WHERE {OF_POLICY} AND {NEAR}{some}"
    if not repair:
        return (
            "SELECT log_id, toUInt32(if(min(occasion) = 0, max(occasion) + 1, 0)) AS occasions, "
            f"exp(sum(log1p(-probability))) AS passed, max({seen}) AS seen_at, false AS lost "
            f"{rows} GROUP BY log_id"
        )
    written = f"SELECT log_id, occasion, probability, 1 AS there, {seen} AS seen {rows}"
    noted = (
        " UNION ALL SELECT log_id, toUInt32(splitByChar(' ', toString(part))[2]) AS occasion, 0., 0, "
        "toDateTime64(0, 6, 'UTC') FROM receipts FINAL WHERE step = 'decision' AND name = {policy:String} "
        f"AND startsWith(part, concat({{stage:String}}, ' ')) AND {NEAR}{some}"
    )
    here, gone = "groupUniqArrayIf(occasion, there = 1)", "groupUniqArrayIf(occasion, there = 0)"
    return (
        "SELECT log_id, passed, seen_at, notEmpty(gone) AS lost, toUInt32(multiIf(NOT has(here, 0), 0, "
        "notEmpty(gone), arrayMin(gone), arrayMax(here) + 1)) AS occasions "
        "FROM (SELECT log_id, exp(sum(log1p(-probability))) AS passed, max(seen) AS seen_at, "
        f"{here} AS here, arrayFilter(o -> NOT has(here, o), {gone}) AS gone "
        f"FROM ({written}{noted}) GROUP BY log_id)"
    )


def _is_complete(t: Telemetry, grouping: Grouping, window: Window) -> bool:
    none = {"metric": "", "metric_version": "", "kind": ""}
    return is_complete(t, bind_scope(grouping.unit, window, policy=grouping.policy, **none))


def survey(
    t: Telemetry, grouping: Grouping, stage: Stage, window: Window, *, own: bool = False
) -> Generator[pa.Table, None, None]:
    """What the grouping asks for of all settled logs of the window, in batches, and `logs`, how many
    have it; at stage `label` the expected number selected for the judge, with their `stratum`, of those
    that this version decided on where `own`.

    Alike ones are counted together, unless the features of each are asked for."""
    for piece in divide(t, grouping.unit, window, MOST) if grouping.features else [window]:
        facts = read_facts(grouping, stage, piece)
        judged = f"{JUDGE}{' WHERE policy_version = {version:String}' if own else ''}"
        rows = facts.sql if stage == "judge" else f"SELECT f.*, j.stratum, j.logs {_judged(facts, judged)}"
        asked = [*facts.asked, *(["stratum"] if stage == "label" else [])]
        listed = "".join(f"{name}, " for name in asked)
        number = "1." if stage == "judge" else "logs"
        if grouping.features:
            sql = f"SELECT {listed}{number} AS logs FROM ({rows})"
        else:
            by = f" GROUP BY {', '.join(asked)}" if asked else ""
            sql = f"SELECT {listed}sum({number}) AS logs FROM ({rows}){by}"
        yield from _stream(t, grouping, f"{sql} SETTINGS join_use_nulls = 0", facts.params)


def count_logs(t: Telemetry, grouping: Grouping, window: Window) -> int:
    """How many settled logs of the window the policy is about."""
    facts = read_facts(grouping, "judge", window)
    (row,) = t.query(f"SELECT count() AS logs FROM {facts.source}", facts.params).to_pylist()
    return int(row["logs"])


def decided_facts(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> pa.Table:
    """What the grouping asks for of the settled logs of the window that the policy, of whatever version, has
    decided on, alike ones together, with their number `logs`."""
    facts = read_facts(grouping, "judge", window)
    asked = ", ".join(facts.asked)
    sql = (
        f"SELECT {asked}, count() AS logs FROM ({facts.sql}) WHERE sipHash64(log_id) GLOBAL IN "
        f"(SELECT sipHash64(log_id) FROM selections WHERE {OF_POLICY} AND {NEAR}) GROUP BY {asked}"
    )
    table = t.query(sql, facts.params | {"stage": stage})
    return table.rename_columns([grouping.column(name) for name in table.column_names])


def tally(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> pa.Table:
    """How many logs of the window the policy has decided on (`logs`), and how many of them are expected to
    be drawn (`spent`), by `stratum` and by whether it was this version (`own`). What later occasions added
    stands in a row of its own."""
    of_day = f"{OF_POLICY} AND {NEAR} AND {ON_DAYS}"
    return t.query(
        "SELECT toString(stratum) AS stratum, policy_version = {version:String} AS own, count() AS logs, "
        f"sum(probability) AS spent FROM selections FINAL WHERE {of_day} AND occasion = 0 "
        "GROUP BY stratum, own UNION ALL SELECT '' AS stratum, 0 AS own, 0 AS logs, sum(added) AS spent FROM "
        "(SELECT 1 - exp(sum(log1p(-probability))) - sumIf(probability, occasion = 0) AS added "
        f"FROM selections FINAL WHERE {of_day} AND log_id GLOBAL IN "
        f"(SELECT log_id FROM selections WHERE {of_day} AND occasion > 0) GROUP BY log_id) "
        "HAVING count() > 0",
        bind_scope(grouping.unit, window, policy=grouping.policy, version=grouping.version, stage=stage),
    )


def fixed_probabilities(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> dict[str, float]:
    """By stratum, the probability that this version of the policy first decided with in the window."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, version=grouping.version, stage=stage)
    rows = t.query(
        "SELECT stratum, argMin(probability, decided_at) AS probability FROM selections FINAL "
        f"WHERE {OF_POLICY} AND policy_version = {{version:String}} AND occasion = 0 AND {NEAR} "
        f"AND {ON_DAYS} GROUP BY stratum ORDER BY stratum",
        params,
    )
    return {row["stratum"]: row["probability"] for row in rows.to_pylist()}


def count_decided(t: Telemetry, grouping: Grouping, stage: Stage, window: Window) -> int:
    """How many logs of the window the policy, of whatever version, has decided on."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, stage=stage)
    (row,) = t.query(
        f"SELECT uniqExact(log_id) AS logs FROM selections WHERE {OF_POLICY} AND {NEAR} AND {ON_DAYS}", params
    ).to_pylist()
    return int(row["logs"])


def last_decided(t: Telemetry, policy: str) -> datetime | None:
    """When the policy, of whatever version, last decided; None if it never has."""
    (row,) = t.query(
        "SELECT count() AS rows, max(decided_at) AS last FROM selections WHERE policy = {policy:String}",
        {"policy": policy},
    ).to_pylist()
    return utc(row["last"]) if row["rows"] else None


class Fresh(NamedTuple):
    """A UTC day of which so many `logs` were settled, at most, from the `first` computation to the `last`."""

    day: date
    logs: int
    first: datetime
    last: datetime


def settled_since(t: Telemetry, unit: Unit, since: datetime) -> list[Fresh]:
    """The days of which logs were settled at that moment or later, in order."""
    rows = t.query(
        "SELECT toDate(started) AS day, count() AS logs, min(computed_at) AS first, "
        "max(computed_at) AS last FROM signals WHERE unit = {unit:String} "
        "AND computed_at >= {since:DateTime64(6, 'UTC')} AND is_deleted = 0 "
        "GROUP BY day ORDER BY day",
        {"unit": unit, "since": since},
    ).to_pylist()
    return [Fresh(row["day"], row["logs"], utc(row["first"]), utc(row["last"])) for row in rows]


def read_reached(t: Telemetry, policy: str) -> datetime | None:
    """The moment from which on what is settled is new to the policy; None before its first pass."""
    rows = t.query(
        "SELECT upto FROM settled FINAL WHERE name = {name:String}", {"name": f"policy {policy}"}
    ).to_pylist()
    return utc(rows[0]["upto"]) if rows else None


def write_reached(t: Telemetry, policy: str, reached: datetime) -> None:
    """Note that all that was settled before that moment is decided. What is being settled right now
    comes with the moment at which that began, so it is never passed."""
    t.command(
        "INSERT INTO settled (name, upto, at) SELECT {name:String}, least({reached:DateTime64(3, 'UTC')}, "
        "(SELECT if(count() = 0, {reached:DateTime64(3, 'UTC')}, "
        "parseDateTime64BestEffort(min(run), 3, 'UTC')) FROM settling)), now64(6, 'UTC')",
        {"name": f"policy {policy}", "reached": reached},
    )


def insert_selections(t: Telemetry, rows: pa.Table) -> None:
    """Write decisions down, durably; writing the same again changes nothing."""
    note_decisions(t, rows)
    t.insert("selections", rows)


def note_seen(t: Telemetry, grouping: Grouping, stage: Stage, window: Window, seen: pa.Table) -> None:
    """Note upon which facts logs (log_id, facts_at) were looked at again and had no higher chance: beside
    their newest decision, of which nothing else changes."""
    params = bind_scope(grouping.unit, window, policy=grouping.policy, stage=stage)
    for start in range(0, seen.num_rows, IDS):
        some = seen.slice(start, IDS)
        newest = t.query(
            f"SELECT * FROM selections FINAL WHERE {OF_POLICY} AND {NEAR} "
            "AND log_id IN {log_ids:Array(String)} ORDER BY log_id, occasion DESC LIMIT 1 BY log_id",
            params | {"log_ids": some["log_id"].to_pylist()},
        )
        times = some["facts_at"].take(pc.index_in(newest["log_id"], value_set=some["log_id"]))
        place = newest.column_names.index("facts_at")
        t.insert("selections", newest.set_column(place, "facts_at", times))


def selected_counts(t: Telemetry, policy: str, unit: Unit, window: Window) -> pa.Table:
    """By stratum, over all versions of the policy: stratum, decided, judge and label (selected). A log
    that was decided on again counts once, where it was decided last."""
    return t.query(
        "SELECT stratum, countIf(stage = 'judge') AS decided, "
        "countIf(stage = 'judge' AND selected) AS judge, countIf(stage = 'label' AND selected) AS label "
        "FROM (SELECT stage, argMax(s.stratum, s.occasion) AS stratum, max(s.selected) AS selected "
        f"FROM selections AS s FINAL WHERE policy = {{policy:String}} AND {NEAR} AND {ON_DAYS} "
        "GROUP BY stage, log_id) GROUP BY stratum ORDER BY stratum",
        bind_scope(unit, window, policy=policy),
    )


def selections_of(t: Telemetry, unit: Unit, begun: Mapping[str, datetime]) -> list[Selection]:
    """Every decision about these logs, given with when they began: by log and policy, judge before label,
    the first occasion before later ones."""
    rows = t.query(
        f"SELECT * EXCEPT (facts_at) FROM selections FINAL WHERE {NEAR} "
        "AND log_id IN {log_ids:Array(String)} ORDER BY log_id, policy, stage, occasion",
        bind_around(unit, begun),
    ).to_pylist()
    return [
        Selection(
            **{
                **row,
                "selected": bool(row["selected"]),
                "started": row["started"].astimezone(UTC),
                "decided_at": row["decided_at"].astimezone(UTC),
            }
        )
        for row in rows
    ]


def _drawable(facts: Rows, stage: Stage, some: str) -> str:
    if stage == "judge":
        return facts.sql
    return f"SELECT f.*, j.stratum {_judged(facts, decided('judge', some))} WHERE j.selected"


def _judged(facts: Rows, judged: str) -> str:
    """Facts beside what was decided for the judge. They keep the stratum that they had then if this version
    gave it, though the facts may have changed since."""
    return (
        f"FROM ({facts.sql}) AS f GLOBAL INNER JOIN (SELECT log_id, selected, probability AS logs, "
        f"if(policy_version = {{version:String}}, stratum, '') AS stratum FROM {judged}) AS j "
        "ON f.log_id = j.log_id"
    )


def _stream(t: Telemetry, grouping: Grouping, sql: str, params: Mapping[str, Any]) -> Iterator[pa.Table]:
    for batch in t.stream(sql, params):
        table = pa.Table.from_batches([batch])
        yield table.rename_columns([grouping.column(name) for name in table.column_names])
