"""Tables of notes: CSV or TSV, one case a row, one column with the note.

The columns ``id``, ``patient``, ``diagnosis`` and ``split`` (or the names that hospitals' exports
have for them) are read as those of a JSON row; see :mod:`dxtrace.corpus.readers.jsonl`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dxtrace.corpus.base import CREDENTIALED, Corpus, Problem, assemble
from dxtrace.corpus.readers.jsonl import row_to_case
from dxtrace.errors import CorpusError, DxtraceError
from dxtrace.files import read_text
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import MAX_CHARACTERS
from dxtrace.notes.formats import NOTE_COLUMNS
from dxtrace.provenance import NO_LICENCE

#: Suffixes of tables.
TABLES = (".csv", ".tsv")

#: Our name of a column, by names that it has elsewhere.
_COLUMNS = {
    "id": ("id", "case_id", "note_id", "row_id"),
    "patient": ("patient", "patient_id", "subject_id", "mrn"),
    "diagnosis": ("diagnosis", "final_diagnosis"),
    "split": ("split",),
    CREDENTIALED: (CREDENTIALED,),
}


def read_table(
    path: str | Path,
    column: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> Corpus:
    """Read a CSV or TSV file; its first line names the columns.

    Args:
        path: the file, in UTF-8.
        column: which column holds the note; None: the only one that is called as such are.
        taxonomy: where diagnoses are looked up.

    Raises:
        CorpusError: it cannot be read, or has no such column.
    """
    path = Path(path)
    text = read_text(path, CorpusError)
    csv.field_size_limit(8 * MAX_CHARACTERS)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text))
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    try:
        heads = []
        for head in next(rows, []):
            heads.append(head.strip())
        note = _note_column(path, heads, column)
        for number, cells in enumerate(rows, 1):
            if any(cells):
                _take(path, number, heads, cells, note, taxonomy, cases, problems)
    except csv.Error as error:
        raise CorpusError(f"{path}, line {rows.line_num}: not a table ({error})") from None
    credentialed = any(case.tags.get(CREDENTIALED) == "true" for case in cases)
    return assemble(
        cases,
        problems,
        name=path.stem,
        id=path.stem,
        licence=NO_LICENCE,
        credentialed=credentialed,
    )


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    head = text.split("\n", 1)[0]
    return max(",;\t|", key=head.count)


def _note_column(path: Path, heads: Sequence[str], column: str | None) -> int:
    """Return the index of the column that holds the note."""
    lower = []
    for head in heads:
        lower.append(head.lower())
    if column is not None:
        if column.lower() in lower:
            return lower.index(column.lower())
        raise CorpusError(f"{path}: no column {column!r}; there are {_shown(heads)}")
    found = []
    for number, head in enumerate(lower):
        if head in NOTE_COLUMNS:
            found.append(number)
    if len(found) == 1:
        return found[0]
    raise CorpusError(
        f"{path}: which column holds the note? Say so with --column; there are {_shown(heads)}"
    )


def _shown(heads: Sequence[str]) -> str:
    """Return the names of columns for a message; what is no name could be a note's text."""
    names = []
    for head in heads:
        if re.fullmatch(r"[A-Za-z][\w -]{0,30}", head):
            names.append(head)
    return ", ".join(names[:12]) or "none with a name"


def _take(
    path: Path,
    number: int,
    heads: Sequence[str],
    cells: Sequence[str],
    note: int,
    taxonomy: Taxonomy | None,
    cases: list[AnnotatedCase],
    problems: list[Problem],
) -> None:
    place = f"{path}, row {number}"
    id = f"{path.stem}-{number}"
    try:
        if len(cells) != len(heads):
            raise CorpusError(f"has {len(cells)} cells, and there are {len(heads)} columns")
        row = dict(_named(heads, cells)) | {"note": cells[note]}
        id = row.get("id", id)
        if not cells[note].strip():
            raise CorpusError("its note is empty")
        tags = {}
        if row.pop(CREDENTIALED, "").lower() == "true":
            tags[CREDENTIALED] = "true"
        case, found = row_to_case(row | {"tags": tags}, place, id, taxonomy or Taxonomy.default())
    except DxtraceError as error:
        message = str(error).removeprefix(f"{place}: ")
        problems.append(Problem("bad-note", place, message, id))
        return
    cases.append(case)
    problems += found


def _named(heads: Sequence[str], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the cells that are read, by our name of their column."""
    by_head = dict(zip([head.lower() for head in heads], cells, strict=True))
    for name, others in _COLUMNS.items():
        for other in others:
            if by_head.get(other, "").strip():
                yield name, by_head[other].strip()
                break
