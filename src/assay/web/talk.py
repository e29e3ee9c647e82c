"""A conversation as its page shows it: which turns, what was heard in them, how long they took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from assay.records import Heard, Selection, Signal, SpanRow, Timeline, TurnRow
from assay.web.marked import Room, Said, Spot, said

KINDS = frozenset({"llm", "tool", "retrieval", "agent", "chain", "embedding", "guardrail", "evaluator"})
SEVERITIES = ("high", "medium", "low", "info")
MOST_DEPTH = 9
LEAST_WIDTH = 4.0
"""Of a thousand: a span too short to be seen is drawn a little longer."""


class Raised(NamedTuple):
    """A signal where it was raised: `heard` are the words, as far as it goes by words."""

    name: str
    severity: str
    meaning: str
    heard: tuple[str, ...] = ()


class Bar(NamedTuple):
    """A span's line: where its bar begins and how wide it is, of a thousand."""

    span: SpanRow
    x: float
    width: float
    kind: str
    depth: int


class Drawn(NamedTuple):
    """A timeline with its bars."""

    timeline: Timeline
    bars: tuple[Bar, ...]


class Shown(NamedTuple):
    """One turn. Signals stand where they were raised: by the request, by the answer, or by neither.
    `share` is how long it took, of the slowest turn; `drawn` is None where its spans are asked for later."""

    number: int
    row: TurnRow
    input: Said
    output: Said
    asked: tuple[Raised, ...]
    answered: tuple[Raised, ...]
    beside: tuple[Raised, ...]
    milliseconds: float
    share: float
    drawn: Drawn | None


class Chance(NamedTuple):
    """All the chances that a policy gave a log at one stage: how likely it was to be looked at at all."""

    policy: str
    stage: str
    probability: float
    occasions: int
    drawn: bool


def turns_of(
    rows: Sequence[TurnRow],
    signals: Mapping[str, Signal],
    timelines: Iterable[Timeline],
    *,
    conversation_id: str,
    first: int,
    room: Room,
) -> tuple[Shown, ...]:
    """The turns of a page; `first` is the number of the first of them, `room` what there is for texts."""
    lines = {line.trace_id: draw(line) for line in timelines}
    longest = max((_took(row) for row in rows), default=0.0)
    return tuple(
        Shown(
            number=first + index,
            row=row,
            input=_said(row, "input", conversation_id, room),
            output=_said(row, "output", conversation_id, room),
            asked=tuple(one for one, side in placed if side == "input"),
            answered=tuple(one for one, side in placed if side == "output"),
            beside=tuple(one for one, side in placed if not side),
            milliseconds=_took(row),
            share=_took(row) / longest if longest else 0.0,
            drawn=lines.get(row.turn.interaction_id),
        )
        for index, row in enumerate(rows)
        for placed in [_placed(row, signals)]
    )


def known(names: Collection[str], signals: Mapping[str, Signal]) -> tuple[Raised, ...]:
    """These signals, the gravest first."""
    return tuple(sorted((_raised(name, signals) for name in names), key=_gravity))


def draw(timeline: Timeline) -> Drawn:
    """The timeline's bars."""
    length = timeline.length_ms or 1.0
    return Drawn(timeline, tuple(_bar(span, length) for span in timeline.spans))


def chances(selections: Sequence[Selection]) -> tuple[Chance, ...]:
    """For each policy and stage: 1 - (1-p1)(1-p2)..., over the occasions on which it was decided."""
    kept: dict[tuple[str, str], list[Selection]] = {}
    for one in selections:
        kept.setdefault((one.policy, one.stage), []).append(one)
    found = []
    for (policy, stage), decided in kept.items():
        missed = 1.0
        for one in decided:
            missed *= 1.0 - one.probability
        drawn = any(one.selected for one in decided)
        found.append(Chance(policy, stage, 1.0 - missed, len(decided), drawn))
    return tuple(found)


def text_address(conversation_id: str, turn: str, part: str) -> str:
    """Where a text is given whole."""
    return f"/texts?{urlencode({'id': conversation_id, 'turn': turn, 'part': part})}"


def _said(row: TurnRow, part: str, conversation_id: str, room: Room) -> Said:
    text = row.turn.input if part == "input" else row.turn.output
    spots = [Spot(one.start, one.end, f"raised {one.signal}") for one in row.heard if one.subject == part]
    return said(text, spots, text_address(conversation_id, row.turn.interaction_id, part), room)


def _placed(row: TurnRow, signals: Mapping[str, Signal]) -> list[tuple[Raised, str]]:
    """The turn's signals, each with the side that raised it: where its words stand, else by its family."""
    heard: dict[str, list[Heard]] = {}
    for one in row.heard:
        heard.setdefault(one.signal, []).append(one)
    placed = []
    for raised in known(row.facts.signals if row.facts else (), signals):
        own = heard.get(raised.name, [])
        side = own[0].subject if own else _side(signals.get(raised.name))
        texts = {"input": row.turn.input, "output": row.turn.output}
        words = dict.fromkeys(" ".join(texts[one.subject][one.start : one.end].split()) for one in own)
        placed.append((raised._replace(heard=tuple(words)[:3]), side))
    return placed


def _side(signal: Signal | None) -> str:
    return {"U": "input", "A": "output"}.get(signal.code[:1], "") if signal else ""


def _raised(name: str, signals: Mapping[str, Signal]) -> Raised:
    signal = signals.get(name)
    return Raised(name, signal.severity, signal.meaning) if signal else Raised(name, "info", "")


def _gravity(raised: Raised) -> tuple[int, str]:
    return SEVERITIES.index(raised.severity), raised.name


def _took(row: TurnRow) -> float:
    if row.facts is not None and row.facts.latency_ms:
        return row.facts.latency_ms
    return (row.turn.ended - row.turn.started).total_seconds() * 1000


def _bar(span: SpanRow, length_ms: float) -> Bar:
    x = min(max(1000 * span.offset_ms / length_ms, 0.0), 1000.0 - LEAST_WIDTH)
    width = min(max(1000 * span.duration_ms / length_ms, LEAST_WIDTH), 1000.0 - x)
    kind = span.kind if span.kind in KINDS else "other"
    return Bar(span, round(x, 1), round(width, 1), kind, min(span.depth, MOST_DEPTH))
