"""What to read from a file, and the names of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from assay.errors import FileError
from assay.ingest.rows import RowFile, nearest

COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "id": (),
        "messages": (),
        "input": (),
        "output": (),
        "conversation_id": (),
        "timestamp": ("ts",),
        "user_id": (),
        "context": (),
        "meta": (),
        "service": (),
        "environment": (),
        "version": (),
        "model": (),
    }
)
"""What assay knows of a row, and the other names under which it is looked for."""

TEXTS = ("messages", "input", "output")


class Mark(NamedTuple):
    """A column that holds labels or scores, and the metric that they are of."""

    column: str
    metric: str

    @classmethod
    def parse(cls, text: str) -> Mark:
        """From `COLUMN` or `COLUMN=METRIC`."""
        column, _, metric = text.partition("=")
        return cls(column.strip(), metric.strip() or column.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """`columns` maps assay's names to the file's. `source` sets rows apart that share an id with
    those of another file but are others; without one, an id is a log's for ever. `format` None: told
    by the file's shape. `service` is the application's name, where the file has none. `skip_bad`
    leaves rows out that are wrong."""

    format: str | None = None
    service: str = ""
    skip_bad: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[Mark] = ()
    scores: Sequence[Mark] = ()
    keep_meta: bool = True
    source: str = ""


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """From `NAME=COLUMN`, once each. Raises FileError where one is not of that form."""
    named: dict[str, str] = {}
    for text in texts:
        name, sign, column = (part.strip() for part in text.partition("="))
        if not (name and sign and column):
            raise FileError(f"--column {text!r} is not NAME=COLUMN (--column input=question)")
        named[name] = column
    return named


def resolve_columns(
    file: RowFile, columns: Mapping[str, str], known: Mapping[str, tuple[str, ...]] = COLUMNS
) -> dict[str, str]:
    """Assay's name to the file's, of those that the file has. Raises FileError for a name that
    is none of assay's, or a column that the file has not."""
    for name, column in columns.items():
        if name not in known:
            raise FileError(f"--column {name}={column}: assay knows no `{name}`; {nearest(name, known)}")
        require_column(file, column, f"--column {name}={column}")
    found: dict[str, str] = {}
    for name, others in known.items():
        choices = (columns[name],) if name in columns else (name, *others)
        present = next((choice for choice in choices if choice in file.columns), None)
        if present is not None:
            found[name] = present
    return found


def require_column(file: RowFile, column: str, option: str) -> None:
    """Raises FileError with the nearest names where the file has no such column."""
    if column not in file.columns:
        raise FileError(
            f"{option}: {file.name} has no column `{column}`; {nearest(column, file.columns)}", column=column
        )


def check_options(file: RowFile, options: ImportOptions) -> dict[str, str]:
    """The columns to read by assay's names. Raises FileError where options and file don't agree."""
    if not file.columns:
        raise FileError(f"{file.name} has no rows")
    found = resolve_columns(file, options.columns)
    marks = [("--label", mark) for mark in options.labels] + [("--score", mark) for mark in options.scores]
    for option, mark in marks:
        require_column(file, mark.column, option)
    for kind in (options.labels, options.scores):
        metrics = [mark.metric for mark in kind]
        if twice := next((metric for metric in metrics if metrics.count(metric) > 1), None):
            raise FileError(f"two columns for the metric `{twice}`: name them apart, COLUMN=METRIC")
    there = ", ".join(f"`{name}`" for name in file.columns) or "none"
    if "id" not in found:
        raise FileError(
            f"{file.name} has no column `id`; its columns are {there}. Say which one names the row: "
            "--column id=COLUMN",
            column="id",
        )
    if not marks and not any(name in found for name in TEXTS):
        raise FileError(
            f"{file.name} has no text: none of the columns `messages`, `input`, `output`. "
            f"Its columns are {there}. Say which one holds text (--column input=COLUMN), or import "
            "its labels or scores alone (--label COLUMN)"
        )
    return found
