"""A copy of a project that is in use, and the project made from it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.store.alone import alone

from assay.app.backup import read_manifest, restore
from assay.errors import CallerError

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_copy_made_while_spans_come_in_gives_the_same_answers(tmp_path: Path) -> None:
    made = alone(_copy_while_spans_come_in, str(tmp_path))
    found = alone(_restore_and_ask, str(tmp_path))
    assert made["before"] >= 40
    assert found["conversations"] == made["conversations"], "what was settled before the copy"
    assert found["interactions"] >= made["before"]
    assert found["orphans"] == 0, "no interaction without its spans, no span without its interaction"
    assert found["runs"] == made["runs"] == 1
    assert found["again"] == "there"


def _copy_while_spans_come_in(folder: str) -> dict[str, Any]:
    from tests.store.spans import put, turn

    from assay.app.backup import back_up
    from assay.app.flow import settle
    from assay.app.open import open_application
    from assay.config import init_project, load_settings
    from assay.records import no_progress
    from assay.store import state as book

    project = Path(folder) / "project"
    init_project(project, "shop")
    _move_metrics(project)
    application = open_application(load_settings(project / "assay.toml", {}), "test", lambda: NOW)
    parts = application._parts
    store = parts.telemetry
    put(store, *(turn(f"t{n}", f"c{n % 10}", minute=n) for n in range(40)))
    settle(parts, no_progress)
    book.start_run(parts.state, "shop", run_id="r", kind="evaluate", name="resolved", version="v1", now=NOW)
    stop = threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set():
            put(store, turn(f"late{number}", f"late{number}"))
            number += 1

    thread = threading.Thread(target=send)
    before = store.query("SELECT count() AS n FROM interactions_final").to_pylist()[0]["n"]
    journal = Path(folder) / "project/.assay/journal"
    journal.mkdir(exist_ok=True)
    (journal / "bookmark").write_bytes(b"mark")
    (journal / "000000000001.segment").write_bytes(b"waiting")
    (journal / "dead").mkdir()
    for name in ("a.bin", "a.json", "unfinished.bin"):
        (journal / "dead" / name).write_bytes(b"refused")
    thread.start()
    try:
        back_up(parts, journal, Path(folder) / "copy")
    finally:
        stop.set()
        thread.join()
    conversations = _conversations(store)
    application.close()
    return {"before": before, "conversations": conversations, "runs": 1}


def _move_metrics(project: Path) -> None:
    (project / "conf").mkdir()
    (project / "metrics.py").rename(project / "conf/metrics.py")
    path = project / "assay.toml"
    text = path.read_text(encoding="utf-8")
    moved = text.replace('"metrics.py"', '"conf/metrics.py"')
    assert moved != text
    path.write_text(moved, encoding="utf-8")


def _restore_and_ask(name: str) -> dict[str, Any]:
    from tests.store.spans import put, turn

    from assay.config import load_settings
    from assay.store import state as book
    from assay.store.telemetry.connection import open_telemetry

    folder = Path(name)
    target = folder / "elsewhere"
    report = restore(folder / "copy", target)
    assert {table.name for table in report.tables} >= {"otel_traces", "interactions", "signals", "scores"}
    assert (target / ".assay/journal/000000000001.segment").read_bytes() == b"waiting"
    settings = load_settings(target / "assay.toml", {})
    dead = target / ".assay/journal/dead"
    assert sorted(path.name for path in dead.iterdir()) == ["a.bin", "a.json"]
    assert settings.metrics_file == target / "conf/metrics.py"
    assert settings.metrics_file.read_text(encoding="utf-8").strip()
    modes = [(folder / "copy", 0o700), (target, 0o700)]
    modes += [(one / "000000000001.segment", 0o600) for one in (folder / "copy/journal", dead.parent)]
    assert [(path, path.stat().st_mode & 0o777) for path, _ in modes] == modes
    store = open_telemetry(settings.telemetry_dsn)
    state = book.open_state(settings.state_url)
    spans = "SELECT DISTINCT TraceId FROM otel_traces"
    known = "SELECT DISTINCT trace_id FROM interactions"
    found = {
        "conversations": _conversations(store),
        "interactions": _count(store, known),
        "orphans": _count(store, f"{spans} WHERE TraceId NOT IN ({known})")
        + _count(store, f"{known} WHERE trace_id NOT IN ({spans})"),
        "runs": len(book.list_runs(state, "shop")),
    }
    put(store, turn("again", "again"))
    found["again"] = "there" if _count(store, f"{known} WHERE has(conversation_ids, 'again')") else "gone"
    store.close()
    state.close()
    return found


def _conversations(store: Any) -> list[Any]:
    rows = store.query(
        "SELECT log_id, turns, input, toString(started) AS started FROM signals FINAL "
        "WHERE unit = 'conversation' AND startsWith(log_id, 'c') ORDER BY log_id"
    )
    found: list[Any] = rows.to_pylist()
    return found


def _count(store: Any, rows: str) -> int:
    count: int = store.query(f"SELECT count() AS n FROM ({rows})").to_pylist()[0]["n"]
    return count


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a project with nothing in it but its configuration."""
    import hashlib

    folder = tmp_path / "copy"
    folder.mkdir()
    text = b'[project]\nname = "shop"\n'
    (folder / "assay.toml").write_bytes(text)
    manifest = {
        "format": 1,
        "assay": "0.1.0",
        "project": "shop",
        "made_at": "2026-11-02T12:00:00Z",
        "metrics": "metrics.py",
        "tables": [],
        "files": {"assay.toml": [len(text), hashlib.sha256(text).hexdigest()]},
        "notes": [],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_a_damaged_copy_is_refused_before_anything_is_written(copy: Path, tmp_path: Path) -> None:
    (copy / "assay.toml").write_bytes(b'[project]\nname = "shoq"\n')
    with pytest.raises(CallerError, match=r"assay\.toml is missing or was changed"):
        restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_project_that_is_there_is_never_written_over(copy: Path, tmp_path: Path) -> None:
    restore(copy, tmp_path / "new")
    with pytest.raises(CallerError, match="has a project already"):
        restore(copy, tmp_path / "new")
    (tmp_path / "other/.assay").mkdir(parents=True)
    with pytest.raises(CallerError, match="has a project already"):
        restore(copy, tmp_path / "other")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"format": 2}, "a newer one: upgrade assay"),
        ({"tables": None}, "no copy of a project"),
        ({"files": {"../secret": [1, "x"]}}, "names a file outside itself"),
        ({"files": {}}, r"assay\.toml is no part of the copy"),
        ({"metrics": "../.bashrc"}, "a metrics' file outside the project"),
        ({"metrics": "/tmp/metrics.py"}, "a metrics' file outside the project"),
        ({"tables": [{"name": "../x", "rows": 0, "create": ""}]}, "a table that is none"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    copy: Path, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    path = copy / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong), encoding="utf-8")
    with pytest.raises(CallerError, match=said):
        restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["journal/000000000002.segment", "telemetry/scores/part/data.bin", "link"])
def test_what_the_manifest_does_not_name_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    if name == "link":
        (copy / name).symlink_to(tmp_path)
    else:
        (copy / name).write_bytes(b"mine")
    with pytest.raises(CallerError, match="is no part of the copy"):
        restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_manifest_is_no_copy(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no copy of a project"):
        read_manifest(tmp_path)
