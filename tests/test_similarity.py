"""How similar the words of a quote are to those of a finding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace import knowledge
from dxtrace.findings.similarity import FindingIndex, terms
from dxtrace.knowledge import Premise
from dxtrace.notes.quotes import find_quotes

NOTE = """She needs three pillows to sleep and wakes breathless at night. Her ankles are swollen.
She denies swelling of the legs. The echocardiogram shows an ejection fraction of 30%.
She collects stamps for 8 weeks."""


def alike(category: str, note: str, least: float = 0.25) -> dict[str, list[str]]:
    """Return, by premise id, the pieces of a note that are at least so like it."""
    premises, quotes = knowledge.premises(category), find_quotes(note)
    similarity = FindingIndex(premises).similarity(quotes)
    assert similarity.shape == (len(quotes), len(premises))
    found = {
        premise.id: [
            quote.text for quote, like in zip(quotes, column, strict=True) if like >= least
        ]
        for premise, column in zip(premises, similarity.T, strict=True)
    }
    return {id: texts for id, texts in found.items() if texts}


def test_a_finding_is_like_the_words_that_say_it() -> None:
    found = alike("Heart Failure", NOTE)
    assert any("pillows" in text for text in found["heart-failure/orthopnea"])
    assert len(found) < len(knowledge.premises("Heart Failure")) / 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SOB x 2 weeks", "She has been short of breath for two weeks."),
        ("threw up blood", "hematemesis"),
        ("ankle oedema", "She has swollen ankles."),
    ],
)
def test_ways_of_saying_one_thing_are_one_term(one: str, other: str) -> None:
    assert set(terms(one)) & set(terms(other))


def test_a_denial_is_never_like_a_finding() -> None:
    assert not any(
        "denies" in text for texts in alike("Heart Failure", NOTE).values() for text in texts
    )
    assert "fever" not in terms("afebrile")


def test_a_number_is_no_term_however_it_is_written() -> None:
    assert terms("three") == terms("3") == ()


def test_a_negative_test_is_not_like_an_illness_that_is_known() -> None:
    negative = alike("Tuberculosis", "HIV negative", least=0.5)
    assert "tuberculosis/hiv-infection" not in negative
    assert alike("Tuberculosis", "Known HIV infection")


def test_words_that_say_nothing_are_like_nothing() -> None:
    assert not any(
        "stamps" in text for texts in alike("Heart Failure", NOTE).values() for text in texts
    )


@pytest.mark.slow
def test_every_way_in_which_notes_say_a_finding_is_like_it() -> None:
    premises = [premise for premise in knowledge.premises("Tuberculosis") if premise.says]
    missed = 0
    for premise in premises:
        way = max(premise.says, key=len).replace("{", "").replace("}", "")
        missed += bool(find_quotes(way)) and premise.id not in alike("Tuberculosis", way)
    assert missed <= len(premises) // 10


@given(
    st.lists(
        st.sampled_from(["dry cough", "no rash", "fever for {days} days", "WBC {wbc}", "%", ""]),
        max_size=6,
    ),
)
def test_similarity_is_a_share_whatever_the_words(says: list[str]) -> None:
    premise = Premise("x/y", "X", "", "", (), says=tuple(says))
    similarity = FindingIndex([premise]).similarity(
        find_quotes("Dry cough. Fever; chills, no rash. WBC 12.1, Hgb 9."),
    )
    assert (similarity >= 0).all()
    assert (similarity <= 1 + 1e-9).all()
