"""The terminal: progress bars, tables, and JSON where a program reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from assay.app.operations import to_json
from assay.records import Progress

out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def new_table(first: str, *numbers: str) -> Table:
    """A table that fits 80 columns: a column of text, then columns of numbers to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar a stage, on standard error; where that is no terminal, a line a stage."""
    bars = Bars(
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=False,
        disable=not err.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int | None) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(printable(stage), total=total)
            if not err.is_terminal:
                err.print(f"{printable(stage)} ...", soft_wrap=True)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield report


def print_json(record: object) -> None:
    """The record as one JSON document on standard output; on a terminal in ASCII, which can't drive it."""
    json.dump(to_json(record), sys.stdout, indent=2, ensure_ascii=sys.stdout.isatty())
    sys.stdout.write("\n")


def printable(text: str) -> str:
    """Hostile text as one harmless line: no control character reaches the terminal."""
    return "".join(c if c.isprintable() else "·" for c in text)


def count_text(count: int, noun: str) -> str:
    """1 label, 12 labels."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
