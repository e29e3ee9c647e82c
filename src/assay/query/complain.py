"""What is wrong with an expression, where, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from assay.errors import FilterError

_HALVES: Final = re.compile("[\ud800-\udfff]")


def complain(text: str, position: int, what: str) -> FilterError:
    """The error for this place in the expression: what is wrong, the line, and a caret under it."""
    position = min(max(position, 0), len(text))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : len(text) if end < 0 else end]
    before, after = line[: position - start][-60:], line[position - start :][:60]
    shown = _HALVES.sub("\ufffd", (before + after).replace("\t", " "))
    return FilterError(f"{what}\n  {shown}\n  {' ' * len(before)}^", position=position)


def unknown(text: str, position: int, noun: str, name: str, known: Iterable[str]) -> FilterError:
    """The error for a name that nothing has, with the nearest that something has."""
    return complain(text, position, f"unknown {noun} `{name}`; {suggest(name, known)}")


def refuse_halves(text: str) -> None:
    """Halves of characters (lone surrogates) can't be written in UTF-8: no store takes them.

    Raises FilterError with the position of the first."""
    if half := _HALVES.search(text):
        what = f"half a character (U+{ord(half.group()):04X}) can't be looked for: no text has one"
        raise complain(text, half.start(), what)


def suggest(name: str, known: Iterable[str]) -> str:
    """Which names are near that one, or which there are."""
    names = sorted(known)
    folded = {candidate.lower(): candidate for candidate in names}
    near = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=2, cutoff=0.6)]
    if near:
        return "did you mean " + " or ".join(f"`{candidate}`" for candidate in near) + "?"
    if names:
        more = ", ..." if len(names) > 8 else ""
        return "there are " + ", ".join(f"`{candidate}`" for candidate in names[:8]) + more
    return "there are none"
