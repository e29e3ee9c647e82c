"""A file becomes a plan of what to import, whatever product wrote it."""

from __future__ import annotations

from pathlib import Path

from assay.errors import FileError
from assay.ingest.exports.collector import CollectorPlan
from assay.ingest.exports.plan import ExportPlan
from assay.ingest.exports.shapes import FORMATS, recognise
from assay.ingest.files import read_file
from assay.ingest.options import ImportOptions
from assay.ingest.plan import Plan
from assay.ingest.rows import nearest, open_rows
from assay.ingest.sources import Source
from assay.records import Progress, no_progress

_SNIFFED = 100


def open_plan(
    source: Source, options: ImportOptions, scratch: Path, progress: Progress = no_progress
) -> Plan:
    """The plan of a file, in the format that its columns tell or that the options name.

    A file of rows is checked whole here (fetched into the folder `scratch` before, where it lies
    elsewhere); an export of another product is not. Raises FileError for what can't be imported.
    """
    if options.format is not None and options.format not in FORMATS:
        raise FileError(f"--format {options.format}: no such format; {nearest(options.format, FORMATS)}")
    if source.kind == "otlp" or options.format == "otlp":
        return CollectorPlan(source=source, options=options)
    found = options.format
    if found is None:
        own = bool(options.columns or options.scores)
        found = "rows" if own else recognise(set(open_rows(source, sniff=_SNIFFED).columns))
    if found == "rows":
        return read_file(source.fetched(scratch), options, progress)
    if options.columns or options.scores:
        raise FileError(
            f"{source.name} is an export of {found}: --column and --score are for files of rows. "
            f"An export's own evaluations are taken as they are; --label NAME makes labels of those named so"
        )
    if found == "otlp":
        return CollectorPlan(source=source, options=options)
    rows = open_rows(source, sniff=_SNIFFED)
    return ExportPlan(file=source.name, identity=source.identity, format=found, rows=rows, options=options)
