"""A run in a process of its own, interrupted or killed from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = """\
import random, sys
from datetime import UTC, datetime
from pathlib import Path
from assay.llm.base import ChatReply
from assay.metrics.load import load_metrics
from assay.records import Log
from assay.runs.local import evaluate
from assay.runs.options import RunOptions
import asyncio

folder, name = Path(sys.argv[1]), sys.argv[2]
at = datetime(2026, 5, 4, tzinfo=UTC)

class Slow:
    name, simulated = "slow", True
    async def complete(self, request):
        if request.key == "c5":
            (folder / "reached").write_text("yes")
            await asyncio.Event().wait()
        text = '{"reasoning": "", "verdict": "pass"}'
        return ChatReply(text=text, input_tokens=1, output_tokens=1, model="m")

def log(number):
    return Log(unit="conversation", log_id=f"c{number}", conversation_id="c", started=at, ended=at,
               input=str(folder), output="", turns=())

def sink(rows):
    with open(folder / "rows", "a") as file:
        file.writelines(f"{key}\\n" for key in rows["log_id"].to_pylist())

metric = load_metrics(folder / "metrics.py")[name]
evaluate(metric, [[log(number) for number in range(6)]], run_id="r", sink=sink, now=lambda: at,
         rng=random.Random(1), provider=Slow(), options=RunOptions(time_limit_s=float(sys.argv[3])))
"""

METRICS = """\
import os, time
import assay

asked = assay.judge("asked", criteria="c", model="m")

@assay.metric()
def checked(log):
    if log.log_id == "c5":
        with open(log.input + "/worker", "w") as file:
            file.write(str(os.getpid()))
        open(log.input + "/reached", "w").close()
        time.sleep(3600)
    return True
"""


def start(folder: Path, metric: str, limit_s: float) -> subprocess.Popen[bytes]:
    (folder / "metrics.py").write_text(METRICS, encoding="utf-8")
    (folder / "run.py").write_text(SCRIPT, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(folder / "run.py"), str(folder), metric, str(limit_s)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_until((folder / "reached").exists)
    return process


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to be")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("metric", ["asked", "checked"])
def test_ctrl_c_keeps_what_was_done_and_leaves_nothing_running(tmp_path: Path, metric: str) -> None:
    process = start(tmp_path, metric, 300.0)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    rows = sorted((tmp_path / "rows").read_text(encoding="utf-8").split())
    if metric == "asked":
        assert rows == ["c0", "c1", "c2", "c3", "c4"]
    else:
        assert rows == [f"c{number}" for number in range(len(rows))], (
            "only what was on its way may be missing"
        )
        assert not is_running(int((tmp_path / "worker").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_a_worker_that_hangs_does_not_outlive_a_killed_run(tmp_path: Path) -> None:
    process = start(tmp_path, "checked", 1.0)
    process.kill()
    process.communicate(timeout=60)
    worker = int((tmp_path / "worker").read_text(encoding="utf-8"))
    wait_until(lambda: not is_running(worker))
