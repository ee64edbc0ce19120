"""Records in the style of public FHIR examples: each is read, split or refused with what to do."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dxtrace.corpus import open_corpus
from dxtrace.corpus.readers.fhir_names import plain_unit, short_name
from dxtrace.corpus.source import read_one, read_tasks
from dxtrace.errors import InputError
from dxtrace.findings.recogniser import recogniser
from dxtrace.notes.annotated import AnnotatedCase

Json = dict[str, Any]


def coded(display: str, code: str = "", text: str = "") -> Json:
    concept: Json = {"coding": [{"system": "http://example.org", "code": code, "display": display}]}
    if text:
        concept["text"] = text
    return concept


def of(patient: str, **fields: Any) -> Json:
    return {"subject": {"reference": patient}} | fields


def quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def observation(
    patient: str, name: str, value: float, unit: str, day: str = "", **more: Any
) -> Json:
    found = {"resourceType": "Observation", "status": "final", "code": coded(name)}
    if day:
        found["effectiveDateTime"] = day
    return found | of(patient, valueQuantity=quantity(value, unit)) | more


def bundle(*resources: Json, kind: str = "collection") -> Json:
    entries = []
    for resource in resources:
        url = f"urn:uuid:{resource.get('id', '')}"
        entries.append({"fullUrl": url, "resource": resource})
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def document(patient: str, *attachments: Json, title: str = "Progress note", **more: Any) -> Json:
    content = [{"attachment": attachment} for attachment in attachments]
    return of(patient, resourceType="DocumentReference", type=coded(title), content=content) | more


def attached(text: str, kind: str = "text/plain", charset: str = "utf-8") -> Json:
    return {"contentType": kind, "data": base64.b64encode(text.encode(charset)).decode()}


def write(folder: Path, data: Json, name: str = "record.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(data), "utf-8")
    return file


def read(folder: Path, data: Json) -> AnnotatedCase:
    (case,) = open_corpus(str(write(folder, data))).cases
    return case


def stated(note: AnnotatedCase) -> set[str]:
    return {one.premise.id for one in recogniser().read(note.case).statements}


PATIENT = {"resourceType": "Patient", "id": "a1", "gender": "female", "birthDate": "1950-02-01"}
ME = "urn:uuid:a1"


def test_a_synthetic_lifetime_gives_the_last_visit(tmp_path: Path) -> None:
    """In the style of Synthea: a transaction over years, LOINC's long names, SNOMED's tags."""
    condition = of(ME, resourceType="Condition")
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            of(ME, resourceType="Encounter", period={"start": "2009-05-01T10:00:00+02:00"},
               reasonCode=[coded("Acute bronchitis (disorder)")]),
            of(ME, resourceType="Encounter", period={"start": "2023-11-02T10:00:00+01:00"},
               reasonCode=[coded("Dyspnea (finding)")]),
            condition | {"code": coded("Pneumonia (disorder)"), "clinicalStatus": coded("", "resolved")},
            condition | {"code": coded("Hypertension"), "clinicalStatus": coded("", "active")},
            condition | {"code": coded("Fracture of ankle (disorder)"), "abatementDateTime": "2010-01-01"},
            observation(ME, "Hemoglobin [Mass/volume] in Blood", 6.9, "g/dL", "2009-05-01T10:00:00Z"),
            observation(ME, "Hemoglobin [Mass/volume] in Blood", 13.9, "g/dL", "2023-11-02T10:00:00Z"),
            observation(ME, "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma",
                        4100, "pg/mL", "2023-11-02T10:00:00Z"),
            of(ME, resourceType="MedicationRequest", status="completed",
               medicationCodeableConcept=coded("Amoxicillin 250 MG Oral Capsule")),
            of(ME, resourceType="MedicationRequest", status="active",
               medicationCodeableConcept=coded("Furosemide 40 MG Oral Tablet")),
            kind="transaction",
        ),
    )  # fmt: skip
    note = case.case.note
    assert "73-year-old female. Dyspnea" in note and "bronchitis" not in note
    assert "NT-proBNP: 4100 pg/mL" in note and "Hemoglobin: 13.9 g/dL" in note and "6.9" not in note
    assert "Furosemide" in note and "Amoxicillin" not in note
    assert "Pneumonia: resolved" in note and "Fracture of ankle: resolved" in note
    assert case.tags == {"diagnosis": "Hypertension"}
    found = stated(case)
    assert "heart-failure/ntprobnp-raised" in found
    assert not {id for id in found if id.startswith("pneumonia/proof")}


def test_ranges_flags_and_units_are_written_as_notes_have_them(tmp_path: Path) -> None:
    """In the style of the examples of HL7: UCUM, a range, an interpretation, a reason for no value."""
    missing = observation(ME, "Lactate", 9, "mmol/L", dataAbsentReason=coded("Not Performed"))
    del missing["valueQuantity"]
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            observation(ME, "Glucose [Moles/volume] in Blood", 6.3, "mmol/L",
                        interpretation=[coded("High", "H")],
                        referenceRange=[{"low": quantity(3.1, "mmol/L"), "high": quantity(6.2, "mmol/L")}]),
            observation(ME, "Thyrotropin [Units/volume] in Serum or Plasma", 0.01, "m[IU]/L",
                        referenceRange=[{"text": "0.4-4.0"}]),
            observation(ME, "Body temperature", 39.4, "Cel", category=[coded("Vital Signs", "vital-signs")]),
            observation(ME, "Leukocytes [#/volume] in Urine", 40, "/uL"),
            observation(ME, "Ferritin", 9, "ng/mL",
                        referenceRange=[{"text": "men 30-300"}, {"text": "women 10-200"}]),
            missing,
        ),
    )  # fmt: skip
    for line in (
        "Glucose: 6.3 mmol/L H (3.1-6.2)",
        "TSH: 0.01 mIU/L (0.4-4.0)",
        "Body temperature: 39.4 °C",
        "Urine WBC: 40 /uL",
        "Ferritin: 9 ng/mL\n",
    ):
        assert line in case.case.note
    assert "Lactate" not in case.case.note
    assert "thyroid-disease/tsh-suppressed-t3" in stated(case)
    assert "pneumonia/leukocytosis" not in stated(case)


def test_a_panel_of_pressure_and_notes_in_other_character_sets(tmp_path: Path) -> None:
    """In the style of US Core: a blood pressure panel, clinical notes, a problem list."""
    pressure = of(
        "Patient/a1",
        resourceType="Observation",
        status="final",
        code=coded("Blood pressure panel with all children optional", "85354-9"),
        category=[coded("Vital Signs", "vital-signs")],
        component=[
            {
                "code": coded("Diastolic blood pressure", "8462-4"),
                "valueQuantity": quantity(110, "mm[Hg]"),
            },
            {
                "code": coded("Systolic blood pressure", "8480-6"),
                "valueQuantity": quantity(204, "mm[Hg]"),
            },
        ],
    )
    one = pressure | {
        "component": [
            pressure["component"][1],
            {"code": coded("Diastolic blood pressure"), "dataAbsentReason": {}},
        ]
    }
    note = attached("HPI: Fièvre, 39,4 °C.", "text/plain; charset=ISO-8859-1", "iso-8859-1")
    both = document(
        "Patient/a1", attached("<p>HPI: Cough.</p>", "text/html"), attached("HPI: Cough.")
    )
    case = read(tmp_path, bundle(PATIENT, pressure, document("Patient/a1", note), both))
    assert "Blood pressure: 204/110 mmHg" in case.case.note
    assert "Fièvre, 39,4 °C." in case.case.note
    assert case.case.note.count("Cough") == 1
    alone = read(tmp_path, bundle(PATIENT, one))
    assert "Systolic blood pressure: 204 mmHg" in alone.case.note


def test_what_is_refuted_doubted_or_of_the_family_is_no_finding(tmp_path: Path) -> None:
    condition = of("Patient/a1", resourceType="Condition", clinicalStatus=coded("", "active"))
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            condition | {"code": coded("Lung cancer"), "verificationStatus": coded("", "refuted")},
            condition | {"code": coded("Gout"), "verificationStatus": coded("", "provisional")},
            condition | {"code": coded("Tuberculosis"), "verificationStatus": coded("", "differential")},
            condition | {"code": coded("Atrial fibrillation"), "clinicalStatus": coded("", "remission")},
            {"resourceType": "FamilyMemberHistory", "patient": {"reference": "Patient/a1"},
             "relationship": coded("Father"), "condition": [{"code": coded("Atrial fibrillation")}]},
            {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/a1"},
             "code": coded("Penicillin"), "reaction": [{"manifestation": [coded("Wheezing")]}]},
            observation("Patient/a1", "Sodium", 139, "mmol/L"),
        ),
    )  # fmt: skip
    assert "Lung cancer" not in case.case.note and "Tuberculosis" not in case.case.note
    assert "Possible Gout" in case.case.note and case.tags == {}
    assert case.case.section_at(case.case.note.index("Wheezing")) == "allergies"
    found = stated(case)
    assert not {"atrial-fibrillation/proof-af", "copd/wheeze", "asthma/episodic-wheeze"} & found


def test_two_patients_are_two_cases_and_refused_as_one(tmp_path: Path) -> None:
    other = PATIENT | {"id": "b2", "gender": "male"}
    data = bundle(
        PATIENT,
        other,
        observation("Patient/a1", "Sodium", 118, "mmol/L"),
        observation("http://host/fhir/Patient/b2/_history/3", "Sodium", 139, "mmol/L"),
    )
    file = write(tmp_path, data)
    first, second = open_corpus(str(file)).cases
    assert "118" in first.case.note and "118" not in second.case.note and "139" in second.case.note
    with pytest.raises(InputError, match="holds 2 cases; answer them with dxtrace batch"):
        read_one(str(file))


def test_a_bulk_export_is_read_over_its_files(tmp_path: Path) -> None:
    other = PATIENT | {"id": "b2"}
    sodium = [
        observation("Patient/b2", "Sodium", 118, "mmol/L"),
        observation("Patient/a1", "Sodium", 139, "mmol/L"),
    ]
    for name, resources in {"Patient": [PATIENT, other], "Observation": sodium}.items():
        text = "\n".join(json.dumps(resource) for resource in resources) + "\n"
        (tmp_path / f"{name}.ndjson").write_text(text, "utf-8")
    assert [id for id, _ in read_tasks(str(tmp_path))] == ["a1", "b2"]
    _, second = open_corpus(str(tmp_path)).cases
    assert "female" in second.case.note and "Sodium: 118 mmol/L" in second.case.note
    alone = open_corpus(str(tmp_path / "Observation.ndjson")).cases
    assert [case.id for case in alone] == ["a1", "b2"]
    broken = tmp_path / "x.ndjson"
    broken.write_text(json.dumps(PATIENT) + '\n{"resourceType": "Obs', "utf-8")
    with pytest.raises(InputError, match="line 2"):
        open_corpus(str(broken))


def test_release_5_has_other_forms(tmp_path: Path) -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": coded("Warfarin 5 mg")}
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            medication,
            of(ME, resourceType="Encounter", reason=[{"use": [], "value": [{"concept": coded("Chest pain")}]}]),
            of(ME, resourceType="MedicationRequest", status="active", medication={"concept": coded("Ibuprofen 400 mg")}),
            of(ME, resourceType="MedicationStatement", status="recorded", medication={"reference": {"reference": "Medication/m1"}}),
            {"resourceType": "AllergyIntolerance", "patient": {"reference": ME}, "code": coded("Latex"),
             "reaction": [{"manifestation": [{"concept": coded("Hives")}]}]},
        ),
    )  # fmt: skip
    for words in ("Chest pain", "Ibuprofen 400 mg", "Warfarin 5 mg", "Latex (Hives)"):
        assert words in case.case.note


def test_release_3_has_other_forms(tmp_path: Path) -> None:
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            of(ME, resourceType="Encounter", reason=[coded("Palpitations")]),
            of(ME, resourceType="Condition", clinicalStatus="resolved", verificationStatus="confirmed", code=coded("Asthma")),
            of(ME, resourceType="Condition", clinicalStatus="active", verificationStatus="refuted", code=coded("Gout")),
            observation(ME, "Potassium", 2.9, "mmol/L", interpretation=coded("Low", "L"), category=coded("Laboratory", "laboratory")),
        ),
    )  # fmt: skip
    assert "Palpitations" in case.case.note and "Asthma: resolved" in case.case.note
    assert "Gout" not in case.case.note and "Potassium: 2.9 mmol/L L" in case.case.note


def test_a_document_is_read_with_its_sections(tmp_path: Path) -> None:
    table = "<table><tr><th>Test</th><th>Value</th></tr><tr><td>Troponin T</td><td>480 ng/L</td></tr></table>"
    composition = of(
        ME,
        resourceType="Composition",
        status="final",
        section=[
            {"title": "Chief Complaint", "text": {"div": "<div>Chest pain</div>"}},
            {
                "title": "Results",
                "text": {"div": f"<div><style>td {{color: red}}</style>{table}</div>"},
            },
            {
                "title": "Discharge Instructions",
                "text": {"div": "<div><p>Return for melena.</p></div>"},
            },
        ],
    )
    case = read(tmp_path, bundle(composition, PATIENT, kind="document"))
    note = case.case.note
    assert "Troponin T | 480 ng/L" in note and "color" not in note
    assert case.case.section_at(note.index("melena")) == "discharge_instructions"
    assert {id for id in stated(case) if id.endswith("melaena")} == set()


def test_what_is_contained_or_linked_within_the_bundle_is_read(tmp_path: Path) -> None:
    prescription = of(
        "Patient/a1",
        resourceType="MedicationRequest",
        status="active",
        contained=[{"resourceType": "Medication", "id": "med", "code": coded("Apixaban 5 mg")}],
        medicationReference={"reference": "#med"},
    )
    binary = {"resourceType": "Binary", "id": "doc", **attached("HPI: Cough for 3 weeks.")}
    linked = document("Patient/a1", {"contentType": "text/plain", "url": "Binary/doc"})
    old = document("Patient/a1", attached("HPI: Seizure."), status="superseded")
    case = read(tmp_path, bundle(PATIENT, prescription, binary, linked, old))
    assert "Apixaban 5 mg" in case.case.note and "Cough for 3 weeks." in case.case.note
    assert "Seizure" not in case.case.note


def test_values_of_one_stay_stand_in_one_line_in_their_order(tmp_path: Path) -> None:
    name = "Troponin T.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method"
    case = read(
        tmp_path,
        bundle(
            PATIENT,
            observation(ME, name, 480, "ng/L", "2024-03-01T13:00:00Z"),
            observation(ME, name, 9, "ng/L", "2024-03-01T10:00:00Z"),
        ),
    )
    assert "Troponin T: 9 ng/L → 480 ng/L" in case.case.note
    found = stated(case)
    assert "pulmonary-embolism/troponin-raised" in found
    assert "acute-coronary-syndrome/troponin-not-raised" not in found


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.xml", '<Bundle xmlns="http://hl7.org/fhir"><type value="x"/></Bundle>', "FHIR as XML; export it as JSON"),
        ("a.xml", '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"></ClinicalDocument>', "C-CDA"),
        ("a.hl7", "MSH|^~\\&|LAB|HOSP|||20240301||ORU^R01|1|P|2.5\nPID|1||123\n", "HL7 version 2"),
        ("a.json", json.dumps({"resourceType": "OperationOutcome"}), "no FHIR resource that holds a case"),
        ("a.json", json.dumps({"resourceType": "Observation"}), "no FHIR resource that holds a case"),
        ("a.json", json.dumps({"resourceType": "Bundle", "entry": []}), "nothing about a patient"),
        (
            "a.json",
            json.dumps(document("Patient/a1", {"contentType": "application/pdf", "data": "JVBERi0="})),
            "no text that stands in it (application/pdf)",
        ),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_with_what_to_do(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_one(str(file))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", [False, True])
def test_a_record_may_come_on_standard_input(monkeypatch: pytest.MonkeyPatch, lines: bool) -> None:
    resources = [PATIENT, observation("Patient/a1", "Sodium", 118, "mmol/L")]
    text = json.dumps(bundle(*resources), indent=2)
    if lines:
        text = "\n".join(json.dumps(resource) for resource in resources)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert "Sodium: 118 mmol/L" in read_one("-").note


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Cholesterol in LDL [Mass/volume] in Serum or Plasma by Direct assay", "LDL cholesterol"),
        ("Oxygen saturation in Arterial blood by Pulse oximetry", "Oxygen saturation"),
        ("Hemoglobin A1c/Hemoglobin.total in Blood", "HbA1c"),
        ("Protein [Mass/volume] in Cerebral spinal fluid", "Cerebral spinal fluid Protein"),
        ("Pain in left leg", "Pain in left leg"),
        ("Dyspnea (finding)", "Dyspnea"),
        ("Penicillin (allergy since 2001)", "Penicillin (allergy since 2001)"),
    ],
)
def test_long_names_become_those_of_notes(name: str, short: str) -> None:
    assert short_name(name) == short


@pytest.mark.parametrize(
    ("unit", "plain"),
    [("mm[Hg]", "mmHg"), ("10*9/L", "x 10^9/L"), ("m[IU]/L", "mIU/L"), ("ng/mL{FEU}", "ng/mL"), ("%", "%")],
)  # fmt: skip
def test_units_become_those_of_notes(unit: str, plain: str) -> None:
    assert plain_unit(unit) == plain
