"""Words and parts of long texts are found through an index, which knows the words of every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

SEARCHED: Final = ("input", "output")
"""The columns of `signals` that have such an index."""

MOST_WORDS: Final = 16
"""Words of one phrase that the index is asked for; the text itself answers for all."""

MOST_RUNS: Final = 3
SHORTEST_RUN: Final = 4
"""Shorter parts of words are in so many of them that the index only costs time."""

Bind = Callable[[str, Any], str]


def parted(column: str) -> str:
    """The column so that runs of ASCII letters, digits and whatever is not ASCII are its folded words.

    Most texts are plain ASCII, and need only be lower case for that: the index costs a quarter of what
    one over `folded_words` would."""
    return (
        f"if(isValidASCII({column}), lower({column}), "
        f"replaceRegexpAll(lowerUTF8({column}), '[^\\\\pL\\\\pM\\\\pN]+', ' '))"
    )


def index_of(column: str) -> str:
    """The index of the column, as the schema names it."""
    return f"idx_{column} ({parted(column)}) TYPE text(tokenizer = 'splitByNonAlpha')"


def has_words(column: str, phrase: str, bind: Bind) -> str:
    """Whether every word of a folded phrase is a word of the column, in whatever order: what decides
    for a phrase of one word. Longer words are asked for first, where there are many."""
    words = sorted(dict.fromkeys(phrase.split(" ")), key=len, reverse=True)
    asked = bind("Array(String)", [word for word in words if word][:MOST_WORDS])
    return f"hasAllTokens({parted(column)}, {asked}, 'splitByNonAlpha')"


def has_runs(column: str, part: str, bind: Bind) -> list[str]:
    """What must hold of the words of a column that contains the folded part; where the part is such a
    run itself, it is all that must."""
    runs = sorted(set(re.findall(r"[a-z0-9]+", part)), key=len, reverse=True)
    asked = [run for run in runs if len(run) >= SHORTEST_RUN][:MOST_RUNS]
    return [f"{parted(column)} LIKE {bind('String', f'%{run}%')}" for run in asked]


def is_run(part: str) -> bool:
    """Whether the folded part stands in one word wherever it stands."""
    return len(part) >= SHORTEST_RUN and re.fullmatch(r"[a-z0-9]+", part) is not None
