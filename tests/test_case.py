"""Reading cases: what a clinician would paste, and what nobody should."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import json_values, texts

from dxtrace.errors import CaseError
from dxtrace.notes.case import MAX_CHARACTERS, Case
from dxtrace.notes.reading import case_from_json, read_case, read_cases
from dxtrace.notes.sections import ALL_SECTIONS, find_sections, section_named

EXAMPLES = Path(__file__).parents[1] / "examples"


def sections_of(text: str) -> dict[str, str]:
    case = Case.from_text(text)
    return {name: case.text_of(name) for name in ALL_SECTIONS if case.text_of(name)}


@given(texts())
@example("\ufeff")
@example("a\x00b")
@example("CC:\r\nHPI:\r\n")
def test_any_text_gives_sections_inside_the_note_or_one_clear_line(text: str) -> None:
    try:
        case = Case.from_text(text)
    except CaseError as error:
        assert "\n" not in str(error) and str(error)
        return
    assert case.note == text and case.sections
    end = 0
    for section in case.sections:
        assert end <= section.start <= section.end <= len(text)
        assert section.name in ALL_SECTIONS
        end = section.end


@given(st.dictionaries(st.sampled_from(ALL_SECTIONS), texts(), max_size=6))
def test_sections_are_found_again_in_their_rendering(parts: dict[str, str]) -> None:
    try:
        case = Case.from_sections(parts)
    except CaseError:
        return
    for section in case.sections:
        assert case.note[section.start : section.end] == parts[section.name].strip("\r\n")


@given(json_values())
def test_arbitrary_json_raises_only_case_error(data: object) -> None:
    try:
        case = case_from_json(data, "here")
    except CaseError as error:
        assert "\n" not in str(error)
    else:
        assert case.note.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "CC: cough\nHPI: 2 days",
            {"chief_complaint": "cough", "history_of_present_illness": "2 days"},
        ),
        ("cc- cough", {"history_of_present_illness": "cc- cough"}),
        ("CC - cough\r\nPE - clear", {"chief_complaint": "cough", "physical_exam": "clear"}),
        ("CC: a\rExam: b", {"chief_complaint": "a", "physical_exam": "b"}),
        (
            "# Chief complaint\ncough\n## History\nlong",
            {"chief_complaint": "cough", "history_of_present_illness": "long"},
        ),
        (
            "**PMH:** gout\n**Exam**\nthin",
            {"past_medical_history": "gout", "physical_exam": "thin"},
        ),
        (
            "1. Chief Complaint: cough\n2) Labs: Na 137",
            {"chief_complaint": "cough", "pertinent_results": "Na 137"},
        ),
        ("LABS\nNa 137", {"pertinent_results": "Na 137"}),
        (
            "He had labs\ndrawn and the exam\nwas normal",
            {"history_of_present_illness": "He had labs\ndrawn and the exam\nwas normal"},
        ),
        ("Labs\ncame back late", {"history_of_present_illness": "Labs\ncame back late"}),
        (
            "55F with cough\nFamily Hx: none",
            {"history_of_present_illness": "55F with cough", "family_history": "none"},
        ),
        ("\ufeffChief Complaint: cough", {"chief_complaint": "cough"}),
        ("Medications: aspirin\nAllergies: none", {"medications": "aspirin", "allergies": "none"}),
        (
            "Chief Complaint:\nleg swelling\n\nMajor Surgical or Invasive Procedure:\nnone\n",
            {"chief_complaint": "leg swelling", "past_medical_history": "none"},
        ),
        (
            "Medications on Admission:\naspirin\nDischarge Diagnosis:\nheart failure",
            {"medications": "aspirin", "pertinent_results": "heart failure"},
        ),
        ("no heading at all", {"history_of_present_illness": "no heading at all"}),
        (
            "Chest pain. PMH: gout. ALLERGIES: codeine. PHYSICAL EXAM: thin.",
            {
                "history_of_present_illness": "Chest pain.",
                "past_medical_history": "gout.",
                "allergies": "codeine.",
                "physical_exam": "thin.",
            },
        ),
        (
            "SUBJECTIVE:, Chest pain.,ALLERGIES:, Codeine.,OBJECTIVE:, Thin.",
            {
                "history_of_present_illness": ", Chest pain.,",
                "allergies": ", Codeine.,",
                "physical_exam": ", Thin.",
            },
        ),
        (
            "CC - cough / Family history - stroke / Exam - thin",
            {
                "chief_complaint": "cough /",
                "family_history": "stroke /",
                "physical_exam": "thin",
            },
        ),
        (
            "CC: cough FAMILY HISTORY Type 1 diabetes PHYSICAL EXAM thin",
            {
                "chief_complaint": "cough",
                "family_history": "Type 1 diabetes",
                "physical_exam": "thin",
            },
        ),
        (
            "HE HAS FAMILY HISTORY OF GOUT",
            {"history_of_present_illness": "HE HAS FAMILY HISTORY OF GOUT"},
        ),
        (
            "Seen again. Brain MRI: a mass",
            {"history_of_present_illness": "Seen again. Brain MRI: a mass"},
        ),
    ],
)
def test_headings_as_they_are_typed(text: str, expected: dict[str, str]) -> None:
    assert sections_of(text) == expected


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Meds on admission", "medications"),
        ("Medications on Admission", "medications"),
        ("Discharge Medications", "medications"),
        ("HOME MEDS", "medications"),
        ("Drug history", "medications"),
        ("Allergies/ADRs", "allergies"),
        ("Allergies and Intolerances", "allergies"),
        ("ADVERSE REACTIONS", "allergies"),
        ("Discharge Instructions", "discharge_instructions"),
        ("Follow-up", "discharge_instructions"),
        ("Followup Instructions", "discharge_instructions"),
        ("Return precautions", "discharge_instructions"),
    ],
)
def test_headings_of_medicines_allergies_and_instructions(heading: str, name: str) -> None:
    assert sections_of(f"HPI: cough\n{heading}:\nOne\nTwo\n\nExam: thin") == {
        "history_of_present_illness": "cough",
        name: "One\nTwo",
        "physical_exam": "thin",
    }


@pytest.mark.parametrize(
    ("rest", "more"),
    [
        ("\nmetoprolol 25 mg", True),
        (",\nMetoprolol", True),
        ("\n- metoprolol", True),
        (" daily. Metoprolol 25 mg daily.", True),
        ("\nShort of breath at rest.", False),
        (". He smokes.", False),
    ],
)
def test_a_list_of_medicines_ends_where_the_patient_is_told_of(rest: str, more: bool) -> None:
    case = Case.from_text(f"PMH: gout\nMeds: aspirin{rest}")
    last = case.note.rstrip().split(" ")[-1]
    name = case.section_at(case.note.rindex(last))
    assert name == ("medications" if more else "past_medical_history")


def test_an_item_about_allergies_ends_with_its_line() -> None:
    text = "PMH:\n- gout\n- allergy: penicillin (rash)\n- hypertension"
    assert sections_of(text)["past_medical_history"] == "- gout\n- hypertension"


def test_a_section_is_known_by_offset() -> None:
    case = Case.from_text("Age 54.\nCC: cough\nExam: clear")
    at = {word: case.section_at(case.note.index(word)) for word in ("Age", "cough", "clear")}
    assert at == {
        "Age": "history_of_present_illness",
        "cough": "chief_complaint",
        "clear": "physical_exam",
    }


@pytest.mark.parametrize(
    "key",
    [
        "HPI",
        "hpi:",
        "History of Present Illness",
        "history_of_present_illness",
        "input2",
        " ## HPI ",
    ],
)
def test_json_keys_and_headings_name_the_same_section(key: str) -> None:
    assert section_named(key) == "history_of_present_illness"


def test_json_forms_of_a_case() -> None:
    assert case_from_json({"note": "cough", "id": 7}, "x") == Case.from_text("cough", "7")
    assert case_from_json("cough", "x", "a").id == "a"
    assert (
        case_from_json({"case": {"HPI": ["cough", "fever"]}, "id": "b"}, "x").text_of(
            "history_of_present_illness",
        )
        == "cough\nfever"
    )
    direct = {f"input{n}": "None\n" for n in range(1, 7)} | {
        "input1": "cough\n",
        "GERD$Intermedia_1": {},
    }
    assert [s.name for s in case_from_json(direct, "x").sections] == ["chief_complaint"]
    with pytest.raises(CaseError, match="place: section physical_exam is int, expected text"):
        case_from_json({"physical_exam": 3}, "place")
    with pytest.raises(CaseError, match='place: no "note" and none of the sections'):
        case_from_json({"body": "cough"}, "place")


@pytest.mark.parametrize(
    "file",
    sorted(p.name for p in EXAMPLES.iterdir() if p.name != "README.md"),
)
def test_every_example_reads(file: str) -> None:
    cases = list(read_cases(EXAMPLES / file))
    assert cases and all(isinstance(case, Case) for case in cases)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"", "the note is empty"),
        ("a.txt", b" \r\n\t \xef\xbb\xbf", "the note is empty"),
        ("a.txt", b"caf\xe9", "not UTF-8 text (byte 3)"),
        ("a.txt", "cough".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
        ("a.txt", "cough".encode("utf-16-le"), "control characters"),
        ("a.txt", b"\x7fELF\x02\x01\x00", "a program"),
        ("a.json", b"", "not valid JSON (column 1)"),
        ("a.json", b'{"note": "cough"', "not valid JSON (column 17)"),
        ("a.json", b'{"note": 3}', "'note' is int, expected text"),
        ("a.json", b'{"note": null}', "'note' is NoneType, expected text"),
        ("a.json", b"[]", "expected an object with a note or sections, got list"),
        ("a.json", b"[" * 100_000, "not usable JSON (nested too deep"),
        ("a.json", b'{"a":' * 100_000, "not usable JSON (nested too deep"),
        ("a.json", b'{"id": ' + b"9" * 10_000 + b"}", "not usable JSON"),
        ("a.json", b'{"note": "a\\ud800b"}', "half a character"),
        ("a.json", b'{"note": "' + b"a " * 600_000 + b'"}', "at most 1,000,000 are read"),
        ("a.txt", b'{"note": }', "not valid JSON"),
    ],
)
def test_a_bad_file_is_named_in_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(CaseError) as caught:
        read_case(file)
    message = str(caught.value)
    assert message.startswith(str(file)) and says in message and "\n" not in message
    assert message.count(str(file)) == 1


@pytest.mark.parametrize("path", ["missing.txt", "", ".", "bad\x00name.txt", "x" * 300 + ".txt"])
def test_a_path_that_cannot_be_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(CaseError, match="cannot be read"):
        read_case(tmp_path / path)


@given(st.binary(max_size=200) | texts().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"{}")
@example(b"{\xef\xbb\xbf")
@example(b'{"case": {"case": {"case": "x"}}}')
def test_arbitrary_bytes_raise_only_case_error(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("fuzz.txt", "fuzz.json"):
        (folder / name).write_bytes(data)
        try:
            read_case(folder / name)
        except CaseError as error:
            assert str(folder / name) in str(error)
    (folder / "fuzz.jsonl").write_bytes(data)
    assert all(isinstance(item, (Case, CaseError)) for item in read_cases(folder / "fuzz.jsonl"))


def test_a_broken_line_does_not_stop_the_others(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    lines = [
        b'\xef\xbb\xbf{"id": "a", "note": "cough"}',
        b"",
        b"{broken",
        b'{"note": 1}',
        b'"a plain note"',
        b"\xff\xfe",
        b'{"HPI": "fever"}\r',
    ]
    file.write_bytes(b"\n".join(lines))
    read = list(read_cases(file))
    assert [item.id if isinstance(item, Case) else "error" for item in read] == [
        "a",
        "error",
        "error",
        "cases-5",
        "error",
        "cases-7",
    ]
    errors = [item for item in read if isinstance(item, CaseError)]
    assert [
        str(error).startswith(f"{file}, line {number}: ")
        for error, number in zip(errors, (3, 4, 6), strict=True)
    ] == [True] * 3
    assert [error.case_id for error in errors] == ["cases-3", "cases-4", "cases-6"]  # type: ignore[attr-defined]


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "a.txt").write_text("cough")
    (tmp_path / "b.json").write_text(json.dumps({"note": "fever", "id": "own"}))
    (tmp_path / "c.md").write_text("")
    (tmp_path / "skip.pdf").write_bytes(b"%PDF")
    read = list(read_cases(tmp_path))
    assert [item.id if isinstance(item, Case) else str(item) for item in read] == [
        "own",
        f"{tmp_path / 'c.md'}: the note is empty",
        "ward/a",
    ]
    (tmp_path / "none").mkdir()
    with pytest.raises(CaseError, match=r"no \.txt, \.md or \.json file"):
        list(read_cases(tmp_path / "none"))
    with pytest.raises(CaseError, match="cannot be read"):
        list(read_cases(tmp_path / "missing.jsonl"))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, id in (
        (b"CC: cough", "stdin"),
        (b' {"note": "cough", "id": "j"}', "j"),
        (b"{ not json, a note", "stdin"),
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert read_case("-").id == id


def test_errors_never_hold_the_note(tmp_path: Path) -> None:
    for name, text in (
        ("a.json", '{"note": ["canary"]}'),
        ("b.json", '{"canary": "canary"'),
        ("c.txt", "canary\x00"),
        ("d.json", '"canary'),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(CaseError) as caught:
            read_case(tmp_path / name)
        assert "canary" not in str(caught.value)
    with pytest.raises(CaseError, match="standard input") as caught:
        read_case("A canary with 120/80 has joint pain for a week.")
    assert "canary" not in str(caught.value)


HUGE = {
    "marks": "#" * 999_999 + "a",
    "marks and blanks": "# " * 400_000 + "!",
    "blanks": "abc" + " " * 999_000 + "!",
    "lines": "a\n" * 500_000,
    "headings": "HPI: a\n" * 140_000,
    "almost headings": "abc def,\n" * 110_000,
    "newlines": "a" + "\n" * 999_000,
}


@pytest.mark.parametrize("shape", HUGE)
def test_headings_of_a_huge_note_are_found_in_seconds(shape: str) -> None:
    start = time.process_time()
    sections = find_sections(HUGE[shape])
    assert sections and time.process_time() - start < 8


def test_a_note_has_a_greatest_length() -> None:
    assert len(Case.from_text("a" * MAX_CHARACTERS).note) == MAX_CHARACTERS
    with pytest.raises(CaseError, match="1,000,001 characters"):
        Case.from_text("a" * (MAX_CHARACTERS + 1))


def test_a_folder_tells_what_it_cannot_look_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "A.TXT").write_text("cough", "utf-8")
    (tmp_path / "b.JSON").write_text('{"note": "fever"}', "utf-8")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    error, *cases = read_cases(tmp_path)
    assert isinstance(error, CaseError) and "closed: this folder cannot be read" in str(error)
    notes = [case.note for case in cases if isinstance(case, Case)]
    assert notes == ["cough", "fever"]
