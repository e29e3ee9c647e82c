"""What requests mean: vectors, the cells that they fall into, and the nearest ones.

A request is embedded once, under the name of the model; `computed_at` is that of the row of `signals`
whose text it was, so that a log which was computed again shows without a clock. Cells are numbered
once and for ever: generation times `CELLS`, and the centre's number from 1; 0 is none yet.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from assay.records import LogRow, Unit
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.rows import LOG_ROW, log_row, utc
from assay.store.telemetry.schema import Table
from assay.store.telemetry.slices import versions

CELLS: Final = 1_000
"""Cells of one generation have numbers below this."""

REQUEST: Final = "request"
MOST_CHARS: Final = 2_000
SHORT: Final = 24
"""A first request of fewer characters may be a greeting: those that follow are read with it."""

FIRST_REQUESTS: Final = 3
NUMBERS: Final = 300_000_000
"""Numbers that one search compares with at most: a million vectors of 256, with room."""

CANDIDATES: Final = 400
"""Nearest rows that are looked at: many may say the same words."""

LEAST: Final = 0.25
"""What is less alike is about something else."""

SPARE: Final = 2
"""Logs of one vector that are read: the first may be gone."""

SLACK: Final = "INTERVAL 1 MILLISECOND"
"""Signals that are computed again leave a log's texts as they are, and move its row by microseconds."""

