"""Records as hospitals hold them: FHIR R4 and tables of notes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import run

from dxtrace.corpus import open_corpus
from dxtrace.corpus.source import read_one, read_tasks
from dxtrace.errors import CorpusError, InputError
from dxtrace.notes.annotated import AnnotatedCase

SUBJECT = {"reference": "Patient/p1"}


def concept(text: str, **more: str) -> dict[str, Any]:
    return {"text": text, "coding": [{"display": text, **more}]}


def attachment(text: str, kind: str = "text/plain") -> dict[str, Any]:
    return {"attachment": {"contentType": kind, "data": base64.b64encode(text.encode()).decode()}}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in resources],
    }


PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1961-05-02"}
RECORD = bundle(
    PATIENT,
    {"resourceType": "Encounter", "subject": SUBJECT, "reasonCode": [concept("Shortness of breath")]},
    {"resourceType": "Condition", "subject": SUBJECT, "code": concept("Pneumonia"),
     "clinicalStatus": concept("Active", code="active")},
    {"resourceType": "Condition", "subject": SUBJECT, "code": concept("Asthma"),
     "clinicalStatus": concept("Resolved", code="resolved")},
    {"resourceType": "Condition", "subject": SUBJECT, "code": concept("Hip replacement")},
    {"resourceType": "Condition", "subject": SUBJECT, "code": concept("Lung cancer"),
     "verificationStatus": concept("Refuted", code="refuted")},
    {"resourceType": "Observation", "subject": SUBJECT, "effectiveDateTime": "2024-03-01T10:00:00Z",
     "code": concept("Leukocytes"), "valueQuantity": {"value": 16.4, "unit": "10*9/L"},
     "interpretation": [concept("High", code="H")], "referenceRange": [{"low": {"value": 4}, "high": {"value": 10.5}}]},
    {"resourceType": "Observation", "subject": SUBJECT, "code": concept("Blood pressure panel"),
     "category": [concept("Vital Signs", code="vital-signs")],
     "component": [
         {"code": concept("Diastolic blood pressure"), "valueQuantity": {"value": 62, "unit": "mm[Hg]"}},
         {"code": concept("Systolic blood pressure"), "valueQuantity": {"value": 104, "unit": "mm[Hg]"}}]},
    {"resourceType": "Observation", "subject": SUBJECT, "status": "entered-in-error", "code": concept("Lactate"),
     "valueQuantity": {"value": 9}},
    {"resourceType": "MedicationRequest", "subject": SUBJECT, "medicationCodeableConcept": concept("amoxicillin")},
    {"resourceType": "AllergyIntolerance", "patient": SUBJECT, "code": concept("Penicillin"),
     "reaction": [{"manifestation": [concept("Wheeze")]}]},
    {"resourceType": "FamilyMemberHistory", "patient": SUBJECT, "relationship": concept("Father"),
     "condition": [{"code": concept("Stroke")}]},
    {"resourceType": "DocumentReference", "subject": SUBJECT, "type": concept("Progress note"),
     "content": [attachment("HPI: Fever \U0001f912 and cough for 3 days.\nCrackles at the right base.")]},
    {"resourceType": "DocumentReference", "subject": SUBJECT, "type": concept("Discharge instructions"),
     "content": [attachment("Return for chest pain.")]},
    {"resourceType": "DiagnosticReport", "subject": SUBJECT, "code": concept("Chest radiograph"),
     "conclusion": "Right lower lobe consolidation."},
)  # fmt: skip


def write(file: Path, data: Any) -> Path:
    file.write_text(json.dumps(data), "utf-8")
    return file


def test_a_bundle_becomes_one_note_with_sections(tmp_path: Path) -> None:
    corpus = open_corpus(str(write(tmp_path / "record.json", RECORD)))
    (case,) = corpus.cases
    note = case.case.note
    assert case.id == "p1" and case.tags == {"diagnosis": "Pneumonia"}
    for line in (
        "Patient: 63-year-old male. Shortness of breath",
        "WBC: 16.4 x 10^9/L H (4-10.5)",
        "Blood pressure: 104/62 mmHg",
        "Chest radiograph: Right lower lobe consolidation.",
        "Penicillin (Wheeze)",
        "Asthma: resolved",
        "Father: Stroke",
        "Fever \U0001f912 and cough for 3 days.",
    ):
        assert line in note
    for hidden in ("Pneumonia", "Lactate", "Lung cancer"):
        assert hidden not in note
    where = case.case.section_at
    assert where(note.index("WBC")) == "pertinent_results"
    assert where(note.index("Father")) == "family_history"
    assert where(note.index("Blood pressure")) == "physical_exam"
    assert where(note.index("Hip")) == "past_medical_history"
    for heading in (
        "Medications:\namoxicillin",
        "Allergies:\nPenicillin",
        "Discharge Instructions:\nReturn",
    ):
        assert heading in note


def test_conditions_stand_in_the_text_only_if_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "record.json", RECORD)
    (case,) = open_corpus(f"fhir-all:{file}").cases
    assert "Pneumonia" in case.case.note and case.tags == {}


def test_each_patient_of_a_bundle_is_a_case(tmp_path: Path) -> None:
    other = {"resourceType": "Observation", "subject": {"reference": "urn:uuid:p2"}, "code": concept("Sodium"),
             "valueQuantity": {"value": 139, "unit": "mmol/L"}}  # fmt: skip
    file = write(
        tmp_path / "two.json", bundle(*[one["resource"] for one in RECORD["entry"]], other)
    )
    assert [case.id for case in open_corpus(str(file)).cases] == ["p1", "p2"]
    assert [id for id, _ in read_tasks(str(file))] == ["p1", "p2"]
    with pytest.raises(InputError, match="holds 2 cases"):
        read_one(str(file))


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "DocumentReference", "content": [attachment("CC: cough")]},
        {
            "resourceType": "DocumentReference",
            "content": [attachment("<div><p>CC: cough</p></div>", "text/html")],
        },
        {
            "resourceType": "DiagnosticReport",
            "presentedForm": [attachment("CC: cough")["attachment"]],
        },
        {"resourceType": "DiagnosticReport", "code": concept("CC"), "conclusion": "cough"},
    ],
)
def test_one_document_or_report_is_one_case(tmp_path: Path, resource: dict[str, Any]) -> None:
    case = read_one(str(write(tmp_path / "one.json", resource)))
    assert case.id == "one" and "CC: cough" in case.note


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"resourceType": "Patient", "id": "1"}, "no FHIR resource that holds a case"),
        ({"resourceType": "Bundle", "entry": {}}, "'entry' is wrong"),
        (
            bundle({"resourceType": "Observation", "code": 3}),
            "resource 1: the field 'code' is wrong",
        ),
        (bundle(PATIENT | {"gender": ""}), "nothing about a patient"),
        (
            {"resourceType": "DocumentReference", "content": [attachment("x", "application/pdf")]},
            "nothing about",
        ),
    ],
)
def test_fhir_that_cannot_be_read_is_one_line(tmp_path: Path, data: Any, words: str) -> None:
    with pytest.raises(CorpusError) as caught:
        open_corpus(str(write(tmp_path / "bad.json", data)))
    assert words in str(caught.value) and "\n" not in str(caught.value)


CSV = 'id,subject_id,note,diagnosis\n7,p1,"CC: cough\nHPI: fever, ""high""",Pneumonia\n8,p2,CC: wheeze,Asthma\n'


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_has_a_case_in_each_row(tmp_path: Path, mark: str) -> None:
    file = tmp_path / ("a.tsv" if mark == "\t" else "a.csv")
    file.write_text(CSV.replace("fever, ", "fever ").replace(",", mark), "utf-8")
    first, second = open_corpus(str(file)).cases
    assert (first.id, first.patient, second.case.note) == ("7", "p1", "CC: wheeze")
    assert first.case.note == 'CC: cough\nHPI: fever "high"'
    assert first.gold is not None and first.gold.diagnosis == "Pneumonia"


