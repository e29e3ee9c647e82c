"""A log as text for a judge: roles marked so that nothing inside a message can forge them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from assay.records import Log

FORM = "1"
"""Part of every judge's version: to be raised when the same log would be rendered differently."""

_LEAST = 200
_LABEL = 80


class Part(NamedTuple):
    """One message, document or call. `label` is ours; `text` was written by strangers."""

    label: str
    text: str


def parts_of(log: Log) -> list[Part]:
    """Everything of the log in order: request, documents, tool calls, answer, error of each turn."""
    parts = []
    for number, turn in enumerate(log.turns, start=1):
        at = f"turn {number}"
        parts.append(Part(f"{at}, user", turn.input))
        for index, document in enumerate(turn.context, start=1):
            parts.append(Part(f"{at}, retrieved document {index} of {len(turn.context)}", document))
        for index, call in enumerate(turn.tool_calls, start=1):
            tool = f"{at}, tool call {index} of {len(turn.tool_calls)}"
            parts.append(Part(f"{tool}, name and arguments", f"{call.name}({call.arguments})"))
            outcome = "error" if call.error else "result"
            parts.append(Part(f"{tool}, {outcome}", call.result))
        parts.append(Part(f"{at}, assistant", turn.output))
        if turn.error:
            parts.append(Part(f"{at}, error of the application", turn.error))
    if not log.turns:
        parts = [Part("user", log.input), Part("assistant", log.output)]
    return [Part(label, _printable(text)) for label, text in parts]


def choose_marker(salt: str, texts: Iterable[str]) -> str:
    """A word that stands in none of the texts, nor can be foreseen by whoever wrote them."""
    whole = "\n".join(texts).lower()
    for attempt in range(1_000_000):
        seed = f"{salt}\0{attempt}\0{whole}".encode("utf-8", "surrogatepass")
        marker = hashlib.sha256(seed).hexdigest()[:16]
        if marker not in whole:
            return marker
    raise AssertionError("unreachable: no text holds a million hashes of itself")


def shorten(parts: list[Part], budget_chars: int) -> list[Part]:
    """Cut the longest texts in their middles until all fit, every part to the same length; where
    that would leave too little of each, leave out the middle parts. A mark says how much is gone."""
    room = budget_chars - len(parts) * _LABEL
    limit = _level([len(part.text) for part in parts], room)
    if limit >= _LEAST:
        return [Part(part.label, cut_middle(part.text, limit)) for part in parts]
    kept = max(2, budget_chars // (_LEAST + _LABEL))
    if len(parts) <= kept:
        return [Part(part.label, cut_middle(part.text, max(0, limit))) for part in parts]
    head, tail = parts[: (kept + 1) // 2], parts[len(parts) - kept // 2 :]
    gone = parts[len(head) : len(parts) - len(tail)]
    chars = sum(len(part.text) for part in gone)
    note = Part(f"{len(gone)} parts with {chars} characters left out here", "")
    room = budget_chars - (kept + 1) * _LABEL
    limit = max(0, _level([len(part.text) for part in head + tail], room))
    cut = [Part(part.label, cut_middle(part.text, limit)) for part in head + tail]
    return [*cut[: len(head)], note, *cut[len(head) :]]


def cut_middle(text: str, limit: int) -> str:
    """The text, or its beginning and end with a mark between them that says what is missing."""
    if len(text) <= limit:
        return text
    mark = f"\n[... {len(text) - limit} of {len(text)} characters left out ...]\n"
    head = (limit + 1) // 2
    tail = limit - head
    return text[:head] + mark + (text[-tail:] if tail else "")


def render(parts: Iterable[Part], marker: str) -> str:
    """The parts below their labels; only lines that begin with the marker are ours."""
    return "\n".join(f"{marker} {label}\n{text}" if text else f"{marker} {label}" for label, text in parts)


def _level(lengths: list[int], room: int) -> int:
    """The largest limit such that texts cut to it fit the room: the level water would take."""
    if sum(lengths) <= room:
        return max(lengths, default=_LEAST) + _LEAST
    for index, length in enumerate(ordered := sorted(lengths)):
        share = room // (len(ordered) - index)
        if length > share:
            return share
        room -= length
    raise AssertionError("unreachable: some text is longer than its share")


def _printable(text: str) -> str:
    """Without NUL and lone surrogates, which no endpoint takes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
