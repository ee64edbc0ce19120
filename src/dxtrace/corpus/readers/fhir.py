"""FHIR as cases, one for each patient: a Bundle, a DocumentReference or a DiagnosticReport, or a bulk
export of one resource a line (NDJSON).

A case's note is written from the resources: the notes as they stand, then conditions, family,
medicines, allergies, vital signs and results, each under its heading. All offsets refer to this
text. An active condition that names an illness that dxtrace knows would give the answer away: it is
left out and kept as the tag ``diagnosis``, unless the kind ``fhir-all`` is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dxtrace.corpus.align import find_diagnosis
from dxtrace.corpus.base import Corpus, Problem, assemble
from dxtrace.corpus.readers.fhir_resources import Bundle, Concept, Resource
from dxtrace.corpus.readers.fhir_writing import (
    HEADINGS,
    PAST,
    UNSURE,
    documents_of,
    lines_of,
    patient_line,
)
from dxtrace.errors import CaseError, CorpusError, InputError
from dxtrace.files import check, parse_json, read_json, read_jsonl
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.formats import is_json_lines
from dxtrace.notes.reading import looks_like_json
from dxtrace.provenance import NO_LICENCE

#: Kinds of resources that may stand alone in a file.
ALONE = ("Bundle", "DocumentReference", "DiagnosticReport")

#: Suffixes of a bulk export.
NDJSON = (".ndjson", ".jsonl")

_VOID = ("entered-in-error", "cancelled", "refuted", "superseded")


def is_fhir(data: Any) -> bool:
    """Return whether parsed JSON is a FHIR resource."""
    return isinstance(data, dict) and isinstance(data.get("resourceType"), str)


def read_fhir(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
    with_diagnoses: bool = False,
) -> Corpus:
    """Read a file of FHIR (JSON, or NDJSON with a resource a line), the ``.json`` files of a folder, or its
    ``.ndjson`` files, which are one export.

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
    exports = [path]
    files = [path]
    if path.is_dir():
        exports = sorted(path.rglob("*.ndjson"))
        files = sorted(path.rglob("*.json"))
    elif path.suffix.lower() in NDJSON:
        files = []
    else:
        exports = []
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    write = partial(_to_case, taxonomy=taxonomy or Taxonomy.default(), open_=with_diagnoses)
    if exports:
        by_patient = _group(resource for file in exports for resource in _of_lines(file))
        _add_cases(by_patient, path.stem, str(path), write, cases, problems)
    for file in files:
        try:
            by_patient = _group(_of_one(read_json(file, CorpusError), str(file)))
            _add_cases(by_patient, file.stem, str(file), write, cases, problems)
        except InputError as error:
            if not path.is_dir():
                raise CorpusError(_placed(error, str(file))) from None
            problems.append(Problem("bad-note", str(file), _placed(error, str(file)), file.stem))
    if not cases and problems and not path.is_dir():
        raise CorpusError(_placed(CorpusError(problems[0].message), str(path)))
    return assemble(cases, problems, name=path.stem, id=path.stem, licence=NO_LICENCE)


read_fhir_with_diagnoses = partial(read_fhir, with_diagnoses=True)


def holds_fhir(text: str) -> bool:
    """Return whether a text is a FHIR resource, or one a line."""
    if is_json_lines(text):
        text = next(line for line in text.split("\n") if line.strip())
    elif not looks_like_json(text):
        return False
    try:
        return is_fhir(parse_json(text, "a text"))
    except InputError:
        return False


def read_fhir_text(text: str, place: str, id: str) -> list[AnnotatedCase]:
    """Return the cases of FHIR that stands in a text: one resource, or one a line.

    Raises:
        CorpusError: as for :func:`read_fhir`.
    """
    write = partial(_to_case, taxonomy=Taxonomy.default(), open_=False)
    try:
        if is_json_lines(text):
            resources: list[Resource] = []
            for number, line in enumerate(text.split("\n"), 1):
                where = f"{place}, line {number}"
                if line.strip():
                    resources += _resources(parse_json(line, where, CorpusError), where)
            by_patient = _group(resources)
        else:
            by_patient = _group(_of_one(parse_json(text, place, CorpusError), place))
        cases: list[AnnotatedCase] = []
        problems: list[Problem] = []
        _add_cases(by_patient, id, place, write, cases, problems)
    except InputError as error:
        raise CorpusError(_placed(error, place)) from None
    if not cases:
        raise CorpusError(_placed(CorpusError(problems[0].message), place))
    return cases


def _add_cases(
    by_patient: dict[str, list[Resource]],
    id: str,
    place: str,
    write: Any,
    cases: list[AnnotatedCase],
    problems: list[Problem],
) -> None:
    """Add a case for each patient; one of whom nothing can be written is a problem."""
    for owner, resources in by_patient.items():
        try:
            cases.append(write(owner or id, resources))
        except CaseError as error:
            problems.append(Problem("bad-note", place, str(error), owner or id))
    if not by_patient:
        problems.append(Problem("bad-note", place, "holds nothing about a patient", id))


def _placed(error: InputError, place: str) -> str:
    if str(error).startswith(place):
        return str(error)
    return f"{place}: {error}"


def _of_lines(file: Path) -> Iterator[Resource]:
    for line in read_jsonl(file, CorpusError):
        yield from _resources(line.parse(), line.place)


def _of_one(data: Any, place: str) -> Iterator[Resource]:
    if not is_fhir(data) or data["resourceType"] not in ALONE:
        raise CorpusError(f"{place}: no FHIR resource that holds a case ({', '.join(ALONE)})")
    yield from _resources(data, place)


