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
        return {"amended": "true"} | ({"amended_section": section} if section in SECTIONS else {})

    def patient(self, id: str) -> str | None:
        """Return the patient of a note, where the list has such a column."""
        row = self._row(id) or {}
        return next(
            (row[key].strip() for key in _PATIENTS if row.get(key, "").strip()),
            None,
        )

    def _row(self, id: str) -> dict[str, str] | None:
        return self.by_path.get(id.lower()) or self.by_name.get(id.lower().rsplit("/", 1)[-1])


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
    start = path.absolute() if path.is_dir() else path.absolute().parent
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
        if file.stat().st_size > 50_000_000:
            return Problem("data-list", str(file), "too large for a data list")
        rows = list(
            csv.DictReader(
                io.StringIO(decode(file.read_bytes(), str(file)), newline=""),
                restval="",
            ),
        )
    except (OSError, CaseError, csv.Error):
        return Problem("data-list", str(file), "cannot be read as a csv in UTF-8")
    if not rows or not rows[0].keys() >= _COLUMNS:
        return Problem(
            "data-list",
            str(file),
            f"not a data list (it has no columns {', '.join(sorted(_COLUMNS))})",
        )
    listed, twice = DataList(), set()
    for row in rows:
        row = {str(key): value for key, value in row.items() if isinstance(value, str)}
        key = row.get("Data Root", "").strip().lower().removesuffix(".json").partition("/")[2]
        name = key.rsplit("/", 1)[-1]
        listed.by_path[key] = row
        if name in listed.by_name:
            twice.add(name)
        listed.by_name[name] = row
    for name in twice:
        del listed.by_name[name]
    return listed
