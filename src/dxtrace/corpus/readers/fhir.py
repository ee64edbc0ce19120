"""FHIR R4: a Bundle, a DocumentReference or a DiagnosticReport as cases, one for each patient.

A case's note is written from the resources: the notes as they stand, then conditions, family,
medicines, allergies, vital signs and results, each under its heading. All offsets refer to this
text. An active condition that names an illness that dxtrace knows would give the answer away: it is
left out and kept as the tag ``diagnosis``, unless the kind ``fhir-all`` is asked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dxtrace.corpus.align import find_diagnosis
from dxtrace.corpus.base import Corpus, Problem, assemble
from dxtrace.corpus.readers.fhir_resources import Bundle, Concept, Part, Resource, Value, plain_text
from dxtrace.errors import CaseError, CorpusError, InputError
from dxtrace.files import check, read_json
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

#: Kinds of resources that may stand alone in a file.
ALONE = ("Bundle", "DocumentReference", "DiagnosticReport")

_VOID = ("entered-in-error", "cancelled", "refuted")

_PAST = ("resolved", "inactive", "remission")


def is_fhir(data: Any) -> bool:
    """Return whether parsed JSON is a FHIR resource."""
    return isinstance(data, dict) and isinstance(data.get("resourceType"), str)


def read_fhir(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
    with_diagnoses: bool = False,
) -> Corpus:
    """Read a JSON file of FHIR R4, or the ``.json`` files of a folder.

    Args:
        path: the file or folder.
        split: there is none.
        taxonomy: where diagnoses are looked up.
        with_diagnoses: put conditions that may give the answer away into the text too.

    Raises:
        CorpusError: it is no resource that holds a case, or a field is wrong; names it.
    """
    path = Path(path)
    if split is not None:
        raise CorpusError(f"{path}: FHIR has no split {split!r}")
    files = [path]
    if path.is_dir():
        files = sorted(path.rglob("*.json"))
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    write = partial(_to_case, taxonomy=taxonomy or Taxonomy.default(), open_=with_diagnoses)
    for file in files:
        try:
            for owner, resources in _by_patient(file).items():
                cases.append(write(owner or file.stem, resources))
        except InputError as error:
            if not path.is_dir():
                raise CorpusError(_placed(error, file)) from None
            problems.append(Problem("bad-note", str(file), _placed(error, file), file.stem))
    return assemble(cases, problems, name=path.stem, id=path.stem, licence="not stated")


read_fhir_with_diagnoses = partial(read_fhir, with_diagnoses=True)


def _placed(error: InputError, file: Path) -> str:
    if str(error).startswith(str(file)):
        return str(error)
    return f"{file}: {error}"


def _by_patient(file: Path) -> dict[str, list[Resource]]:
    """Return the resources of a file, by the patient's id."""
    data = read_json(file, CorpusError)
    if not is_fhir(data) or data["resourceType"] not in ALONE:
        raise CorpusError(f"{file}: no FHIR resource that holds a case ({', '.join(ALONE)})")
    given: Iterable[Any] = [data]
    if data["resourceType"] == "Bundle":
        given = []
        for entry in check(Bundle, data, str(file), CorpusError).entry:
            given.append(entry.resource)
    found: dict[str, list[Resource]] = defaultdict(list)
    for number, one in enumerate(given, 1):
        if not is_fhir(one):
            continue
        place = f"{file}, resource {number}"
        resource = check(Resource, one, place, CorpusError)
        inner = []
        for contained in resource.contained:
            if is_fhir(contained):
                inner.append(check(Resource, contained, place, CorpusError))
        for part in [resource, *inner]:
            if part.status not in _VOID and not _is_void(part):
                found[_owner(part, resource)].append(part)
    people = []
    for owner in found:
        if owner:
            people.append(owner)
    if len(people) == 1 and "" in found:
        found[people[0]] += found.pop("")
    by_patient = {}
    for owner in found:
        if owner or not people:
            by_patient[owner] = found[owner]
    return by_patient


def _is_void(resource: Resource) -> bool:
    return any(resource.verificationStatus.has_code(code) for code in _VOID)


def _owner(part: Resource, resource: Resource) -> str:
    if part.resourceType == "Patient":
        return part.id
    return (part.owner or resource.owner).rsplit("/")[-1].removeprefix("urn:uuid:")


def _to_case(
    id: str,
    resources: Sequence[Resource],
    taxonomy: Taxonomy,
    open_: bool,
) -> AnnotatedCase:
    """Write one patient's note.

    Raises:
        CaseError: nothing in it can be written.
    """
    hidden: list[str] = []
    parts: dict[str, list[str]] = defaultdict(list)
    notes: list[str] = []
    dates = []
    for resource in resources:
        dates.append(resource.effectiveDateTime)
    who = ""
    for resource in resources:
        if resource.resourceType == "Patient":
            who = _patient(resource, dates)
            continue
        name = _illness(resource, taxonomy)
        if name and not open_:
            hidden.append(name)
            continue
        notes += _documents(resource)
        for heading, line in _lines(resource):
            if line and line not in parts[heading]:
                parts[heading].append(line)
    texts = []
    if who or parts["Chief Complaint"]:
        first = "; ".join(parts["Chief Complaint"])
        texts.append(f"Chief Complaint:\n{who} {first}".strip())
    texts += [note.strip() for note in notes if note.strip()]
    for heading in _ORDER:
        if parts.get(heading):
            texts.append(f"{heading}:\n" + "\n".join(parts[heading]))
    if not notes and not any(parts.values()):
        raise CaseError("holds nothing about a patient that can be read as a note")
    tags = {}
    if hidden:
        tags["diagnosis"] = hidden[0]
    case = Case.from_text("\n\n".join(texts) + "\n", id)
    return AnnotatedCase(case, None, id, tags)


