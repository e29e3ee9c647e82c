"""The demo's course: a project, its server, the traffic, and then the commands that anybody would
type, each in a process of its own, talking to that server."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from assay.app.hold import find_holder, hold_folder
from assay.demo.project import write_project
from assay.demo.reviewers import review
from assay.demo.send import Sent, send_in_process
from assay.demo.world import World
from assay.errors import ConfigError, OutsideError

MARKER = "made-by-the-demo"


class Tour:
    """One demo in one folder. `seconds` holds how long each stage took."""

    def __init__(self, world: World, folder: Path, *, port: int = 0, out: TextIO = sys.stdout) -> None:
        self._world = world
        self._folder = folder
        self._port = port
        self._out = out
        self.seconds: dict[str, float] = {}

    def run(self, *, serve: bool) -> None:
        """Everything, to the printed report; then, with `serve`, the pages until interrupted.

        Raises ConfigError where the folder is not the demo's, OutsideError where a step fails."""
        self._prepare()
        began = time.monotonic()
        with self._server() as (server, address):
            self._send(address)
            for part, until in zip(("first", "second"), self._halves(), strict=False):
                self._command(f"sample the {part} half", "sample", "--until", until)
                self._command(f"evaluate the {part} half", "evaluate")
            self._command("draw labels", "label", "resolved", "--todo", "todo.csv")
            with self._stage("simulated reviewers"):
                _review(self._folder / "todo.csv", self._folder / "labels.csv")
            self._command("import labels", "label", "resolved", "labels.csv", "--simulated")
            self._command("report", "report")
            self.seconds["all"] = time.monotonic() - began
            self._say(_summary(self.seconds))
            (self._folder / "seconds.json").write_text(json.dumps(self.seconds), encoding="utf-8")
            if serve:
                self._say(f"the commands work here: cd {self._folder}; Ctrl-C ends it\n{address}")
                if code := server.wait():
                    raise OutsideError(f"`assay serve` ended with exit code {code}; its error is above")

    def _halves(self) -> list[str]:
        """Where the first half of the days ends, and where the second: nothing is known of a failure before
        the first is judged."""
        dates = self._world.dates
        middle = dates[len(dates) // 2] - timedelta(days=1)
        return [f"{day}" for day in sorted({max(middle, dates[0]), dates[-1]})]

    def _prepare(self) -> None:
        """An empty folder of the demo's own; an earlier demo's is replaced, anything else is not."""
        folder = self._folder
        if folder.exists() and any(folder.iterdir()):
            if not (folder / MARKER).exists():
                raise ConfigError(f"{folder} is not empty and not a demo's; name another with --folder")
            if (holder := find_holder(hold_folder(folder))) is not None:
                raise ConfigError(
                    f"process {holder.pid} (assay {holder.command}) still has {folder} open: end it, "
                    "or name another with --folder"
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
        write_project(folder, per_day=self._world.per_day)

    @contextmanager
    def _server(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """`assay serve` in a process of its own, until this ends."""
        server = subprocess.Popen(
            [*_assay("serve"), "--port", str(self._port)],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            with self._stage("start the server"):
                address = self._address(server)
            yield server, address
        finally:
            server.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=20)
            server.kill()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()

    def _address(self, server: subprocess.Popen[str]) -> str:
        assert server.stdout is not None
        for line in server.stdout:
            label, _, address = line.strip().rpartition(" ")
            if label.startswith("pages"):
                return address
        raise OutsideError("`assay serve` ended before it was ready; its error is above")

    def _send(self, address: str) -> None:
        """The simulated traffic, over HTTP, from one more process."""
        self._say(
            f"sending {self._world.total:,} simulated conversations of {self._world.days} days "
            f"to {address}/v1/traces"
        )
        with self._stage("send and receive"):
            sent = Sent()
            bar = Bar(sys.stderr, "send", self._world.total)
            for sent in send_in_process(self._world, address):
                bar.show(sent.conversations)
            bar.end()
        self._say(
            f"{sent.spans:,} spans of {sent.interactions:,} interactions taken in {sent.seconds:.1f} s: "
            f"{sent.spans / max(sent.seconds, 1e-9):,.0f} a second, {sent.rejected} rejected"
        )

    def _command(self, stage: str, *arguments: str) -> None:
        self._say(f"\n$ assay {' '.join(arguments)}")
        with self._stage(stage):
            done = subprocess.run(_assay(*arguments), cwd=self._folder, check=False)
        if done.returncode:
            raise OutsideError(f"`assay {' '.join(arguments)}` failed with exit code {done.returncode}")

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class Bar:
    """A progress bar on a terminal; silent elsewhere."""

    WIDTH = 32

    def __init__(self, file: TextIO, name: str, total: int) -> None:
        self._file, self._name, self._total = file, name, total
        self._live = file.isatty()

    def show(self, done: int) -> None:
        if self._live:
            full = round(self.WIDTH * done / max(self._total, 1))
            line = f"\r{self._name:<22} {'━' * full}{'·' * (self.WIDTH - full)} {done:,}/{self._total:,} "
            self._file.write(line)
            self._file.flush()

    def end(self) -> None:
        if self._live:
            self._file.write("\n")


def _assay(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "assay.cli", *arguments]


def _review(todo: Path, labels: Path) -> None:
    """What the simulated reviewers say of the logs that were drawn for people."""
    csv.field_size_limit(2**31 - 1)
    with (
        todo.open(newline="", encoding="utf-8") as source,
        labels.open("w", newline="", encoding="utf-8") as target,
    ):
        writer = csv.writer(target)
        writer.writerow(["id", "label", "rater"])
        for row in csv.DictReader(source):
            said = review(row["id"])
            writer.writerow([row["id"], said.value, said.rater])


def _summary(seconds: dict[str, float]) -> str:
    parts = [f"{name} {taken:.1f} s" for name, taken in seconds.items() if name != "all"]
    return f"\n{seconds['all']:.1f} s in all: " + ", ".join(parts)
