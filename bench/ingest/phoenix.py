"""Arize Phoenix, asked by its GraphQL API."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import peers
from bench.ingest.load import PLAN, SECOND, WORD, Load
from bench.ingest.system import PROTOBUF, Seen
from bench.server import Server, post_json

_SPAN: Final = (
    "spanId name spanKind statusCode startTime latencyMs input { truncatedValue } output { truncatedValue }"
)
_ROWS: Final = "edges { node { " + _SPAN + " } }"


class Phoenix:
    name = "Phoenix"
    traces_path = "/v1/traces"
    headers: Mapping[str, str] = {"Content-Type": PROTOBUF}

    def __init__(self, venvs: Path) -> None:
        self._venvs = venvs
        self.version = peers.version(venvs, "phoenix")

    @contextmanager
    def serving(self, folder: Path) -> Iterator[Server]:
        with peers.phoenix(self._venvs, folder) as server:
            yield server

    def traces(self, port: int, load: Load) -> int:
        found: int = self._ask(port, "traceCount")["traceCount"]
        return found

    def seen(self, port: int, load: Load) -> Seen:
        asked = (
            f'traceCount errors: traceCount(filterCondition: "parent_id is None and '
            f'status_code == \'ERROR\'") trace(traceId: "{load.late}") '
            "{ rootSpan { output { value } } }"
        )
        told = self._ask(port, asked)
        root = (told["trace"] or {}).get("rootSpan") or {}
        return Seen(told["traceCount"], told["errors"], (root.get("output") or {}).get("value") or "")

    def settled(self, port: int, load: Load) -> bool:
        return True

    def spans(self, port: int, load: Load) -> int:
        found: int = self._ask(port, "recordCount")["recordCount"]
        return found

    def trace_spans(self, port: int, trace_id: str) -> int:
        found = self._ask(port, f'trace(traceId: "{trace_id}") {{ numSpans }}')
        return int(((found or {}).get("trace") or {}).get("numSpans", 0))

    def questions(self, port: int, load: Load) -> Mapping[str, Callable[[], int]]:
        newest = "sort: {col: startTime, dir: desc}"
        hour = f"timeRange: {{start: {_time(load.ended_ns - 3600 * SECOND)}, end: {_time(load.ended_ns)}}}"
        week = f"timeRange: {{start: {_time(load.began_ns)}, end: {_time(load.ended_ns)}}}"
        days = f"{week}, timeBinConfig: {{scale: DAY, utcOffsetMinutes: 0}}"
        session = next(iter(load.sessions))

        def spans(arguments: str) -> Callable[[], int]:
            query = f"spans({arguments}) {{ {_ROWS} }}"
            return lambda: len(self._ask(port, query)["spans"]["edges"])

        def series(field: str, columns: str) -> Callable[[], int]:
            query = f"{field}({days}) {{ data {{ {columns} }} }}"
            return lambda: len(self._ask(port, query)[field]["data"])

        def one_session() -> int:
            turns = f"traces(first: 50) {{ edges {{ node {{ rootSpan {{ {_SPAN} }} }} }} }}"
            query = f'{{ found: getProjectSessionById(sessionId: "{session}") {{ numTraces {turns} }} }}'
            return len(_post(port, query)["found"]["traces"]["edges"])

        return {
            "newest 100": spans(f'first: 100, {newest}, filterCondition: "parent_id is None"'),
            "errors, last hour": spans(
                f"first: 100, {newest}, {hour}, "
                "filterCondition: \"parent_id is None and status_code == 'ERROR'\""
            ),
            "mean latency per day": series("traceLatencyMsPercentileTimeSeries", "timestamp p50 p99"),
            "count by status per day": series(
                "traceCountByStatusTimeSeries", "timestamp okCount errorCount totalCount"
            ),
            "attribute filter": spans(
                f"first: 50, {newest}, filterCondition: \"metadata['plan'] == '{PLAN}'\""
            ),
            "text search": spans(f"first: 50, {newest}, filterCondition: \"'{WORD}' in input.value\""),
            "session lookup": one_session,
        }

    def clone(self, folder: Path, load: Load, times: int) -> None:
        with closing(sqlite3.connect(folder / "data" / "phoenix.db")) as db:
            for copy in range(1, times):
                _clone(db, copy)
            db.commit()

    def _ask(self, port: int, fields: str) -> Any:
        return _post(port, f'{{ found: getProjectByName(name: "default") {{ {fields} }} }}')["found"]


def _post(port: int, query: str) -> Any:
    told = post_json(port, "/graphql", {"query": query})
    if told.get("errors"):
        raise SystemExit(f"Phoenix answered {told['errors']} to {query}")
    return told["data"]


def _time(ns: int) -> str:
    return f'"{datetime.fromtimestamp(ns / SECOND, UTC).isoformat()}"'


def _clone(db: sqlite3.Connection, copy: int) -> None:
    """Sessions, traces and spans once more, a minute earlier each time; ids are moved on."""
    most = {
        table: db.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
        for table in ("project_sessions", "traces", "spans")
    }
    for table, names in (
        ("project_sessions", {"session_id": f"session_id || '-{copy}'"}),
        (
            "traces",
            {
                "trace_id": f"printf('x%07x', {copy}) || substr(trace_id, 9)",
                "project_session_rowid": f"project_session_rowid + {{project_sessions}} * {copy}",
            },
        ),
        (
            "spans",
            {
                "trace_rowid": f"trace_rowid + {{traces}} * {copy}",
                "span_id": f"printf('x%03x', {copy}) || substr(span_id, 5)",
                "parent_id": f"printf('x%03x', {copy}) || substr(parent_id, 5)",
            },
        ),
    ):
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        first = {name: size // copy for name, size in most.items()}
        earlier = {
            name: f"strftime('%Y-%m-%d %H:%M:%f', {name}, '-{copy} minutes') || '000'"
            for name in ("start_time", "end_time")
        }
        told = {"id": f"id + {first[table]} * {copy}", **earlier, **names}
        picked = ", ".join(told.get(column, column).format(**first) for column in columns)
        listed, most_id = ", ".join(columns), first[table]
        db.execute(f"INSERT INTO {table} ({listed}) SELECT {picked} FROM {table} WHERE id <= {most_id}")
