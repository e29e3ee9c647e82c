"""Labelled conversations, brought into a project of their own by assay's import, as tables.

    python -m bench.sets FOLDER [--only toxic_chat,demo] [--data ../shared/data]

Leaves FOLDER/NAME with the project and FOLDER/NAME.arrow with one row for each labelled log: log_id,
started, `failed` (1 is bad), `group` (rows that belong together share it) and the columns of
`store.telemetry.features`. `demo` is the demo's world, with what is true of each conversation. What is there
is kept. Each set has processes of its own: an embedded store is opened once in a process's life."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DEMO = "demo"
DEMO_DAYS, DEMO_PER_DAY = 14, 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="these sets, separated by commas")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--extract", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [*labelled_sets(given.data), DEMO]
    if given.extract:
        extract(given.folder, names[0], given.data)
        return
    for name in names:
        print(f"{name}: {prepare(given.folder, name, given.data).num_rows:,} labelled logs", flush=True)


def labelled_sets(data: Path = DATA) -> list[str]:
    """The sets whose rows have a text and both labels."""
    found = []
    for file in sorted(data.glob("*/*.parquet")):
        columns = pq.read_schema(file).names
        if "label" not in columns or not {"input", "messages"} & set(columns):
            continue
        labels = pq.read_table(file, columns=["label"])["label"].drop_null().to_pylist()
        if len(set(labels)) == 2:
            found.append(file.stem)
    return found


def prepare(folder: Path, name: str, data: Path = DATA) -> pa.Table:
    """The set's table; imported first where it is not there yet."""
    made = folder / f"{name}.arrow"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _demo(folder / name) if name == DEMO else _import(folder / name, data / name / f"{name}.parquet")
        _run(folder, "-m", "bench.sets", str(folder), "--only", name, "--data", str(data), "--extract")
    with pa.memory_map(str(made)) as source:
        table: pa.Table = pa.ipc.open_file(source).read_all()
    return table


def extract(folder: Path, name: str, data: Path) -> None:
    """Read the set's table from its store."""
    from assay.records import MetricInfo
    from assay.store.telemetry.connection import open_telemetry
    from assay.store.telemetry.features import FEATURES, read_outcomes

    store = open_telemetry(f"chdb://{(folder / name / '.assay' / 'telemetry').resolve()}")
    if name == DEMO:
        table = store.query(
            f"SELECT log_id, started, {FEATURES} FROM signals FINAL "
            "WHERE unit = 'conversation' ORDER BY started, log_id"
        )
        table = _with_truth(table)
    else:
        info = MetricInfo(name="label", version="", kind="human", unit="conversation", goal="low")
        early, late = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
        table = read_outcomes(store, info, since=early, before=late, limit=1_000_000).drop_columns("group")
        table = table.append_column("group", _groups(table, data / name / f"{name}.parquet"))
    store.close()
    with pa.ipc.new_file(str(folder / f"{name}.arrow"), table.schema) as file:
        file.write_table(table)


def _groups(table: pa.Table, file: Path) -> pa.Array[Any]:
    """What the set's makers kept on one side of the split belongs together."""
    rows = pq.read_table(file, columns=["id", "split_key"]).to_pylist()
    keys = {row["id"]: crc32(row["split_key"].encode()) for row in rows}
    return pa.array([keys[log_id] for log_id in table["log_id"].to_pylist()], pa.uint64())


def _with_truth(table: pa.Table) -> pa.Table:
    from assay.demo.world import truth

    ids = [str(log_id) for log_id in table["log_id"].to_pylist()]
    failed = pa.array([float(not truth(log_id).resolved) for log_id in ids], pa.float64())
    groups = pa.array([crc32(log_id.encode()) for log_id in ids], pa.uint64())
    return table.append_column("failed", failed).append_column("group", groups)


def _import(project: Path, file: Path) -> None:
    project.mkdir(parents=True, exist_ok=True)
    if not (project / "assay.toml").exists():
        _run(project, "-m", "assay.cli", "init", ".")
    own = ["--label", "label", "--lower-is-better", "--no-meta", "--skip-bad"]
    _run(project, "-m", "assay.cli", "import", str(file), *own)


def _demo(project: Path) -> None:
    size = ["--days", str(DEMO_DAYS), "--per-day", str(DEMO_PER_DAY)]
    _run(project.parent, "-m", "assay.demo", "--no-serve", "--folder", str(project), *size)


def _run(folder: Path, *arguments: str) -> None:
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
