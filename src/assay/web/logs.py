"""The list of logs: a filter, what its logs are made of, and the logs, all of it in the address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from assay.app.requests import FiltersRequest
from assay.errors import FilterError
from assay.query import LEVELS
from assay.query.refine import narrow
from assay.records import Breakdown, Exploration, Facet, FacetValue, LogRow, SavedFilter, Signal
from assay.web.api import limit_of
from assay.web.asked import LAST_WORDS, Asked, marked, read_address
from assay.web.base import Site
from assay.web.columns import offered, read_columns
from assay.web.desk import Done, Refused, never_policy, read_done
from assay.web.histogram import Histogram, draw

SHOWN: Final = 8
"""Values of a fact that are shown at once; more unfold."""

CHIPS: Final = 6
EXAMPLES: Final = (
    "errors > 0",
    "latency_ms > 5000",
    'input says "refund"',
    "feedback < 0.5",
    "judged and not labelled",
)
_RANKS: Final[Mapping[str, int]] = {"high": 0, "medium": 1, "low": 2, "info": 3}
_TITLES: Final[Mapping[str, str]] = {"feedback": "User's rating"}
_EXPORTS: Final = {"conversation": "conversations", "interaction": "interactions"}


class Chip(NamedTuple):
    """A signal in a row: a link that adds it to the filter."""

    name: str
    severity: str
    meaning: str
    link: str


class Part(NamedTuple):
    """What the page shows of a breakdown; `link` leads to the list of another filter."""

    made: Breakdown
    histogram: Histogram | None
    facets: tuple[Facet, ...]
    titles: Mapping[str, str]
    link: Callable[[str], str]
    signals: Mapping[str, Signal]


def logs(site: Site, request: Request) -> Response:
    """Logs that a filter holds of, newest first. A filter that is wrong is shown with its place."""
    if request.query_params.get("open", "") == "1":
        return _open(site, request)
    return show(site, request, request.query_params)


def show(site: Site, request: Request, query: QueryParams, refused: Refused | None = None) -> Response:
    """The list at that address; with a form of it that was refused, as it was filled in."""
    asked = read_address(query, datetime.now(UTC))
    found: Exploration | None = None
    problem: FilterError | None = None
    try:
        found = site.app.explore(
            asked.unit,
            asked.text,
            window=asked.window,
            limit=asked.rows,
            after=asked.after or None,
            deep=asked.deep,
        )
    except FilterError as error:
        problem = error
    signals, saved = site.app.known_signals(), site.app.filters(FiltersRequest())
    columns = () if asked.columns == () else read_columns(asked.columns or (), asked.unit)
    rows = found.page.rows if found else ()
    return site.render.page(
        request,
        "logs.html",
        status=refused.status if refused else 400 if problem else 200,
        asked=asked,
        page=found.page if found else None,
        part=_part(asked, found.breakdown, signals) if found else None,
        picked=found.picked if found else frozenset(),
        problem=problem,
        wrong=marked(asked.text, problem) if problem and problem.position is not None else None,
        columns=columns,
        offered=offered(rows, columns),
        chips={row.log_id: chips_of(row, signals, found.breakdown, asked) for row in rows} if found else {},
        most_chips=CHIPS,
        priorities=_links(asked, found.breakdown.facets, "priority", LEVELS) if found else {},
        lasts=LAST_WORDS,
        examples=EXAMPLES,
        export=_EXPORTS[asked.unit],
        open=site.app.open_logs(0),
        saved=saved,
        done=None if refused else _done(site, query, saved),
        refused=refused,
        never=never_policy(asked.text),
        decides=site.decides,
        shown=SHOWN,
    )


def _done(site: Site, query: QueryParams, saved: Sequence[SavedFilter]) -> Done | None:
    if not (text := query.get("done", "")):
        return None
    policies = [policy.name for policy in site.app.policies() if policy.origin == "saved"]
    return read_done(text, [one.name for one in saved], policies)


def summary(site: Site, request: Request) -> Response:
    """What the logs of a filter are made of, all of them counted, as the page has it: for its script."""
    asked = read_address(request.query_params, datetime.now(UTC))
    made = site.app.break_down(asked.unit, asked.text, asked.window)
    return site.render.page(
        request,
        "logs_summary.html",
        asked=asked,
        part=_part(asked, made, site.app.known_signals()),
        shown=SHOWN,
    )


def chips_of(row: LogRow, signals: Mapping[str, Signal], made: Breakdown, asked: Asked) -> tuple[Chip, ...]:
    """The signals of a row, the gravest first."""
    values, link_to = _values(made.facets, "signals"), asked.filtered()
    found = []
    for name in row.signals:
        signal, value = signals.get(name), values.get(name)
        link = link_to(value.choose if value else narrow(asked.text, f"signal.{name}"))
        severity, meaning = (signal.severity, signal.meaning) if signal else ("info", "")
        found.append(Chip(name, severity, meaning, link))
    return tuple(sorted(found, key=lambda chip: (_RANKS[chip.severity], chip.name)))


def _values(facets: Sequence[Facet], name: str) -> dict[str, FacetValue]:
    return {value.value: value for facet in facets if facet.name == name for value in facet.values}


def _links(asked: Asked, facets: Sequence[Facet], name: str, values: Iterable[str]) -> dict[str, str]:
    """By value, the address of the list that has that one too."""
    link_to, counted = asked.filtered(), _values(facets, name)
    return {
        value: link_to(
            counted[value].choose if value in counted else narrow(asked.text, f'{name} = "{value}"')
        )
        for value in values
    }


def _part(asked: Asked, made: Breakdown, signals: Mapping[str, Signal]) -> Part:
    titles = {facet.name: _TITLES.get(facet.name) or facet.name.capitalize() for facet in made.facets}
    return Part(made, draw(made, asked.within()), made.facets, titles, asked.filtered(), signals)


def _open(site: Site, request: Request) -> Response:
    """What has arrived and is not settled yet."""
    limit = limit_of(request.query_params.get("limit", ""))
    return site.render.page(request, "open.html", page=site.app.open_logs(limit))
