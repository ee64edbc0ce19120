"""What FHIR resources say as lines of a note, each under its heading."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from dxtrace.corpus.readers.fhir_resources import (
    Concept,
    Part,
    Reason,
    Resource,
    Value,
    plain_text,
)
from dxtrace.errors import CorpusError
from dxtrace.files import check

#: Headings of what is written from single resources, in order.
HEADINGS = (
    "Past Medical History",
    "Family History",
    "Medications",
    "Allergies",
    "Vital Signs",
    "Physical Exam",
    "Pertinent Results",
    "Discharge Instructions",
)

#: Conditions that are over.
PAST = ("resolved", "inactive", "remission")

#: Conditions that are not settled.
UNSURE = ("unconfirmed", "provisional", "differential")

#: A result that is so much older than the last one is of another illness.
_STAY = timedelta(days=14)

#: A line: its heading, and its text.
Line = tuple[str, str]

_NOT_TAKEN = (
    "stopped",
    "not-taken",
    "ended",
    "draft",
    "on-hold",
    "completed",
    "intended",
    "unknown",
)


def lines_of(resources: Sequence[Resource]) -> Iterator[Line]:
    """Yield what the resources of one patient say.

    Of several visits the last one gives the complaint, and of results only those of its time count;
    values of one test stand in one line, in their order.
    """
    last = max((resource.day for resource in resources), default="")
    yield from _complaints(resources)
    series: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for resource in resources:
        if resource.resourceType == "Observation":
            if _is_of_now(resource.day, last):
                name = resource.code.words
                heading = _heading(resource)
                series[heading, name if _is_number(resource) else str(len(series))].append(resource)
            continue
        write = _WRITERS.get(resource.resourceType)
        if write is not None:
            yield from write(resource)
    for (heading, _), same in series.items():
        for line in _observations(sorted(same, key=lambda one: one.moment)):
            yield heading, line


def patient_line(resource: Resource, last: str) -> str:
    """Return who it is about; the age is that on the day ``last``."""
    words = resource.gender
    born = resource.birthDate[:4]
    if re.fullmatch("[0-9]{4}", born) and re.fullmatch("[0-9]{4}", last[:4]) and last[:4] >= born:
        words = f"{int(last[:4]) - int(born)}-year-old {words}".strip()
    if words:
        return f"Patient: {words}."
    return ""


def documents_of(resource: Resource) -> list[str]:
    """Return the texts that a resource holds as they were written; of several forms of one the first
    that can be read.
    """
    found: list[str] = []
    attachments = [content.attachment for content in resource.content] or resource.presentedForm
    for attachment in attachments:
        text = attachment.text()
        if text and text.strip():
            found = [text]
            break
    if resource.resourceType == "Composition":
        for part in resource.section:
            found += _sections(part)
    title = ""
    if isinstance(resource.type, Concept):
        title = resource.type.words.lower()
    if "instruction" in title:
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


def _is_of_now(day: str, last: str) -> bool:
    """True for a day of the last stay; what has no date counts as of now."""
    try:
        return date.fromisoformat(last) - date.fromisoformat(day) <= _STAY
    except ValueError:
        return True


def _complaints(resources: Sequence[Resource]) -> Iterator[Line]:
    encounters = []
    for resource in resources:
        if resource.resourceType == "Encounter" and list(_reasons(resource)):
            encounters.append(resource)
    last = max((encounter.day for encounter in encounters), default="")
    for encounter in encounters:
        if encounter.day == last:
            for words in _reasons(encounter):
                yield "Chief Complaint", words


def _reasons(encounter: Resource) -> Iterator[str]:
    """Yield why an encounter took place, in the forms of R4, STU3 and R5."""
    given = list(encounter.reasonCode)
    if isinstance(encounter.reason, list):
        for one in encounter.reason:
            if isinstance(one, dict):
                reason = check(Reason, {"value": one.get("value", one)}, "a reason", CorpusError)
                given += reason.value
    for concept in given:
        if concept.words:
            yield concept.words


def _condition(resource: Resource) -> Iterator[Line]:
    words = resource.code.words
    if not words:
        return
    over = any(resource.clinicalStatus.has_code(code) for code in PAST)
    if over or resource.abatementDateTime:
        words = f"{words}: resolved"
    elif any(resource.verificationStatus.has_code(code) for code in UNSURE):
        words = f"Possible {words}"
    yield "Past Medical History", words


def _relative(resource: Resource) -> Iterator[Line]:
    who = resource.relationship.words or "Relative"
    for one in resource.condition:
        if one.code.words:
            yield "Family History", f"{who}: {one.code.words}"


def _medicine(resource: Resource) -> Iterator[Line]:
    if resource.resourceType != "MedicationAdministration" and resource.status in _NOT_TAKEN:
        return
    yield "Medications", resource.medicationCodeableConcept.words


def _allergy(resource: Resource) -> Iterator[Line]:
    if any(resource.clinicalStatus.has_code(code) for code in PAST):
        return
    words = resource.code.words
    signs = []
    for reaction in resource.reaction:
        for sign in reaction.manifestation:
            if sign.words:
                signs.append(sign.words)
    if words and signs:
        words += f" ({', '.join(signs)})"
    yield "Allergies", words


def _report(resource: Resource) -> Iterator[Line]:
    name = resource.code.words or "Report"
    conclusion = " ".join(resource.conclusion.split())
    if conclusion:
        yield "Pertinent Results", f"{name}: {conclusion}"


_WRITERS: Mapping[str, Any] = {
    "Condition": _condition,
    "FamilyMemberHistory": _relative,
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "MedicationAdministration": _medicine,
    "AllergyIntolerance": _allergy,
    "DiagnosticReport": _report,
}


def _heading(resource: Resource) -> str:
    if resource.is_in("vital-signs"):
        return "Vital Signs"
    if resource.is_in("exam"):
        return "Physical Exam"
    if resource.is_in("social-history"):
        return "Past Medical History"
    return "Pertinent Results"


def _value(resource: Resource) -> Value:
    """Return what an observation found.

    Raises:
        CorpusError: a field of it is wrong.
    """
    return check(Value, resource.model_extra or {}, "an observation", CorpusError)


def _is_number(resource: Resource) -> bool:
    quantity = _value(resource).valueQuantity
    return quantity is not None and quantity.value is not None


def _observations(same: Sequence[Resource]) -> Iterator[str]:
    """Yield the lines of one test: its values in their order, and its components."""
    name = same[0].code.words
    values: list[str] = []
    for resource in same:
        value = _value(resource).words
        if value and value not in values[-1:]:
            values.append(value)
    if name and values:
        yield f"{name}: {' → '.join(values)}"
    for resource in same:
        yield from _components(resource)


def _components(resource: Resource) -> Iterator[str]:
    """Yield the components of an observation; two blood pressures as one."""
    rest = []
    pressures: dict[str, str] = {}
    for one in resource.component:
        kind = one.code.words.lower()
        quantity = one.valueQuantity
        systolic = "systolic" in kind or one.code.has_code("8480-6")
        if quantity is not None and quantity.value is not None and "blood pressure" in kind:
            pressures["systolic" if systolic else "diastolic"] = f"{quantity.value:.10g}"
        rest.append(one)
    if len(pressures) == 2:
        yield f"Blood pressure: {pressures['systolic']}/{pressures['diastolic']} mmHg"
        rest = [one for one in rest if "blood pressure" not in one.code.words.lower()]
    for one in rest:
        if one.code.words and one.words:
            yield f"{one.code.words}: {one.words}"
