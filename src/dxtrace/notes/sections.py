"""The sections of a note, and the headings that open them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from dxtrace.files import packaged_yaml

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


#: Sections that say little of the patient now: what is taken, what was not borne, what was advised.
FURTHER_SECTIONS = ("medications", "allergies", "discharge_instructions")

#: All sections, in the order of a note that is written from them.
ALL_SECTIONS = (*SECTIONS, *FURTHER_SECTIONS)

TITLES = {name: name.replace("_", " ").title().replace(" Of ", " of ") for name in ALL_SECTIONS}


@cache
def _headings() -> dict[str, list[str]]:
    """Return the headings of each section, in small letters, and which are everyday words
    (``headings.yaml``).
    """
    lists: dict[str, list[str]] = packaged_yaml("dxtrace.notes", "headings.yaml")
    return lists


@cache
def _section_of() -> dict[str, str]:
    """Return the section that each heading opens."""
    sections = {}
    for name in ALL_SECTIONS:
        for heading in _headings()[name]:
            sections[heading] = name
    for number, name in enumerate(SECTIONS, 1):
        sections[f"input{number}"] = name
    return sections


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


_TESTS = {"ecg", "ekg", "cxr", "ct", "mri", "tte", "echo", "egd", "echocardiogram"}

# Behind the end of a sentence (".," in exports of tables), a slash or a tag, or in capitals behind small letters; with
# a colon, behind a slash a dash too, or two words in capitals before words that are not.
_INLINE_HEADING = re.compile(
    r"(?:(?<=[.;)] )|(?<=[.;)],)|(?<=[.;)], )|(?<=/ )|(?<=>)|(?<=[a-z0-9] )(?=[A-Z]{3}))"
    r"(?:(?P<words>[A-Z][A-Za-z/&-]*(?: [A-Za-z/&]+){0,4})(?P<mark>:(?=[\s,<])| -(?= ))"
    r"|(?P<capitals>[A-Z]{2,}(?: [A-Z/&]+){1,4})(?=\s(?:[a-z\d]|[A-Z][a-z])))",
)


# Lines of a list of medicines: more of it, the dose of one, one that is not ended; and one of the patient again.
_LINE = re.compile(r"[^\n\r]+")
_SENTENCE = re.compile(r"\.\s+(?=[A-Z])")
_BULLET = re.compile(r"\s*[-*\u2022+\u2013>]\s")
_MORE_OF_LIST = re.compile(r"\s*(?:[a-z]|[-*\u2022+\u2013>]|\(?\d{1,2}[.)]\s)")
_DOSE = re.compile(
    r"\d\s?(?:mg|mcg|\u00b5g|g|units?|iu|ml|puffs?|tab\w*|caps?\w*)\b"
    r"|\b(?:daily|nightly|twice|bid|tid|qid|qd|qhs|qam|prn|po|inhaler|tablets?|hives|rash|anaphylaxis|swelling|causes?)\b",
    re.IGNORECASE,
)
_UNENDED = re.compile(r"(?:[,;(/&+]|\b(?:and|or|with|for))\s*\Z", re.IGNORECASE)
_OF_PATIENT = re.compile(
    r"\s*(?:(?:he|she|they|the patient|patient|pt|on (?:exam\w*|arrival|admission|presentation)|today|there (?:is|was)"
    r"|bp|hr|temp\w*|spo2|t \d|lungs|heart|abdomen|presents?|presented|an? \d+)\b|\d{1,3}[ -]?(?:yo|y/o|year|[mf])\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Section:
    """One section of a note: its name, and where its text stands (without the heading)."""

    name: str
    start: int
    end: int


def section_named(heading: str) -> str | None:
    """Return the section that a heading or a JSON key stands for, or None."""
    key = re.sub(r"\s+", " ", heading.replace("_", " ").strip(" :*#-").lower())
    return _section_of().get(key) or _section_of().get(key.replace(" ", "_"))


def find_sections(text: str) -> list[Section]:
    """Split a note at its headings. Text before the first heading is history of present illness."""
    marks = _all_headings(text)
    sections: list[Section] = []
    if marks:
        first = marks[0].start
    else:
        first = len(text)
    if is_visible(text[:first]):
        sections.append(_trimmed(text, 0, first, "history_of_present_illness"))
    ends = [mark.start for mark in marks[1:]] + [len(text)]
    before = "history_of_present_illness"
    for mark, end in zip(marks, ends, strict=False):
        stop = end
        if mark.name in {"medications", "allergies"}:
            stop = _end_of_list(text, mark, end)
        else:
            before = mark.name
        if is_visible(text[mark.end : stop]):
            sections.append(_trimmed(text, mark.end, stop, mark.name))
        if is_visible(text[stop:end]):
            if before in {"family_history", "discharge_instructions"}:
                before = "history_of_present_illness"
            sections.append(_trimmed(text, stop, end, before))
    return sections or [_trimmed(text, 0, len(text), "history_of_present_illness")]


class _Mark(NamedTuple):
    """A heading: where it stands, and the section that it opens."""

    start: int
    end: int
    name: str


def _line_headings(text: str) -> Iterator[_Mark]:
    """Yield the headings that begin a line."""
    everyday = frozenset(_headings()["everyday"])
    for match in _LINE_HEADING.finditer(text):
        words = match["words"].strip()
        name = section_named(words)
        if name is None and match["mark"] in (":", "\uff1a") and _RESULT_LABEL.fullmatch(words):
            name = "pertinent_results"
        if name is None:
            continue
        plain = not words.isupper() and not any(mark in match["lead"] for mark in ("#", "**", "__"))
        if not match["mark"] and words.lower() in everyday and plain:
            continue
        if match["mark"] not in ("", ":", "\uff1a") and not words.isupper():
            continue
        yield _Mark(match.start(), match.end(), name)


def _all_headings(text: str) -> list[_Mark]:
    """Return all headings, in order; none within another."""
    found = list(_line_headings(text))
    for start, end in inline_headings(text, 0, len(text)):
        found.append(_Mark(start, end, section_named(text[start:end]) or ""))
    marks: list[_Mark] = []
    for mark in sorted(found):
        if not marks or mark.start >= marks[-1].end:
            marks.append(mark)
    return marks


def inline_headings(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where headings stand within a line, with their colon: "... for 2 h. FAMILY HISTORY: ..."."""
    for match in _INLINE_HEADING.finditer(text, start, end):
        words, before = match["words"] or match["capitals"], text[match.start() - 2 : match.start()]
        if match["mark"] == " -" and before != "/ ":
            continue
        # "... the brain MRI: a mass ..." is one thing said.
        runs_on = words.lower() in _TESTS and not set(before) & set(".;)/>")
        if section_named(words) is not None and not runs_on:
            yield match.span()