def cases_of(spec: str) -> list[AnnotatedCase]:
    return open_corpus(spec).cases


def test_a_column_is_named_where_it_cannot_be_told(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text,report\n1,cough,clear lungs\n", "utf-8")
    with pytest.raises(CorpusError, match="--column; there are id, text, report"):
        open_corpus(str(file))
    assert read_one(str(file), "report").note == "clear lungs"
    assert cases_of(f"table:{file}:text")[0].case.note == "cough"
    with pytest.raises(CorpusError, match="no column 'words'; there are id, text, report"):
        read_one(str(file), "words")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,cough,extra", "has 3 cells"),
        ("1,", "its note is empty"),
        ("1,a\x00b", "control characters"),
    ],
)
def test_a_row_that_cannot_be_read_is_reported(tmp_path: Path, row: str, words: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"id,note\n0,fever\n{row}\n", "utf-8")
    corpus = open_corpus(str(file))
    assert [case.id for case in corpus.cases] == ["0"]
    (problem,) = corpus.problems
    assert words in problem.message and "row 2" in problem.place


def test_a_row_that_cannot_be_read_keeps_its_id(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text('id,note\na7,cough\nb8,""\n', "utf-8")
    (problem,) = open_corpus(str(file)).problems
    assert problem.lost == "b8"


def test_an_empty_part_of_a_split_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("id,note\na7,cough\n", "utf-8")
    out = tmp_path / "parts"
    code, said, err = run(capsys, "corpus", "split", file, "--out", out)
    assert code == 0 and "train  1 cases" in said
    assert f"{out}:test is empty" in err
