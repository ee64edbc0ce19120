"""Which quotes are offered for which premise."""

from __future__ import annotations

from dxtrace import knowledge
from dxtrace.grounding import find_quotes
from dxtrace.matching import match

NOTE = """She needs three pillows to sleep and wakes breathless at night. Her ankles are swollen.
She denies swelling of the legs. The echocardiogram shows an ejection fraction of 30%.
She collects stamps for 8 weeks."""


def offered() -> dict[str, list[str]]:
    premises = knowledge.premises("Heart Failure")
    return {id: [quote.text for quote in quotes] for id, quotes in match(premises, find_quotes(NOTE)).items()}


def test_a_premise_is_offered_the_words_that_say_it() -> None:
    found = offered()
    assert any("pillows" in text for text in found["heart-failure/orthopnea"])
    assert len(found) < len(knowledge.premises("Heart Failure")) / 2


def test_a_denial_never_bears_out_a_finding() -> None:
    assert not any("denies" in text for texts in offered().values() for text in texts)


def test_words_that_say_nothing_are_not_offered() -> None:
    assert not any("stamps" in text for texts in offered().values() for text in texts)


def test_every_way_in_which_notes_say_a_finding_is_offered_for_it() -> None:
    premises = knowledge.premises("Tuberculosis")
    missed = 0
    for premise in premises:
        way = max(premise.says, key=len).replace("{", "").replace("}", "")
        quotes = find_quotes(way)
        missed += bool(quotes) and premise.id not in match(premises, quotes)
    assert missed <= len(premises) // 10


def test_a_normal_value_never_bears_out_an_abnormal_one() -> None:
    premises = knowledge.premises("Pneumonia")
    normal = match(premises, find_quotes("WBC 8.1\nSpO2 98% on room air\nRR 14\nHR 72"))
    high = match(premises, find_quotes("WBC 16.4\nSpO2 88% on room air\nRR 28\nHR 118"))
    assert len(high) > len(normal) + 2
