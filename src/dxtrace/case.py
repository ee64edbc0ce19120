"""A patient case: the note's text, its six sections, and reading both from files.

Offsets are code points into :attr:`Case.note`, which is the text exactly as read (without a byte order mark).
"""

from __future__ import annotations

import bisect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxtrace.errors import CaseError

#: The sections of a note, in order: DiReCT's input1 to input6.
SECTIONS = (
    "chief_complaint",
    "history_of_present_illness",
    "past_medical_history",
    "family_history",
    "physical_exam",
    "pertinent_results",
)

#: Longest note that is read, in code points.
MAX_CHARACTERS = 1_000_000

#: Zero-width and byte-order characters: they take no room on a page, so a note of nothing else is empty.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"

_TITLES = {name: name.replace("_", " ").title().replace(" Of ", " of ") for name in SECTIONS}

_HEADINGS: dict[str, tuple[str, ...]] = {
    "chief_complaint": (
        "chief complaint", "chief complaints", "chief concern", "presenting complaint", "presenting complaints",
        "presenting problem", "reason for visit", "reason for consult", "reason for consultation",
        "reason for admission",
        "reason for referral", "cc", "pc", "c/o", "chief_complaint", "triage complaint",
    ),
    "history_of_present_illness": (
        "history of present illness", "history of presenting illness", "history of the present illness", "hpi",
        "history of presenting complaint", "hpc", "present illness", "history", "hx", "subjective", "interval history",
        "case presentation", "presentation", "clinical history", "review of systems", "ros", "clinical presentation",
        "history of present illness (hpi)", "narrative", "case", "summary", "patient presentation", "hopi", "symptoms",
    ),
    "past_medical_history": (
        "past medical history", "past history", "medical history", "pmh", "pmhx", "pmhx/pshx", "pmh/psh",
        "past medical hx",
        "past medical and surgical history", "past medical/surgical history", "past surgical history", "psh", "pshx",
        "surgical history", "medications", "home medications", "medications on admission", "current medications",
        "meds",
        "home meds", "drug history", "dh", "allergies", "all", "social history", "social hx", "sh", "shx", "sochx",
        "personal history", "comorbidities", "background", "past medical history (pmh)", "obstetric history",
        "immunizations", "pmh/meds", "pmhx/meds", "soc hx",
    ),
    "family_history": ("family history", "family hx", "fh", "fhx", "famhx", "fam hx", "family medical history"),
    "physical_exam": (
        "physical exam", "physical examination", "examination", "exam", "pe", "on examination", "o/e", "objective",
        "vital signs", "vitals", "vs", "admission exam", "admission physical exam", "clinical examination", "p/e",
        "physical", "physical findings", "general examination", "initial vitals", "obs",
    ),
    "pertinent_results": (
        "pertinent results", "results", "labs", "laboratory", "laboratory data", "laboratory results", "lab results",
        "laboratory findings", "laboratory studies", "investigations", "imaging", "studies", "data", "diagnostics",
        "diagnostic studies", "diagnostic tests", "tests", "test results", "radiology", "ecg", "ekg", "cxr",
        "chest x-ray",
        "ct", "mri", "echocardiogram", "echo", "tte", "microbiology", "pathology", "imaging studies", "admission labs",
        "bloods", "labs/imaging", "labs and imaging", "labs/studies", "work-up", "workup", "ancillary studies", "egd",
        "assessment", "impression", "assessment and plan", "a/p", "plan", "hospital course", "course", "ed course",
    ),
}  # fmt: skip

_SECTION_OF = {heading: section for section, headings in _HEADINGS.items() for heading in headings}
_SECTION_OF |= {f"input{number}": section for number, section in enumerate(SECTIONS, 1)}

