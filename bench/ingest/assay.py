"""assay, asked by its JSON API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from bench.ingest.load import PLAN, SECOND, WORD, Load
from bench.ingest.system import PROTOBUF, Seen
from bench.server import Server, get_json, serve

_EVER: Final = {"from": "1970-01-01", "to": "2300-01-01"}
SETTINGS: Final = """\
[project]
name = "bench"

[policies.daily]
unit = "interaction"
rate = 0.01
label_rate = 0.001
"""


class Assay:
    """With the settings that a new project has; `more` is added to assay.toml."""

    name = "assay"
    traces_path = "/v1/traces"
    headers: Mapping[str, str] = {"Content-Type": PROTOBUF}

    def __init__(self, more: str = "") -> None:
        self._more = more
        self.version = version("assay")

    @contextmanager
    def serving(self, folder: Path) -> Iterator[Server]:
        (folder / "assay.toml").write_text(SETTINGS + self._more, encoding="utf-8")
        with serve(folder) as server:
            yield server

    def traces(self, port: int, load: Load) -> int:
        settled: int = get_json(port, _logs(load, limit=1))["total"]
        arrived: int = get_json(port, "/api/arrivals?limit=1")["interactions"]
        return settled + arrived

    def seen(self, port: int, load: Load) -> Seen:
        """Of interactions that have arrived, and of those that have their facts and signals already."""
        arrived = get_json(port, "/api/arrivals?limit=1")
        page = get_json(port, _logs(load, limit=1))
        failed = get_json(port, _logs(load, "errors > 0", limit=1))
        traces, errors = arrived["interactions"] + page["total"], arrived["failed"] + failed["total"]
        return Seen(traces, errors, _output(port, load.late_session, load.late))

    def settled(self, port: int, load: Load) -> bool:
        return bool(get_json(port, _logs(load, limit=1))["total"] >= load.traces)

    def spans(self, port: int, load: Load) -> int:
        """All of them, where every interaction has the spans that it was sent with."""
        whole: int = get_json(port, _logs(load, "spans = 4", limit=1))["total"]
        return 4 * whole

    def trace_spans(self, port: int, trace_id: str) -> int:
        address = "/api/logs?" + urlencode({"unit": "interaction", "q": f'log_id = "{trace_id}"', **_EVER})
        if not get_json(port, address)["total"]:
            return 0
        counts = (f"spans = {number}" for number in range(1, 5))
        for number, condition in enumerate(counts, 1):
            asked = {"unit": "interaction", "q": f'log_id = "{trace_id}" and {condition}', **_EVER}
            if get_json(port, "/api/logs?" + urlencode(asked))["total"]:
                return number
        return 5

    def questions(self, port: int, load: Load) -> Mapping[str, Callable[[], int]]:
        hour = datetime.fromtimestamp(load.ended_ns / SECOND, UTC) - timedelta(hours=1)
        session = next(iter(load.sessions))

        def rows(address: str, key: str = "rows") -> Callable[[], int]:
            return lambda: len(get_json(port, address)[key])

        return {
            "newest 100": rows(_logs(load, limit=100)),
            "errors, last hour": rows(
                _logs(load, f'errors > 0 and started >= "{hour.isoformat()}"', limit=100)
            ),
            "mean latency per day": rows(_series(load, "latency_ms"), "points"),
            "count by status per day": rows(_series(load, "count"), "points"),
            "attribute filter": rows(_logs(load, f'attr["plan"] = "{PLAN}"', limit=50)),
            "text search": rows(_logs(load, f'input contains "{WORD}"', limit=50)),
            "session lookup": rows("/api/conversations?" + urlencode({"id": session}), "turns"),
        }

    def clone(self, folder: Path, load: Load, times: int) -> None:
        raise NotImplementedError("loading them is quicker")


def _output(port: int, session: str, trace: str) -> str:
    """What the interaction answered, as its conversation tells it."""
    link = HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("GET", "/api/conversations?" + urlencode({"id": session}))
    answer = link.getresponse()
    content = answer.read()
    link.close()
    turns = json.loads(content)["turns"] if answer.status == 200 else []
    return next((turn["turn"]["output"] for turn in turns if turn["turn"]["interaction_id"] == trace), "")


def _days(load: Load) -> dict[str, str]:
    days = (datetime.fromtimestamp(ns / SECOND, UTC).date() for ns in (load.began_ns, load.ended_ns))
    return dict(zip(("from", "to"), (day.isoformat() for day in days), strict=True))


def _logs(load: Load, condition: str = "", *, limit: int) -> str:
    asked = {"unit": "interaction", "limit": str(limit), **_days(load)}
    return "/api/logs?" + urlencode(asked | ({"q": condition} if condition else {}))


def _series(load: Load, measure: str) -> str:
    return "/api/series?" + urlencode({"unit": "interaction", "of": measure, **_days(load)})
