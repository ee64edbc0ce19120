"""What ``dxtrace batch`` answers: any corpus, a folder of notes or a file, as ids and cases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from dxtrace.corpus.answer_cases import Task
from dxtrace.corpus.readers.fhir import holds_fhir, read_fhir_text
from dxtrace.corpus.registry import is_fhir_file, is_table, open_corpus, parse_spec
from dxtrace.errors import CaseError, InputError
from dxtrace.files import named_path
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.reading import STDIN, case_from_text, read_case, read_stdin


def read_tasks(
    spec: str,
    *,
    limit: int | None = None,
    num_shards: int = 1,
    shard_index: int = 0,
) -> list[Task]:
    """Return the cases that a SPEC names, each with an id of its own, in a steady order.

    A case that cannot be read stands with its error, after the others.

    Args:
        spec: what :func:`dxtrace.corpus.registry.open_corpus` takes.
        limit: only so many, from the first of the shard.
        num_shards: how many runs share the work.
        shard_index: which of them this is, from 0.

    Raises:
        InputError: nothing there, or it is no corpus, or it holds no case at all.
    """
    corpus = open_corpus(spec, allow_empty=True)
    tasks: list[Task] = []
    taken: set[str] = set()
    found: list[tuple[str, AnnotatedCase | CaseError]] = []
    for case in corpus.cases:
        found.append((case.id, case))
    for problem in corpus.problems:
        if problem.lost is not None:
            found.append((problem.lost, CaseError(str(problem))))
    for id, item in found:
        unique = _unique(id, taken)
        taken.add(unique)
        tasks.append((unique, item))
    if not tasks:
        raise InputError(f"{spec}: holds no case")
    return tasks[shard_index::num_shards][:limit]


def read_one(path: str, column: str | None = None) -> Case:
    """Read one case from text, JSON, FHIR or a table, or from standard input (``-``).

    Args:
        path: the file.
        column: of a table, the one that holds the note.

    Raises:
        InputError: it cannot be read, or holds no case or more than one.
    """
    if path == "-":
        if column is not None:
            raise InputError("--column is for a CSV or TSV file; standard input holds one case")
        text = read_stdin()
        if holds_fhir(text):
            return _only(read_fhir_text(text, STDIN, "stdin"), STDIN)
        return case_from_text(text, STDIN, "stdin")
    spec = with_column(path, column)
    file = named_path(path, CaseError)
    if not file.is_file():
        return read_case(path)
    if column is None and not (is_table(file) or is_fhir_file(file)):
        return read_case(path)
    return _only(open_corpus(spec).cases, path)


def _only(cases: Sequence[AnnotatedCase], place: str) -> Case:
    if len(cases) != 1:
        raise InputError(f"{place}: holds {len(cases)} cases; answer them with dxtrace batch")
    return cases[0].case


def with_column(spec: str, column: str | None) -> str:
    """Return what names a table and its column of notes; without a column the SPEC as it is."""
    if column is None:
        return spec
    return f"table:{spec.removeprefix('table:')}:{column}"


def _unique(id: str, taken: set[str]) -> str:
    """Return ``id``, or ``id~2`` and so on if it is taken, as corpora name a case that stands
    twice.
    """
    names = itertools.chain([id], (f"{id}~{count}" for count in itertools.count(2)))
    return next(name for name in names if name not in taken)


def refuse_as_output(spec: str, out: Path) -> None:
    """Check that results are not written over, or among, what is read.

    Raises:
        InputError: they would be.
    """
    _, path, _ = parse_spec(spec)
    source = Path(path)
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out}: is what is to be answered; write the results to another file")
    if source.is_dir() and out.resolve().parent == source.resolve():
        raise InputError(f"{out}: lies among what is to be answered; write it to another folder")
