"""Spans and log records that were turned away, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One span or record turned away (`count` of them where they share the cause and have no
    ids to tell). Ids are lower hex as they came, also where they are no valid ids."""

    trace_id: str = ""
    span_id: str = ""
    service: str = ""
    reason: str
    count: int = 1


class Rejections:
    """Collects rejections: the first thousand one by one, the others summed by service and reason."""

    def __init__(self) -> None:
        self._listed: list[Rejection] = []
        self._summed: dict[tuple[str, str], int] = {}

    def add(self, rejection: Rejection) -> None:
        if len(self._listed) < _LISTED:
            self._listed.append(rejection)
        else:
            cause = (rejection.service, rejection.reason)
            self._summed[cause] = self._summed.get(cause, 0) + rejection.count

    def taken(self) -> tuple[Rejection, ...]:
        """What has been collected; the next collection begins."""
        summed = (Rejection(service=s, reason=r, count=n) for (s, r), n in self._summed.items())
        found = (*self._listed, *summed)
        self._listed, self._summed = [], {}
        return found


def count_of(rejections: Iterable[Rejection]) -> int:
    """How many spans or records were turned away."""
    return sum(one.count for one in rejections)


def message_of(rejections: Iterable[Rejection], most: int = 10) -> str:
    """What a sender is told: the first reasons, each once."""
    reasons = dict.fromkeys(
        f"span {one.span_id[:16]}: {one.reason}" if one.span_id else one.reason for one in rejections
    )
    return "; ".join(list(reasons)[:most])
