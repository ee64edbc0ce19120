"""The categories and their trees: the published shape, and every name that leads to a node."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.errors import KnowledgeError, UnknownName
from dxtrace.knowledge.taxonomy import Node, Taxonomy

TAXONOMY = Taxonomy.default()


def test_the_published_shape() -> None:
    assert len(TAXONOMY.categories) == 25
    assert len({category.specialty for category in TAXONOMY.categories}) == 5
    assert len({node.name for node in TAXONOMY.nodes}) == len(TAXONOMY.nodes)
    assert set(TAXONOMY.leaves) <= set(TAXONOMY.diagnoses)
    assert "HFrEF" in {node.name for node in TAXONOMY.leaves}


@pytest.mark.parametrize("category", TAXONOMY.categories, ids=lambda category: category.name)
def test_paths_run_from_suspicion_to_diagnosis(category: object) -> None:
    for node in category.nodes:  # type: ignore[attr-defined]
        assert node.path[0].startswith("Suspected ") and node.path[-1] == node.name
        assert TAXONOMY.find(node.name) is node
        assert (
            TAXONOMY.category_of(node) is category and TAXONOMY.category_of(node.name) is category
        )
        assert [TAXONOMY.find(name).path for name in node.path] == [
            node.path[: n + 1] for n in range(len(node.path))
        ]
        assert all(TAXONOMY.find(name).category == node.category for name in node.aliases)
    assert category.diagnoses  # type: ignore[attr-defined]


@pytest.mark.parametrize("node", TAXONOMY.diagnoses, ids=lambda node: node.name)
def test_codes_look_like_icd_10_cm(node: Node) -> None:
    assert node.icd10cm and re.fullmatch(r"[A-Z]\d[\dA-Z](\.[\dA-Z]{1,4})?", node.icd10cm)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("hfref", "HFrEF"),
        ("  Heart failure with reduced ejection-fraction ", "HFrEF"),
        ("STEMI", "STEMI-ACS"),
        ("addison's disease", "Primary Adrenal Insufficiency"),
        ("Addison\u2019s disease", "Primary Adrenal Insufficiency"),
        ("Peptic Ulcer Disease, duodenal", None),
        ("Stanford type A dissection", "Type A Aortic Dissection"),
        ("Migraine with aura", "Migraine With Aura"),
        ("GERD", "GERD"),
        ("Gastro-oesophageal reflux disease", "GERD"),
        ("Suspected CHF", "Suspected Heart Failure"),
        ("strongly suspected heart failure", "Strongly Suspected Heart Failure"),
        ("Suspected TB", "Suspected Tuberculosis"),
        ("latent TB infection", "LTBI"),
        ("Graves disease", "Hyperthyroidism"),
        ("", None),
        ("\U0001f600", None),
    ],
)
def test_a_node_is_found_by_what_people_call_it(said: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(UnknownName):
            TAXONOMY.find(said)
    else:
        assert TAXONOMY.find(said).name == found


@pytest.mark.parametrize(
    ("said", "found"),
    [("ACS", "Acute Coronary Syndrome"), ("chf", "Heart Failure"), ("HFpEF", "Heart Failure")],
)
def test_a_category_is_found_by_any_of_its_names(said: str, found: str) -> None:
    assert TAXONOMY.category(said).name == found


def test_a_misspelt_name_gets_suggestions() -> None:
    with pytest.raises(UnknownName, match="did you mean 'Tuberculosis'") as caught:
        TAXONOMY.find("Tubercolosis")
    assert caught.value.suggestions[0] == "Tuberculosis"
    with pytest.raises(
        UnknownName,
        match="unknown category 'Hart Failure'; did you mean 'Heart Failure'",
    ):
        TAXONOMY.category("Hart Failure")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("anterior STEMI", ["STEMI-ACS"]),
        ("type 2 diabetes mellitus, poorly controlled", ["Type II Diabetes"]),
        ("asthma or COPD", ["Asthma", "COPD"]),
        ("lupus", []),
    ],
)
def test_a_longer_name_suggests_the_diagnoses_in_it(said: str, meant: list[str]) -> None:
    with pytest.raises(UnknownName) as caught:
        TAXONOMY.find(said)
    if meant:
        assert caught.value.suggestions == meant
    assert TAXONOMY.names_within(said) == meant


@given(st.text(max_size=300))
def test_any_name_is_found_or_unknown(name: str) -> None:
    for look in (TAXONOMY.find, TAXONOMY.category):
        try:
            look(name)
        except UnknownName as error:
            assert "\n" not in str(error) and len(str(error)) < 600


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=4), x),
    ),
)
def test_records_of_another_shape_are_refused(body: object) -> None:
    for records in (
        body,
        [body],
        [{"category": "A", "tree": body}],
        [{"category": "A", "tree": {"Suspected A": body}}],
    ):
        try:
            Taxonomy.from_records(records)  # type: ignore[arg-type]
        except KnowledgeError as error:
            assert "taxonomy" in str(error)


def test_a_name_used_twice_is_refused() -> None:
    record = {"category": "A", "tree": {"Suspected A": {"B": None}}}
    with pytest.raises(KnowledgeError, match="used twice"):
        Taxonomy.from_records([record, record])


def test_a_taxonomy_of_one_s_own() -> None:
    own = Taxonomy.from_records(
        [
            {
                "category": "Gout",
                "tree": {"Suspected Gout": {"Acute Gout": {"aliases": ["podagra"]}, "Tophi": None}},
            },
        ],
    )
    assert own.find("Podagra").path == ("Suspected Gout", "Acute Gout")
    assert [node.name for node in own.diagnoses] == ["Acute Gout", "Tophi"]
