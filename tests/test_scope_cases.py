"""The invented cases on which an adapter learns when to abstain."""

from __future__ import annotations

from collections import Counter

import pytest

from dxtrace.errors import InputError
from dxtrace.knowledge import written
from dxtrace.train.calibration import IN_SCOPE_KEPT, fit_scope
from dxtrace.train.scope_cases import scope_cases


def test_every_category_and_much_outside_is_there() -> None:
    cases = scope_cases()
    inside = Counter(case.gold.category for case in cases if case.gold)
    assert set(inside) == set(written())
    assert sum(case.gold is None for case in cases) >= 60
    assert len({case.id for case in cases}) == len(cases)
    assert len({case.case.note for case in cases}) == len(cases)


def test_the_threshold_is_set_by_cases_that_are_not_plain() -> None:
    features = [{"share": number / 10} for number in range(20)]
    outside = [number < 10 for number in range(20)]
    plain = [number >= 15 for number in range(20)]
    model = fit_scope(features, outside, plain)
    kept = [model.probability(features[number]) < model.threshold for number in range(10, 15)]
    assert sum(kept) >= IN_SCOPE_KEPT * len(kept)
    everything = fit_scope(features, outside)
    assert everything.threshold <= model.threshold


def test_a_threshold_needs_cases_that_are_not_plain() -> None:
    with pytest.raises(InputError, match="threshold"):
        fit_scope([{"share": 0.0}, {"share": 1.0}], [True, False], [False, True])
