"""The six sections of a note, and the headings that open them."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The sections of a note, in order: DiReCT's input1 to input6.
SECTIONS = (
    "chief_complaint",
    "history_of_present_illness",
    "past_medical_history",
    "family_history",
    "physical_exam",
    "pertinent_results",
)


#: Zero-width and byte-order characters: they take no room on a page, so a note of nothing else is
#: empty.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


TITLES = {name: name.replace("_", " ").title().replace(" Of ", " of ") for name in SECTIONS}


_HEADINGS: dict[str, tuple[str, ...]] = {
    "chief_complaint": (
        "chief complaint",
        "chief complaints",
        "chief concern",
        "presenting complaint",
        "presenting complaints",
        "presenting problem",
        "reason for visit",
        "reason for consult",
        "reason for consultation",
        "reason for admission",
        "reason for referral",
        "cc",
        "pc",
        "c/o",
        "chief_complaint",
        "triage complaint",
    ),
    "history_of_present_illness": (
        "history of present illness",
        "history of presenting illness",
        "history of the present illness",
        "hpi",
        "history of presenting complaint",
        "hpc",
        "present illness",
        "history",
        "hx",
        "subjective",
        "interval history",
        "case presentation",
        "presentation",
        "clinical history",
        "review of systems",
        "ros",
        "clinical presentation",
        "history of present illness (hpi)",
        "narrative",
        "case",
        "summary",
        "patient presentation",
        "hopi",
        "symptoms",
    ),
    "past_medical_history": (
        "past medical history",
        "past history",
        "medical history",
        "pmh",
        "pmhx",
        "pmhx/pshx",
        "pmh/psh",
        "past medical hx",
        "past medical and surgical history",
        "past medical/surgical history",
        "past surgical history",
        "psh",
        "pshx",
        "surgical history",
        "medications",
        "home medications",
        "medications on admission",
        "major surgical or invasive procedure",
        "major surgical or invasive procedures",
        "discharge medications",
        "current medications",
        "meds",
        "home meds",
        "drug history",
        "dh",
        "allergies",
        "all",
        "social history",
        "social hx",
        "sh",
        "shx",
        "sochx",
        "personal history",
        "comorbidities",
        "background",
        "past medical history (pmh)",
        "obstetric history",
        "immunizations",
        "pmh/meds",
        "pmhx/meds",
        "soc hx",
    ),
    "family_history": (
        "family history",
        "family hx",
        "fh",
        "fhx",
        "famhx",
        "fam hx",
        "family medical history",
    ),
    "physical_exam": (
        "physical exam",
        "physical examination",
        "examination",
        "exam",
        "pe",
        "on examination",
        "o/e",
        "objective",
        "vital signs",
        "vitals",
        "vs",
        "admission exam",
        "admission physical exam",
        "discharge exam",
        "discharge physical exam",
        "clinical examination",
        "p/e",
        "physical",
        "physical findings",
        "general examination",
        "initial vitals",
        "obs",
    ),
    "pertinent_results": (
        "pertinent results",
        "results",
        "labs",
        "laboratory",
        "laboratory data",
        "laboratory results",
        "lab results",
        "laboratory findings",
        "laboratory studies",
        "investigations",
        "imaging",
        "studies",
        "data",
        "diagnostics",
        "diagnostic studies",
        "diagnostic tests",
        "tests",
        "test results",
        "radiology",
        "ecg",
        "ekg",
        "cxr",
        "chest x-ray",
        "ct",
        "mri",
        "echocardiogram",
        "echo",
        "tte",
        "microbiology",
        "pathology",
        "imaging studies",
        "admission labs",
        "bloods",
        "labs/imaging",
        "labs and imaging",
        "labs/studies",
        "work-up",
        "workup",
        "ancillary studies",
        "egd",
        "assessment",
        "impression",
        "assessment and plan",
        "a/p",
        "plan",
        "hospital course",
        "brief hospital course",
        "discharge labs",
        "discharge diagnosis",
        "discharge diagnoses",
        "discharge condition",
        "discharge disposition",
        "discharge instructions",
        "followup instructions",
        "follow-up instructions",
        "course",
        "ed course",
    ),
}


_SECTION_OF = {
    **{heading: section for section, headings in _HEADINGS.items() for heading in headings},
    **{f"input{number}": section for number, section in enumerate(SECTIONS, 1)},
}


# Every repetition is possessive, so that a line of a million marks or blanks is read once.
_LINE_HEADING = re.compile(
    r"(?:^|(?<=\r))[ \t\f\v\u00a0\ufeff\u200b]*+(?P<lead>[#>*_=\-\u2022+ \t]*+)"
    r"(?:\(?\d{1,2}[.)][ \t]*+)?(?:[*_\[]{1,3})?"
    r"(?P<words>[A-Za-z][A-Za-z0-9/&_().,' \-]{0,48}?)"
    r"[ \t\u00a0]*+(?:[*_\]=#]{0,3})[ \t\u00a0]*+(?P<mark>[:\uff1a]|[\u2013\u2014-](?=[ \t])|(?=\r|$))(?:[*_]{1,3})?",
    re.MULTILINE,
)


# A test with a few words about it ("ECG on arrival:", "CXR (portable):"): with a colon it heads its result.
_RESULT_LABEL = re.compile(
    r"(?:(?:initial|admission|repeat|bedside|serial|resting|transthoracic|12-lead)\s+)*"
    r"(?:ecg|ekg|cxr|cta?|ctpa|mr[ia]|x-?ray|chest (?:x-?ray|radiograph|film)|ultrasound|echo(?:cardiogra\w+)?|tte|tee|"
    r"eeg|egd|endoscopy|spirometry|pfts?|[av]bg|labs?|laboratory|bloods?(?!\s+pressure)|cbc|bmp|cmp|[lt]fts?|troponin|(?:nt-pro)?bnp|"
    r"d-dimer|tsh|hba1c|urinalysis|csf|biopsy|cultures?)"
    r"(?:[ ,(/-]+[\w().-]+){0,4}",
    re.IGNORECASE,
)


# Headings that are everyday words: a heading only with a colon, or alone on a line in capitals or
# marked as a heading.
_EVERYDAY = {
    "history",
    "case",
    "summary",
    "exam",
    "data",
    "all",
    "course",
    "plan",
    "background",
    "results",
    "symptoms",
    "presentation",
    "physical",
    "tests",
    "imaging",
    "studies",
    "impression",
    "assessment",
    "objective",
    "obs",
    "pe",
    "ct",
    "sh",
    "dh",
    "pc",
    "echo",
    "labs",
    "narrative",
    "medications",
    "ecg",
    "ekg",
    "mri",
    "cxr",
    "egd",
}


@dataclass(frozen=True)
class Section:
    """One section of a note: its name, and where its text stands (without the heading)."""

    name: str
    start: int
    end: int


def section_named(heading: str) -> str | None:
    """Return the section that a heading or a JSON key stands for, or None."""
    key = re.sub(r"\s+", " ", heading.replace("_", " ").strip(" :*#-").lower())
    return _SECTION_OF.get(key) or _SECTION_OF.get(key.replace(" ", "_"))


def find_sections(text: str) -> list[Section]:
    """Split a note at its headings. Text before the first heading is history of present illness."""
    marks: list[tuple[int, int, str]] = []
    for match in _LINE_HEADING.finditer(text):
        words = match["words"].strip()
        name = section_named(words)
        if name is None and match["mark"] in (":", "\uff1a") and _RESULT_LABEL.fullmatch(words):
            name = "pertinent_results"
        if name is None:
            continue
        plain = not words.isupper() and not any(mark in match["lead"] for mark in ("#", "**", "__"))
        if not match["mark"] and words.lower() in _EVERYDAY and plain:
            continue
        if match["mark"] not in ("", ":", "\uff1a") and not words.isupper():
            continue
        marks.append((match.start(), match.end(), name))
    sections: list[Section] = []
    if marks:
        first = marks[0][0]
    else:
        first = len(text)
    if is_visible(text[:first]):
        sections.append(_trimmed(text, 0, first, "history_of_present_illness"))
    ends = [start for start, _, _ in marks[1:]] + [len(text)]
    for (_, start, name), end in zip(marks, ends, strict=False):
        if is_visible(text[start:end]):
            sections.append(_trimmed(text, start, end, name))
    return sections or [_trimmed(text, 0, len(text), "history_of_present_illness")]


def _trimmed(text: str, start: int, end: int, name: str) -> Section:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Section(name, start, end)


def is_visible(text: str) -> bool:
    """True if a text holds more than white space and characters of no width."""
    return any(not (char.isspace() or char in INVISIBLE) for char in text)
