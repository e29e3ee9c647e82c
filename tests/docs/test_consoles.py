"""Every command that the documentation shows with its output is run, page by page, in a new
folder; what it prints must be what the page says.

In the page, a line `...` stands for any lines. Not compared: versions of metrics and policies,
seconds, the folder, and the address of the server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.docs.pages import HEREDOC, ROOT, blocks, files_of

QUICKSTART = ROOT / "docs/start/quickstart.md"
PAGES = sorted({block.page for block in blocks("console")})
EXITS = re.compile(r"\s+# exits with (\d+)$")


class Step(NamedTuple):
    """A command of a page, the exit code it should have, and the lines it should print."""

    command: str
    code: int
    shown: list[str]


def steps_of(page: Path) -> Iterator[Step]:
    """The page's commands in order, and the files that it has its reader write."""
    for block in blocks("console", "sh"):
        if block.page != page:
            continue
        if block.language == "sh":
            if HEREDOC.fullmatch(block.text):
                yield Step(block.text, 0, [])
            continue
        assert block.text.startswith("$ "), f"{block} begins with no command"
        for part in ("\n" + block.text).split("\n$ ")[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            exits = EXITS.search(command)
            yield Step(EXITS.sub("", command), int(exits[1]) if exits else 0, shown)


def normal(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"\b[0-9a-f]{12}\b", "VERSION", line)
    line = re.sub(r"http://127\.0\.0\.1:\d+", "ADDRESS", line)
    line = re.sub(r"/\S*/shop\b", "FOLDER", line)
    line = re.sub(r"\d+\.\d$", "SECONDS", line.rstrip())
    return line.rstrip()


def is_shown(shown: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the shown ones, `...` standing for any number of lines."""
    pattern = [r"(?:.*\n)*?" if line.strip() == "..." else re.escape(normal(line)) + "\n" for line in shown]
    text = "".join(normal(line) + "\n" for line in printed)
    return re.fullmatch("".join(pattern), text) is not None


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "c"], False),
        (["a"], ["a", "b"], False),
        (["a", "...", "c"], ["a", "b", "b", "c"], True),
        (["...", "c"], ["c"], True),
        (["...", "c"], ["c", "d"], False),
        (["v 3f9a1c3f9a1c at http://127.0.0.1:1"], ["v 77be0277be02 at http://127.0.0.1:2"], True),
        (["wrote /tmp/a/shop/x   ", "m  0.6"], ["wrote /var/shop/x", "m  1.2"], True),
        (["12 rows"], ["13 rows"], False),
    ],
)
def test_output_is_compared_but_for_what_differs(shown: list[str], printed: list[str], same: bool) -> None:
    assert is_shown(shown, printed) is same


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    if page != QUICKSTART:
        for name, text in files_of(QUICKSTART).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
    shell = Shell(tmp_path)
    for step in steps_of(page):
        is_server = step.command.startswith("assay serve")
        code, printed = shell.serve(step.command) if is_server else shell.run(step.command)
        assert (code, step.command) == (step.code, step.command)
        assert is_shown(step.shown, printed), f"$ {step.command}\n" + "\n".join(printed)


class Shell:
    """Runs one command after the other; remembers the folder, as a shell does."""

    def __init__(self, start: Path) -> None:
        self._folder = start
        self._place = start / ".folder"
        names = ("HOME", "LANG", "TMPDIR")
        self._environment = {name: os.environ[name] for name in names if name in os.environ} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
            "PYTHONUTF8": "1",
            "ASSAY_PORT": "0",
            "ASSAY_GRPC_PORT": "0",
        }

    def run(self, command: str) -> tuple[int, list[str]]:
        """The exit code, and what it printed on standard output."""
        done = subprocess.run(
            ["bash", "-c", f"{command}\ncode=$?; pwd > '{self._place}'; exit $code"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self._folder = Path(self._place.read_text(encoding="utf-8").strip())
        return done.returncode, (done.stdout + (done.stderr if done.returncode else "")).splitlines()

    def serve(self, command: str) -> tuple[int, list[str]]:
        """Start it, fetch the first page, interrupt it."""
        printed: list[str] = []
        with subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            for line in server.stdout:
                printed.append(line.rstrip("\n"))
                if line.startswith("OTLP/gRPC"):
                    break
            try:
                with urllib.request.urlopen(printed[0].split()[-1], timeout=60) as page:
                    assert "How are we doing" in page.read().decode()
            finally:
                server.send_signal(signal.SIGINT)
        return server.returncode, printed
