"""Every method that estimates name has its formula."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.web.fake import estimate

from assay.estimates import metric
from assay.web.formula import formula_of

NAMED = [*metric.METHODS.values(), metric.LABELS_ALONE, metric.JUDGE_ALONE, metric.CODE_ALONE]


@pytest.mark.parametrize("method", NAMED)
def test_each_method_is_explained(method: str) -> None:
    assert formula_of(estimate(0.9, method=method)) is not None


def test_methods_do_not_share_what_tells_them_apart() -> None:
    found = [formula_of(estimate(0.9, method=method)) for method in NAMED]
    claims = {formula.claim for formula in found if formula is not None}
    assert len(claims) == len(NAMED)


def test_nothing_is_explained_that_is_not_known() -> None:
    assert formula_of(estimate(None)) is None
    assert formula_of(replace(estimate(0.9), method="something new")) is None
