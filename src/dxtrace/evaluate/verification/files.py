"""Reading answers and notes from files: one answer, or one a line."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dxtrace.chain import parse
from dxtrace.corpus import open_corpus
from dxtrace.errors import InputError
from dxtrace.evaluate.verification.claims import QuotedAnswer, read_answer
from dxtrace.files import parse_json, read_bytes
from dxtrace.notes.case import Case
from dxtrace.notes.formats import is_json_lines
from dxtrace.notes.reading import decode


@dataclass
class ReadAnswers:
    """Answers that were read, and what could not be, each in one line."""

    answers: list[QuotedAnswer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_answers(path: str | Path) -> ReadAnswers:
    """Read one answer (text or JSON), one a line (JSONL), or a folder of JSON files; ``-`` is
    standard input.

    A line or a file of a folder that cannot be used is among the problems; the others are read.

    Raises:
        InputError: the file cannot be read, or holds no answer.
    """
    if str(path) != "-" and Path(path).is_dir():
        return _read_folder(Path(path))
    if str(path) == "-":
        name = "standard input"
    else:
        name = str(path)
    if str(path) == "-":
        data = sys.stdin.buffer.read()
    else:
        data = read_bytes(Path(path))
    text = decode(data, name)
    found = ReadAnswers()
    if name.endswith(".jsonl") or is_json_lines(text):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                _read_line(line, f"{name}, line {number}", f"answer-{number}", found)
    else:
        if str(path) == "-":
            id = "answer"
        else:
            id = Path(path).stem
        if text.lstrip()[:1] in ("{", "["):
            data = parse_json(text, name)
        else:
            data = text
        found.answers.append(_read(data, name, id))
    if not found.answers:
        if found.problems:
            first = f" ({found.problems[0]})"
        else:
            first = ""
        raise InputError(f"{name}: holds no answer{first}")
    return found


def _read_folder(folder: Path) -> ReadAnswers:
    """Read the JSON files of a folder; the path of each in it, without its suffix, is its id."""
    found = ReadAnswers()
    for file in sorted(folder.rglob("*.json")):
        id = file.relative_to(folder).with_suffix("").as_posix()
        try:
            answer = _read(parse_json(read_bytes(file), str(file)), str(file), id)
        except InputError as error:
            found.problems.append(str(error))
        else:
            found.answers.append(answer)
    if not found.answers:
        raise InputError(f"{folder}: holds no JSON file with an answer")
    return found


def _read_line(line: str, place: str, id: str, found: ReadAnswers) -> None:
    try:
        data = parse_json(line, place)
        if isinstance(data, dict) and "error" in data and "steps" not in data:
            found.problems.append(f"{place}: this case was not answered")
        else:
            found.answers.append(_read(data, place, id))
    except InputError as error:
        found.problems.append(str(error))


def _read(data: Any, place: str, id: str) -> QuotedAnswer:
    try:
        answer = read_answer(data, id)
        if answer.form == "text" and not answer.claims:
            _require_published(data)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return replace(answer, credentialed=_says_credentialed(data))


def _says_credentialed(data: Any) -> bool:
    """Return whether an answer says of itself, or of its model, that it is credentialed."""
    if not isinstance(data, dict):
        return False
    model = data.get("model")
    return data.get("credentialed") is True or (
        isinstance(model, dict) and model.get("credentialed") is True
    )


def _require_published(data: Any) -> None:
    """Refuse a text without a quote, unless it is an answer that names no evidence."""
    try:
        parse(data)
    except (InputError, AttributeError):
        raise InputError(
            "no quote in it: none after 'Supporting evidence:', none in quotation marks",
        ) from None


def read_notes(spec: str) -> tuple[dict[str, Case], bool]:
    """Return the cases of a corpus, a table or a folder of notes by id, and whether they are
    credentialed.

    Raises:
        CorpusError: it cannot be read, or holds no case.
    """
    corpus = open_corpus(spec)
    notes = {}
    for case in corpus.cases:
        notes[case.id] = case.case
    return notes, corpus.info.credentialed
