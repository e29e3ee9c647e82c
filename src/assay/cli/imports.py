"""`assay import FILE...`: conversations that are in files."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from assay.app.connect import connect
from assay.app.operations import Operations
from assay.app.requests import Mark, RecordRequest, SettleRequest, SpansRequest
from assay.cli.options import Columns, Config, Json
from assay.cli.terminal import count_text, out, print_json, printable, progress_bars
from assay.errors import CallerError, FileError
from assay.records import Goal, ImportReport, MetricKind, Progress, Unit

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.ingest.files import ImportPlan
    from assay.ingest.options import ImportOptions

MARKS = 5_000


def import_files(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV or Parquet.")],
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="COLUMN[=METRIC] with human labels.", show_default=False),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option("--score", help="COLUMN[=METRIC] with scores of a judge or check.", show_default=False),
    ] = None,
    column: Columns = None,
    meta: Annotated[bool, typer.Option(help="Keep the column `meta` as attributes to slice by.")] = True,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="In the labels and scores, 1 is the bad end.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Import conversations. Each file is checked whole before anything of it is written, and
    importing it again changes nothing."""
    from assay.ingest.options import ImportOptions, parse_columns
    from assay.ingest.options import Mark as MarkColumn

    options = ImportOptions(
        columns=parse_columns(column or ()),
        labels=[MarkColumn.parse(text) for text in label or ()],
        scores=[MarkColumn.parse(text) for text in score or ()],
        keep_meta=meta,
    )
    _refuse_idle_goal(options, lower_is_better)
    goal: Goal | None = "low" if lower_is_better else None
    with progress_bars() as progress:
        plans = [_read(path, options, progress) for path in files]
        with connect(config, "import") as project:
            reports = [_write(project, plan, goal, progress) for plan in plans]
    if json:
        print_json(reports)
        return
    for report in reports:
        _show(report)


def _read(path: Path, options: ImportOptions, progress: Progress) -> ImportPlan:
    """The file, checked whole. Of several, the one that is wrong is named."""
    from assay.ingest.files import read_file

    try:
        return read_file(path, options, progress)
    except FileError as error:
        if str(path) in str(error):
            raise
        raise FileError(f"{path}: {error}", row=error.row, column=error.column) from error


def _refuse_idle_goal(options: ImportOptions, lower_is_better: bool) -> None:
    if lower_is_better and not options.labels and not options.scores:
        raise CallerError(
            "--lower-is-better is about labels and scores: name their columns with --label or --score"
        )


def _write(project: Operations, plan: ImportPlan, goal: Goal | None, progress: Progress) -> ImportReport:
    """The plan's spans, then the signals of its logs, then its labels and scores."""
    written = 0
    for table in plan.span_tables():
        project.spans(SpansRequest(arrow=_stream(table)))
        written += table.num_rows
        progress(f"import {plan.file}", written, plan.spans)
    project.settle(SettleRequest(even_active=True), progress)
    labels, unsettled_labels = _record(project, plan, "human", plan.labels, goal)
    scores, unsettled_scores = _record(project, plan, "judge", plan.scores, goal)
    return ImportReport(
        file=plan.file,
        rows=plan.rows,
        conversations=plan.conversations,
        interactions=plan.interactions,
        spans=plan.spans,
        labels=labels,
        scores=scores,
        notes=(*plan.notes, *_left_out("labels", unsettled_labels), *_left_out("scores", unsettled_scores)),
    )


def _record(
    project: Operations, plan: ImportPlan, kind: MetricKind, table: pa.Table, goal: Goal | None
) -> tuple[dict[str, int], dict[str, int]]:
    """How many marks of each metric were written, and how many left out."""
    groups: dict[tuple[str, Unit], list[Mark]] = defaultdict(list)
    for row in table.to_pylist():
        unit = cast("Unit", row["unit"])
        groups[row["metric"], unit].append(Mark(log_id=row["log_id"], value=row["value"]))
    kept: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for (metric, unit), marks in groups.items():
        for start in range(0, len(marks), MARKS):
            request = RecordRequest(
                metric=metric,
                kind=kind,
                marks=tuple(marks[start : start + MARKS]),
                unit=unit,
                goal=goal,
                source=plan.file,
            )
            written = project.record(request)
            kept[metric] += written.rows
            left_out[metric] += written.unknown
    return dict(kept), dict(left_out)


def _left_out(what: str, counts: dict[str, int]) -> list[str]:
    return [
        f"{count:,} {what} of {metric} left out: their logs have not settled yet; import the file again "
        "in a while"
        for metric, count in counts.items()
        if count
    ]


def _stream(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _show(report: ImportReport) -> None:
    out.print(
        f"{printable(report.file)}: {count_text(report.rows, 'row')}, "
        f"{count_text(report.conversations, 'conversation')}, "
        f"{count_text(report.interactions, 'interaction')}",
        soft_wrap=True,
        markup=False,
    )
    for what, counts in (("label", report.labels), ("score", report.scores)):
        for metric, count in counts.items():
            out.print(f"  {count_text(count, what)} of {printable(metric)}", markup=False)
    for note in report.notes:
        out.print(f"  note: {printable(note)}", soft_wrap=True, markup=False)
