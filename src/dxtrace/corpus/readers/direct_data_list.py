"""DiReCT's data list: the csv that says what notes are amended (evidence was written into them)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from dxtrace.corpus.base import Problem
from dxtrace.errors import CaseError, CorpusError
from dxtrace.notes.reading import decode
from dxtrace.notes.sections import SECTIONS, section_named

_COLUMNS = {"Data Root", "Whether Amended"}
#: Larger files are not read to see whether they are a data list.
_MOST_BYTES = 50_000_000

_PATIENTS = ("subject_id", "patient_id", "patient")


@dataclass
class DataList:
    """The rows of a data list, found by a note's path or, where that is unique, by its file name."""

    by_path: dict[str, dict[str, str]] = field(default_factory=dict)
    by_name: dict[str, dict[str, str]] = field(default_factory=dict)

    def tags(self, id: str) -> dict[str, str]:
        """Return ``amended`` (true or false) and the section amended; nothing for a note that is
        not listed.
        """
        row = self._row(id)
        if row is None:
            return {}
        if row.get("Whether Amended", "").strip().lower() != "yes":
            return {"amended": "false"}
        number, _, words = row.get("Amended Part", "").partition("/")
        section = section_named(words) or section_named(words + "s") or section_named(number)
        tags = {"amended": "true"}
        if section in SECTIONS:
            tags["amended_section"] = section
        return tags

    def patient(self, id: str) -> str | None:
        """Return the patient of a note, where the list has such a column."""
        row = self._row(id) or {}
        for column in _PATIENTS:
            if patient := row.get(column, "").strip():
                return patient
        return None

    def _row(self, id: str) -> dict[str, str] | None:
        path = id.lower()
        name = path.rsplit("/", 1)[-1]
        return self.by_path.get(path) or self.by_name.get(name)


def find_data_list(path: Path, given: str | Path | None, problems: list[Problem]) -> DataList:
    """Read the data list that is given, or the first csv that is one, in the folder of the notes or
    up to two above.

    Raises:
        CorpusError: the given file is not a data list.
    """
    if given is not None:
        found = _read(Path(given))
        if isinstance(found, Problem):
            raise CorpusError(f"{found.place}: {found.message}")
        return found
    if path.is_dir():
        start = path.absolute()
    else:
        start = path.absolute().parent
    for folder in (start, *list(start.parents)[:2]):
        for file in sorted(folder.glob("*.csv")):
            found = _read(file)
            if isinstance(found, DataList):
                return found
            if "data_list" in file.name:
                problems.append(found)
    return DataList()


def _read(file: Path) -> DataList | Problem:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return Problem("data-list", str(file), "too large for a data list")
        text = decode(file.read_bytes(), str(file))
        # newline="": the csv module tells line ends within quotes from those of rows.
        rows = list(csv.DictReader(io.StringIO(text, newline=""), restval=""))
    except (OSError, CaseError, csv.Error):
        return Problem("data-list", str(file), "cannot be read as a csv in UTF-8")
    if not rows or not rows[0].keys() >= _COLUMNS:
        columns = ", ".join(sorted(_COLUMNS))
        message = f"not a data list (it has no columns {columns})"
        return Problem("data-list", str(file), message)
    listed = DataList()
    twice: set[str] = set()
    for row in rows:
        row = {str(key): value for key, value in row.items() if isinstance(value, str)}
        path = row.get("Data Root", "").strip().lower().removesuffix(".json")
        _, _, key = path.partition("/")
        name = key.rsplit("/", 1)[-1]
        listed.by_path[key] = row
        if name in listed.by_name:
            twice.add(name)
        listed.by_name[name] = row
    for name in twice:
        del listed.by_name[name]
    return listed
