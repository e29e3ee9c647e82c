"""How a number came about, in words, by the method that the estimate names."""

from __future__ import annotations

from typing import NamedTuple

from assay.records import Estimate


class Formula(NamedTuple):
    """`claim` in one sentence, the `formula` itself, and what `more` to know of it."""

    claim: str
    formula: str
    more: str


_WEIGHTED = "One that was drawn with probability one in ten counts for ten."
_FORMULAS = {
    "labels corrected by the judge": Formula(
        "What people say is spread to all by means of the judge.",
        "estimate = mean, over everything judged, of the label that the judge's score predicts + mean, over "
        "everything labelled, of (label − predicted label)",
        "The prediction is a line through labels and scores: the less the judge explains what people say, "
        f"the less its scores matter. {_WEIGHTED}",
    ),
    "labels by the judge's verdict": Formula(
        "What people say is counted verdict by verdict.",
        "estimate = sum, over the judge's verdicts, of (share of the verdict × rate of the labels under it)",
        "The judge says how common each verdict is; people say what it is worth. So the judge may be wrong "
        f"as often as it likes without bending the number. {_WEIGHTED}",
    ),
    "labels alone (inverse probability": Formula(
        "The labels are weighted and averaged.",
        "estimate = Σ (label ÷ probability) ÷ Σ (1 ÷ probability)",
        _WEIGHTED,
    ),
    "labels alone": Formula(
        "The labels are averaged.",
        "estimate = good labels ÷ labels",
        "All were drawn with the same probability, so none counts for more than another.",
    ),
    "code check": Formula(
        "The scores are weighted and averaged.",
        "estimate = Σ (score ÷ probability) ÷ Σ (1 ÷ probability)",
        f"{_WEIGHTED} Where all were checked, every weight is one.",
    ),
    "judge alone": Formula(
        "The judge's scores are weighted and averaged, and corrected by nobody.",
        "estimate = Σ (score ÷ probability) ÷ Σ (1 ÷ probability)",
        _WEIGHTED,
    ),
}
"""By the beginning of `Estimate.method`; longer beginnings stand before shorter ones."""


def formula_of(estimate: Estimate) -> Formula | None:
    """The formula, or None where there is no value or the method is not known here."""
    if estimate.value is None:
        return None
    for beginning, formula in _FORMULAS.items():
        if estimate.method.startswith(beginning):
            return formula
    return None
