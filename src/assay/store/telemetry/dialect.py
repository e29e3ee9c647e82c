"""Small pieces of ClickHouse's SQL from which the mapping is built."""

from __future__ import annotations

import re
from collections.abc import Iterable

LINE = ",\n    "
EMPTY = "''"

Stage = dict[str, str]


def staged(
    columns: tuple[str, ...], source: str, stages: tuple[Stage, ...], last: Stage, *, where: str = ""
) -> str:
    """Nested SELECTs: each stage adds columns, computed once, that the next may use.

    A stage passes on, and computes, only what a later one names: planning time grows with every column.
    """
    condition = f" WHERE {where}" if where else ""
    sql, known = f"SELECT {', '.join(columns)} FROM {source}{condition}", set(columns)
    for stage, later in _needed(stages, last):
        passed = sorted(known & later)
        added = [f"{expression} AS {name}" for name, expression in stage.items()]
        sql = f"SELECT {LINE.join((', '.join(passed), *added) if passed else added)}\nFROM (\n{sql}\n)"
        known = {*passed, *stage}
    final = LINE.join(f"{expression} AS {name}" for name, expression in last.items())
    return f"SELECT {final}\nFROM (\n{sql}\n)"


def _needed(stages: tuple[Stage, ...], last: Stage) -> list[tuple[Stage, set[str]]]:
    """The stages without what nobody names, each with the names that later ones use."""
    found: list[tuple[Stage, set[str]]] = []
    later = _names_in(last.values())
    for stage in reversed(stages):
        kept: Stage = {}
        wanted = set(later)
        while len(more := {name: sql for name, sql in stage.items() if name in wanted}) > len(kept):
            kept = more
            wanted |= _names_in(kept.values())
        found.append((kept, later))
        later = wanted
    return [pair for pair in reversed(found) if pair[0]]


def _names_in(texts: Iterable[str]) -> set[str]:
    words = set(re.findall(r"[A-Za-z_][A-Za-z_.0-9]*", " ".join(texts)))
    return words | {word.partition(".")[0] for word in words}


def first_of(*texts: str) -> str:
    """The first text that is not empty. Each stands in the SQL once: it nests without exploding."""
    return f"coalesce({''.join(f'nullIf({text}, {EMPTY}), ' for text in texts[:-1])}{texts[-1]})"


def is_plain(text: str) -> str:
    """Whether a text is neither a JSON object nor a JSON list."""
    return f"NOT (substring({text}, 1, 1) IN ('{{', '[') AND isValidJSON({text}))"


def quoted(text: str) -> str:
    """A text as a literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def transform(text: str, words: dict[str, str], otherwise: str) -> str:
    """The word that stands for this one."""
    return f"transform({text}, {list(words)}, {list(words.values())}, {otherwise})"
