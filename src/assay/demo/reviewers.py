"""Simulated people who answer the judge's question for a few conversations."""

from __future__ import annotations

from typing import NamedTuple

from assay.demo.draws import Draws
from assay.demo.world import truth

MISSED = 0.10
"""The probability that a reviewer takes a failed conversation for resolved."""
FALSE_ALARM = 0.006
"""The probability that a reviewer takes a resolved conversation for failed. At the world's 5.6 % of
failures both errors balance: the rate over all that reviewers would report is the true one."""
RATERS = ("reviewer-1", "reviewer-2", "reviewer-3")


class Review(NamedTuple):
    """One label: 1.0 for resolved, 0.0 for not."""

    rater: str
    value: float


def review(conversation_id: str) -> Review:
    """The label of a conversation, by one of three reviewers, wrong in about one of a hundred.

    Raises UnknownName where the id is not of a simulated world."""
    told = truth(conversation_id)
    draws = Draws(f"{told.seed}:{conversation_id}:review")
    rater = draws.pick(RATERS)
    wrong = draws.chance(FALSE_ALARM if told.resolved else MISSED)
    return Review(rater, float(told.resolved != wrong))