def _end_of_list(text: str, heading: _Mark, end: int) -> int:
    """Return where a list of medicines or allergies ends that begins behind its heading.

    One on the heading's line goes on over sentences and lines that look like more of it; one below the heading goes
    on until a line tells of the patient again.
    """
    lines = []
    for match in _LINE.finditer(text, heading.end, end):
        if is_visible(match[0]):
            lines.append(match.span())
    if not lines:
        return end
    inline = not re.search(r"[\n\r]", text[heading.end : lines[0][0]])
    if not inline:
        for start, stop in lines[1:]:
            if _OF_PATIENT.match(text[start:stop]):
                return start
        return end
    begin = lines[0][0]
    for match in _SENTENCE.finditer(text, *lines[0]):
        if begin > lines[0][0] and not _DOSE.search(text[begin : match.start()]):
            return begin
        begin = match.end()
    if begin > lines[0][0] and not _DOSE.search(text[begin : lines[0][1]]):
        return begin
    # The item of a list is followed by others: "- allergies: none".
    item = _BULLET.match(text[heading.start : heading.end]) is not None
    for (start, stop), (following, last) in pairwise(lines):
        if not _goes_on(text[start:stop], text[following:last], item):
            return following
    return end


def _goes_on(line: str, following: str, item: bool) -> bool:
    """True if a line looks like more of a list of medicines; ``item``: its heading is an item of a list."""
    if item and _BULLET.match(following):
        return False
    more = _MORE_OF_LIST.match(following) or _DOSE.search(following)
    return more is not None or _UNENDED.search(line) is not None


def _trimmed(text: str, start: int, end: int, name: str) -> Section:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Section(name, start, end)


def is_visible(text: str) -> bool:
    """True if a text holds more than white space and characters of no width."""
    return any(not (char.isspace() or char in INVISIBLE) for char in text)


def published_section(name: str) -> str:
    """Return the one of DiReCT's six sections in which the text of a section stands there."""
    if name in SECTIONS:
        return name
    if name in {"medications", "allergies"}:
        return "past_medical_history"
    return "history_of_present_illness"
