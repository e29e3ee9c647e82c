"""What the newest logs hold: values that a filter is likely to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.query.text import TAG_PATTERN
from assay.records import Unit, Window
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.facts import near
from assay.store.telemetry.scope import LOGS, bind_scope
from assay.store.telemetry.slices import slices, versions

FIELDS: Final = (
    "service",
    "route",
    "environment",
    "version",
    "model",
    "provider",
    "finish_reason",
    "language",
    "output_language",
)
"""Facts that have few values."""

ROWS: Final = 100_000
"""About how many of the newest rows are looked at."""

MOST_VALUES: Final = 50
MOST_KEYS: Final = 100
MOST_LETTERS: Final = 100
VARIED: Final = 300
"""An attribute with more values than this holds ids, or texts: they are not told."""


class Values(NamedTuple):
    """By field, and by attribute: how many of the newest logs hold each value, the most frequent first.
    `tags` likewise; an attribute that varies much has none."""

    fields: Mapping[str, Mapping[str, int]]
    attributes: Mapping[str, Mapping[str, int]]
    tags: Mapping[str, int]


def newest_values(t: Telemetry, unit: Unit, window: Window) -> Values:
    """What the newest logs of the window hold; the counts of the rarer ones are about right."""
    sizes = {day: version.rows for day, version in versions(t)["signals"].items()}
    newest = next(slices(sizes, window, ROWS), None)
    if newest is None or not sizes:
        return Values({}, {}, {})
    bound = bind_scope(unit, newest.window)
    top = ", ".join(f"{_top(f'toString({name})')} AS {name}" for name in FIELDS)
    fields = t.query(near(t.topology, f"SELECT {top} FROM {LOGS}"), bound).to_pylist()[0]
    pairs = t.query(
        near(
            t.topology,
            f"SELECT key, count() AS logs, uniq(value) AS values, {_top('value')} AS found FROM "
            "(SELECT toString(pair.1) AS key, pair.2 AS value FROM "
            f"(SELECT arrayJoin(CAST(attributes, 'Array(Tuple(String, String))')) AS pair FROM {LOGS})) "
            f"GROUP BY key ORDER BY logs DESC, key LIMIT {MOST_KEYS}",
        ),
        bound,
    ).to_pylist()
    tags = t.query(
        near(
            t.topology,
            f"SELECT {_top('tag')} AS found FROM "
            f"(SELECT arrayJoin(extractAll(attributes['tags'], {{pattern:String}})) AS tag FROM {LOGS})",
        ),
        bound | {"pattern": TAG_PATTERN},
    ).to_pylist()
    return Values(
        fields={name: _counts(fields[name]) for name in FIELDS},
        attributes={row["key"]: _counts(row["found"]) if row["values"] <= VARIED else {} for row in pairs},
        tags=_counts(tags[0]["found"]),
    )


def _top(value: str) -> str:
    short = f"length({value}) BETWEEN 1 AND {MOST_LETTERS}"
    return f"approx_top_kIf({MOST_VALUES}, {VARIED})({value}, {short})"


def _counts(found: list[dict[str, Any]]) -> dict[str, int]:
    """The entries as the engine gives them: each a value, its count and by how much that may be over."""
    return {item: count for item, count, *_ in (tuple(entry.values()) for entry in found)}
