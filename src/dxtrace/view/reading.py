"""Reading what can be shown: results, annotated cases, and cases that no model has answered yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.errors import CaseError, InputError
from dxtrace.files import parse_json, read_bytes
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.formats import is_json_lines, refuse_other_text
from dxtrace.notes.reading import STDIN, case_from_json, decode, looks_like_json, read_stdin
from dxtrace.view._data import MAX_READINGS, Reading, ViewCase, reading_of

#: Bytes of a file of results that are shown on one page.
_MOST_BYTES = 1 << 28

_SUFFIXES = {".json", ".jsonl", ".txt", ".md"}

#: Files of a corpus folder that describe it and hold no case.
_NOT_CASES = {"manifest.json", "README.md"}


@dataclass
class Found:
    """What was read: cases with answers, cases without one, and what could not be shown (place and
    reason).
    """

    answered: list[ViewCase] = field(default_factory=list)
    unanswered: list[AnnotatedCase] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict, repr=False)

    def add(self, found: ViewCase) -> None:
        """Add an answered case; one on a note that is already there joins it (up to three), the
        reference first.
        """
        at = self._places.get(found.case.note, -1)
        if at >= 0 and len(self.answered[at].readings) + len(found.readings) <= MAX_READINGS:
            self.answered[at] = _joined(self.answered[at], found)
        else:
            self._places[found.case.note] = len(self.answered)
            self.answered.append(found)


def read_results(paths: Sequence[str | Path], stdin: str | None = None) -> Found:
    """Read files and folders of results (JSON, JSONL), annotated cases and notes; ``-`` is standard
    input, of which the text may be given.

    Unusable rows of a JSONL file or a folder are skipped and named; a single file that is unusable
    is an error.

    Raises:
        InputError: a file cannot be read, or holds nothing that can be shown; names it.
    """
    found = Found()
    for path in paths:
        if str(path) != "-" and Path(path).is_dir():
            _read_folder(Path(path), found)
        else:
            _read_file(path, found, lenient=False, stdin=stdin)
    found.unanswered = [one for one in found.unanswered if one.case.note not in found._places]
    if not (found.answered or found.unanswered):
        where = ", ".join(map(str, paths))
        raise InputError(
            f"{where}: nothing to show" + (f" ({found.skipped[0]})" if found.skipped else ""),
        )
    return found


def _read_folder(folder: Path, found: Found) -> None:
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in _SUFFIXES and p.name not in _NOT_CASES and p.is_file()
    )
    if not files:
        raise InputError(f"{folder}: no .json, .jsonl, .txt or .md file in this folder")
    for file in files:
        _read_file(file, found, lenient=True)


def _read_file(
    path: str | Path,
    found: Found,
    lenient: bool,
    stdin: str | None = None,
) -> None:
    for place, id, text, is_json in _rows(path, stdin):
        try:
            _take(parse_json(text, place, CaseError) if is_json else text, place, id, found)
        except InputError as error:
            if not (lenient or str(path).endswith(".jsonl")):
                raise
            found.skipped.append(str(error))


def _rows(path: str | Path, stdin: str | None) -> Iterator[tuple[str, str, str, bool]]:
    """Yield place, id, text and whether it is JSON, for each row of a file."""
    if str(path) == "-":
        name, id = STDIN, "case"
        text = read_stdin() if stdin is None else stdin
    else:
        name, id = str(path), Path(path).stem
        text = decode(_bytes(Path(path)), name)
    if name.endswith(".jsonl") or is_json_lines(text):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{name}, line {number}", f"{id}-{number}", line, True
    else:
        is_json = name.endswith(".json") or looks_like_json(text)
        if not is_json:
            refuse_other_text(text, name)
        yield name, id, text, is_json


def _bytes(path: Path) -> bytes:
    return read_bytes(path, most=_MOST_BYTES)


def _take(data: Any, place: str, id: str, found: Found) -> None:
    """Put one row where it belongs, by its shape."""
    if isinstance(data, dict) and "error" in data and "steps" not in data:
        if isinstance(data["error"], dict):
            kind = data["error"].get("type", "error")
        else:
            kind = "error"
        raise InputError(f"{place}: this case was not answered ({kind!s:.60})")
    if isinstance(data, dict) and "steps" in data and "diagnosis" in data:
        found.add(_answered({"id": id, **data}, place))
    elif isinstance(data, str):
        found.unanswered.append(_placed(lambda: Case.from_text(data, id), place))
    else:
        found.unanswered.append(_placed(lambda: case_from_json(data, place, id), place))


def _placed(read: Any, place: str) -> AnnotatedCase:
    try:
        case: Case = read()
        return AnnotatedCase(case, None, case.id, {})
    except CaseError as error:
        raise error if str(error).startswith(place) else CaseError(f"{place}: {error}") from None


def _answered(data: dict[str, Any], place: str) -> ViewCase:
    """Read a result or an annotated case."""
    try:
        if "patient" in data and "sections" in data:
            return ViewCase.of_annotated(AnnotatedCase.from_json(data))
        tags = {}
        if data.get("credentialed") is True:
            tags["credentialed"] = "true"
        reading = reading_of(_with_warnings(Chain.from_json(data)))
        return ViewCase.of_chains(reading, tags=tags)
    except (KeyError, TypeError, AttributeError, ValueError):
        reason = "a field of an annotated case is missing or of the wrong kind"
    except InputError as error:
        reason = str(error)
    raise InputError(f"{place}: not a result that can be shown: {reason}")


def _with_warnings(chain: Chain) -> Chain:
    """Add a warning for each step whose quote is not where it says: the page shows it and marks
    nothing.
    """
    broken = []
    for number, step in enumerate(chain.steps, 1):
        if (
            not step.evidence.text.strip()
            or chain.note[step.evidence.start : step.evidence.end] != step.evidence.text
        ):
            broken.append(f"step {number}: its quote does not stand at its place in the note")
    return replace(chain, warnings=chain.warnings + tuple(broken))


def _joined(first: ViewCase, second: ViewCase) -> ViewCase:
    """Join the readings of one note, references first, with labels that differ."""
    readings = sorted(
        (*first.readings, *second.readings),
        key=lambda reading: not reading.reference,
    )
    named: list[Reading] = []
    for reading in readings:
        same = sum(
            reading.label == other.label or other.label.startswith(f"{reading.label} (")
            for other in named
        )
        named.append(replace(reading, label=f"{reading.label} ({same + 1})") if same else reading)
    if any(reading.reference for reading in first.readings):
        home = first
    else:
        home = second
    return ViewCase(home.case, tuple(named), {**second.tags, **first.tags})
