"""Measures beyond the published ones, each against a count by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.evaluate.metrics.calibration import Stated, brier, measure
from dxtrace.evaluate.metrics.hierarchy import overlap, overlap_of_names
from dxtrace.evaluate.metrics.labels import macro_f1
from dxtrace.evaluate.metrics.statistics import mean, resample
from dxtrace.knowledge.taxonomy import Taxonomy


@pytest.mark.parametrize(
    ("predicted", "gold", "f1"),
    [
        # Heart Failure: category, two suspicions, diagnosis, type: five nodes
        ("HFrEF", "HFrEF", 1.0),
        ("HFpEF", "HFrEF", 8 / 10),
        ("Heart Failure", "HFrEF", 8 / 9),
        ("Asthma", "HFrEF", 0.0),
        # UA and NSTEMI share category, two suspicions and NSTE-ACS; STEMI all but NSTE-ACS
        ("UA", "NSTEMI", 8 / 10),
        ("STEMI-ACS", "NSTEMI", 6 / 9),
    ],
)
def test_hierarchical_f1_is_that_of_a_hand_count(predicted: str, gold: str, f1: float) -> None:
    assert overlap_of_names(predicted, gold).f1 == pytest.approx(f1, abs=1e-12)


def test_no_diagnosis_has_nothing_in_common_with_the_gold_one() -> None:
    assert overlap(None, Taxonomy.default().find("HFrEF")).f1 == 0


def test_macro_f1_of_a_hand_count() -> None:
    gold = ["a", "a", "a", "b", "b", "c"]
    said = ["a", "a", "b", "b", "x", "a"]
    # a: 2 right of 3 gold and 3 said; b: 1 of 2 and 2; c: none; x is no gold label
    byhand = (4 / 6 + 2 / 4 + 0) / 3
    assert macro_f1(gold, said) == pytest.approx(byhand, abs=1e-12)
    assert macro_f1([], []) == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcx")), min_size=1, max_size=30)
)
def test_macro_f1_is_scikit_learns(rows: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, said = [one for one, _ in rows], [one for _, one in rows]
    theirs = metrics.f1_score(
        gold, said, labels=sorted(set(gold)), average="macro", zero_division=0
    )
    assert macro_f1(gold, said) == pytest.approx(theirs, abs=1e-12)


def test_an_interval_of_any_figure_draws_patients() -> None:
    values = [0.0, 0.0, 1.0, 1.0]
    one_patient = resample(values, ["a"] * 4, mean, 0, 100)
    assert (one_patient.low, one_patient.high) == (None, None)
    two = resample(values, ["a", "a", "b", "b"], mean, 0, 200)
    assert (two.low, two.high) == (0.0, 1.0)
    again = resample(values, ["a", "a", "b", "b"], mean, 0, 200)
    assert again == two


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_is_bounded_and_the_curve_ends_at_all_answers(
    rows: list[tuple[float, bool]],
) -> None:
    stated = [Stated(confidence, right, 0.0) for confidence, right in rows]
    found = measure(stated, [str(place) for place in range(len(rows))], 0, 20)
    assert found is not None
    assert 0 <= found.ece <= 1
    assert sum(one.n for one in found.bins) == len(rows)
    assert found.curve[-1] == (1.0, pytest.approx(sum(right for _, right in rows) / len(rows)))
    assert 0 <= found.area_under_risk <= 1


def test_calibration_of_known_answers() -> None:
    stated = [Stated(1.0, True, 0.0), Stated(0.5, False, 0.5), Stated(0.5, True, 0.5)]
    found = measure(stated, ["a", "b", "c"], 0, 50)
    assert found is not None
    assert found.ece == 0
    assert found.curve == ((pytest.approx(1 / 3), 1.0), (1.0, pytest.approx(2 / 3)))
    # risk 0 at a third of the answers, then 1/3 at all
    assert found.area_under_risk == pytest.approx(2 / 3 * 1 / 3, abs=1e-12)
    assert found.gap == pytest.approx(0.0, abs=1e-12)
    for value, between in (
        (found.ece, found.ece_interval),
        (found.area_under_risk, found.area_interval),
        (found.brier, found.brier_interval),
    ):
        assert between.low is not None and between.high is not None
        assert between.low - 1e-9 <= value <= between.high + 1e-9
    assert measure([], []) is None
    assert brier({"a": 1.0}, "a") == 0
    assert brier({"a": 1.0}, "b") == 2
