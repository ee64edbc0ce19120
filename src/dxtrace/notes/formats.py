"""Formats that are no note, told by their content; each is refused with what to do."""

from __future__ import annotations

import json
import re

from dxtrace.errors import CaseError
from dxtrace.notes.sections import INVISIBLE

_PLAIN = "save its text as a plain text file (UTF-8)"

#: By their first bytes.
_MAGIC = {
    b"{\\rtf": f"an RTF document; {_PLAIN}",
    b"%PDF-": f"a PDF; {_PLAIN}",
    b"PK\x03\x04": f"a zip archive or an office document (docx, odt, xlsx); {_PLAIN}",
    b"\xd0\xcf\x11\xe0": f"an old office document (doc, xls); {_PLAIN}",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"PAR1": "a parquet file; write one JSON object a line (JSONL)",
    b"SQLite format 3": "a database; write one JSON object a line (JSONL)",
    b"GGUF": "a model, not a case",
    b"7z\xbc\xaf\x27\x1c": "compressed with 7-Zip; unpack it first",
    b"Rar!": "a rar archive; unpack it first",
    b"\x89PNG": f"a picture (PNG); {_PLAIN}",
    b"\xff\xd8\xff": f"a picture (JPEG); {_PLAIN}",
    b"GIF8": f"a picture (GIF); {_PLAIN}",
    b"II*\x00": f"a picture (TIFF); {_PLAIN}",
    b"MM\x00*": f"a picture (TIFF); {_PLAIN}",
    b"%!PS": f"a PostScript document; {_PLAIN}",
    b"\x7fELF": "a program, not a case",
    b"MZ\x90\x00": "a program, not a case",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
    b"\\documentclass": f"a LaTeX document; {_PLAIN}",
}

_MARKUP = re.compile(
    r"<(?:\?xml\b|!doctype\b|!--|(?P<tag>[a-z][\w:.-]*)(?:\s[^<>]*)?>)",
    re.IGNORECASE,
)

#: Header lines that a message has and a letter typed into a note does not.
_MAIL = re.compile(
    r"\A(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*"
    r"(?:received|return-path|message-id|mime-version|dkim-signature):",
    re.IGNORECASE,
)

#: Columns that hold a note, in tables of notes.
NOTE_COLUMNS = {
    "note", "notes", "text", "note_text", "transcription", "report", "case", "hpi", "history",
    "presentation", "description", "full_text", "body", "content",
}  # fmt: skip

#: Columns that tell a table of cases from a line of words with commas.
_ID_COLUMNS = {
    "id", "case_id", "caseid", "note_id", "row_id", "patient_id", "patientid", "patient", "subject_id", "person_id",
    "mrn", "hadm_id", "stay_id", "visit_id", "encounter_id", "pid",
}  # fmt: skip

_JSONL = "write one JSON object a line (JSONL) and answer them with dxtrace batch"


def refuse_binary(data: bytes, place: str) -> None:
    """Refuse what is told by its first bytes.

    Raises:
        CaseError: naming ``place``, the format and what to do.
    """
    head = data[:256].lstrip(b" \t\r\n\xef\xbb\xbf")
    for magic, advice in _MAGIC.items():
        if head.startswith(magic) or data.startswith(magic):
            raise CaseError(f"{place}: {advice}")
    if data[128:132] == b"DICM":
        raise CaseError(f"{place}: a DICOM picture; {_PLAIN}")


def refuse_other_text(text: str, place: str) -> None:
    """Refuse text that is written by a program and is not one note.

    Raises:
        CaseError: naming ``place``, the format and what to do.
    """
    text = text.lstrip(" \t\r\n" + INVISIBLE)
    advice = _name_markup(text) or _name_rows(text)
    if advice is None and _MAIL.match(text[:20_000].replace("\r\n", "\n")):
        advice = f"an e-mail message; {_PLAIN}"
    if advice is not None:
        raise CaseError(f"{place}: {advice}")


def _name_markup(text: str) -> str | None:
    found = _MARKUP.match(text)
    if found is None or (found["tag"] and f"</{found['tag']}".lower() not in text.lower()):
        return None
    if "http://hl7.org/fhir" in text[:4000]:
        return "FHIR as XML; export it as JSON (application/fhir+json)"
    if "urn:hl7-org:v3" in text[:4000]:
        return f"a C-CDA document (XML); export it as FHIR JSON, or {_PLAIN}"
    if text[:5].lower() == "<?xml":
        kind = "XML"
    else:
        kind = "HTML or XML"
    return f"{kind}; {_PLAIN}"


def _name_rows(text: str) -> str | None:
    """Name a format that holds several cases: a JSON array, JSON lines, a table."""
    if text.startswith("[") and (re.match(r'\[\s*[{"\[]', text) or _is_json(text)):
        return f"a JSON array; {_JSONL}"
    if re.match(r"(?:MSH|FHS|BHS)[|^~]", text):
        return f"an HL7 version 2 message; {_PLAIN}"
    if is_json_lines(text):
        return "several cases, one a line; answer them with dxtrace batch FILE.jsonl"
    if _is_table(text):
        return "a table with one case a row; answer it with dxtrace batch FILE.csv --column NOTE"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_json_lines(text: str) -> bool:
    """Return whether the first two lines that are not blank are a JSON object each."""
    lines = [line for line in text[:4_000_000].split("\n") if line.strip()][:2]
    return len(lines) == 2 and all(
        line.lstrip().startswith("{") and _is_json(line) for line in lines
    )


def _is_table(text: str) -> bool:
    """Return whether the first line names columns, one of them a note or whose it is, and rows follow."""
    head, _, rest = text.partition("\n")
    for mark in ",;\t|":
        names = []
        for name in head.split(mark):
            names.append(name.strip().strip("\"'").lower())
        plain = all(re.fullmatch(r"[a-z][\w .-]{0,40}", name) for name in names)
        known = (NOTE_COLUMNS | _ID_COLUMNS).intersection(names)
        if len(names) > 1 and plain and known and mark in rest:
            return True
    return False
