"""`assay import PLACE...`: conversations and traces that are in files, here or in a bucket."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Self, TextIO

import typer

from assay.app.connect import connect
from assay.cli.options import Columns, Config, Json
from assay.cli.terminal import count_text, err, out, print_json, printable, progress_bars
from assay.config import find_config, load_settings
from assay.errors import CallerError, FileError
from assay.records import Goal, ImportReport, Progress

if TYPE_CHECKING:
    from assay.app.imports import Importer
    from assay.ingest.options import ImportOptions
    from assay.ingest.plan import Plan
    from assay.ingest.sources import Source


def import_files(
    places: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, or addresses: s3://, gs://, abfs://."),
    ],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="rows, otlp, phoenix, langfuse, langsmith or mlflow.",
            show_default="told by shape",
        ),
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="COLUMN or evaluation [=METRIC] with human labels.", show_default=False),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option("--score", help="COLUMN[=METRIC] with scores of a judge or check.", show_default=False),
    ] = None,
    column: Columns = None,
    service: Annotated[
        str, typer.Option(help="The application's name, where the file has none.", show_default=False)
    ] = "",
    meta: Annotated[bool, typer.Option(help="Keep the column `meta` as attributes to slice by.")] = True,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="In the labels and scores, 1 is the bad end.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave wrong rows out, rather than refuse the file.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Write what was left out to this JSONL file.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come in; write nothing.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin at the start, whatever was imported before.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Import conversations and traces, from files of your own or exports of other products.
    An import that was broken off goes on where it was; importing again changes nothing."""
    from assay.ingest.options import ImportOptions, parse_columns
    from assay.ingest.options import Mark as MarkColumn
    from assay.ingest.sources import find_sources

    options = ImportOptions(
        format=format or None,
        columns=parse_columns(column or ()),
        labels=[MarkColumn.parse(text) for text in label or ()],
        scores=[MarkColumn.parse(text) for text in score or ()],
        keep_meta=meta,
        service=service,
        skip_bad=skip_bad,
    )
    _refuse_idle_goal(options, lower_is_better)
    sources = find_sources(places)
    goal: Goal | None = "low" if lower_is_better else None
    with TemporaryDirectory(prefix="assay-import-") as scratch, progress_bars() as progress:
        desk = _Desk(options, Path(scratch), progress)
        if dry_run:
            shown = [desk.preview(source) for source in sources]
        else:
            reports = _import(desk, sources, goal, config, restart=restart, rejects=rejects)
    if dry_run:
        print_json(shown) if json else _show_previews(shown)
    elif json:
        print_json(reports)
    else:
        for report in reports:
            _show(report)
    if desk.refused:
        raise FileError(
            f"{count_text(len(desk.refused), 'file')} not imported, for what is wrong in them: "
            f"{', '.join(desk.refused)}. Mend them, or leave their wrong rows out (--skip-bad)"
        )


@dataclass(frozen=True, slots=True)
class _Desk:
    """Opens files, one at a time."""

    options: ImportOptions
    scratch: Path
    progress: Progress
    refused: list[str] = field(default_factory=list)
    """Files that were found, and that have something wrong in them."""

    def open(self, source: Source) -> Plan | ImportReport:
        """The file's plan. Of several files, the one that is wrong is named; one that was found in a
        folder and is of no known kind is left out."""
        from assay.ingest.imports import open_plan

        try:
            return open_plan(source, self.options, self.scratch, self.progress)
        except FileError as error:
            if not source.is_named:
                if error.row is not None:
                    self.refused.append(source.name)
                return _skipped(source.name, f"left out: {error}")
            if source.name in str(error):
                raise
            raise FileError(f"{source.name}: {error}", row=error.row, column=error.column) from error

    def preview(self, source: Source) -> dict[str, Any]:
        from assay.ingest.preview import preview

        plan = self.open(source)
        if isinstance(plan, ImportReport):
            return {"file": plan.file, "skipped": plan.skipped}
        return preview(plan, self.progress)


def _import(
    desk: _Desk,
    sources: Sequence[Source],
    goal: Goal | None,
    config: Path | None,
    *,
    restart: bool,
    rejects: Path | None,
) -> list[ImportReport]:
    """Files on this machine are all checked before anything is written; others one at a time."""
    from assay.app.hold import hold_folder
    from assay.app.imports import Importer
    from assay.app.notes import Notes

    opened = {source.name: desk.open(source) for source in sources if source.is_local and source.is_named}
    settings = load_settings(find_config(config, Path.cwd()))
    folder = hold_folder(settings.folder)
    with _Rejects(rejects) as writer, connect(config, "import") as project:
        importer = Importer(
            project=project,
            notes=Notes(folder),
            options_key=_key(desk.options),
            goal=goal,
            now=datetime.now(UTC),
            reject=writer.write,
            progress=desk.progress,
            idle=timedelta(minutes=settings.conversation.idle_minutes),
            restart=restart,
        )
        writer.is_longer = any(importer.is_begun(source.identity) for source in sources)
        reports = {report.file: report for report in _run(desk, sources, opened, importer)}
    return [reports[source.name] for source in sources]


