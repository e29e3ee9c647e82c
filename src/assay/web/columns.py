"""What a list of logs can show of each beside its texts: facts, and what the application sent along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from assay.app.columns import NAMES, key_of, value_of
from assay.query import FIELDS, quote
from assay.records import LogRow, Unit
from assay.web.numbers import count, duration, exact, money
from assay.web.text import excerpt

MOST: Final = 12
MOST_ATTRIBUTES: Final = 20
USUAL: Final[dict[Unit, tuple[str, ...]]] = {
    "conversation": ("turns", "latency_ms"),
    "interaction": ("latency_ms", "model"),
}
_TITLES: Final = {
    "log_id": "Id",
    "user_id": "User",
    "llm_calls": "Model calls",
    "ttft_ms": "First piece",
    "cost_usd": "Cost",
    "latency_ms": "Latency",
    "latency_z": "Latency z",
    "cost_z": "Cost z",
}
_SHOWN_ANYWAY: Final = frozenset({"input", "output", "text", "started"})


class Column(NamedTuple):
    """`name` stands in the address and in filters; `key` is that of an attribute."""

    name: str
    title: str
    meaning: str
    number: bool
    key: str = ""

    def cell(self, row: LogRow) -> str:
        """What to show of the log; nothing where nothing is known."""
        value = value_of(row, self.name)
        if value is None or value == "" or (self.name == "latency_ms" and not value):
            return ""  # an answer that took no time is one of which no time is known
        if isinstance(value, str):
            return excerpt(value, 60)
        if isinstance(value, datetime):
            return exact(value)
        if self.name.endswith("_ms"):
            return duration(value)
        if self.name.endswith("_usd"):
            return money(value)
        return count(value) if float(value).is_integer() else f"{value:.3g}"


def _column(name: str) -> Column:
    known = FIELDS[name]
    title = _TITLES.get(name) or name.replace("_", " ").capitalize()
    return Column(name, title, known.meaning, known.kind == "number")


COLUMNS: Final = {name: _column(name) for name in NAMES if name not in _SHOWN_ANYWAY}


def attribute_column(key: str) -> Column:
    return Column(f"attr[{quote(key)}]", key, "sent by the application", False, key)


def read_columns(names: Sequence[str], unit: Unit) -> tuple[Column, ...]:
    """The columns that an address names, the usual ones where it names none; unknown ones are left out,
    so that an address outlives them."""
    made = []
    for name in dict.fromkeys(names if names else USUAL[unit]):
        if name in COLUMNS:
            made.append(COLUMNS[name])
        elif (key := key_of(name)) is not None:
            made.append(attribute_column(key))
    return tuple(made[:MOST])


def offered(rows: Iterable[LogRow], chosen: Sequence[Column]) -> tuple[Column, ...]:
    """Every column that can be chosen: the facts, and the attributes of the logs on the page."""
    keys = dict.fromkeys(column.key for column in chosen if column.key)
    for row in rows:
        keys |= dict.fromkeys(row.attributes)
    return (*COLUMNS.values(), *(attribute_column(key) for key in list(keys)[:MOST_ATTRIBUTES]))
