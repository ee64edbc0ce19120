"""Pages as files: what goes in, what is refused, what a note can never do to them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.view import DECIDES, HOSTILE, NOTE, STATES, chain_on, differential_of, state

from dxtrace.chain import DISCLAIMER, Chain, ModelInfo
from dxtrace.errors import InputError
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.view import (
    Reading,
    ViewCase,
    library,
    notebook_html,
    page,
    read_results,
    static_case_html,
    title_of,
)

QUOTES = ["two weeks of worsening breathlessness", "BNP 1200 pg/mL", "Echo: LVEF 25 %"]


def block(text: str, name: str) -> dict[str, object]:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    assert found
    data: dict[str, object] = json.loads(found[1])
    return data


def test_a_page_holds_the_result_and_the_disclaimer() -> None:
    chain = chain_on(NOTE, QUOTES, differential=differential_of("HFrEF"))
    text = page(chain)
    case = block(text, "dxtrace-case-0")
    assert case["note"] == NOTE
    reading = case["readings"][0]  # type: ignore[index]
    assert [step["evidence"]["text"] for step in reading["steps"]] == QUOTES
    assert DISCLAIMER in text


def test_a_page_refers_to_nothing_outside_itself() -> None:
    text = page(chain_on(NOTE, QUOTES))
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", text.split("<script>")[0])
    assert "default-src 'none'" in text
    assert not re.search(r"\son\w+=", text.split("<script>")[0])


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=80).filter(
        lambda t: t.strip(),
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_note_comes_back_unchanged_and_ends_no_block(note: str) -> None:
    try:
        chain = Chain("x</script>", note, "HFrEF", "Heart Failure", ("HFrEF",), ())
        text = page(chain, title=note)
    except InputError:
        return  # nothing visible
    assert block(text, "dxtrace-case-0")["note"] == note
    assert text.count("<script") == 3


def test_a_hostile_note_is_text_in_every_form() -> None:
    chain = chain_on(HOSTILE, ["Troponin <0.01 & rising", "LVEF 25 %"])
    for text in (
        page(chain),
        static_case_html(chain),
        notebook_html(chain),
        library([ViewCase.of_chains(Reading(chain, "m"))]),
    ):
        assert "<script>window" not in text and "<img" not in text and "<svg" not in text
    assert html.escape("Troponin <0.01 & rising") in static_case_html(chain)


def test_static_html_marks_overlapping_evidence() -> None:
    text = static_case_html(
        chain_on(NOTE, ["Sleeps on three pillows", "on three pillows. Sleeps", "LVEF 25 %"]),
    )
    plain = re.sub(r"<sup>[^<]*</sup>|<[^>]+>", "", text.split('dir="auto">')[-1])
    assert html.unescape(plain) == NOTE
    assert "<sup>1</sup>" in text and "<sup>2</sup>" in text


SAYS = {
    "answered": [
        "<h2>Heart failure with reduced ejection fraction, HFrEF, ICD-10-CM I50.20</h2>",
        "doubtful: states it with 55%",
    ],
    "type_open": ["<h2>Heart Failure, type not stated</h2>", DECIDES],
    "not_supported": ["<h2>not supported by this note</h2>", "none of them an answer: HFrEF 60%"],
    "out_of_scope": ["<h2>none of the illnesses that dxtrace knows</h2>", "none of them fits: 93%"],
}


@pytest.mark.parametrize("name", STATES)
def test_static_html_says_every_state(name: str) -> None:
    text = html.unescape(static_case_html(state(name)))
    assert all(said in text for said in SAYS[name])
    assert "Evidence against" in text and "Speaks against Bacterial Pneumonia" in text
    assert "<mark><sup>a</sup>No fever</mark>" in text


@pytest.mark.parametrize("name", STATES)
def test_a_library_lists_a_state_by_its_headline(name: str) -> None:
    text = library([ViewCase.of_chains(Reading(state(name), "m"))])
    listed = block(text, "dxtrace-data")["cases"][0]  # type: ignore[index]
    assert listed["diagnosis"] == state(name).headline
    reading = block(text, "dxtrace-case-0")["readings"][0]  # type: ignore[index]
    assert reading["status"] == name and len(reading["differential"]) == 10
    sums = {total["category"]: total["probability"] for total in reading["categories"]}
    whole = state(name).differential.category_probabilities()
    assert sums == {name: pytest.approx(whole[name], rel=1e-3) for name in sums}
    assert reading["known_categories"] == len(whole)


def test_notebook_cell_is_a_closed_frame() -> None:
    cell = chain_on(NOTE, QUOTES)._repr_html_()
    assert cell.startswith("<iframe srcdoc=") and "allow-same-origin" not in cell
    assert html.unescape(cell.split('"')[1]).startswith("<!doctype html>")


def test_different_notes_are_not_compared() -> None:
    with pytest.raises(InputError, match="different notes"):
        page(chain_on(NOTE, QUOTES), chain_on(NOTE + " More.", QUOTES))
    with pytest.raises(InputError, match="at least one"):
        library([])


def test_a_title_never_gives_the_diagnosis_away() -> None:
    assert title_of(Case.from_text(NOTE)) == "breathless"
    assert len(title_of(Case.from_text("word " * 100))) <= 91


def test_two_hundred_cases_stay_under_five_megabytes() -> None:
    note = "HPI: " + "The patient was seen in clinic and had no new complaints to report. " * 100
    chain = chain_on(note + NOTE, QUOTES * 3, differential=differential_of("HFrEF"))
    cases = [ViewCase.of_chains(Reading(replace(chain, id=f"c{n}"), "model")) for n in range(200)]
    assert len(library(cases).encode()) < 5_000_000


def write(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_results_on_one_note_are_joined_with_the_reference_first(tmp_path: Path) -> None:
    gold = chain_on(NOTE, QUOTES)
    annotated = AnnotatedCase(Case.from_text(NOTE, "case-1"), gold, "p1", {"style": "triage"})
    write(tmp_path / "b.json", replace(gold, model=ModelInfo("small")).to_json())
    write(tmp_path / "a.json", replace(gold, model=ModelInfo("small")).to_json())
    write(tmp_path / "z.json", annotated.to_json())
    (tmp_path / "z.txt").write_text(NOTE, encoding="utf-8")
    found = read_results([tmp_path])
    assert [reading.label for reading in found.answered[0].readings] == [
        "Reference",
        "small",
        "small (2)",
    ]
    assert not found.unanswered


def test_bad_rows_are_named_and_left_out(tmp_path: Path) -> None:
    good = json.dumps(chain_on(NOTE, QUOTES).to_json(), ensure_ascii=False)
    error = json.dumps({"id": "x", "error": {"type": "CaseError", "message": "SECRET"}})
    (tmp_path / "r.jsonl").write_text(f"{good}\n{error}\nnot json\n", encoding="utf-8")
    found = read_results([tmp_path / "r.jsonl"])
    assert len(found.answered) == 1
    assert (
        len(found.skipped) == 2
        and "line 3" in found.skipped[1]
        and "SECRET" not in "".join(found.skipped)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"note": 3},
        {"steps": [{}]},
        {"path": "x"},
        {"differential": [{"diagnosis": 1}]},
        {"steps": "x"},
        {"model": []},
        {"status": "unsure"},
        {"out_of_scope": "0.5"},
        {"differential": [{"diagnosis": "a", "category": "b", "probability": float("nan")}]},
        {"contradictions": [{"against": "x"}]},
    ],
)
def test_a_broken_result_is_refused_by_name(tmp_path: Path, change: dict[str, object]) -> None:
    file = write(tmp_path / "r.json", chain_on(NOTE, QUOTES).to_json() | change)
    with pytest.raises(InputError, match=r"r\.json"):
        read_results([file])


def test_a_quote_that_is_not_in_its_place_is_said(tmp_path: Path) -> None:
    data = chain_on(NOTE, QUOTES).to_json()
    data["steps"][0]["evidence"]["start"] = 0
    found = read_results([write(tmp_path / "r.json", data)])
    assert "step 1" in found.answered[0].readings[0].chain.warnings[0]


def test_a_line_separator_inside_a_row_is_no_line_end(tmp_path: Path) -> None:
    row = json.dumps(chain_on(HOSTILE, ["LVEF 25 %"]).to_json(), ensure_ascii=False)
    (tmp_path / "r.jsonl").write_text(row + "\n", encoding="utf-8")
    assert read_results([tmp_path / "r.jsonl"]).answered[0].case.note == HOSTILE
