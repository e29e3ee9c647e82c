"""`assay init`: a new project's two files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.terminal import out
from assay.config import init_project


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write assay.toml and metrics.py.")] = Path(),
    name: Annotated[str, typer.Option(help="The project's name.", show_default="the folder's")] = "",
) -> None:
    """Write assay.toml and metrics.py, commented, to be changed."""
    folder = folder.resolve()
    safe = "".join(c for c in name or folder.name if c.isprintable() and c not in '"\\')
    for path in init_project(folder, safe or "my-assistant"):
        out.print(f"wrote {path}", soft_wrap=True, markup=False)
    out.print("next: `assay import FILE` for files, `assay serve` to receive traces")
