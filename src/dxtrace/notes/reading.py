"""Reading cases from text, JSON and JSONL."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dxtrace.errors import CaseError, InputError
from dxtrace.files import parse_json, read_jsonl
from dxtrace.notes.case import MAX_CHARACTERS, Case
from dxtrace.notes.formats import refuse_binary, refuse_other_text
from dxtrace.notes.sections import INVISIBLE, SECTIONS, section_named

#: Suffixes of files that hold one case.
_SUFFIXES = {".txt", ".json", ".md"}

#: What standard input is called in messages.
STDIN = "standard input"


def read_stdin() -> str:
    """Return what stands on standard input.

    Raises:
        CaseError: as for :func:`decode`.
    """
    return decode(sys.stdin.buffer.read(), STDIN)


def decode(data: bytes, place: str) -> str:
    """Decode UTF-8, with or without a byte order mark; line ends stay as they are.

    Raises:
        CaseError: naming ``place``, when the bytes are not UTF-8, or are a document or an archive.
    """
    refuse_binary(data, place)
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
        raise CaseError(
            f"{place}: expected an object with a note or sections, got {type(data).__name__}",
        )
    if isinstance(data.get("case"), dict) and "note" not in data:
        return case_from_json(data["case"], place, str(data.get("id", id)))
    id = own_id(data) or id
    for key in ("note", "text", "case_prompt"):
        if isinstance(data.get(key), str):
            return Case.from_text(data[key], id)
        if key in data and not isinstance(data[key], dict):
            raise CaseError(f"{place}: {key!r} is {type(data[key]).__name__}, expected text")
    if isinstance(data.get("sections"), dict):
        body = data["sections"]
    else:
        body = data
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


def own_id(row: Any) -> str | None:
    """Return the id that a row gives itself, None without one."""
    if not isinstance(row, dict):
        return None
    id = row.get("id", row.get("case_id"))
    if not isinstance(id, (str, int)) or isinstance(id, bool) or not str(id).strip():
        return None
    return str(id)


def read_case(path: str | Path) -> Case:
    """Read one case from a text or JSON file, or from standard input (``-``).

    Raises:
        CaseError: the file cannot be read or holds no usable case; the message names it.
    """
    name = str(path)
    if name == "-":
        return case_from_text(read_stdin(), STDIN, "stdin")
    data = _read_bytes(Path(path))
    return case_from_text(
        decode(data, name),
        name,
        Path(path).stem,
        json_file=Path(path).suffix.lower() == ".json",
    )


def _read_bytes(path: Path) -> bytes:
    if len(str(path)) > 1000 or "\n" in str(path) or _is_sentence(path):
        raise CaseError(
            "this is no name of a file; give a file, or '-' and the case on standard input",
        )
    try:
        size = path.stat().st_size
        if size > 8 * MAX_CHARACTERS:
            raise CaseError(
                f"{path}: {size:,} bytes; a note has at most {MAX_CHARACTERS:,} characters",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = error.strerror
        else:
            reason = str(error)
        raise CaseError(f"{path}: cannot be read ({reason})") from None


def _is_sentence(path: Path) -> bool:
    """Return whether a name that no file has reads like the text of a note."""
    return len(str(path).split()) > 3 and not path.suffix[1:].isalnum() and not path.exists()


def case_from_text(text: str, place: str, id: str, json_file: bool = False) -> Case:
    """Make a case from a text that is a note, or JSON of one.

    Raises:
        CaseError: naming ``place``, where it is neither.
    """
    try:
        if json_file or text.lstrip(" \t\r\n" + INVISIBLE).startswith("{"):
            try:
                return case_from_json(parse_json(text, place, CaseError), place, id)
            except CaseError:
                if not json_file:
                    refuse_other_text(text, place)
                if json_file or looks_like_json(text):
                    raise
        refuse_other_text(text, place)
        return Case.from_text(text, id)
    except CaseError as error:
        raise (error if str(error).startswith(place) else CaseError(f"{place}: {error}")) from None


def looks_like_json(text: str) -> bool:
    """Return whether a text begins as a JSON object does; a note may begin with a brace too."""
    return re.match(r'[\s\ufeff]*\{\s*("|\})', text) is not None


def read_cases(path: str | Path) -> Iterator[Case | CaseError]:
    """Yield every case of a JSONL file, a folder of text and JSON files, or a file; errors are
    yielded, not raised.

    Raises:
        CaseError: the file or folder itself cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        closed: list[OSError] = []
        files = sorted(_note_files(path, closed))
        for error in closed:
            folder = Path(str(error.filename))
            message = f"{folder}: this folder cannot be read ({error.strerror})"
            yield with_id(CaseError(message), folder.relative_to(path).as_posix())
        if not files and not closed:
            raise CaseError(f"{path}: no .txt, .md or .json file in this folder")
        for file in files:
            yield _attempt_file(file, file.relative_to(path).with_suffix("").as_posix())
    elif path.suffix.lower() == ".jsonl":
        yield from _read_jsonl(path)
    else:
        yield read_case(path)


def _note_files(path: Path, closed: list[OSError]) -> Iterator[Path]:
    """Yield the files of a folder that may hold a note; what cannot be looked into goes to ``closed``."""
    for folder, _, names in os.walk(path, onerror=closed.append):
        for name in names:
            file = Path(folder, name)
            if (
                file.suffix.lower() in _SUFFIXES
                and file.stem.lower() != "readme"
                and file.is_file()
            ):
                yield file


def _attempt_file(file: Path, id: str) -> Case | CaseError:
    try:
        case = read_case(file)
        if case.id != file.stem:
            return case
        return Case(case.note, case.sections, id)
    except CaseError as error:
        return with_id(error, id)


def with_id(error: CaseError, id: str) -> CaseError:
    """Return the error with the id of the case that it is about, for an error row."""
    error.case_id = id  # type: ignore[attr-defined]
    return error


def _read_jsonl(path: Path) -> Iterator[Case | CaseError]:
    for line in read_jsonl(path, CaseError):
        id = f"{path.stem}-{line.number}"
        try:
            yield case_from_json(line.parse(), line.place, id)
        except InputError as error:
            message = str(error).removeprefix(f"{line.place}: ")
            yield with_id(CaseError(f"{line.place}: {message}"), id)
