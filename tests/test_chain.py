"""The forms of a chain: JSON and two text forms, read back as written, and nothing ungrounded in between."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import plain_texts, texts

from dxtrace.chain import (
    Answer,
    AnswerStep,
    Chain,
    Differential,
    ModelInfo,
    PremiseRef,
    Ranked,
    Span,
    Step,
    Timing,
    flatten,
    parse,
)
from dxtrace.errors import GroundingError, InputError
from dxtrace.knowledge.taxonomy import Taxonomy

NODES = Taxonomy.default().diagnoses
NOTE = "HPI: cough for 8 weeks,\nnight  sweats. Smear: acid-fast bacilli 2+."

#: One line of prose: what a rationale or a flattened quote is.
prose = (
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60)
    .map(flatten)
    .filter(bool)
)
# A rationale does not hold the mark that ends it; everything else may stand in one.
rationales = prose.filter(lambda text: "Supporting evidence:" not in text)


def chain(**changes: object) -> Chain:
    node = Taxonomy.default().find("Tuberculosis")
    start, smear = NOTE.index("night"), NOTE.index("acid")
    steps = (
        Step(
            node.path[0],
            "Sweats point to it.",
            Span(NOTE[start : start + 13], start, start + 13, "history_of_present_illness"),
        ),
        Step(
            node.name,
            "Bacilli show it.",
            Span("acid-fast bacilli 2+", smear, smear + 20, "history_of_present_illness"),
            PremiseRef("a/b", "WHO"),
        ),
    )
    whole = Chain("a", NOTE, node.name, node.category, node.path, steps)
    return replace(whole, **changes)  # type: ignore[arg-type]


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    note = draw(plain_texts())
    node = draw(st.sampled_from(NODES))
    spans = st.tuples(st.integers(0, len(note)), st.integers(0, len(note))).map(sorted)
    steps = []
    for _ in range(draw(st.integers(0, 4))):
        start, end = draw(spans)
        evidence = Span(note[start:end], start, end, "physical_exam")
        premise = draw(st.none() | st.builds(PremiseRef, prose, prose))
        steps.append(Step(draw(st.sampled_from(node.path)), draw(rationales), evidence, premise))
    ranked = st.builds(Ranked, prose, prose, st.floats(0, 1))
    return Chain(
        id=draw(prose),
        note=note,
        diagnosis=node.name,
        category=node.category,
        path=node.path,
        steps=tuple(steps),
        differential=Differential(tuple(draw(st.lists(ranked, max_size=3)))),
        warnings=tuple(draw(st.lists(prose, max_size=2))),
        model=ModelInfo("m", "0" * 64),
        timing=Timing(prefill_tokens=3),
    )


@given(chains())
def test_json_reads_back(made: Chain) -> None:
    again = Chain.from_json(made.to_json())
    assert again == made and again.model == made.model and again.timing == made.timing
    assert Chain.from_json(json.loads(json.dumps(made.to_json()))) == made


@given(
    st.sampled_from(NODES),
    st.lists(st.tuples(rationales, prose), max_size=5),
    st.sampled_from(("card", "trained")),
)
def test_text_reads_back(node: object, steps: list[tuple[str, str]], style: str) -> None:
    path = node.path  # type: ignore[attr-defined]
    said = tuple(AnswerStep(r, q, path[-1] if style == "trained" else None) for r, q in steps)
    answer = Answer(path[-1], said)
    assert parse(answer.render(style)) == answer  # type: ignore[arg-type]


@given(texts() | texts().map(lambda text: f"FINAL DIAGNOSIS: X\n\n{text}"))
def test_parse_raises_only_input_error(text: str) -> None:
    try:
        answer = parse(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert answer.diagnosis and all(step.rationale and step.quote for step in answer.steps)


def test_both_text_forms() -> None:
    assert chain().text() == (
        "FINAL DIAGNOSIS: Tuberculosis\n\nStep 1: Sweats point to it. Supporting evidence: night sweats\n\n"
        "Step 2: Bacilli show it. Supporting evidence: acid-fast bacilli 2+"
    )
    assert "Step 1 [Suspected Tuberculosis]: Sweats" in chain().text("trained")
    assert parse(chain().text("trained")) == chain().answer


def test_text_with_windows_line_ends_reads() -> None:
    assert parse(chain().text("trained").replace("\n", "\r\n")) == chain().answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not start"),
        ("FINAL DIAGNOSIS:\n", "does not start"),
        (
            "FINAL DIAGNOSIS: X\n\nStep 1: only a reason",
            "step 1 has no rationale or no supporting evidence",
        ),
        ("FINAL DIAGNOSIS: X\n\nStep 1:  Supporting evidence: q", "step 1 has no"),
        (
            "FINAL DIAGNOSIS: X\n\nStep 2: a Supporting evidence: b",
            "step 2 stands where step 1 belongs",
        ),
        (
            f"FINAL DIAGNOSIS: X\n\nStep {'9' * 5000}: a Supporting evidence: b",
            "stands where step 1 belongs",
        ),
    ],
)
def test_a_broken_answer_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert says in str(caught.value) and len(str(caught.value)) < 200


def test_verify_accepts_what_is_grounded() -> None:
    chain().verify()
    chain(steps=()).verify()


@pytest.mark.parametrize(
    "evidence",
    [("nausea", 0, 6), ("night sweats", 24, 37), ("", 3, 3), (" ", 4, 5), ("t", -5, -4)],
)
def test_verify_refuses_a_quote_that_is_not_there(evidence: tuple[str, int, int]) -> None:
    step = replace(chain().steps[0], evidence=Span(*evidence, "physical_exam"))
    with pytest.raises(GroundingError, match="step 2") as caught:
        chain(steps=(chain().steps[0], step)).verify()
    assert "nausea" not in str(caught.value)


def test_verify_refuses_a_node_off_the_path_and_a_path_elsewhere() -> None:
    with pytest.raises(GroundingError, match="not on the path"):
        chain(steps=(replace(chain().steps[0], supports="GERD"),)).verify()
    for path in ((), ("Suspected Tuberculosis",)):
        with pytest.raises(GroundingError):
            chain(path=path, steps=()).verify()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x),
    ),
)
def test_from_json_raises_only_input_error(value: object) -> None:
    good = chain().to_json()
    for key in ("note", "steps", "path", "differential", "warnings", "model", "timing"):
        try:
            Chain.from_json(good | {key: value})
        except InputError as error:
            assert "\n" not in str(error)
    for key in ("evidence", "premise"):
        with contextlib.suppress(InputError):
            Chain.from_json(good | {"steps": [good["steps"][0] | {key: value}]})


def test_a_missing_field_is_named() -> None:
    row = chain().to_json()
    del row["path"]
    with pytest.raises(InputError, match="no field 'path'"):
        Chain.from_json(row)


def test_category_probabilities_add_up() -> None:
    entries = (
        Ranked("a", "A", 0.3),
        Ranked("c", "B", 0.35),
        Ranked("b", "A", 0.25),
        Ranked("d", "B", 0.1),
    )
    assert Differential(entries).category_probabilities() == {"A": 0.55, "B": 0.44999999999999996}
    assert list(Differential(entries).category_probabilities()) == ["A", "B"]
    assert Differential(entries).top.diagnosis == "a"
