"""A spending limit that is kept although many requests are under way at once."""

from __future__ import annotations

import asyncio


class OverBudget(Exception):
    """The request might cost more than is left, and nothing under way could give money back."""


class Budget:
    """Before a request is sent, the most it can cost is set aside; afterwards what it did cost is
    booked. Where a request does not fit, it waits for those under way, then the budget is `closed`
    for good: what comes later is refused too, so that cheap logs do not slip in before dear ones."""

    def __init__(self, limit_usd: float | None) -> None:
        self._limit_usd = limit_usd
        self._reserved_usd = 0.0
        self._under_way = 0
        self._line = asyncio.Lock()
        self._freed = asyncio.Event()
        self.spent_usd = 0.0
        self.closed = False

    async def reserve(self, most_usd: float) -> None:
        """Set this much aside, first come, first served. Raises OverBudget."""
        async with self._line:
            while not self.closed and not self._fits(most_usd):
                if self._under_way == 0:
                    self.closed = True
                    break
                self._freed.clear()
                await self._freed.wait()
            if self.closed:
                raise OverBudget
            self._reserved_usd += most_usd
            self._under_way += 1

    def book(self, reserved_usd: float, cost_usd: float) -> None:
        """The request that had set `reserved_usd` aside is over and has cost `cost_usd`."""
        self._reserved_usd -= reserved_usd
        self._under_way -= 1
        if self._under_way == 0:
            self._reserved_usd = 0.0
        self.spent_usd += cost_usd
        self._freed.set()

    def _fits(self, most_usd: float) -> bool:
        return self._limit_usd is None or self.spent_usd + self._reserved_usd + most_usd <= self._limit_usd
