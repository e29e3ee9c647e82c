"""Texts as a page shows them: cut where they are long, with the words marked that raised a signal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

from assay.web.text import isolated, shown, split

HEAD = 3_000
INLINE = 12_000
"""A text that is not longer is in the page whole, the rest of it folded away; of a longer one the rest is
asked for when somebody wants it."""

ROOM = 600_000
"""About so many characters of texts are in a page, however many turns it shows."""

LEAST = 300
"""What is shown of each text at least."""


class Spot(NamedTuple):
    """Words that raised a signal, `title` says which."""

    start: int
    end: int
    title: str


class Said(NamedTuple):
    """A text to show: `head` at once, `tail` on demand; all of it at `more`, where that is given."""

    head: Markup
    tail: Markup
    length: int
    more: str


class Room:
    """What is left of a page for texts. `texts` all get a beginning of the same length; what a text has
    beyond it is in the page as long as there is room."""

    def __init__(self, texts: Collection[str]) -> None:
        share = ROOM // max(len(texts), 1)
        fits = sum(min(len(text), HEAD) for text in texts) <= ROOM
        self.head = HEAD if fits else max(share, LEAST)
        self._left = ROOM

    def take(self, wanted: int) -> bool:
        """Whether there is room for so many characters, which are then taken."""
        fits = wanted <= self._left
        self._left -= wanted if fits else 0
        return fits


def said(text: str, spots: Sequence[Spot], address: str, room: Room) -> Said:
    """The text for a page; `address` is where all of it is given."""
    if len(text) > INLINE or not room.take(len(text)):
        cut = split(text, HEAD if room.take(HEAD) else room.head)
        return Said(marked(cut.head, spots), Markup(), len(text), address if cut.tail else "")
    cut = split(text, HEAD)
    at = len(cut.head)
    behind = [
        spot._replace(start=max(spot.start - at, 0), end=spot.end - at) for spot in spots if spot.end > at
    ]
    return Said(marked(cut.head, spots), marked(cut.tail, behind) if cut.tail else Markup(), len(text), "")


def marked(text: str, spots: Sequence[Spot]) -> Markup:
    """The text, isolated and escaped, with its spots as marks; spots beyond its end are left out."""
    parts: list[str] = []
    at = 0
    for spot in _merged(spots, len(text)):
        parts += [
            shown(text[at : spot.start]),
            f'<mark class="heard" title="{escape(spot.title)}">{shown(text[spot.start : spot.end])}</mark>',
        ]
        at = spot.end
    parts.append(shown(text[at:]))
    return isolated("".join(parts))


def _merged(spots: Sequence[Spot], length: int) -> list[Spot]:
    """Without overlap, in order: where several signals heard the same words, one mark names them all."""
    ends = sorted({end for spot in spots for end in (spot.start, min(spot.end, length)) if end <= length})
    merged: list[Spot] = []
    for start, end in pairwise(ends):
        names = dict.fromkeys(spot.title for spot in spots if spot.start <= start and spot.end >= end)
        if names:
            merged.append(Spot(start, end, ", ".join(names)))
    return merged
