"""One process has a project open; another is told which."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from assay.app.hold import acquire_hold, find_holder, find_server
from assay.errors import StoreHeld

HOLD = "import sys; from pathlib import Path; from assay.app.hold import acquire_hold\n"


def test_second_process_is_told_who_holds_and_where_it_serves(tmp_path: Path) -> None:
    hold = acquire_hold(tmp_path, "serve")
    hold.publish("http://127.0.0.1:4318", "token")
    code = HOLD + "acquire_hold(Path(sys.argv[1]), 'sample')"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"process {os.getpid()} (assay serve)" in done.stderr
    assert "http://127.0.0.1:4318" in done.stderr
    hold.release()


def test_holder_is_found_while_it_lives_and_not_after(tmp_path: Path) -> None:
    assert find_holder(tmp_path) is None
    code = (
        HOLD
        + "h = acquire_hold(Path(sys.argv[1]), 'serve'); h.publish('http://x', 't')\n"
        + "print('held', flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "held\n"
    holder = find_holder(tmp_path)
    assert holder is not None
    assert (holder.pid, holder.address, holder.token) == (child.pid, "http://x", "t")
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert find_holder(tmp_path) is None
    acquire_hold(tmp_path, "sample").release()


def test_release_lets_others_in_and_is_harmless_twice(tmp_path: Path) -> None:
    first = acquire_hold(tmp_path, "a")
    first.release()
    first.release()
    second = acquire_hold(tmp_path, "b")
    with pytest.raises(StoreHeld, match="assay b"):
        acquire_hold(tmp_path, "c")
    second.release()


def test_token_is_for_this_user_alone(tmp_path: Path) -> None:
    hold = acquire_hold(tmp_path, "serve")
    hold.publish("http://x", "t")
    assert (tmp_path / "holder.json").stat().st_mode & 0o077 == 0
    hold.release()


def test_a_starting_server_is_waited_for(tmp_path: Path) -> None:
    hold = acquire_hold(tmp_path, "serve")

    def start() -> None:
        time.sleep(0.3)
        hold.publish("http://x", "t")

    starting = threading.Thread(target=start)
    starting.start()
    server = find_server(tmp_path)
    starting.join()
    assert server is not None
    assert server.address == "http://x"
    hold.release()


def test_a_server_that_does_not_start_is_not_waited_for_forever(tmp_path: Path) -> None:
    hold = acquire_hold(tmp_path, "serve")
    assert find_server(tmp_path, wait_s=0.2) is None
    hold.release()


def test_another_command_is_not_waited_for(tmp_path: Path) -> None:
    hold = acquire_hold(tmp_path, "evaluate")
    began = time.monotonic()
    assert find_server(tmp_path) is None
    assert time.monotonic() - began < 5
    hold.release()


def test_looking_for_the_holder_keeps_nobody_out(tmp_path: Path) -> None:
    """Whoever looks has the lock for a moment."""
    acquire_hold(tmp_path, "a").release()
    with (tmp_path / "lock").open() as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        timer = threading.Timer(0.1, fcntl.flock, (look, fcntl.LOCK_UN))
        timer.start()
        acquire_hold(tmp_path, "b").release()
        timer.join()
