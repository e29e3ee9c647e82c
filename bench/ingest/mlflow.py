"""MLflow's tracking server, asked by its REST API."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from bench import peers
from bench.ingest.load import PLAN, WORD, Load
from bench.ingest.system import PROTOBUF, Seen
from bench.server import Server, post_json

_PLACE: Final = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]
_DAY_S: Final = 86_400


class Mlflow:
    name = "MLflow"
    traces_path = "/v1/traces"
    headers: Mapping[str, str] = {"Content-Type": PROTOBUF, "x-mlflow-experiment-id": "0"}

    def __init__(self, venvs: Path) -> None:
        self._venvs = venvs
        self.version = peers.version(venvs, "mlflow")

    @contextmanager
    def serving(self, folder: Path) -> Iterator[Server]:
        with peers.mlflow(self._venvs, folder) as server:
            yield server

    def traces(self, port: int, load: Load) -> int:
        points = _metrics(port, load, "trace_count", "COUNT", daily=False)
        return int(points[0]["values"]["COUNT"]) if points else 0

    def seen(self, port: int, load: Load) -> Seen:
        found = {
            point.get("dimensions", {}).get("trace_status", ""): int(point["values"]["COUNT"])
            for point in _metrics(
                port, load, "trace_count", "COUNT", dimensions=["trace_status"], daily=False
            )
        }
        asked = {"locations": _PLACE, "max_results": 1, "filter": f"trace.request_id = 'tr-{load.late}'"}
        late = post_json(port, "/api/3.0/mlflow/traces/search", asked).get("traces", [])
        output = late[0].get("response_preview", "") if late else ""
        return Seen(
            sum(found.values()),
            found.get("ERROR", 0),
            json.loads(output) if output.startswith('"') and output.endswith('"') else output,
        )

    def settled(self, port: int, load: Load) -> bool:
        return True

    def spans(self, port: int, load: Load) -> int:
        points = _metrics(port, load, "span_count", "COUNT", view="SPANS", daily=False)
        return int(points[0]["values"]["COUNT"]) if points else 0

    def trace_spans(self, port: int, trace_id: str) -> int:
        link = HTTPConnection("127.0.0.1", port, timeout=60)
        link.request("GET", f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}&allow_partial=true")
        answer = link.getresponse()
        told = json.loads(answer.read())
        link.close()
        return len(told.get("trace", {}).get("spans", [])) if answer.status == 200 else 0

    def questions(self, port: int, load: Load) -> Mapping[str, Callable[[], int]]:
        newest = {"order_by": ["timestamp_ms DESC"]}
        hour_ms = load.ended_ns // 1_000_000 - 3_600_000
        session = next(iter(load.sessions))

        def search(size: int, condition: str = "") -> Callable[[], int]:
            asked = {
                "locations": _PLACE,
                "max_results": size,
                **newest,
                **({"filter": condition} if condition else {}),
            }
            return lambda: len(post_json(port, "/api/3.0/mlflow/traces/search", asked).get("traces", []))

        return {
            "newest 100": search(100),
            "errors, last hour": search(100, f"trace.status = 'ERROR' AND trace.timestamp_ms > {hour_ms}"),
            "mean latency per day": lambda: len(_metrics(port, load, "latency", "AVG")),
            "count by status per day": lambda: len(
                _metrics(port, load, "trace_count", "COUNT", dimensions=["trace_status"])
            ),
            "attribute filter": search(50, f"span.attributes.metadata ILIKE '%{PLAN}%'"),
            "text search": search(50, f"trace.text ILIKE '%{WORD}%'"),
            "session lookup": search(50, f"metadata.`mlflow.trace.session` = '{session}'"),
        }

    def clone(self, folder: Path, load: Load, times: int) -> None:
        with closing(sqlite3.connect(folder / "data" / "mlflow.db")) as db:
            db.execute("CREATE TEMP TABLE original AS SELECT request_id FROM trace_info")
            for copy in range(1, times):
                _clone(db, copy)
            db.commit()


def _metrics(
    port: int,
    load: Load,
    metric: str,
    aggregation: str,
    *,
    view: str = "TRACES",
    dimensions: list[str] | None = None,
    daily: bool = True,
) -> list[Any]:
    asked: dict[str, Any] = {
        "experiment_ids": ["0"],
        "view_type": view,
        "metric_name": metric,
        "aggregations": [{"aggregation_type": aggregation}],
        "dimensions": dimensions or [],
    }
    if daily:
        asked |= {"time_interval_seconds": _DAY_S}
        asked |= {"start_time_ms": load.began_ns // 1_000_000, "end_time_ms": load.ended_ns // 1_000_000}
    points: list[Any] = post_json(port, "/api/3.0/mlflow/traces/metrics", asked).get("data_points", [])
    return points


def _clone(db: sqlite3.Connection, copy: int) -> None:
    """Traces, their tags and metadata, and spans once more, a minute earlier each time."""
    trace = "'tr-' || printf('x%07x', {}) || substr({}, 12)"
    earlier_ns = f"- {copy * 60} * 1000000000"
    for table, key, told in (
        ("trace_info", "request_id", {"timestamp_ms": f"timestamp_ms - {copy * 60_000}"}),
        ("trace_tags", "request_id", {}),
        ("trace_request_metadata", "request_id", {}),
        ("trace_metrics", "request_id", {}),
        (
            "spans",
            "trace_id",
            {name: f"{name} {earlier_ns}" for name in ("start_time_unix_nano", "end_time_unix_nano")},
        ),
        ("span_metrics", "trace_id", {}),
    ):
        told = {**told, key: trace.format(copy, key), "session_id": f"session_id || '-{copy}'"}
        if table == "trace_request_metadata":
            told["value"] = f"CASE key WHEN 'mlflow.trace.session' THEN value || '-{copy}' ELSE value END"
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]  # leaves out generated ones
        picked = ", ".join(told.get(column, column) for column in columns)
        db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picked} FROM {table} "
            f"WHERE {key} IN (SELECT request_id FROM original)"
        )