# Every repetition is possessive, so that a line of a million marks or blanks is read once.
_LINE_HEADING = re.compile(
    r"(?:^|(?<=\r))[ \t\f\v\u00a0\ufeff\u200b]*+(?P<lead>[#>*_=\-\u2022+ \t]*+)"
    r"(?:\(?\d{1,2}[.)][ \t]*+)?(?:[*_\[]{1,3})?"
    r"(?P<words>[A-Za-z][A-Za-z/&_().,' \-]{0,48}?)"
    r"[ \t\u00a0]*+(?:[*_\]=#]{0,3})[ \t\u00a0]*+(?P<mark>[:\uff1a]|[\u2013\u2014-](?=[ \t])|(?=\r|$))(?:[*_]{1,3})?",
    re.MULTILINE,
)
# Headings that are everyday words: a heading only with a colon, or alone on a line in capitals or marked as a heading.
_EVERYDAY = {"history", "case", "summary", "exam", "data", "all", "course", "plan", "background", "results", "symptoms",
             "presentation", "physical", "tests", "imaging", "studies", "impression", "assessment", "objective", "obs",
             "pe", "ct", "sh", "dh", "pc", "echo", "labs", "narrative", "medications", "ecg", "ekg", "mri", "cxr",
             "egd"}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One section of a note: its name, and where its text stands (without the heading)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """One patient presentation. ``sections`` are in the order of the text and do not overlap."""

    note: str
    sections: tuple[Section, ...]
    id: str = "case"

    def __post_init__(self) -> None:
        _check_text(self.note)

    @classmethod
    def from_text(cls, text: str, id: str = "case") -> Case:
        """Make a case from a note, with or without headings.

        Raises:
            CaseError: the text is empty, longer than :data:`MAX_CHARACTERS`, or not plain text.
        """
        _check_text(text)
        return cls(text, tuple(find_sections(text)), id)

    @classmethod
    def from_sections(cls, sections: Mapping[str, str], id: str = "case") -> Case:
        """Make a case from section texts; the note is their canonical rendering, empty sections left out.

        Raises:
            CaseError: as for :meth:`from_text`.
        """
        parts: list[str] = []
        spans: list[Section] = []
        length = 0
        for name in SECTIONS:
            text = sections.get(name, "").strip("\r\n")
            if not _visible(text) or text.strip().lower() == "none":
                continue
            heading = f"{_TITLES[name]}:\n"
            start = length + len(heading)
            parts.append(f"{heading}{text}\n\n")
            spans.append(Section(name, start, start + len(text)))
            length += len(parts[-1])
        note = "".join(parts).removesuffix("\n")
        _check_text(note)
        return cls(note, tuple(spans), id)

    def section_at(self, offset: int) -> str:
        """Return the name of the section that holds ``offset`` (the one before it, for a heading's own text)."""
        index = bisect.bisect_right(self.sections, offset, key=lambda section: section.start)
        return self.sections[index - 1].name if index else "history_of_present_illness"

    def text_of(self, name: str) -> str:
        """Return the text of all parts of section ``name``, joined by a newline."""
        return "\n".join(self.note[s.start : s.end] for s in self.sections if s.name == name)


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
        if name is None:
            continue
        plain = not words.isupper() and not any(mark in match["lead"] for mark in ("#", "**", "__"))
        if not match["mark"] and words.lower() in _EVERYDAY and plain:
            continue
        if match["mark"] not in ("", ":", "\uff1a") and not words.isupper():
            continue
        marks.append((match.start(), match.end(), name))
    sections: list[Section] = []
    first = marks[0][0] if marks else len(text)
    if _visible(text[:first]):
        sections.append(_trimmed(text, 0, first, "history_of_present_illness"))
    ends = [start for start, _, _ in marks[1:]] + [len(text)]
    for (_, start, name), end in zip(marks, ends, strict=False):
        if _visible(text[start:end]):
            sections.append(_trimmed(text, start, end, name))
    return sections or [_trimmed(text, 0, len(text), "history_of_present_illness")]


def _trimmed(text: str, start: int, end: int, name: str) -> Section:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Section(name, start, end)


def _visible(text: str) -> bool:
    return any(not (char.isspace() or char in INVISIBLE) for char in text)


