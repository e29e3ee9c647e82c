"""Every command, in the order that a new user meets them."""

from __future__ import annotations

import typer

from assay.cli.backup import backup, restore
from assay.cli.ddl import ddl
from assay.cli.doctor import doctor
from assay.cli.embed import embed, neighbours
from assay.cli.estimate import estimate
from assay.cli.evaluate import evaluate
from assay.cli.export import export
from assay.cli.filters import filters
from assay.cli.forget import forget, retain
from assay.cli.imports import import_files
from assay.cli.init import init
from assay.cli.label import label
from assay.cli.logs import logs
from assay.cli.picks import picks
from assay.cli.policies import policies, priorities
from assay.cli.remap import remap
from assay.cli.report import report
from assay.cli.sample import sample
from assay.cli.serve import serve
from assay.cli.signals import signals_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="How is your AI application doing with real users, and where should you look next? "
    "From a sample, at a cost you set, with error bars you can trust.",
)

app.command()(init)
app.command()(serve)
app.command("import")(import_files)
app.command()(logs)
app.add_typer(filters, name="filters")
app.add_typer(picks, name="picks")
app.command()(priorities)
app.add_typer(policies, name="policies")
app.add_typer(signals_app, name="signals")
app.command()(sample)
app.command()(embed)
app.command()(neighbours)
app.command()(evaluate)
app.command()(label)
app.command()(estimate)
app.command()(report)
app.command()(retain)
app.command()(forget)
app.command()(export)
app.command()(doctor)
app.command()(remap)
app.command()(backup)
app.command()(restore)
app.command()(ddl)


@app.callback(invoke_without_command=True)
def version(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """Print the version where asked."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"assay {installed('assay')}")
        raise typer.Exit
