"""Small pieces of ClickHouse's SQL from which the mapping is built."""

from __future__ import annotations

import re

LINE = ",\n    "
EMPTY = "''"

Stage = dict[str, str]


def staged(
    columns: tuple[str, ...], source: str, stages: tuple[Stage, ...], last: Stage, *, where: str = ""
) -> str:
    """Nested SELECTs: each stage adds columns, computed once, that the next may use.

    A stage passes on only what a later one names: planning time grows with every column passed.
    """
    condition = f" WHERE {where}" if where else ""
    sql, known = f"SELECT {', '.join(columns)} FROM {source}{condition}", set(columns)
    for number, stage in enumerate(stages):
        later = [text for after in (*stages[number + 1 :], last) for text in after.values()]
        used = set(re.findall(r"[A-Za-z_][A-Za-z_.0-9]*", " ".join(later)))
        used |= {word.partition(".")[0] for word in used}
        passed = sorted(known & used)
        added = [f"{expression} AS {name}" for name, expression in stage.items()]
        sql = f"SELECT {LINE.join((', '.join(passed), *added) if passed else added)}\nFROM (\n{sql}\n)"
        known = {*passed, *stage}
    final = LINE.join(f"{expression} AS {name}" for name, expression in last.items())
    return f"SELECT {final}\nFROM (\n{sql}\n)"


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
