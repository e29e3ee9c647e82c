"""The word lists that come with assay, one file each, English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files


def load_words(own: Mapping[str, Sequence[str]] | None = None) -> dict[str, tuple[str, ...]]:
    """Every list by name: the built-in ones, then the team's `own`, which may replace one."""
    lists = {}
    for entry in sorted(files("assay.signals").joinpath("words").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".txt"):
            lists[entry.name.removesuffix(".txt")] = _phrases(entry.read_text(encoding="utf-8"))
    return {**lists, **{name: tuple(phrases) for name, phrases in (own or {}).items()}}


def _phrases(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
