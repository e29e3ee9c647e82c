"""The packages that the applications of these tests need, beside the project's own environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
APPS = HERE / "apps"
ROOT = HERE.parent.parent
PLACE = Path(os.environ.get("ASSAY_TEST_CLIENTS", ROOT / ".venv-clients"))
INSTALL_S = 900


class NoClients(Exception):
    """They can't be installed here: why."""


def python() -> Path:
    """The interpreter of an environment with both requirements, which is made where it is not there yet."""
    listed = HERE / "requirements.txt", HERE / "requirements-alone.txt"
    found = PLACE / "bin" / "python"
    mark = PLACE / f".installed-{_digest(*listed)}"
    if not mark.exists():
        if not found.exists():
            _run([sys.executable, "-m", "venv", str(PLACE)])
        install = [str(found), "-m", "pip", "install", "--quiet", "--upgrade"]
        _run([*install, "-r", str(listed[0])])
        _run([*install, "--no-deps", "-r", str(listed[1])])
        mark.touch()
    return found


def node() -> tuple[str, Path]:
    """Node, and a folder with the packages of package.json and the application."""
    executable, npm = shutil.which("node"), shutil.which("npm")
    if not executable or not npm:
        raise NoClients("node and npm are not installed")
    place = PLACE / "node"
    mark = place / f".installed-{_digest(APPS / 'package.json')}"
    place.mkdir(parents=True, exist_ok=True)
    if not mark.exists():
        shutil.copy(APPS / "package.json", place)
        _run([npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(place)])
        mark.touch()
    shutil.copy(APPS / "vercel.mjs", place)
    return executable, place / "vercel.mjs"


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        raise NoClients(f"{command[0]} failed: {error.stderr[-500:]}") from None
    except subprocess.TimeoutExpired:
        raise NoClients(f"{command[0]} took longer than {INSTALL_S} s") from None


def main() -> None:
    """Make both, so that the tests need not; what can't be made is said, and its tests skip."""
    for make in (python, node):
        try:
            print(make())
        except NoClients as error:
            print(f"the tests of live clients in need of it skip: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
