"""Splits by patient: nobody on two sides, shares kept, the same every time."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.errors import CorpusError

ROWS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ABC")), max_size=80)


@given(ROWS, st.integers(0, 3))
def test_a_patient_has_one_split_whatever_the_order(rows: list[tuple[int, str]], seed: int) -> None:
    cases = [
        (f"c{number}", f"p{patient}", diagnosis) for number, (patient, diagnosis) in enumerate(rows)
    ]
    splits = split_by_patient(cases, seed=seed)
    assert splits.keys() == {id for id, _, _ in cases}
    of_patient = defaultdict(set)
    for id, patient, _ in cases:
        of_patient[patient].add(splits[id])
    assert all(len(found) == 1 for found in of_patient.values())
    assert split_by_patient(reversed(cases), seed=seed) == splits


def test_shares_hold_overall_and_within_each_diagnosis() -> None:
    cases = [(f"c{number}", f"p{number}", f"d{number % 7}") for number in range(1400)]
    splits = split_by_patient(cases)
    assert Counter(splits.values()) == {"train": 1120, "dev": 140, "test": 140}
    for diagnosis in range(7):
        counts = Counter(splits[id] for id, _, name in cases if name == f"d{diagnosis}")
        for split, share in SHARES.items():
            assert abs(counts[split] - 200 * share) <= 2


def test_another_seed_deals_otherwise() -> None:
    cases = [(f"c{number}", f"p{number}", "d") for number in range(100)]
    assert split_by_patient(cases, seed=1) != split_by_patient(cases, seed=2)


def test_what_cannot_be_split_is_named() -> None:
    with pytest.raises(CorpusError, match="'c' stands twice"):
        split_by_patient([("c", "p", "d"), ("c", "q", "d")])
    with pytest.raises(CorpusError, match="positive"):
        split_by_patient([("c", "p", "d")], {"train": 1.0, "test": 0.0})
