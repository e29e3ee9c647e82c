"""Where a project's files are, and how a new project gets its first two."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from assay.errors import ConfigError


def find_config(given: Path | None, start: Path) -> Path:
    """The assay.toml to use: the given one, else the nearest one in `start` or above it.

    Raises ConfigError where there is none."""
    if given is not None:
        path = given / "assay.toml" if given.is_dir() else given
        if not path.exists():
            raise ConfigError(f"{path} does not exist; `assay init` makes one")
        return path
    for folder in (start, *start.parents):
        if (folder / "assay.toml").exists():
            return folder / "assay.toml"
    raise ConfigError(f"no assay.toml in {start} or above it; `assay init` makes one")


def init_project(folder: Path, name: str) -> tuple[Path, ...]:
    """Write assay.toml and metrics.py into `folder`; the files written.

    Raises ConfigError, and writes nothing, where one of them is there already."""
    templates = files("assay.config") / "templates"
    names = ("assay.toml", "metrics.py")
    present = [n for n in names if (folder / n).exists()]
    if present:
        raise ConfigError(f"{folder / present[0]} is there already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file in names:
        text = (templates / f"{file}.txt").read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("PROJECT_NAME", name), encoding="utf-8")
        written.append(folder / file)
    return tuple(written)