EMBEDDINGS: Final = Table(
    name="embeddings",
    columns=(
        "unit LowCardinality(String)",
        "log_id String",
        "started DateTime64(6, 'UTC')",
        "model LowCardinality(String)",
        "part LowCardinality(String)",
        "vector Array(BFloat16) CODEC(NONE)",
        "cell UInt32",
        "computed_at DateTime64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="computed_at",
    partition_by="toDate(started)",
    order_by="(model, part, unit, started, log_id)",
    shard_by="cityHash64(log_id)",
    indexes=("idx_log_id log_id TYPE bloom_filter(0.001) GRANULARITY 1",),
)

CENTRES: Final = Table(
    name="centres",
    columns=(
        "model LowCardinality(String)",
        "generation UInt32",
        "centre UInt32",
        "vector Array(Float32)",
        "fitted_from UInt64",
        "fitted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')",
    ),
    engine="ReplacingMergeTree",
    version="fitted_at",
    partition_by="tuple()",
    order_by="(model, generation, centre)",
    shard_by="cityHash64(model)",
)
"""The middles of cells: what is nearest to one lies in its cell. Generations count over all models."""

_OWN: Final = "model = {embedder:String} AND part = 'request' AND unit = {unit:String}"
_DAY: Final = (
    "started >= toDateTime64({day:Date}, 6, 'UTC') AND started < toDateTime64({next:Date}, 6, 'UTC')"
)


class Place(NamedTuple):
    """A place among a day's logs in order of time."""

    started: datetime
    log_id: str


class Near(NamedTuple):
    """A log whose request is near in meaning; `alike` counts the logs of the same vector, itself one."""

    row: LogRow
    similarity: float
    alike: int


def days_of_signals(t: Telemetry) -> dict[date, tuple[int, int]]:
    """The days that hold logs, each with a mark that changes whenever a row of the day is written."""
    return {day: (version.block, version.mutation) for day, version in versions(t)["signals"].items()}


def pending(
    t: Telemetry, unit: Unit, day: date, model: str, limit: int, after: Place | None = None
) -> pa.Table:
    """Logs of the day, from `after` on, whose request has no vector of the model yet, or one of an older
    text: log_id, started, computed_at, text, and the cell that the log has already (0: none)."""
    params: dict[str, Any] = {"unit": unit, "day": day, "next": day + timedelta(days=1)}
    params |= {"embedder": model, "limit": limit}
    beyond = ""
    if after is not None:
        beyond = (
            "AND started >= {after_started:DateTime64(6, 'UTC')} "
            "AND (started, log_id) > ({after_started:DateTime64(6, 'UTC')}, {after_id:String})"
        )
        params |= {"after_started": after.started, "after_id": after.log_id}
    there = (
        "SELECT log_id, started, max(computed_at) AS at, argMax(cell, (computed_at, cell)) AS cell "
        f"FROM embeddings WHERE {_OWN} AND {_DAY} {beyond} GROUP BY log_id, started"
    )
    logs = (
        "SELECT log_id, started, computed_at FROM signals FINAL "
        f"WHERE unit = {{unit:String}} AND {_DAY} {beyond} AND input != ''"
    )
    todo = (
        f"SELECT logs.log_id AS log_id, logs.started AS started, there.cell AS cell FROM ({logs}) AS logs "
        f"LEFT JOIN ({there}) AS there ON there.log_id = logs.log_id AND there.started = logs.started "
        f"WHERE logs.computed_at > there.at + {SLACK} ORDER BY started, log_id LIMIT {{limit:UInt32}}"
    )
    found = t.query(near(t.topology, todo), params)
    if not found.num_rows:
        return found
    texts = (
        "SELECT log_id, started, computed_at, substringUTF8(input, 1, {chars:UInt32}) AS text "
        "FROM signals FINAL WHERE unit = {unit:String} AND started >= {first:DateTime64(6, 'UTC')} "
        "AND started <= {last:DateTime64(6, 'UTC')} AND log_id IN ({todo}) ORDER BY started, log_id"
    ).replace("{todo}", f"SELECT log_id FROM ({todo})")
    ends = {"first": found["started"][0].as_py(), "last": found["started"][-1].as_py()}
    read = t.query(near(t.topology, texts), params | ends | {"chars": MOST_CHARS})
    joined = read.join(found.select(["log_id", "started", "cell"]), ["log_id", "started"], join_type="inner")
    return _told_whole(t, joined) if unit == "conversation" else joined


def _told_whole(t: Telemetry, rows: pa.Table) -> pa.Table:
    """Where a conversation begins with a word or two, its first few requests together are the text."""
    begun: dict[str, datetime] = {row["log_id"]: utc(row["started"]) for row in rows.to_pylist()}
    texts: dict[str, str] = {row["log_id"]: row["text"] for row in rows.to_pylist()}
    short = [log_id for log_id, text in texts.items() if len(text) < SHORT]
    for start in range(0, len(short), CELLS):
        found = t.query(
            "SELECT conversation_id, arrayStringConcat(arraySlice(arrayMap(r -> r.3, arraySort("
            "groupArray((started, log_id, substringUTF8(input, 1, {chars:UInt32}))))), 1, {first:UInt32}), "
            "'\\n') AS text FROM signals FINAL WHERE unit = 'interaction' AND input != '' "
            "AND started >= {since:DateTime64(6, 'UTC')} AND started < {until:DateTime64(6, 'UTC')} "
            "AND conversation_id IN {ids:Array(String)} GROUP BY conversation_id",
            {
                "ids": short[start : start + CELLS],
                "since": min(begun.values()),
                "until": max(begun.values()) + timedelta(days=1),
                "chars": MOST_CHARS // FIRST_REQUESTS,
                "first": FIRST_REQUESTS,
            },
        )
        texts |= {row["conversation_id"]: row["text"] for row in found.to_pylist() if row["text"]}
    whole = pa.array([texts[row["log_id"]] for row in rows.to_pylist()], pa.string())
    return rows.set_column(rows.column_names.index("text"), "text", whole)


def insert_vectors(t: Telemetry, unit: Unit, model: str, rows: pa.Table) -> None:
    """Write vectors: log_id, started, vector (lists of float32), cell, computed_at."""
    count = rows.num_rows
    for name, value in (("unit", unit), ("model", model), ("part", REQUEST)):
        rows = rows.append_column(name, pa.array([value] * count, pa.string()))
    t.insert(EMBEDDINGS.name, rows)


def count_vectors(t: Telemetry, model: str) -> int:
    """How many rows of the model there are; a log that was embedded twice may count twice."""
    sql = "SELECT count() AS vectors FROM embeddings WHERE model = {embedder:String}"
    (row,) = t.query(sql, {"embedder": model}).to_pylist()
    return int(row["vectors"])


def sample_vectors(t: Telemetry, model: str, limit: int) -> pa.Table:
    """Vectors of the newest logs, chosen and ordered by a hash of their ids: always the same ones."""
    sql = (
        "SELECT arrayMap(x -> toFloat32(x), vector) AS vector FROM (SELECT log_id, vector FROM embeddings "
        "WHERE model = {embedder:String} ORDER BY started DESC, log_id LIMIT {many:UInt32}) "
        "ORDER BY cityHash64(log_id), log_id LIMIT {limit:UInt32}"
    )
    return t.query(sql, {"embedder": model, "limit": limit, "many": limit * 5})


def read_centres(t: Telemetry, model: str) -> pa.Table:
    """The model's newest centres in order: generation, vector, fitted_from. No rows where there are none."""
    sql = (
        "SELECT generation, centre, vector, fitted_from FROM centres FINAL WHERE model = {embedder:String} "
        "AND generation = (SELECT max(generation) FROM centres WHERE model = {embedder:String}) "
        "ORDER BY centre"
    )
    return t.query(sql, {"embedder": model})


def insert_centres(t: Telemetry, model: str, vectors: pa.Array[Any], fitted_from: int) -> int:
    """Write a new generation of centres; its number."""
    (row,) = t.query("SELECT max(generation) AS newest FROM centres").to_pylist()
    generation, count = int(row["newest"]) + 1, len(vectors)
    rows = {
        "model": pa.array([model] * count, pa.string()),
        "generation": pa.array([generation] * count, pa.uint32()),
        "centre": pa.array(range(1, count + 1), pa.uint32()),
        "vector": vectors,
        "fitted_from": pa.array([fitted_from] * count, pa.uint64()),
    }
    t.insert(CENTRES.name, pa.table(rows))
    return generation


def place_rest(t: Telemetry, model: str, generation: int) -> None:
    """Give every vector that has no cell yet the nearest centre's. Doing it again changes nothing."""
    middles = (
        "SELECT groupArray(vector) FROM (SELECT vector FROM centres FINAL "
        "WHERE model = {embedder:String} AND generation = {generation:UInt32} ORDER BY centre)"
    )
    nearness = "arrayMap(middle -> dotProduct(vector, middle), middles)"
    t.command(
        "INSERT INTO embeddings (unit, log_id, started, model, part, vector, cell, computed_at) "
        f"WITH ({middles}) AS middles SELECT unit, log_id, started, model, part, vector, "
        f"toUInt32({{generation:UInt32}} * {CELLS} + indexOf({nearness} AS near, arrayMax(near))), "
        "computed_at "
        "FROM embeddings FINAL WHERE model = {embedder:String} AND cell = 0 "
        "AND arrayExists(x -> x != 0, vector)",
        {"embedder": model, "generation": generation},
    )


def cells_of() -> str:
    """The cell of each log of the unit and the days, one row a log: log_id, cell. Binds `unit`,
    `first_day`, `last_day` and `embedder` (the model's name; of none, every log has no cell).

    To be left-joined: a log without a vector has no row, and its cell is 0."""
    return (
        f"SELECT log_id, argMax(cell, (computed_at, cell)) AS cell FROM embeddings WHERE {_OWN} "
        "AND toDate(started) >= {first_day:Date} AND toDate(started) <= {last_day:Date} GROUP BY log_id"
    )


def read_cells(t: Telemetry, unit: Unit, first_day: date, last_day: date, model: str) -> pa.Table:
    """The same as a table, in order of log_id."""
    params = {"unit": unit, "first_day": first_day, "last_day": last_day, "embedder": model}
    return t.query(f"SELECT log_id, cell FROM ({cells_of()}) ORDER BY log_id", params)


def nearest(t: Telemetry, unit: Unit, log_id: str, model: str, limit: int) -> tuple[Near, ...] | None:
    """The logs whose requests are nearest to that one's by cosine, nearest first, among as many of the
    newest days as can be searched at once. None where the log itself has no vector (yet)."""
    own = t.query(
        "SELECT started, cell, length(vector) AS size, arrayExists(x -> x != 0, vector) AS says "
        f"FROM embeddings WHERE {_OWN} AND log_id = {{id:String}} ORDER BY computed_at DESC LIMIT 1",
        {"embedder": model, "unit": unit, "id": log_id},
    ).to_pylist()
    if not own or not own[0]["says"]:
        return None
    params = {"embedder": model, "unit": unit, "id": log_id, "size": own[0]["size"]}
    params |= {"since": _since(t, own[0]["size"]), "many": CANDIDATES}
    one = (
        f"SELECT vector FROM embeddings WHERE {_OWN} AND log_id = {{id:String}} "
        "ORDER BY computed_at DESC LIMIT 1"
    )
    found = t.query(
        f"WITH ({one}) AS one SELECT log_id, started, dotProduct(vector, one) AS similarity FROM embeddings "
        f"WHERE {_OWN} AND started >= toDateTime64({{since:Date}}, 6, 'UTC') AND log_id != {{id:String}} "
        "ORDER BY similarity DESC, started DESC LIMIT {many:UInt32}",
        params,
    ).to_pylist()
    return _told(t, unit, found, limit)


def _since(t: Telemetry, size: int) -> date:
    """The first of the newest days that hold together no more than can be compared with."""
    left, first = NUMBERS // max(size, 1), None
    for day, version in sorted(versions(t, (EMBEDDINGS.name,))[EMBEDDINGS.name].items(), reverse=True):
        left -= version.rows
        if first is not None and left < 0:
            break
        first = day
    return first or date(1970, 1, 1)


def _told(t: Telemetry, unit: Unit, found: list[dict[str, Any]], limit: int) -> tuple[Near, ...]:
    """The candidates as logs, those of one vector as one: they are equally near, and say the same.

    A row that is read costs as much as its whole granule: no more are read than are shown."""
    groups: dict[float, list[dict[str, Any]]] = {}
    for row in found:
        if row["similarity"] >= LEAST:
            groups.setdefault(round(float(row["similarity"]), 6), []).append(row)
    near: list[Near] = []
    waiting = list(groups.items())
    while waiting and len(near) < limit:
        some, waiting = waiting[: limit - len(near)], waiting[limit - len(near) :]
        logs = _logs_at(t, unit, [row for _, rows in some for row in rows[:SPARE]])
        for similarity, rows in some:
            there = [logs[row["log_id"]] for row in rows[:SPARE] if row["log_id"] in logs]
            if there:
                near.append(Near(there[0], min(1.0, similarity), len(rows)))
    return tuple(near)


def _logs_at(t: Telemetry, unit: Unit, places: list[dict[str, Any]]) -> dict[str, LogRow]:
    """The logs that still begin at those moments, by their ids."""
    rows = t.query(
        f"SELECT {LOG_ROW} FROM signals FINAL WHERE unit = {{unit:String}} "
        "AND started IN {times:Array(DateTime64(6, 'UTC'))} AND log_id IN {ids:Array(String)} "
        "SETTINGS optimize_move_to_prewhere_if_final = 1",
        {"unit": unit, "times": [row["started"] for row in places], "ids": [row["log_id"] for row in places]},
    ).to_pylist()
    begun = {(row["log_id"], utc(row["started"])) for row in places}
    logs = (log_row(row) for row in rows)
    return {log.log_id: log for log in logs if (log.log_id, log.started) in begun}
