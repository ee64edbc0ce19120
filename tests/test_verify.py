"""Checking anybody's quotes: every form, every fault, no false alarm, and what the command prints."""

from __future__ import annotations

import contextlib
import json
import random
import time
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DATA
from support.commands import run
from support.planted import FAULTS, pieces, plant, respell
from support.strategies import json_values, plain_texts

from dxtrace.compose import Composer
from dxtrace.errors import InputError
from dxtrace.evaluate.verification import read_answer, verify_quotes
from dxtrace.provenance import CREDENTIALED_RULE

NOTE = """Chief Complaint:
Cough

History of Present Illness:
A 50-year-old woman has had a productive cough for 3 weeks, and a fever of 39.8 °C. She denies chest
pain, hemoptysis or night sweats. Her mother had lung cancer. Possible pneumo-
nia on the left.

Pertinent Results:
WBC 12.8, platelets >450 G/L, CRP 112 mg/L
Sputum culture: Streptococcus pneumoniae
"""
COMPOSER = Composer(seed=4321)


def check(quote: str, reason: str = "", **place: int) -> Any:
    step = {"evidence": {"text": quote, **place}, "rationale": reason}
    return verify_quotes({"steps": [step]}, NOTE).quotes[0]


def kinds(quote: str, reason: str = "", **place: int) -> set[str]:
    return {fault.kind for fault in check(quote, reason, **place).faults}


@pytest.mark.parametrize(
    "quote",
    [
        "productive cough for 3 weeks",
        "She denies chest\npain, hemoptysis or night sweats",
        "CRP 112 mg/L",
        "Sputum culture: Streptococcus pneumoniae",
    ],
)
def test_what_stands_in_the_note_is_found_exactly(quote: str) -> None:
    found = check(quote)
    assert (found.found, found.faults) == ("exactly", ())


@pytest.mark.parametrize(
    "quote",
    [
        "Productive Cough",
        "a 50–year‑old woman",
        "denies chest pain, hemoptysis or night sweats.",
        "possible pneumonia on the left",
        "fever of 39.8°C",
        "CRP 112mg/L.",
        "sputum culture: Streptococcus pneu­moniae",
        "productive cough … fever of 39.8 °C",
    ],
)
def test_another_spelling_is_found(quote: str) -> None:
    found = check(quote)
    assert (found.found, found.faults) == ("normalised", ())


@pytest.mark.parametrize(
    ("quote", "what"),
    [
        ("fever of 39.4", "says '39.4' where the note has '39.8'"),
        ("productive cough for 3 months", "says 'months' where the note has 'weeks'"),
        ("a dry productive cough", "adds 'dry'"),
        ("She has chest pain, hemoptysis", "says 'has' where the note has 'denies' (a denial)"),
        ("productive for 3 weeks", "leaves out 'cough'"),
    ],
)
def test_what_was_changed_is_said(quote: str, what: str) -> None:
    found = check(quote)
    assert found.found == "changed"
    assert what in [fault.what for fault in found.faults]


@pytest.mark.parametrize(
    ("quote", "kind"),
    [
        ("hemoptysis or night sweats", "clipped_denial"),
        ("denies … night sweats", ""),
        ("woman … night sweats", "clipped_denial"),
        ("had lung cancer", "clipped_person"),
        ("pneumonia on the left", "clipped_doubt"),
        ("WBC 12", "clipped_value"),
        ("WBC", "clipped_value"),
        ("450 G/L", "clipped_value"),
        ("CRP 112", "clipped_value"),
        ("cough for 3", "clipped_value"),
        ("a productive coug", "clipped_word"),
        ("Pertinent Results:", "heading"),
        ("...", "empty"),
        ("splenectomy scar from a crash", "absent"),
    ],
)
def test_what_is_left_off_is_a_fault(quote: str, kind: str) -> None:
    assert kinds(quote) == ({kind} if kind else set())


def test_a_place_is_believed_only_if_the_words_stand_there() -> None:
    start = NOTE.index("CRP")
    assert kinds("CRP 112 mg/L", start=start, end=start + 12) == set()
    assert kinds("CRP 112 mg/L", start=start + 3, end=start + 15) == {"misplaced"}


def test_of_several_places_the_one_that_stands_is_taken() -> None:
    note = "He denies fever. On day 2 he had fever."
    found = verify_quotes({"quotes": ["fever"]}, note).quotes[0]
    assert (found.faults, found.also) == ((), 1)
    assert "the same words stand in 2 places" in found.remarks


def test_one_reason_is_not_borne_out_twice_by_the_same_words() -> None:
    step = {"quote": "productive cough", "rationale": "It is a symptom."}
    other = step | {"rationale": "It is another thing."}
    twice = verify_quotes({"steps": [step, step, other]}, NOTE).quotes
    assert [[fault.kind for fault in quote.faults] for quote in twice] == [[], ["repeated"], []]
    assert "the same words as quote 1, for another reason" in twice[2].remarks


