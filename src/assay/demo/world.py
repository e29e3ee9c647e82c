"""The simulated world: how many conversations on which day, and each of them by its id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from assay.demo.script import Conversation, write_conversation
from assay.demo.story import LAST_DAY, WEEKDAY_WEIGHTS, Truth, tell
from assay.errors import CallerError, UnknownName

_ID = re.compile(r"c-(\d{1,9})-(\d{8})-(\d{2})-(\d{5,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`days` days that end with `last_day` (UTC), which is day 14 of the story; `per_day`
    conversations a day on average, `days * per_day` in all, exactly.

    Raises CallerError where there is no such world."""

    last_day: date
    days: int = LAST_DAY
    per_day: int = 5_000
    seed: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.days <= LAST_DAY:
            raise CallerError(f"the story has 1 to {LAST_DAY} days, not {self.days}")
        if self.per_day < 1 or not 0 <= self.seed < 10**9:
            given = f"{self.per_day} and {self.seed}"
            raise CallerError(
                f"conversations a day must be 1 or more and the seed 0 to 999999999, not {given}"
            )

    @property
    def total(self) -> int:
        """Conversations in all."""
        return self.days * self.per_day

    @property
    def dates(self) -> tuple[date, ...]:
        """The days, oldest first."""
        return tuple(self.last_day - timedelta(days=age) for age in reversed(range(self.days)))

    def sizes(self) -> tuple[int, ...]:
        """Conversations of each day: by weekday, rounded so that they add up to the total."""
        weights = [WEEKDAY_WEIGHTS[day.weekday()] for day in self.dates]
        shares = [weight * self.total / sum(weights) for weight in weights]
        sizes = [int(share) for share in shares]
        by_rest = sorted(range(self.days), key=lambda i: sizes[i] - shares[i])
        for i in by_rest[: self.total - sum(sizes)]:
            sizes[i] += 1
        return tuple(sizes)

    def truths(self, position: int) -> list[Truth]:
        """The truths of the day at this position of `dates`, in the order of their start."""
        on, day = self.dates[position], LAST_DAY - self.days + 1 + position
        head = f"c-{self.seed}-{on:%Y%m%d}-{day:02d}-"
        told = [tell(f"{head}{i:05d}", self.seed, on, day, i) for i in range(self.sizes()[position])]
        told.sort(key=lambda truth: (truth.start_s, truth.conversation_id))
        return told

    def conversations(self, position: int) -> Iterator[Conversation]:
        """The conversations of the day at this position, in the order of their start."""
        return map(write_conversation, self.truths(position))


def truth(conversation_id: str) -> Truth:
    """What is true of a conversation of any simulated world, from its id alone.

    Raises UnknownName where the id is not of a simulated world."""
    match = _ID.fullmatch(conversation_id)
    day = int(match[3]) if match else 0
    if match and 1 <= day <= LAST_DAY:
        try:
            on = datetime.strptime(f"{match[2]}+0000", "%Y%m%d%z").date()
        except ValueError:
            pass
        else:
            return tell(conversation_id, int(match[1]), on, day, int(match[4]))
    raise UnknownName(f"{conversation_id!r} is no conversation of the simulated support assistant")
