"""Notes without annotation: a folder of text and JSON files, or one file."""

from __future__ import annotations

from pathlib import Path

from dxtrace.corpus.base import Corpus, Problem, assemble
from dxtrace.errors import CorpusError, InputError
from dxtrace.files import read_json
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.reading import read_cases
from dxtrace.notes.sections import section_named
from dxtrace.provenance import NO_LICENCE

_NOTE_KEYS = {"note", "text", "case", "case_prompt", "sections"}


def read_notes(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,  # noqa: ARG001 - every reader takes one
) -> Corpus:
    """Read a folder of ``.txt``, ``.md`` and ``.json`` files, or one such file.

    Raises:
        CorpusError: a split is asked for (there is none).
        CaseError: the folder or the one file cannot be read.
    """
    path = Path(path)
    if split is not None:
        raise CorpusError(f"{path}: notes have no split {split!r}")
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    for number, case in enumerate(read_cases(path), 1):
        if isinstance(case, Case):
            cases.append(AnnotatedCase(case, None, case.id, {}))
        else:
            id = getattr(case, "case_id", f"case-{number}")
            problems.append(Problem("bad-note", id, str(case), id))
    return assemble(cases, problems, name=path.stem, id=path.stem, licence=NO_LICENCE)


def holds_notes(path: Path) -> bool:
    """Return whether a file, or a folder by its first file, is a note or holds one under its name."""
    if path.is_file():
        return path.suffix.lower() in (".txt", ".md") or _is_case_file(path)
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in (".txt", ".md") and file.stem.lower() != "readme":
            return True
        if file.suffix.lower() == ".json" and file.is_file():
            return _is_case_file(file)
    return False


def _is_case_file(file: Path) -> bool:
    """Return whether a JSON file holds a note, or sections that are not numbered as DiReCT's are."""
    try:
        row = read_json(file)
    except InputError:
        return False
    if not isinstance(row, dict):
        return False
    numbered = any(key.strip().lower().startswith("input") for key in row)
    named = any(key in _NOTE_KEYS or section_named(key) for key in row)
    return named and not numbered
