"""The grammar of an answer, on the matcher that engines use: what it lets through and what it
stops.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from support.strategies import plain_texts

from dxtrace.answering.grammar import answer_grammar, rationale_grammar
from dxtrace.chain import Answer, AnswerStep
from dxtrace.knowledge import premises
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.prompt import CUE
from dxtrace.notes.quotes import find_quotes

TAXONOMY = Taxonomy.default()
TB = TAXONOMY.find("Tuberculosis")
HF = TAXONOMY.find("HFrEF")
NOTE = 'HPI: cough for 8 weeks; drenching night sweats; "like drowning". He denies chest pain, fever. Smear: AFB 2+ (3/3).'
QUOTES = [quote.text for quote in find_quotes(NOTE)]
BYTES = LLTokenizer("byte")
SUSPECT, CONFIRM = TB.path


def says(*names: str) -> dict[str, list[str]]:
    known = {p.node: list(p.rationales) for name in names for p in premises(name)}
    for name in names:
        for premise in premises(name):
            known[premise.node] = [*known[premise.node], *premise.rationales]
    return known


KNOWN = says("Tuberculosis", "Heart Failure")


def accepts(grammar: str, text: str) -> bool:
    matcher = LLMatcher(BYTES, grammar, log_level=0)
    assert not matcher.get_error(), matcher.get_error()
    tokens = list(text.encode())
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def answer(*steps: tuple[str, str], diagnosis: str = TB.name) -> str:
    said = tuple(AnswerStep(KNOWN[node][0], quote, node) for node, quote in steps)
    return Answer(diagnosis, said).render("trained").removeprefix(CUE)


GOOD = (
    (SUSPECT, "cough for 8 weeks"),
    (SUSPECT, "drenching night sweats"),
    (CONFIRM, "AFB 2+ (3/3)"),
)
FORCED = answer_grammar([TB], KNOWN, QUOTES, (3, 10))


def test_a_right_answer_is_accepted() -> None:
    assert accepts(FORCED, answer(*GOOD))
    assert accepts(
        FORCED,
        answer(
            (SUSPECT, '"like drowning"'),
            (CONFIRM, "AFB 2+ (3/3)"),
            (CONFIRM, "cough for 8 weeks"),
        ),
    )
    assert accepts(
        FORCED,
        answer(GOOD[0], GOOD[1], (CONFIRM, "He denies chest pain, fever"), GOOD[2]),
    )


@pytest.mark.parametrize(
    "steps",
    [
        (GOOD[0], GOOD[1], (CONFIRM, "AFB 2")),
        (GOOD[0], GOOD[1], (CONFIRM, "chest pain, fever")),
        (GOOD[0], GOOD[1], (CONFIRM, "chest pain")),
        (GOOD[0], GOOD[1], (CONFIRM, "hemoptysis")),
        (GOOD[0], GOOD[1], (CONFIRM, "ough for 8 weeks")),
        (GOOD[2], GOOD[0], GOOD[2]),
        (GOOD[0], GOOD[2], GOOD[1]),
        (GOOD[0], GOOD[1], GOOD[1]),
        (GOOD[0], GOOD[2]),
        (GOOD[0], *[GOOD[2]] * 10),
        (),
    ],
)
def test_clipped_quotes_wrong_order_and_wrong_length_are_stopped(
    steps: tuple[tuple[str, str], ...],
) -> None:
    assert not accepts(FORCED, answer(*steps))


def test_another_diagnosis_or_another_s_rationale_is_stopped() -> None:
    assert not accepts(FORCED, answer(*GOOD, diagnosis="LTBI"))
    assert not accepts(FORCED, answer(*GOOD, diagnosis="Pneumonia"))
    strange = KNOWN[HF.path[0]][0]
    assert not accepts(FORCED, answer(*GOOD).replace(KNOWN[SUSPECT][0], strange))
    assert not accepts(FORCED, answer(*GOOD).replace("Step 2", "Step 3"))
    assert not accepts(FORCED, answer(*GOOD) + " and more")
    assert not accepts(FORCED, answer(*GOOD) + "\n\nFINAL DIAGNOSIS: LTBI")


def test_several_diagnoses_keep_their_own_paths() -> None:
    grammar = answer_grammar([TB, HF], KNOWN, QUOTES, (1, 10))
    assert accepts(grammar, answer(*GOOD))
    path = [(node, QUOTES[0]) for node in HF.path]
    assert accepts(grammar, answer(*path, diagnosis=HF.name))
    assert accepts(grammar, answer(path[0], path[-1], diagnosis=HF.name)), (
        "a node of the path may be passed over"
    )
    assert not accepts(grammar, answer(*path[:-1], diagnosis=HF.name)), (
        "the last step is at the diagnosis"
    )
    assert not accepts(grammar, answer(*path))


def test_a_node_without_premises_takes_one_free_sentence() -> None:
    grammar = answer_grammar([TB], {CONFIRM: KNOWN[CONFIRM]}, QUOTES, (2, 3))
    free = "A cough of two months is longer than a simple infection lasts."
    text = answer(*GOOD[:1], GOOD[2])
    assert accepts(grammar, text.replace(KNOWN[SUSPECT][0], free))
    assert not accepts(grammar, text.replace(KNOWN[SUSPECT][0], "Too short."))
    assert not accepts(grammar, text.replace(KNOWN[SUSPECT][0], free + "\n\nStep 9: x"))
    assert accepts(rationale_grammar(), f" {free}") and not accepts(
        rationale_grammar(),
        f" {free}\n",
    )


@pytest.mark.parametrize("category", [category.name for category in TAXONOMY.categories])
def test_every_category_makes_a_grammar(category: str) -> None:
    grammar = answer_grammar(TAXONOMY.category(category).diagnoses, says(category), QUOTES, (3, 10))
    assert not LLMatcher.validate_grammar(grammar, None)


@settings(max_examples=40)
@given(plain_texts())
def test_any_note_s_quotes_stay_literal(note: str) -> None:
    quotes = [quote.text for quote in find_quotes(note)][:20]
    if not quotes:
        return
    grammar = answer_grammar([TB], KNOWN, quotes, (1, 2))
    for quote in {quotes[0], quotes[-1]}:
        assert accepts(grammar, answer(GOOD[0], (CONFIRM, quote)).replace(GOOD[0][1], quote))


@given(st.sampled_from(QUOTES), st.integers(1, 5), st.booleans())
def test_no_clipped_quote_passes(quote: str, cut: int, front: bool) -> None:
    clipped = quote[cut:] if front else quote[:-cut]
    clipped = clipped.strip()
    if clipped and clipped not in QUOTES:
        assert not accepts(FORCED, answer(GOOD[0], GOOD[1], (CONFIRM, clipped)))
