"""How far quotes drive an answer, and sets of diagnoses with a coverage."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.answering.conformal import conformal_quantile, conformal_set
from dxtrace.answering.influence import measure_influence
from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import Differential, Ranked
from dxtrace.errors import CaseError, InputError
from dxtrace.notes.case import Case


@pytest.mark.slow
def test_quotes_carry_the_answer(reasoner: Reasoner, short_case: Case) -> None:
    chain = reasoner.reason(short_case)
    found = measure_influence(reasoner, short_case, chain)
    assert len(found.steps) == len(chain.steps)
    assert found.diagnosis == chain.differential.top.diagnosis
    # Without its quotes the note says little; with them alone it says nearly as much as before.
    assert found.comprehensiveness > 0.1
    assert found.sufficiency < found.comprehensiveness
    assert reasoner.reason(short_case) == chain


@pytest.mark.slow
def test_an_answer_without_steps_has_no_influence_to_measure(reasoner: Reasoner) -> None:
    case = Case.from_text("The parcel was late. It rained in Lisbon.")
    with pytest.raises(CaseError, match="no step"):
        measure_influence(reasoner, case, reasoner.reason(case))


@given(st.integers(20, 200), st.sampled_from([0.8, 0.9]))
def test_a_conformal_set_covers_what_it_promises(count: int, coverage: float) -> None:
    rng = random.Random(count)
    scores = [rng.random() for _ in range(count)]
    quantile = conformal_quantile(scores, coverage)
    covered = sum(score <= quantile for score in scores) / count
    assert coverage <= covered <= coverage + 2 / count + 0.05


def test_too_few_cases_give_the_whole_list() -> None:
    assert conformal_quantile([0.1, 0.2], 0.9) == 1.0
    entries = tuple(Ranked(name, name, p) for name, p in (("a", 0.6), ("b", 0.3), ("c", 0.1)))
    differential = Differential(entries)
    assert conformal_set(differential, {"0.9": 1.0}, 0.9) == entries
    assert conformal_set(differential, {"0.9": 0.5}, 0.9) == entries[:1]
    assert conformal_set(differential, {"0.9": 0.0}, 0.9) == entries[:1]
    with pytest.raises(InputError, match="coverage"):
        conformal_set(differential, {}, 0.9)
