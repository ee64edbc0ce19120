"""The knowledge files that ship: complete, true to their schema, silent about the label in whatever
a note may say.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.errors import KnowledgeError, UnknownName
from dxtrace.files import parse_yaml
from dxtrace.findings.patterns import parse_pattern
from dxtrace.knowledge import find_problems, leaked_names, load, premises, slug, written
from dxtrace.knowledge.loading import _file
from dxtrace.knowledge.schema import CategoryKnowledge
from dxtrace.knowledge.taxonomy import Taxonomy

TAXONOMY = Taxonomy.default()


def test_every_category_is_written() -> None:
    assert list(written()) == [category.name for category in TAXONOMY.categories]


@pytest.mark.parametrize("category", written())
def test_a_file_loads_and_supports_every_diagnosis(category: str) -> None:
    knowledge = load(category)
    nodes = {node.name for node in TAXONOMY.category(category).nodes}
    known = premises(category)
    assert {premise.node for premise in known} == nodes
    count = len(knowledge.findings) + len(knowledge.proofs)
    assert len({premise.id for premise in known}) == len(known) == count
    for premise in known:
        assert premise.id.startswith(slug(category) + "/") and premise.source.strip()
        assert len(set(premise.rationales)) == len(premise.rationales)
        assert len(premise.rationales) >= 3 or premise.kind == "proof"
        for text in premise.rationales:
            assert "\n" not in text and "Supporting evidence:" not in text and text == text.strip()


@pytest.mark.parametrize("category", written())
def test_every_finding_says_what_states_it_and_claims_no_more(category: str) -> None:
    """Patterns that can be read, a plain rationale, a source for every number, and enough wordings."""
    knowledge = load(category)
    for finding in knowledge.findings:
        assert finding.states, finding.id
        assert finding.plain, finding.id
        # A number in a plain rationale would claim more than the clause says; names hold some.
        assert not re.search(r"\d+(?:\.\d+)? ?(?:mg|mm|%|/|cm|kg|years|weeks)", finding.plain), (
            finding.id
        )
        patterns = [parse_pattern(text) for text in finding.states]
        assert any(pattern.groups for pattern in patterns)
    few = [finding.id for finding in knowledge.findings if len(finding.says.all) < 11]
    assert len(few) <= len(knowledge.findings) // 8, few


@pytest.mark.parametrize("category", written())
def test_what_speaks_against_nodes_and_what_proves_them_is_known(category: str) -> None:
    knowledge = load(category)
    nodes = {node.name for node in TAXONOMY.category(category).nodes}
    for proof in knowledge.proofs:
        assert proof.node in nodes
        assert proof.source.strip()
        assert [parse_pattern(text) for text in proof.states]
    for contrary in knowledge.contrary:
        assert set(contrary.against) <= nodes
        assert contrary.source.strip()
        assert [parse_pattern(text) for text in contrary.states]


def test_lookup_by_any_name_and_errors() -> None:
    assert load("CHF") == load("Heart Failure")
    assert premises("chf") == premises("Heart Failure")
    with pytest.raises(UnknownName, match="did you mean 'Heart Failure'"):
        load("Heart Failur")


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("He has Heart-Failure.", True),
        ("known CHF", True),
        ("hfref on echo", True),
        ("heart\nfailure", True),
        ("the heart did not fail", False),
        ("CHFx", False),
        ("", False),
    ],
)
def test_labels_are_recognised_in_a_note(text: str, leaks: bool) -> None:
    assert bool(leaked_names(text, TAXONOMY.category("Heart Failure"))) is leaks


@given(st.text(max_size=200))
def test_any_text_can_be_searched_for_labels(text: str) -> None:
    for category in TAXONOMY.categories[:3]:
        assert set(leaked_names(text, category)) <= set(category.names)


def changed(**fields: object) -> list[str]:
    category = TAXONOMY.category("Tuberculosis")
    body = load("Tuberculosis").model_dump() | fields
    return list(find_problems(CategoryKnowledge.model_validate(body), category))


def test_what_a_schema_cannot_say_is_found() -> None:
    findings = load("Tuberculosis").model_dump()["findings"]
    first = findings[0]
    assert changed() == []
    assert any(
        "unknown placeholders" in text
        for text in changed(
            findings=[first | {"says": {"terse": ["{x} a", "bb", "cc", "dd", "ee"]}}],
        )
    )
    assert any(
        "the label 'Tuberculosis'" in text for text in changed(medications=["Tuberculosis pills"])
    )
    assert any(
        "is not in the tree" in text for text in changed(findings=[first | {"node": "GERD"}])
    )
    assert any("used twice" in text for text in changed(findings=[*findings, first]))
    assert any("fewer than" in text for text in changed(findings=[first]))
    assert any("category is" in text for text in changed(category="Gout"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not valid YAML"),
        ("category: Gout", "Field required"),
        ("- 1", "valid dictionary"),
    ],
)
def test_a_broken_file_names_itself(
    text: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = tmp_path / "stroke.yaml"
    broken.write_text(text, "utf-8")
    monkeypatch.setattr("dxtrace.knowledge.loading._file", lambda _: broken)
    load.cache_clear()
    try:
        with pytest.raises(KnowledgeError, match=r"stroke\.yaml: ") as caught:
            load("Stroke")
        assert says in str(caught.value)
    finally:
        load.cache_clear()


def test_a_file_from_the_cache_says_what_the_file_says() -> None:
    fresh = CategoryKnowledge.model_validate(
        parse_yaml(_file("Stroke").read_text("utf-8")),
    )
    assert load("Stroke") == fresh
