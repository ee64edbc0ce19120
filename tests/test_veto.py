"""A finding that rules a diagnosis out ends the path before it."""

from __future__ import annotations

import pytest

from dxtrace.answering.reasoner import _before_veto
from dxtrace.findings.recogniser import recogniser
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.case import Case

TAXONOMY = Taxonomy.default()


@pytest.mark.parametrize(
    ("note", "diagnosis", "reached"),
    [
        ("Aquaporin-4 antibodies positive.", "Multiple Sclerosis", "Suspected Multiple Sclerosis"),
        ("Echocardiogram: LVEF 30 %.", "HFpEF", "Heart Failure"),
        ("Echocardiogram: LVEF 30 %.", "HFrEF", "HFrEF"),
        ("Aquaporin-4 antibodies positive.", "HFrEF", "HFrEF"),
    ],
)
def test_a_path_ends_before_what_is_ruled_out(note: str, diagnosis: str, reached: str) -> None:
    reading = recogniser().read(Case.from_text(note))
    found = _before_veto(TAXONOMY, TAXONOMY.find(diagnosis), reading)
    assert found is not None
    assert found.name == reached


def test_nothing_is_reached_where_the_suspicion_itself_is_ruled_out() -> None:
    note = "On the tilt table his typical attack was reproduced: he fell, pale and jerking."
    reading = recogniser().read(Case.from_text(note))
    assert _before_veto(TAXONOMY, TAXONOMY.find("Epilepsy"), reading) is None
