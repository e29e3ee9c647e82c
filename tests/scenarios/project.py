"""A project used as anybody would use it: by its commands and its server, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

READY_S = 60.0
SETTINGS = """\
[conversation]
idle_minutes = 0

[server]
settle_every_s = 3600

[policies.daily]
unit = "conversation"
rate = 1.0
label_rate = 0.5
"""
"""Everything is settled at once, by commands alone, and everything is judged."""


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


class Server:
    """`assay serve`, answering at `url`, and over gRPC at `grpc`."""

    def __init__(self, process: subprocess.Popen[str], url: str, grpc: str, log: Path) -> None:
        self.process, self.url, self.grpc, self._log = process, url, grpc, log
        self.http = httpx.Client(base_url=url, timeout=60.0, trust_env=False)

    @property
    def log(self) -> str:
        """What it wrote on standard error."""
        return self._log.read_text(encoding="utf-8")

    def end(self, number: signal.Signals) -> int:
        """Send the signal; the exit code once it has ended."""
        self.http.close()
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=READY_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
        return code


class Project:
    """A folder with an assay.toml and, where `metrics` are given, a metrics.py."""

    def __init__(self, folder: Path, settings: str = SETTINGS, metrics: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(settings)
        if metrics:
            (folder / "metrics.py").write_text(metrics, encoding="utf-8")

    def configure(self, settings: str) -> None:
        (self.folder / "assay.toml").write_text(settings, encoding="utf-8")

    def run(
        self, *arguments: str | Path, code: int | None = 0, environ: Mapping[str, str] | None = None
    ) -> Done:
        """Run `assay ARGUMENTS` in the folder; fails unless it ends with `code` (None: any)."""
        done = assay(*arguments, folder=self.folder, environ=environ)
        assert code is None or done.code == code, f"exit {done.code}\n{done.out}\n{done.err}"
        return done

    def json(self, *arguments: str | Path) -> Any:
        """The answer of `assay ARGUMENTS --json`."""
        return self.run(*arguments, "--json").json

    def write(self, name: str, rows: list[dict[str, Any]]) -> Path:
        """A JSONL file in the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def start(self) -> Server:
        """Start the server on a free port; returns once it answers."""
        log = self.folder / "serve.log"
        with log.open("w", encoding="utf-8") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "assay.cli", "serve", "--port", "0"],
                cwd=self.folder,
                env=_environ({}),
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        assert process.stdout is not None
        said: dict[str, str] = {}
        for line in process.stdout:
            label, _, address = line.strip().rpartition(" ")
            said[label.strip()] = address
            if label.startswith("OTLP/gRPC"):
                return Server(process, said["pages"], address.removeprefix("http://"), log)
        process.stdout.close()
        process.wait()
        raise AssertionError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """The server until the block ends; it must then end by itself when asked to."""
        server = self.start()
        try:
            yield server
        except BaseException:
            server.end(signal.SIGKILL)
            raise
        assert server.end(signal.SIGTERM) == 0, server.log


def assay(*arguments: str | Path, folder: Path, environ: Mapping[str, str] | None = None) -> Done:
    """Run `assay ARGUMENTS` in a folder, as a process, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", *map(str, arguments)],
        cwd=folder,
        env=_environ(environ or {}),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def holding(folder: Path) -> Iterator[int]:
    """A process that has the project open and does not serve; its pid."""
    code = (
        "import sys; from pathlib import Path; from assay.app.open import open_application\n"
        "from assay.config import load_settings\n"
        "app = open_application(load_settings(Path(sys.argv[1]) / 'assay.toml'), 'evaluate')\n"
        "print('held', flush=True); sys.stdin.readline(); app.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "held\n"
        yield child.pid
        child.stdin.write("\n")


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would point assay elsewhere; lines never wrap."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "OPENAI_"))}
    return {**kept, "COLUMNS": "200", **more}