def _resources(data: Any, place: str) -> Iterator[Resource]:
    """Yield a resource, or those of a bundle, with what they contain; what was withdrawn is left out."""
    given: list[tuple[Any, str]] = [(data, "")]
    if is_fhir(data) and data["resourceType"] == "Bundle":
        given = []
        for entry in check(Bundle, data, place, CorpusError).entry:
            given.append((entry.resource, entry.fullUrl))
    for number, (one, url) in enumerate(given, 1):
        if not is_fhir(one):
            continue
        where = f"{place}, resource {number}"
        resource = check(Resource, one, where, CorpusError)
        if not resource.id:
            resource.id = url.rsplit("/", 1)[-1].removeprefix("urn:uuid:")
        inner = []
        for contained in resource.contained:
            if is_fhir(contained):
                inner.append(check(Resource, contained, where, CorpusError))
        for part in [resource, *inner]:
            if not part.owner and part is not resource:
                part.subject = resource.subject
                part.patient = resource.patient
            if not _is_void(part):
                yield part


def _is_void(resource: Resource) -> bool:
    if resource.status in _VOID:
        return True
    return any(resource.verificationStatus.has_code(code) for code in _VOID)


def _group(resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    """Return resources by the patient's id; what names nobody belongs to the only one, if there is one."""
    everything = list(resources)
    by_id = {resource.id: resource for resource in everything if resource.id}
    found: dict[str, list[Resource]] = defaultdict(list)
    for resource in everything:
        _resolve(resource, by_id)
        if resource.resourceType == "Patient":
            found[resource.id].append(resource)
        elif resource.resourceType not in _HELPERS:
            found[resource.owner].append(resource)
    people = [owner for owner in found if owner]
    if len(people) == 1 and "" in found:
        found[people[0]] += found.pop("")
    if people:
        found.pop("", None)
    return dict(sorted(found.items()))


#: Resources that others refer to, and that are of no patient.
_HELPERS = frozenset(
    [
        "Medication",
        "Binary",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
        "OperationOutcome",
    ]
)


def _resolve(resource: Resource, by_id: dict[str, Resource]) -> None:
    """Put in what a resource refers to: the medicine of a prescription, the bytes of a document."""
    given = resource.medication
    if isinstance(given, dict):
        if isinstance(given.get("reference"), dict):
            resource.medicationReference.reference = str(given["reference"].get("reference", ""))
        elif isinstance(given.get("concept"), dict):
            concept = check(Concept, given["concept"], "a medicine", CorpusError)
            resource.medicationCodeableConcept = concept
    medicine = by_id.get(resource.medicationReference.key)
    if medicine is not None and not resource.medicationCodeableConcept.words:
        resource.medicationCodeableConcept = medicine.code
    attachments = [content.attachment for content in resource.content] + resource.presentedForm
    for attachment in attachments:
        binary = by_id.get(attachment.url.rsplit("/", 1)[-1]) if attachment.url else None
        if binary is not None and binary.resourceType == "Binary" and not attachment.data:
            attachment.data = binary.data
            attachment.contentType = binary.contentType or attachment.contentType


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
    notes: list[str] = []
    shown = []
    who = ""
    last = max((resource.day for resource in resources), default="")
    for resource in resources:
        if resource.resourceType == "Patient":
            who = patient_line(resource, last)
            continue
        name = _illness(resource, taxonomy)
        if name and not open_:
            if not any(resource.verificationStatus.has_code(code) for code in UNSURE):
                hidden.append(name)
            continue
        notes += documents_of(resource)
        shown.append(resource)
    parts: dict[str, list[str]] = defaultdict(list)
    for heading, line in lines_of(shown):
        if line and line not in parts[heading]:
            parts[heading].append(line)
    texts = []
    if who or parts["Chief Complaint"]:
        first = "; ".join(parts["Chief Complaint"])
        texts.append(f"Chief Complaint:\n{who} {first}".strip())
    for note in notes:
        if note.strip() and note.strip() not in texts:
            texts.append(note.strip())
    for heading in HEADINGS:
        if parts.get(heading):
            texts.append(f"{heading}:\n" + "\n".join(parts[heading]))
    if not notes and not any(parts.values()):
        raise CaseError(_nothing_in(resources))
    tags = {}
    if hidden:
        tags["diagnosis"] = hidden[0]
    case = Case.from_text("\n\n".join(texts) + "\n", id)
    return AnnotatedCase(case, None, id, tags)


def _nothing_in(resources: Sequence[Resource]) -> str:
    """Say why nothing can be written."""
    for resource in resources:
        attachments = [content.attachment for content in resource.content] + resource.presentedForm
        for attachment in attachments:
            kind = attachment.contentType.split(";")[0]
            if attachment.data or attachment.url:
                return (
                    "holds nothing about a patient that can be read as a note: its document is no text"
                    f" that stands in it ({kind:.40}); save the text as text/plain in 'data'"
                )
    return "holds nothing about a patient that can be read as a note"


def _illness(resource: Resource, taxonomy: Taxonomy) -> str | None:
    """Return the illness that an active condition names, if it is one that dxtrace knows."""
    if resource.resourceType != "Condition":
        return None
    over = any(resource.clinicalStatus.has_code(code) for code in PAST)
    if over or resource.abatementDateTime:
        return None
    node, category = find_diagnosis(resource.code.words, taxonomy)
    if node:
        return node.name
    return category