def _check_text(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise CaseError(f"the note has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    if not _visible(text):
        raise CaseError("the note is empty")
    if re.search(r"[\x00-\x08\x0e-\x1f\ud800-\udfff]", text):
        raise CaseError("the note holds control characters: it is not plain text")


def decode(data: bytes, place: str) -> str:
    """Decode UTF-8, with or without a byte order mark; line ends stay as they are.

    Raises:
        CaseError: naming ``place``, when the bytes are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaseError(f"{place}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def case_from_json(data: Any, place: str, id: str = "case") -> Case:
    """Make a case from parsed JSON: a note, sections by name or heading, or a DiReCT file.

    Raises:
        CaseError: naming ``place`` and what was expected.
    """
    if isinstance(data, str):
        return Case.from_text(data, id)
    if not isinstance(data, dict):
        raise CaseError(f"{place}: expected an object with a note or sections, got {type(data).__name__}")
    if isinstance(data.get("case"), dict) and "note" not in data:
        return case_from_json(data["case"], place, str(data.get("id", id)))
    own_id = data.get("id", data.get("case_id"))
    if isinstance(own_id, (str, int)) and not isinstance(own_id, bool) and str(own_id).strip():
        id = str(own_id)
    for key in ("note", "text", "case_prompt"):
        if isinstance(data.get(key), str):
            return Case.from_text(data[key], id)
        if key in data and not isinstance(data[key], dict):
            raise CaseError(f"{place}: {key!r} is {type(data[key]).__name__}, expected text")
    body = data["sections"] if isinstance(data.get("sections"), dict) else data
    sections: dict[str, str] = {}
    for key, value in body.items():
        name = section_named(key)
        if name is None:
            continue
        if value is None:
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = "\n".join(value)
        if not isinstance(value, str):
            raise CaseError(f"{place}: section {name} is {type(value).__name__}, expected text")
        sections[name] = f"{sections[name]}\n{value}" if name in sections else value
    if not sections:
        raise CaseError(f'{place}: no "note" and none of the sections {", ".join(SECTIONS)}')
    return Case.from_sections(sections, id)


def read_case(path: str | Path) -> Case:
    """Read one case from a text or JSON file, or from standard input (``-``).

    Raises:
        CaseError: the file cannot be read or holds no usable case; the message names it.
    """
    name = str(path)
    if name == "-":
        return _case_from_text_or_json(decode(sys.stdin.buffer.read(), "standard input"), "standard input", "stdin")
    data = _read_bytes(Path(path))
    return _case_from_text_or_json(decode(data, name), name, Path(path).stem, json_file=Path(path).suffix == ".json")


def _read_bytes(path: Path) -> bytes:
    if len(str(path)) > 1000 or "\n" in str(path):
        raise CaseError("this is no name of a file; give a file, or '-' and the case on standard input")
    try:
        size = path.stat().st_size
        if size > 8 * MAX_CHARACTERS:
            raise CaseError(f"{path}: {size:,} bytes; a note has at most {MAX_CHARACTERS:,} characters")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CaseError(f"{path}: cannot be read ({reason})") from None


def _case_from_text_or_json(text: str, place: str, id: str, json_file: bool = False) -> Case:
    try:
        if json_file or text.lstrip(" \t\r\n" + INVISIBLE).startswith("{"):
            try:
                return case_from_json(parse_json(text, place), place, id)
            except CaseError:
                if json_file or _looks_like_json(text):
                    raise
        return Case.from_text(text, id)
    except CaseError as error:
        raise error if str(error).startswith(place) else CaseError(f"{place}: {error}") from None


def _looks_like_json(text: str) -> bool:
    return re.match(r'[\s\ufeff]*\{\s*("|\})', text) is not None


def parse_json(text: str, place: str) -> Any:
    """Parse JSON.

    Raises:
        CaseError: naming ``place``, line and column; the text itself is not shown.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CaseError(f"{place}: not valid JSON (line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError):
        raise CaseError(f"{place}: not usable JSON (nested too deep, or a number too long)") from None


def read_cases(path: str | Path) -> Iterator[Case | CaseError]:
    """Yield every case of a JSONL file, a folder of text and JSON files, or a file; errors are yielded, not raised.

    Raises:
        CaseError: the file or folder itself cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in {".txt", ".json", ".md"} and p.is_file())
        files = [p for p in found if p.stem.lower() != "readme"]
        if not files:
            raise CaseError(f"{path}: no .txt, .md or .json file in this folder")
        for file in files:
            yield _attempt_file(file, file.relative_to(path).with_suffix("").as_posix())
    elif path.suffix == ".jsonl":
        yield from _read_jsonl(path)
    else:
        yield read_case(path)


def _attempt_file(file: Path, id: str) -> Case | CaseError:
    try:
        case = read_case(file)
        return case if case.id != file.stem else Case(case.note, case.sections, id)
    except CaseError as error:
        return with_id(error, id)


def with_id(error: CaseError, id: str) -> CaseError:
    """Return the error with the id of the case that it is about, for an error row."""
    error.case_id = id  # type: ignore[attr-defined]
    return error


def _read_jsonl(path: Path) -> Iterator[Case | CaseError]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip(b" \t\r\n\xef\xbb\xbf"):
                    continue
                place, id = f"{path}, line {number}", f"{path.stem}-{number}"
                try:
                    yield case_from_json(parse_json(decode(line, place), place), place, id)
                except CaseError as error:
                    located = str(error) if str(error).startswith(str(path)) else f"{place}: {error}"
                    yield with_id(CaseError(located), id)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read ({error.strerror})") from None
