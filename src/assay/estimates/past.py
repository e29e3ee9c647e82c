"""What past scores and labels tell of those to come."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from assay.estimates.ledger import failing_floats, read_drawn
from assay.estimates.metric import SCORED_MINIMUM
from assay.records import MetricInfo
from assay.stats.choose import explained_share
from assay.stats.weighted import weighted_mean


class PastRates(NamedTuple):
    """The failure rate, by the metric's own word (a human metric's: people's); what the judge explains of
    people's labels (R^2). None where there is too little to tell."""

    rate: float | None
    explained: float | None


def past_rates(ledger_rows: pa.Table, seen: int, decided: int, info: MetricInfo) -> PastRates:
    """Both from a ledger, weighted by one over the probabilities."""
    drawn = read_drawn(ledger_rows, seen, decided)
    human = info.kind == "human"
    said = pa.array(drawn.label if human else drawn.value, from_pandas=True)
    probability = pa.array(drawn.p1 * drawn.p2_labelled if human else drawn.p1_scored)
    known = said.is_valid()
    rate = None
    if (drawn.labelled if human else drawn.judged) >= SCORED_MINIMUM:
        failing = failing_floats(said.filter(known), high_is_good=info.goal == "high")
        chance = probability.filter(known).to_numpy()
        rate = weighted_mean(failing, chance, population=drawn.population).value
    judged = info.kind == "judge" and drawn.judged > 0
    explained = explained_share(drawn.label, drawn.value, drawn.p1, drawn.p2_labelled) if judged else None
    return PastRates(rate, explained)
