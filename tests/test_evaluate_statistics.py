"""Error bars and tests."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxtrace.evaluate.metrics.statistics import (
    compare_all,
    estimate_all,
    holm,
    mcnemar,
    mean,
    wilson,
)


def test_wilson_agrees_with_the_textbook() -> None:
    found = wilson(8, 10)
    assert (found.low, found.high) == (pytest.approx(0.4901625), pytest.approx(0.9433178))
    assert wilson(0, 0).low is None


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=50)
def test_wilson_holds_the_rate(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert found.low is not None and found.high is not None
    assert found.low - 1e-12 <= counts[0] / counts[1] <= found.high + 1e-12


def test_an_estimate_says_n_and_both_intervals() -> None:
    values = [1.0, 0.0, 1.0, None, 1.0]
    found = estimate_all({"x": values, "y": values, "z": [None] * 5}, list("aabbc"), rates=["x"])
    assert found["x"].mean == 0.75
    assert (found["x"].n, found["x"].patients) == (4, 3)
    assert found["x"].wilson is not None and found["y"].wilson is None
    assert found["x"].bootstrap.low is not None and found["x"].bootstrap.low <= 0.75
    assert found["z"].mean is None and found["z"].bootstrap.low is None
    assert found == estimate_all(
        {"x": values, "y": values, "z": [None] * 5},
        list("aabbc"),
        rates=["x"],
    )


def test_cases_of_one_patient_widen_the_interval() -> None:
    rng = random.Random(1)
    values = [float(rng.random() < 0.5) for _ in range(40) for _ in [0]]
    repeated = [value for value in values for _ in range(5)]
    alone = estimate_all({"x": repeated}, [str(i) for i in range(200)])["x"].bootstrap
    clustered = estimate_all({"x": repeated}, [str(i // 5) for i in range(200)])["x"].bootstrap
    assert (
        alone.low is not None
        and alone.high is not None
        and clustered.low is not None
        and clustered.high is not None
    )
    assert clustered.high - clustered.low > 1.7 * (alone.high - alone.low)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = random.Random(5)
    hits = 0
    for seed in range(60):
        values = [rng.gauss(1.0, 1.0) for _ in range(60)]
        found = estimate_all({"x": values}, [str(i) for i in range(60)], seed=seed, resamples=400)[
            "x"
        ].bootstrap
        hits += found.low is not None and found.high is not None and found.low <= 1.0 <= found.high
    assert 50 <= hits <= 60


def test_one_patient_allows_no_interval() -> None:
    assert estimate_all({"x": [1.0, 0.0]}, ["a", "a"])["x"].bootstrap.low is None


def test_a_real_difference_is_found_and_none_is_not() -> None:
    rng = random.Random(2)
    first = [float(rng.random() < 0.3) for _ in range(120)]
    second = [float(rng.random() < 0.7) for _ in range(120)]
    patients = [str(i) for i in range(120)]
    (found,) = compare_all({"x": first}, {"x": second}, patients, rates=["x"])
    assert found.n == 120
    assert found.permutation < 0.01 and found.mcnemar is not None and found.mcnemar < 0.01
    assert found.interval.low is not None and found.interval.low > 0
    (same,) = compare_all({"x": first}, {"x": first}, patients, rates=["x"])
    assert same.permutation == 1.0 and same.mcnemar == 1.0 and same.difference == 0


def test_swapping_the_systems_turns_the_difference_round() -> None:
    rng = random.Random(3)
    a, b = [[rng.random() for _ in range(30)] for _ in range(2)]
    patients = [str(i // 2) for i in range(30)]
    (one,) = compare_all({"x": a}, {"x": b}, patients)
    (other,) = compare_all({"x": b}, {"x": a}, patients)
    assert one.difference == pytest.approx(-other.difference)
    assert one.permutation == pytest.approx(other.permutation, abs=0.05)


def test_cases_without_a_value_are_left_out_in_pairs() -> None:
    (found,) = compare_all({"x": [1.0, None, 0.0, 1.0]}, {"x": [1.0, 1.0, None, 0.0]}, list("abcd"))
    assert (found.n, found.first, found.second) == (2, 1.0, 0.5)
    assert compare_all({"x": [None]}, {"x": [1.0]}, ["a"]) == []


def test_mcnemar_and_holm_agree_with_the_textbook() -> None:
    assert mcnemar([(1, 0)] * 5 + [(0, 1)] + [(1, 1)] * 9) == pytest.approx(2 * (1 + 6) / 64)
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert mean([None, 1.0, 2.0]) == 1.5
    assert mean([]) is None