def _run(
    desk: _Desk,
    sources: Sequence[Source],
    opened: dict[str, Plan | ImportReport],
    importer: Importer,
) -> Iterator[ImportReport]:
    plans: list[Plan] = []
    for source in sources:
        done = None if source.is_named else importer.finished(source.identity)
        if done is not None:
            yield _skipped(
                source.name,
                f"unchanged since it was imported on {done.done[:16].replace('T', ' ')} "
                "(--restart imports it again)",
            )
            continue
        plan = opened.get(source.name) or desk.open(source)
        if isinstance(plan, ImportReport):
            yield plan
        else:
            importer.write(plan)
            plans.append(plan)
    yield from importer.finish(plans)


def _key(options: ImportOptions) -> str:
    """The same for imports that make the same of a file."""
    return sha256(jsonlib.dumps(asdict(options), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _skipped(name: str, reason: str) -> ImportReport:
    return ImportReport(file=name, rows=0, conversations=None, interactions=0, spans=0, skipped=reason)


def _refuse_idle_goal(options: ImportOptions, lower_is_better: bool) -> None:
    if lower_is_better and not options.labels and not options.scores:
        raise CallerError(
            "--lower-is-better is about labels and scores: name their columns with --label or --score"
        )


class _Rejects:
    """Writes what is left out, a JSON line each; the file is made with the first. `is_longer`: what an
    import that was broken off has written stays."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.is_longer = False

    def write(self, file: str, row: int, reason: str, held: Any) -> None:
        if self._path is None:
            return
        if self._file is None:
            try:
                self._file = self._path.open("a" if self.is_longer else "w", encoding="utf-8")
            except OSError as error:
                why = error.strerror or error
                raise CallerError(f"--rejects {self._path} can't be written: {why}") from None
        line = {"file": file, "row": row, "reason": reason, "held": held}
        self._file.write(jsonlib.dumps(line, ensure_ascii=False, default=str) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()


def _show(report: ImportReport) -> None:
    if report.skipped:
        out.print(f"{printable(report.file)}: {printable(report.skipped)}", soft_wrap=True, markup=False)
        return
    if report.format == "rows":
        counts = [count_text(report.rows, "row"), count_text(report.conversations or 0, "conversation")]
        counts.append(count_text(report.interactions, "interaction"))
    else:
        noun = "request" if report.format == "otlp" else "row"
        counts = [report.format, count_text(report.rows, noun), count_text(report.interactions, "trace")]
        counts.append(count_text(report.spans, "span"))
    out.print(f"{printable(report.file)}: {', '.join(counts)}", soft_wrap=True, markup=False)
    if report.evaluations:
        out.print(f"  {count_text(report.evaluations, 'evaluation')}", markup=False)
    for what, marks in (("label", report.labels), ("score", report.scores)):
        for metric, count in marks.items():
            out.print(f"  {count_text(count, what)} of {printable(metric)}", markup=False)
    if report.resumed:
        out.print(f"  went on after {count_text(report.resumed, 'row')} of an import before", markup=False)
    if report.rejected:
        out.print(f"  left out: {count_text(report.rejected, 'row')}, such as", markup=False)
        for example in report.examples:
            out.print(f"    {printable(example)}", soft_wrap=True, markup=False)
    for note in report.notes:
        out.print(f"  note: {printable(note)}", soft_wrap=True, markup=False)


def _show_previews(previews: Sequence[dict[str, Any]]) -> None:
    for one in previews:
        if "skipped" in one:
            out.print(
                f"{printable(one['file'])}: {printable(one['skipped'])}",
                soft_wrap=True,
                markup=False,
            )
            continue
        counts = ", ".join(
            count_text(one[noun], noun.removesuffix("s"))
            for noun in ("rows", "traces", "spans", "evaluations", "rejected")
            if one[noun] or noun in ("rows", "traces", "spans")
        )
        out.print(f"{printable(one['file'])}: {one['format']}; {counts}", soft_wrap=True, markup=False)
        for example in one["examples"]:
            out.print(f"  left out: {printable(example)}", soft_wrap=True, markup=False)
        for span in one["first_trace"]:
            line = f"{'  ' * span['depth']}{span['name']}  {span['start']}  {span['status']}"
            out.print(f"  | {printable(line)}", soft_wrap=True, markup=False)
            for key, text in span["attributes"].items():
                out.print(
                    f"  | {'  ' * span['depth']}  {printable(key)} = {printable(text)}",
                    soft_wrap=True,
                    markup=False,
                )
        for note in one["notes"]:
            out.print(f"  note: {printable(note)}", soft_wrap=True, markup=False)
    err.print("nothing was written: --dry-run")
