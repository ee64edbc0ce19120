"""Answering many cases into one JSONL file that grows row by row and answers nothing twice.

Beside the result (:mod:`dxtrace.chain`) each row says who answered (``made_by``), which wordings
the recogniser was allowed (``wordings``) and the SHA-256 of the note (``note_sha256``). A row of
which one of them differs is another answer: it is refused, or made again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dxtrace.corpus.base import CREDENTIALED
from dxtrace.corpus.policy import wordings_of
from dxtrace.corpus.split_manifest import note_sha256
from dxtrace.corpus.systems import System
from dxtrace.engines.threads import map_in_threads
from dxtrace.errors import CaseError, DxtraceError, InputError, ServerGone, where
from dxtrace.files import RowStore
from dxtrace.notes.annotated import AnnotatedCase

Progress = Callable[[int, int], None]

#: A case to answer, or why it cannot be read; with its id.
Task = tuple[str, AnnotatedCase | CaseError]

#: A result or an error row, as JSON.
Row = dict[str, Any]

#: Answering tasks as a system would, and yields their rows in the same order.
Answering = Callable[[System, Sequence[Task]], Generator[Row]]

#: Fields that every result has and no case of a corpus.
_RESULT = {"id", "note", "diagnosis", "steps", "text", "model"}


@dataclass
class Tally:
    """How many cases were answered, how many were answered before, and why the others were not."""

    answered: int = 0
    kept: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """What is remembered of a row: its id, and all but the answer."""

    id: str
    failed: bool
    made_by: Mapping[str, Any]
    wordings: str | None
    note_sha256: str | None


def answer_cases(
    system: System,
    tasks: Sequence[Task],
    out: Path,
    *,
    redo: bool = False,
    progress: Progress | None = None,
    crew: Answering | None = None,
) -> Tally:
    """Answer every case that ``out`` does not hold yet; a case that fails becomes an error row.

    Safe to interrupt at any time: the same call goes on. Error rows are tried again.

    Args:
        system: answers.
        tasks: ids, each once, and cases.
        out: the JSONL file.
        redo: answer again what was answered otherwise (by another system, from another note, with
            other wordings); without it, such a row is an error.
        progress: called with (cases done, cases in all).
        crew: answers as ``system`` would, elsewhere; None for this process.

    Raises:
        InputError: the file holds rows that are no results or were answered otherwise, another run
            is writing it, or it cannot be written.
        ServerGone: the server of the model does not answer; what is done is kept.
    """
    cases = dict(tasks)
    tally = Tally()
    with RowStore(out, _remember, "a result") as store:
        stale = _find_stale(store.kept, system, cases)
        if stale and not redo:
            raise InputError(_refusal(out, stale))
        failed = {n for n, row in enumerate(store.kept) if row.failed and row.id in cases}
        if stale or failed:
            store.drop(stale.keys() | failed)
        done = {row.id for row in store.kept}
        missing = []
        for task in tasks:
            if task[0] not in done:
                missing.append(task)
        with closing((crew or answer_here)(system, missing)) as rows:
            for number, (id, _) in enumerate(tasks, 1):
                if id in done:
                    tally.kept += 1
                else:
                    row = next(rows)
                    store.append(row)
                    _count(row, tally)
                if progress:
                    progress(number, len(tasks))
    return tally


def _remember(row: Mapping[str, Any]) -> _Row | None:
    """Return what matters of a row; None if it is no result."""
    id = row.get("id")
    failed = row.keys() == {"id", "error"}
    if not isinstance(id, str) or not (failed or row.keys() >= _RESULT):
        return None
    made_by = row.get("made_by")
    return _Row(
        id=id,
        failed=failed,
        made_by=made_by if isinstance(made_by, dict) else {},
        wordings=row.get("wordings"),
        note_sha256=row.get("note_sha256"),
    )


def _find_stale(
    rows: Sequence[_Row],
    system: System,
    cases: Mapping[str, AnnotatedCase | CaseError],
) -> dict[int, str]:
    """Return the numbers of rows that were answered otherwise, each with what is different."""
    stale: dict[int, str] = {}
    for number, row in enumerate(rows):
        if row.failed:
            continue
        difference = system.identity.difference(row.made_by)
        case = cases.get(row.id)
        if difference is None and isinstance(case, AnnotatedCase):
            if row.note_sha256 != note_sha256(case):
                difference = "another note"
            elif row.wordings != wordings_of(case):
                difference = "other wordings"
        if difference is not None:
            stale[number] = difference
    return stale


def _refusal(out: Path, stale: Mapping[int, str]) -> str:
    reasons = ", ".join(dict.fromkeys(stale.values()))
    return (
        f"{out}: {len(stale)} of its rows were answered otherwise ({reasons}); "
        "write to another file, or answer them again with --force"
    )


def answer_here(system: System, tasks: Sequence[Task]) -> Generator[Row]:
    """Answer in this process: one case after the other, or as many at once as the system may."""

    def answer(task: Task) -> Row:
        return answer_row(system, *task)

    yield from map_in_threads(answer, tasks, system.at_once)


def answer_row(system: System, id: str, case: AnnotatedCase | CaseError) -> Row:
    """Return the row of a case: its result with who gave it, or why there is none.

    Raises:
        ServerGone: the server of the model does not answer.
    """
    if isinstance(case, CaseError):
        return error_row(id, case)
    try:
        row = system(case).to_json()
    except ServerGone:
        raise
    except Exception as error:  # one case that cannot be answered must not end the others
        return error_row(id, error)
    row |= {
        "id": id,
        "made_by": system.identity.to_json(),
        "wordings": wordings_of(case),
        "note_sha256": note_sha256(case),
    }
    if case.tags.get(CREDENTIALED) == "true" or row["model"][CREDENTIALED]:
        row[CREDENTIALED] = True
    return row


def _count(row: Mapping[str, Any], tally: Tally) -> None:
    if "error" in row:
        tally.failures.append(f"{row['id']}: {row['error']['message']}")
    else:
        tally.answered += 1


def error_row(id: str, error: Exception) -> Row:
    """Return the row of a case that could not be answered; it holds no note text."""
    if isinstance(error, DxtraceError):
        message = str(error)
    else:
        message = where(error)
    return {"id": id, "error": {"type": type(error).__name__, "message": message}}
