"""The demo keeps to its own folder and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from assay.app.hold import acquire_hold, find_holder, hold_folder
from assay.demo.tour import MARKER, Tour
from assay.demo.world import World
from assay.errors import ConfigError

WORLD = World(last_day=date(2025, 11, 20), days=1, per_day=5)


def test_a_folder_that_is_not_the_demo_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not a demo's"):
        Tour(WORLD, tmp_path).run(serve=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_demo_that_still_runs_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    hold = acquire_hold(hold_folder(tmp_path), "serve")
    with pytest.raises(ConfigError, match=f"process {os.getpid()} .assay serve. still has"):
        Tour(WORLD, tmp_path).run(serve=False)
    assert (tmp_path / MARKER).exists()
    hold.release()


def test_a_world_that_is_not_told_is_a_sentence(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--days", "99")
    assert done.wait(timeout=60) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_the_demo(tmp_path: Path, number: signal.Signals) -> None:
    folder = hold_folder(tmp_path / "demo")
    demo = run_demo(tmp_path, "--days", "1", "--per-day", "2000", "--no-serve")
    deadline = time.monotonic() + 60
    while ((holder := find_holder(folder)) is None or not holder.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holder is not None
    demo.send_signal(number)
    assert demo.wait(timeout=60) == 128 + number
    assert find_holder(folder) is None
    with pytest.raises(ProcessLookupError):
        os.kill(holder.pid, 0)


def run_demo(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The demo as a process; what it prints is dropped."""
    command = [sys.executable, "-m", "assay.demo", "--folder", "demo", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