#: Headings of what is written from single resources.
_ORDER = (
    "Past Medical History",
    "Family History",
    "Medications",
    "Allergies",
    "Vital Signs",
    "Physical Exam",
    "Pertinent Results",
    "Discharge Instructions",
)


def _illness(resource: Resource, taxonomy: Taxonomy) -> str | None:
    """Return the illness that an active condition names, if it is one that dxtrace knows."""
    if resource.resourceType != "Condition":
        return None
    if any(resource.clinicalStatus.has_code(code) for code in _PAST):
        return None
    node, category = find_diagnosis(resource.code.words, taxonomy)
    if node:
        return node.name
    return category


def _documents(resource: Resource) -> list[str]:
    """Return the texts that a resource holds as they were written."""
    attachments = [content.attachment for content in resource.content] + resource.presentedForm
    texts = []
    for attachment in attachments:
        texts.append(attachment.text())
    found = []
    for text in texts:
        if text:
            found.append(text)
    if resource.resourceType == "Composition":
        for part in resource.section:
            found += _sections(part)
    title = ""
    if isinstance(resource.type, Concept):
        title = resource.type.words
    if "discharge instruction" in title.lower():
        found = [f"Discharge Instructions:\n{text}" for text in found]
    return found


def _sections(part: Part) -> list[str]:
    text = plain_text(part.text.div)
    heading = part.title.strip() or "Note"
    found = []
    if text:
        found.append(f"{heading}:\n{text}")
    for below in part.section:
        found += _sections(below)
    return found


def _lines(resource: Resource) -> list[tuple[str, str]]:
    """Return what a resource says as lines, each with the heading that it stands under."""
    write = _WRITERS.get(resource.resourceType)
    if write is None:
        return []
    found: list[tuple[str, str]] = write(resource)
    return found


def _patient(resource: Resource, dates: Sequence[str]) -> str:
    """Return who it is about; the age is that on the last day that is spoken of."""
    words = resource.gender
    born, last = resource.birthDate[:4], max(dates, default="")[:4]
    if re.fullmatch("[0-9]{4}", born) and re.fullmatch("[0-9]{4}", last) and last >= born:
        words = f"{int(last) - int(born)}-year-old {words}".strip()
    if words:
        return f"Patient: {words}."
    return ""


def _encounter(resource: Resource) -> list[tuple[str, str]]:
    encounter = []
    for reason in resource.reasonCode:
        encounter.append(("Chief Complaint", reason.words))
    return encounter


def _condition(resource: Resource) -> list[tuple[str, str]]:
    words = resource.code.words
    for code in _PAST:
        if words and resource.clinicalStatus.has_code(code):
            words += f" ({code})"
    return [("Past Medical History", words)]


def _relative(resource: Resource) -> list[tuple[str, str]]:
    who = resource.relationship.words or "Relative"
    lines = []
    for one in resource.condition:
        if one.code.words:
            lines.append(("Family History", f"{who}: {one.code.words}"))
    return lines


def _medicine(resource: Resource) -> list[tuple[str, str]]:
    return [("Medications", resource.medicationCodeableConcept.words)]


def _allergy(resource: Resource) -> list[tuple[str, str]]:
    words = resource.code.words
    signs = []
    for reaction in resource.reaction:
        for sign in reaction.manifestation:
            if sign.words:
                signs.append(sign.words)
    if words and signs:
        words += f" ({', '.join(signs)})"
    return [("Allergies", words)]


def _observation(resource: Resource) -> list[tuple[str, str]]:
    heading = "Pertinent Results"
    if resource.is_in("vital-signs"):
        heading = "Vital Signs"
    elif resource.is_in("exam"):
        heading = "Physical Exam"
    elif resource.is_in("social-history"):
        heading = "Past Medical History"
    value = check(Value, resource.model_extra or {}, "an observation")
    name = resource.code.words
    lines = []
    if name and value.words:
        lines.append((heading, f"{name}: {value.words}"))
    pressures = []
    for one in resource.component:
        if "blood pressure" in one.code.words.lower():
            pressures.append(one)
    numbers = []
    for one in pressures:
        if one.valueQuantity and one.valueQuantity.value is not None:
            numbers.append(f"{one.valueQuantity.value:.10g}")
    if len(numbers) == 2:
        order = sorted(numbers, key=float, reverse=True)
        return [*lines, (heading, f"Blood pressure: {'/'.join(order)} mmHg")]
    for one in resource.component:
        if one.code.words and one.words:
            lines.append((heading, f"{one.code.words}: {one.words}"))
    return lines


def _report(resource: Resource) -> list[tuple[str, str]]:
    name = resource.code.words or "Report"
    conclusion = " ".join(resource.conclusion.split())
    if not conclusion:
        return []
    return [("Pertinent Results", f"{name}: {conclusion}")]


_WRITERS: Mapping[str, Any] = {
    "Encounter": _encounter,
    "Condition": _condition,
    "FamilyMemberHistory": _relative,
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "MedicationAdministration": _medicine,
    "AllergyIntolerance": _allergy,
    "Observation": _observation,
    "DiagnosticReport": _report,
}