@pytest.mark.parametrize(
    ("quote", "premise", "stated"),
    [
        ("productive cough for 3 weeks", "tuberculosis/chronic-cough", "stated"),
        ("CRP 112 mg/L", "tuberculosis/chronic-cough", "not_stated"),
        ("denies chest\npain, hemoptysis", "tuberculosis/haemoptysis", "contradicted"),
        ("CRP 112 mg/L", "no/such-premise", "cannot_tell"),
    ],
)
def test_whether_a_quote_states_its_reason(quote: str, premise: str, stated: str) -> None:
    step = {"quote": quote, "rationale": "r", "premise": {"id": premise}}
    found = verify_quotes({"steps": [step]}, NOTE).quotes[0]
    assert found.stated == stated
    assert bool(found.faults) == (stated == "contradicted")


def test_a_reason_in_free_words_is_read() -> None:
    assert check("productive cough for 3 weeks", "A productive cough fits.").stated == "stated"
    assert check("denies chest\npain, hemoptysis", "Hemoptysis fits.").stated == "contradicted"
    assert check("CRP 112 mg/L", "So it is.").stated == "cannot_tell"


FORMS: list[tuple[str, Any]] = [
    ("dxtrace", {"id": "a", "diagnosis": "Pneumonia", "quotes": ["WBC 12.8", "WBC 12"]}),
    (
        "direct",
        {"WBC 12.8": ["r", "input6", "n"], "WBC 12": ["r", "input6", "n"], "chain": ["A", "B"]},
    ),
    (
        "langextract",
        {
            "document_id": "a",
            "text": NOTE,
            "extractions": [
                {"extraction_class": "lab", "extraction_text": "WBC 12.8", "char_interval": None},
                {"extraction_class": "lab", "extraction_text": "WBC 12"},
            ],
        },
    ),
    (
        "citations",
        {
            "content": [
                {"type": "text", "text": "Hello."},
                {
                    "type": "text",
                    "text": "The count is high.",
                    "citations": [
                        {
                            "type": "char_location",
                            "cited_text": "WBC 12.8",
                            "start_char_index": NOTE.index("WBC"),
                            "end_char_index": NOTE.index("WBC") + 8,
                        },
                        {"type": "page_location", "cited_text": "WBC 12", "start_page_number": 1},
                    ],
                },
            ],
        },
    ),
    (
        "text",
        "FINAL DIAGNOSIS: Pneumonia\n\nStep 1: High. Supporting evidence: WBC 12.8\n\n"
        "Step 2: High. Supporting evidence: WBC 12",
    ),
    ("text", 'It says “WBC 12.8” and "WBC 12" there.'),
    ("text", "It says:\n\n> WBC 12.8\n\nand\n\n> WBC 12\n"),
]


@pytest.mark.parametrize(("form", "answer"), FORMS)
def test_every_form_is_read(form: str, answer: Any) -> None:
    found = verify_quotes(answer, NOTE)
    assert found.form == form
    assert [quote.claim.quote for quote in found.quotes] == ["WBC 12.8", "WBC 12"]
    assert [quote.stands for quote in found.quotes] == [True, False]


@pytest.mark.parametrize(
    "answer",
    [
        3,
        None,
        {},
        {"steps": 3},
        {"content": [3]},
        {"content": [{"citations": [{}]}]},
        {"extractions": [{}]},
        {"chain": [1]},
        {"steps": [{"quote": 1}]},
    ],
)
def test_what_is_no_answer_is_refused(answer: Any) -> None:
    with pytest.raises(InputError):
        read_answer(answer)


@settings(max_examples=60, deadline=None)
@given(json_values())
def test_any_json_is_read_or_refused(answer: object) -> None:
    with contextlib.suppress(InputError):
        verify_quotes(answer, NOTE)


@settings(max_examples=40, deadline=None)
@given(plain_texts(), st.data())
def test_a_piece_of_a_note_is_never_called_changed(note: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(note)))
    quote = note[start : start + data.draw(st.integers(1, 80))]
    try:
        found = verify_quotes({"quotes": [quote]}, note, reasons=False).quotes[0]
    except InputError:
        return
    assert found.found in ("exactly", "normalised") or not any(map(str.isalnum, quote))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.sampled_from(sorted(FAULTS)), st.integers(0, 1000))
def test_a_planted_fault_is_found(number: int, kind: str, seed: int) -> None:
    planted = plant(COMPOSER.case(number), kind, random.Random(seed))
    if planted is not None:
        found = verify_quotes(planted.answer, planted.case.case)
        assert found.quotes[planted.number].faults


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 400), st.integers(0, 1000))
def test_another_spelling_is_no_fault(number: int, seed: int) -> None:
    case = COMPOSER.case(number)
    rng = random.Random(seed)
    assert case.gold is not None
    texts = [step.evidence.text for step in case.gold.steps]
    quotes = [respell(text, rng) for text in texts]
    for text in texts:
        quotes += pieces(text)
    for quote in verify_quotes({"quotes": quotes}, case.case, reasons=False).quotes:
        assert quote.found in ("exactly", "normalised")


