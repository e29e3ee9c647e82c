"""`assay label`: what people say about the logs drawn for them."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.requests import Mark, RecordRequest, Todo, TodoRequest
from assay.cli.options import Columns, Config, Json
from assay.cli.terminal import count_text, out, print_json, printable
from assay.errors import CallerError
from assay.records import Goal, Unit


def label(
    metric: Annotated[str, typer.Argument(help="The metric whose question was answered.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV, JSONL or Parquet with columns id and label.", show_default=False),
    ] = None,
    todo: Annotated[
        Path | None, typer.Option(help="Write the logs that wait for a label to this CSV instead.")
    ] = None,
    picked: Annotated[
        bool,
        typer.Option("--picked", help="With --todo: the logs that somebody picked on the Logs page."),
    ] = False,
    column: Columns = None,
    unit: Annotated[str, typer.Option(help="conversation or interaction.", show_default="the metric's")] = "",
    goal: Annotated[
        str, typer.Option(help="Of a new metric: which end is good, high or low.", show_default="high")
    ] = "",
    simulated: Annotated[bool, typer.Option("--simulated", help="Mark them as made up.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Import human labels (0 to 1, or yes/no), or write out what is to be labelled."""
    if (file is None) == (todo is None):
        raise CallerError("give a FILE with labels, or --todo FILE to write what is to be labelled")
    if unit not in ("", "conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    if goal not in ("", "high", "low"):
        raise CallerError(f"--goal is `high` or `low`, not `{goal}`")
    if picked and todo is None:
        raise CallerError("--picked says which logs --todo FILE is to hold: name the FILE")
    if todo is not None:
        _keep_answers(todo)
        with connect(config, "label") as project:
            work = project.todo(TodoRequest(metric=metric, picked=picked))
        _write_todo(work, todo)
        out.print(f"wrote {count_text(len(work.items), 'log')} to {todo}", markup=False, soft_wrap=True)
        out.print("next: fill its column `label` (yes, no, 0 to 1, or empty: can't tell), then")
        out.print(f"      `assay label {metric} {shlex.quote(str(todo))}`", markup=False, soft_wrap=True)
        return
    assert file is not None
    from assay.ingest.labels import read_labels
    from assay.ingest.options import parse_columns

    request = RecordRequest(
        metric=metric,
        kind="human",
        marks=tuple(
            Mark(
                log_id=_restored(row["log_id"]),
                value=row["value"],
                rater=row["rater"],
                comment=row["comment"],
            )
            for row in read_labels(file, parse_columns(column or ())).labels.to_pylist()
        ),
        unit=cast("Unit | None", unit or None),
        goal=cast("Goal | None", goal or None),
        source=file.name,
        simulated=simulated,
    )
    with connect(config, "label") as project:
        written = project.record(request)
    if json:
        print_json(written)
        return
    out.print(f"{count_text(written.rows, 'label')} of {printable(metric)} kept")
    if written.outside_sample:
        out.print(f"{written.outside_sample:,} of them were not drawn for people: no estimate uses those")
    if written.unknown:
        out.print(f"{written.unknown:,} left out: no settled log has that id; import the logs first")


HEAD = ["id", "unit", "label", "rater", "comment", "question", "transcript"]


def _keep_answers(path: Path) -> None:
    """Raises CallerError where writing there would lose what somebody wrote."""
    if not path.exists():
        return
    try:
        csv.field_size_limit(2**31 - 1)
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            lost = rows.fieldnames != HEAD or any(row["label"] for row in rows)
    except (csv.Error, UnicodeDecodeError):
        lost = True
    if lost:
        raise CallerError(
            f"{path} is there already and somebody wrote in it: name another file, or delete that one "
            "once its labels are imported"
        )


def _write_todo(work: Todo, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for item in work.items:
            writer.writerow(
                [_safe(item.log_id), item.unit, "", "", "", work.question, _safe(item.transcript)]
            )


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: logs are hostile."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _restored(text: str) -> str:
    """The id that `_safe` made harmless."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
