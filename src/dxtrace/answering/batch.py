"""Answering many cases into one JSONL file that grows row by row and is never written twice."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dxtrace.answering.reasoner import Reasoner
from dxtrace.errors import CaseError, DxtraceError, InputError, where
from dxtrace.notes.case import Case
from dxtrace.notes.reading import read_cases


class Batch:
    """The cases of a source that a results file does not hold yet: ``todo``; ``skipped`` counts the
    others.
    """

    def __init__(
        self,
        source: Path,
        out: Path,
        *,
        limit: int | None,
        num_shards: int,
        shard_index: int,
    ) -> None:
        """Read source and results.

        Raises:
            CaseError: the source cannot be read. InputError: the results file is not one of ours.
        """
        self.out = out
        done = _done(out)
        cases = list(_named(read_cases(source)))[shard_index::num_shards][:limit]
        self.todo = [(id, case) for id, case in cases if id not in done]
        self.skipped = len(cases) - len(self.todo)

    def run(self, reasoner: Reasoner, tick: Callable[[], None]) -> int:
        """Answer all and append a row each; return how many are error rows.

        Safe to interrupt at any time.
        """
        failed = 0
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with self.out.open("a", encoding="utf-8", newline="\n") as sink:
            for id, case in self.todo:
                row = _answer(reasoner, id, case)
                failed += "error" in row
                sink.write(json.dumps(row, ensure_ascii=False) + "\n")
                sink.flush()
                os.fsync(sink.fileno())
                tick()
        return failed


def _answer(reasoner: Reasoner, id: str, case: Case | CaseError) -> dict[str, Any]:
    if isinstance(case, CaseError):
        return error_row(id, case)
    try:
        return reasoner.reason(case).to_json() | {"id": id}
    except Exception as error:  # one case that cannot be answered must not end the others
        return error_row(id, error)


def error_row(id: str, error: Exception) -> dict[str, Any]:
    """Return the row of a case that could not be answered; it holds no note text."""
    message = str(error) if isinstance(error, DxtraceError) else where(error)
    return {"id": id, "error": {"type": type(error).__name__, "message": message}}


def _named(cases: Any) -> Any:
    """Yield (id, case), ids made unique in order: a second "a" is "a#2"."""
    taken: set[str] = set()
    for number, case in enumerate(cases, 1):
        id = case.id if isinstance(case, Case) else getattr(case, "case_id", f"case-{number}")
        names = itertools.chain([id], (f"{id}#{count}" for count in itertools.count(2)))
        unique = next(name for name in names if name not in taken)
        taken.add(unique)
        yield unique, case


def _done(out: Path) -> set[str]:
    """Return the ids in a results file; half a row at its end, left by a kill, is cut off."""
    if not out.exists():
        return set()
    try:
        data = out.read_bytes()
    except OSError as error:
        raise InputError(f"{out}: cannot be read ({error.strerror})") from None
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with out.open("r+b") as file:
            file.truncate(whole)
    done = set()
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            done.add(str(json.loads(line)["id"]))
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{out}, line {number}: not a result; give another file for --out",
            ) from None
    return done
