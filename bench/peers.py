"""The two servers that assay is measured beside, each in a virtual environment of its own.

    python -m bench.peers setup --into FOLDER

installs the newest `arize-phoenix` and `mlflow` from PyPI below FOLDER (2 GB, some minutes). They run
on 127.0.0.1 with their telemetry off."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.server import Server, free_port, run

PACKAGES = {"phoenix": "arize-phoenix", "mlflow": "mlflow"}
PHOENIX_ENVIRON = {
    "PHOENIX_HOST": "127.0.0.1",
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
}
MLFLOW_ENVIRON = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def setup(into: Path) -> None:
    for name, package in PACKAGES.items():
        venv = into / name
        if not (venv / "bin" / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "--upgrade", package], check=True)
        print(f"{package} {version(into, name)} in {venv}")


def version(into: Path, name: str) -> str:
    code = f"from importlib.metadata import version; print(version({PACKAGES[name]!r}))"
    done = subprocess.run(
        [into / name / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextmanager
def phoenix(venvs: Path, folder: Path) -> Iterator[Server]:
    """`phoenix serve` with its SQLite database in `folder/data`."""
    port = free_port()
    environ = PHOENIX_ENVIRON | {
        "PHOENIX_WORKING_DIR": str(folder / "data"),
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
    }
    command = [str(venvs / "phoenix" / "bin" / "phoenix"), "serve"]
    with run(command, folder, port, ready="/healthz", environ=environ) as server:
        yield server


@contextmanager
def mlflow(venvs: Path, folder: Path) -> Iterator[Server]:
    """`mlflow server` on SQLite in `folder/data`, with one worker: with its four it takes in as much a
    CPU-second, in 1.4 times the memory."""
    port = free_port()
    (folder / "data").mkdir(exist_ok=True)
    command = [str(venvs / "mlflow" / "bin" / "mlflow"), "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'data' / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "data" / "artifacts")]
    with run(command, folder, port, ready="/health", environ=MLFLOW_ENVIRON) as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("setup",))
    parser.add_argument("--into", type=Path, required=True)
    setup(parser.parse_args().into.resolve())


if __name__ == "__main__":
    main()