def write(tmp_path: Path, answer: str, name: str = "answer.txt") -> tuple[Path, Path]:
    note = tmp_path / "note.txt"
    note.write_text(NOTE, "utf-8")
    file = tmp_path / name
    file.write_text(answer, "utf-8")
    return file, note


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, note = write(tmp_path, 'The "WBC 12.8" and "WBC 12" are high.')
    code, out, err = run(capsys, "verify", answer, "--note", note)
    assert (code, err) == (1, "")
    assert "leaves off '.8' of a number" in " ".join(out.split())
    assert "1 of 2 quotes stand" in out


def test_the_command_is_silent_about_what_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, note = write(tmp_path, json.dumps({"quotes": ["WBC 12.8"]}), "answer.json")
    page = tmp_path / "page.html"
    code, out, err = run(
        capsys, "verify", answer, "--note", note, "--format", "json", "--page", page
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["stands"]
    assert "1 of 1 quotes stand" in page.read_text("utf-8")


def test_many_answers_meet_their_notes_by_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": "a", "quotes": ["WBC 12.8"]},
        {"id": "b", "text": 'A "cough".'},
        {"id": "c", "quotes": ["x"]},
        {"id": "a", "error": {"type": "E", "message": "m"}},
    ]
    answers, _ = write(tmp_path, "\n".join(map(json.dumps, rows)), "answers.jsonl")
    notes = tmp_path / "cases.jsonl"
    cases = [{"id": "a", "note": NOTE}, {"id": "b", "note": "No cough."}]
    notes.write_text("\n".join(map(json.dumps, cases)), "utf-8")
    code, out, err = run(capsys, "verify", answers, "--notes", notes, "--text-only")
    assert code == 1
    assert "a: 1 of 1 quotes stand" in out
    assert "b: 0 of 1 quotes stand" in out
    assert "c: no note of this id" in err
    assert "line 4: this case was not answered" in err


@pytest.mark.parametrize("marked", [{}, {"credentialed": True}, {"model": {"credentialed": True}}])
def test_a_page_of_credentialed_notes_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], marked: dict[str, Any]
) -> None:
    row = {"id": "a", "note": NOTE, "quotes": ["WBC 12.8"], **marked}
    answers, _ = write(tmp_path, json.dumps(row), "answers.jsonl")
    page = tmp_path / "page.html"
    _, _, err = run(capsys, "verify", answers, "--page", page, "--text-only")
    assert (CREDENTIALED_RULE in err) == bool(marked)
    assert (escape(CREDENTIALED_RULE) in page.read_text("utf-8")) == bool(marked)


def test_notes_come_from_a_table_and_from_any_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "notes.csv"
    table.write_text("id,note\na,He denies fever.\n", "utf-8")
    answers, _ = write(tmp_path, json.dumps({"id": "a", "quotes": ["denies fever"]}), "a.jsonl")
    assert run(capsys, "verify", answers, "--notes", table, "--text-only")[0] == 0
    code, _, err = run(
        capsys, "verify", answers, "--notes", f"direct:{DATA / 'direct'}", "--text-only"
    )
    assert code == 2 and "no note of this id" in err


def test_a_folder_of_predictions_meets_a_folder_of_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, data in (
        ("notes/a", {"input1": "Cough", "input2": "He denies fever."}),
        ("said/a", {"denies fever": ["r", "input2", "n"], "chain": ["A", "B"]}),
        ("said/b", [3]),
    ):
        file = tmp_path / f"{folder}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(data), "utf-8")
    code, out, err = run(capsys, "verify", tmp_path / "said", "--notes", tmp_path / "notes")
    assert code == 1
    assert "a: 1 of 1 quotes stand" in out
    assert "b.json" in err


def test_a_long_note_and_a_long_quote_take_no_time() -> None:
    words = [f"word{number}" for number in range(3_000)]
    lines = [" ".join(words[place : place + 12]) + "." for place in range(0, len(words), 12)]
    note = "\n".join(lines) + " " * 20_000 + "end"
    quotes = [" ".join(words[100:900:2]), "word2999. end", "x" + " " * 9000]
    started = time.process_time()
    found = verify_quotes({"quotes": quotes}, note)
    assert [check.found for check in found.quotes] == ["changed", "normalised", "absent"]
    assert time.process_time() - started < 20


def test_doubts_fail_only_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = {"quote": "CRP 112 mg/L", "premise": {"id": "tuberculosis/chronic-cough"}}
    answer, note = write(tmp_path, json.dumps({"steps": [step]}), "answer.json")
    assert run(capsys, "verify", answer, "--note", note)[0] == 0
    assert run(capsys, "verify", answer, "--note", note, "--strict")[0] == 1


@pytest.mark.parametrize("answer", ["", "Nothing is quoted here.", '{"a": 1}', "[1", "[3]"])
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    file, note = write(tmp_path, answer)
    code, out, err = run(capsys, "verify", file, "--note", note)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert run(capsys, "verify", file)[0] == 2
