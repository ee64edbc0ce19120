"""Files that are no note are told by their content, and what to do is said in one line."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from support.cases import SHORT
from support.commands import run

from dxtrace.errors import InputError
from dxtrace.notes.formats import refuse_other_text


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    return file.getvalue()


OTHERS: dict[str, tuple[bytes, str]] = {
    "rtf": (rb"{\rtf1\ansi Cough and fever.}", "RTF"),
    "pdf": (b"%PDF-1.4\n1 0 obj << >> endobj\n%%EOF\n", "PDF"),
    "docx": (zipped(), "docx"),
    "gzip": (gzip.compress(SHORT.encode()), "unpack"),
    "html": (b"<!DOCTYPE html><html><body>Cough</body></html>", "HTML"),
    "html without a head": (b"<p>Cough and fever for two days.</p>", "HTML"),
    "xml": (b'<?xml version="1.0"?><ClinicalDocument/>', "XML"),
    "mail": (
        b"Received: by mail\r\nFrom: a@example.org\r\nSubject: x\r\n\r\nCough and fever.\r\n",
        "e-mail",
    ),
    "csv": (b'id,note\n1,"cough and fever"\n2,"melena"\n', "dxtrace batch"),
    "tsv": (b"patient\tnote\n1\tcough and fever\n2\tmelena\n", "dxtrace batch"),
    "csv with an id": (b"patient_id,free words\n1,cough and fever\n2,melena\n", "dxtrace batch"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
    "dicom": (b"\x00" * 128 + b"DICM\x02\x00", "DICOM"),
    "utf-16": ("\ufeffCough and fever".encode("utf-16-le"), "UTF-16"),
    "latex": (b"\\documentclass{article}\\begin{document}Cough\\end{document}", "LaTeX"),
    "hl7": (b"MSH|^~\\&|LAB|HOSP|||20240301||ORU^R01|1|P|2.5\rPID|1||123\r", "HL7"),
    "fhir xml": (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="x"/></Bundle>',
        "export it as JSON",
    ),
    "json array": (b'[\n {"id": "a", "note": "cough"}\n]', "dxtrace batch"),
    "json lines": (b'{"note": "cough"}\n{"note": "fever"}\n', "dxtrace batch"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "command",
    [("reason", "-"), ("reason", "FILE"), ("view", "FILE"), ("batch", "FILE", "--out", "OUT")],
    ids=" ".join,
)
def test_what_is_no_note_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    command: tuple[str, ...],
) -> None:
    data, says = OTHERS[name]
    if name == "json lines" and command[0] == "view":
        pytest.skip("several cases are what a library shows")
    file = tmp_path / "case.txt"
    file.write_bytes(data)
    places = {"FILE": str(file), "OUT": str(tmp_path / "out.jsonl")}
    code, out, err = run(capsys, *(places.get(word, word) for word in command), stdin=data)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and says in err and "internal error" not in err


@pytest.mark.parametrize(
    "note",
    [
        SHORT,
        "[** Name **] is a 50 year old man with a cough.",
        "[x] Cough\n[ ] Fever",
        "<50 mL of urine, then > 100. Cough & fever.",
        "From: Dr A\nTo: Dr B\nSubject: your patient\nDate: today\n\nCough and fever.",
        "Na, K, Cl\n128, 4.1, 98",
        "Note: cough, fever\nand melena, hematemesis",
        "{Cough} and fever",
        "# Presentation\n\n- cough",
    ],
)
def test_notes_are_taken_as_they_are(note: str) -> None:
    refuse_other_text(note, "note")


def test_predictions_that_are_no_rows_are_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"id": "a", "note": "Cough for weeks. Acid-fast bacilli.", "diagnosis": "Tuberculosis"}\n',
    )
    for name in ("pdf", "gzip", "csv", "html"):
        (tmp_path / "p.jsonl").write_bytes(OTHERS[name][0])
        arguments = ("--corpus", tmp_path / "c.jsonl", "--out", tmp_path / "ev")
        code, _, err = run(capsys, "evaluate", "--predictions", tmp_path / "p.jsonl", *arguments)
        assert code == 2
        assert "internal error" not in err


def test_a_lone_brace_is_a_note() -> None:
    with pytest.raises(InputError, match="batch"):
        refuse_other_text('{"a": 1}\n{"b": 2}', "note")
