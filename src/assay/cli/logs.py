"""`assay logs FILTER`: the logs that a filter holds of, or how they divide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, cast

import typer
from rich.text import Text

from assay.app.columns import check_names, value_of
from assay.app.connect import connect
from assay.app.requests import BreakdownRequest, FiltersRequest, LogsRequest
from assay.cli.options import Config, Json, Since, Until, to_span
from assay.cli.terminal import count_text, new_table, out, print_json, printable
from assay.errors import CallerError, UnknownName
from assay.query import suggest
from assay.records import Breakdown, LogRow, SavedFilter, Unit

MOST_VALUES = 10


def logs(
    filter: Annotated[
        str, typer.Argument(help="Like: signal.refusal and cost_usd > 0.05", show_default=False)
    ] = "",
    unit: Annotated[
        str,
        typer.Option(
            help="conversation or interaction.", show_default="the saved filter's, else conversation"
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    since: Since = "",
    until: Until = "",
    saved: Annotated[str, typer.Option(help="The filter saved under this name.", show_default=False)] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help='Show this too: cost_usd, route, attr["key"], ...', show_default=False),
    ] = None,
    after: Annotated[
        str, typer.Option(help="Go on where a list ended: the `next` that --json gave.", show_default=False)
    ] = "",
    facets: Annotated[bool, typer.Option("--facets", help="Count them by facts instead.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List logs, newest first; with --facets, say how they divide."""
    if unit not in ("", "conversation", "interaction"):
        raise CallerError(f"--unit is `conversation` or `interaction`, not `{unit}`")
    names = check_names(column or ())
    span = to_span(since, until, datetime.now(UTC))
    with connect(config, "logs") as project:
        kept = _find_saved(project.filters(FiltersRequest()), saved) if saved else None
        of = cast("Unit", unit or (kept.unit if kept else "conversation"))
        text = _with_saved(filter, saved)
        if facets:
            made = project.breakdown(BreakdownRequest(unit=of, filter=text, range=span))
            print_json(made) if json else show_breakdown(made)
            return
        page = project.logs(LogsRequest(unit=of, filter=text, limit=limit, after=after, range=span))
    if json:
        print_json(page)
        return
    found = count_text(page.total, of)
    newest = "the newest:" if not after else "older ones:"
    out.print(f"{found}, {newest}" if page.total > len(page.rows) else found)
    for row in page.rows:
        show_log(row, names)
    if page.next and after:
        out.print(f"next: --after {page.next}", soft_wrap=True)


def show_log(row: LogRow, columns: tuple[str, ...] = ()) -> None:
    """Two lines: what a person copies or compares, and what was asked, cut to the terminal's width;
    a third with the columns that were asked for."""
    turns = count_text(row.turns, "turn")
    priority = f"  {row.priority}" if row.priority != "low" else ""
    signals = f"  {', '.join(row.signals)}" if row.signals else ""
    out.print(
        f"{row.started:%Y-%m-%d %H:%M}  {printable(row.log_id)}{priority}  {turns}{signals}",
        markup=False,
        soft_wrap=True,
    )
    out.print(Text(f"    {printable(row.input)}"), no_wrap=True, overflow="ellipsis")
    told = [f"{name} {_shown(value_of(row, name))}" for name in columns]
    if told:
        out.print(f"    {'  '.join(told)}", markup=False, soft_wrap=True)


def show_breakdown(made: Breakdown) -> None:
    """A table for each fact, its most frequent values first."""
    out.print(count_text(made.total, made.unit))
    for facet in made.facets:
        table = new_table(facet.name, "logs")
        for value in facet.values[:MOST_VALUES]:
            table.add_row(printable(value.value) or "(none)", f"{value.logs:,}")
        more = len(facet.values) - MOST_VALUES + facet.more
        out.print()
        out.print(table)
        if more > 0:
            out.print(f"and {more:,} more")


def _find_saved(filters: tuple[SavedFilter, ...], name: str) -> SavedFilter:
    found = {one.name: one for one in filters}
    if name not in found:
        raise UnknownName(f"no saved filter `{name}`; {suggest(name, found)}")
    return found[name]


def _with_saved(filter: str, saved: str) -> str:
    if not saved:
        return filter
    return f"saved.{saved} and ({filter})" if filter.strip() else f"saved.{saved}"


def _shown(value: str | float | datetime | None) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return printable(value)[:200] if isinstance(value, str) else f"{value:g}"
