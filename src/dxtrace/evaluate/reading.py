"""Reading what a system answered: our result rows, or a folder in the published prediction layout."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dxtrace.chain import Chain
from dxtrace.chain.result import ResultV1
from dxtrace.corpus.policy import wordings_of
from dxtrace.errors import InputError, RowError
from dxtrace.evaluate.answers import Account, chain_account, published_account
from dxtrace.evaluate.rows import complete_row
from dxtrace.files import Line, named_path, read_bytes, read_json, read_jsonl, reading
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.formats import refuse_binary

ProblemKind = Literal[
    "unreadable",
    "bad-json",
    "bad-shape",
    "no-id",
    "unknown-id",
    "duplicate-id",
    "error-row",
    "missing",
    "form",
    "other-file",
    "wordings",
]


@dataclass(frozen=True)
class RowProblem:
    """One thing wrong in what was read: where (file and line), the case if known, and what; never
    note text.
    """

    place: str
    kind: ProblemKind
    message: str
    id: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message} [{self.kind}]"


@dataclass
class Answers:
    """What one system answered: accounts by case id, ids of broken rows, and the problems met.

    ``wordings`` counts answers by the wordings that their rows say were known; "" for none said.
    ``flattered`` counts answers on a hard split for which all wordings were known. ``credentialed``:
    one of them is marked, for its note or for its model.
    """

    name: str
    accounts: dict[str, Account] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    wordings: Counter[str] = field(default_factory=Counter)
    flattered: int = 0
    credentialed: bool = False

    def note_missing(self, ids: Sequence[str]) -> None:
        """Name every case of ``ids`` that has neither an answer nor a broken row."""
        for id in ids:
            if id not in self.accounts and id not in self.broken:
                self.problems.append(
                    RowProblem(self.name, "missing", f"no prediction for the case {id!r}", id),
                )

    def count_problems(self) -> dict[str, int]:
        """Return how many problems of each kind there are, most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def problem_lines(self, most: int = 10) -> list[str]:
        """Return the first of the problems that are alike but for the case, with how many more there
        are; of ``most`` sorts at most.
        """
        alike: dict[str, list[RowProblem]] = {}
        for problem in self.problems:
            sort = problem.kind + problem.message.replace(repr(problem.id), "")
            alike.setdefault(sort, []).append(problem)
        lines = []
        for problems in list(alike.values())[:most]:
            more = len(problems) - 1
            lines.append(f"{problems[0]}, and {more:,} more like it" if more else str(problems[0]))
        if len(alike) > most:
            lines.append(f"{len(alike) - most:,} other problems; all are counted in report.json")
        return lines


def read_predictions(
    path: str | Path,
    cases: Mapping[str, AnnotatedCase],
    name: str | None = None,
    elsewhere: Container[str] | None = frozenset(),
) -> Answers:
    """Read a JSONL file of result rows, ours or another program's, or a folder in the published
    prediction layout.

    What cannot be used is in ``.problems`` with its line; the rest is there. Of rows with one id
    the first answer counts.

    Args:
        path: the file or folder.
        cases: what was to be answered, by id.
        name: of the system; by default the file's.
        elsewhere: ids that are passed over in silence; None for every id that is not in ``cases``.

    Raises:
        InputError: the path cannot be read, nothing in it is a prediction, or every case failed.
    """
    path = named_path(path)
    answers = Answers(name or _name_of(path))
    if path.is_dir():
        rows: Iterator[None] = _read_folder(path, cases, answers)
    elif path.is_file():
        rows = _read_rows(path, cases, answers)
    else:
        raise InputError(f"{path}: no such file or folder of predictions")
    for _ in rows:
        pass
    if not answers.accounts:
        raise InputError(f"{path}: {_nothing(answers)}")
    if elsewhere is None or elsewhere:
        answers.problems = [
            problem
            for problem in answers.problems
            if problem.kind != "unknown-id" or not (elsewhere is None or problem.id in elsewhere)
        ]
    answers.note_missing(list(cases))
    if answers.flattered:
        message = (
            f"{answers.flattered} answers on a hard split were made with all wordings known: their figures flatter; "
            "answer the corpus itself (dxtrace batch CORPUS:hard, or --model)"
        )
        answers.problems.insert(0, RowProblem(answers.name, "wordings", message))
    return answers


def _nothing(answers: Answers) -> str:
    """Say why there is no answer to measure."""
    if not answers.problems:
        return "holds no prediction for any case of the corpus"
    said = "holds no prediction for any case of the corpus that can be read"
    if set(answers.broken.values()) == {"error-row"}:
        said = "every case failed"
    return f"{said}; {len(answers.problems)} problems, the first: {answers.problems[0]}"


def _name_of(path: Path) -> str:
    if path.stem == "predictions" and path.parent.name:
        return path.parent.name
    return path.stem


def _read_rows(path: Path, cases: Mapping[str, AnnotatedCase], answers: Answers) -> Iterator[None]:
    with reading(path), path.open("rb") as file:
        refuse_binary(file.read(256), str(path))
    for line in read_jsonl(path):
        row = _parse(line, line.place, answers)
        if row is not None:
            _take_row(row, line.place, cases, answers)
        yield


def _take_row(
    row: dict[str, Any],
    place: str,
    cases: Mapping[str, AnnotatedCase],
    answers: Answers,
) -> None:
    id = row.get("id")
    if not isinstance(id, str | int) or isinstance(id, bool):
        answers.problems.append(RowProblem(place, "no-id", "the row has no id"))
    elif str(id) not in cases:
        answers.problems.append(
            RowProblem(
                place,
                "unknown-id",
                f"no case of the corpus has the id {str(id)[:80]!r}",
                str(id),
            ),
        )
    elif str(id) in answers.accounts:
        answers.problems.append(
            RowProblem(
                place,
                "duplicate-id",
                f"the id {str(id)!r} was answered before; the first counts",
                str(id),
            ),
        )
    else:
        _take_answer(row, str(id), place, cases[str(id)], answers)


def _parse(line: Line, place: str, answers: Answers) -> dict[str, Any] | None:
    try:
        row = line.parse()
    except RowError as error:
        answers.problems.append(RowProblem(place, "bad-json", error.reason))
    else:
        if isinstance(row, dict):
            return row
        answers.problems.append(
            RowProblem(place, "bad-shape", f"expected an object, got {type(row).__name__}"),
        )
    return None


def _take_answer(
    row: Mapping[str, Any],
    id: str,
    place: str,
    case: AnnotatedCase,
    answers: Answers,
) -> None:
    if "error" in row:
        error = row["error"]
        if isinstance(error, Mapping):
            kind = str(error.get("type", "error"))[:60]
        else:
            kind = "error"
        answers.broken[id] = "error-row"
        answers.problems.append(
            RowProblem(place, "error-row", f"the system failed on {id!r} ({kind})", id),
        )
        return
    try:
        result = ResultV1.parse(complete_row(row, case.case))
    except InputError as error:
        answers.broken[id] = "bad-shape"
        answers.problems.append(RowProblem(place, "bad-shape", f"{id!r}: {error}", id))
        return
    chain = Chain.of_result(result)
    account = chain_account(chain, case.case, result.text)
    answers.broken.pop(id, None)
    answers.accounts[id] = account
    answers.model = answers.model or vars(chain.model)
    if chain.model.credentialed or row.get("credentialed") is True:
        answers.credentialed = True
    wordings = row.get("wordings")
    answers.wordings[wordings if wordings in ("all", "training") else ""] += 1
    if wordings == "all" and wordings_of(case) == "training":
        answers.flattered += 1
    if account.faults:
        answers.problems.append(
            RowProblem(place, "form", f"{id!r}: {'; '.join(account.faults)}", id),
        )


def is_evaluation_folder(path: str | Path) -> bool:
    """Return True if the first JSON file below ``path`` is in the published evaluation layout."""
    for file in _json_files(Path(path)):
        try:
            data = read_json(file)
        except InputError:
            continue
        return isinstance(data, dict) and "ob_record_paired" in data
    return False


def _json_files(folder: Path) -> list[Path]:
    if folder.is_dir():
        json_files = []
        for file in folder.rglob("*.json"):
            if file.is_file():
                json_files.append(file)
        return sorted(json_files)
    return []


def read_json_folder(folder: Path, answers: Answers) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """Yield (file, path in the folder without suffix, object) of each JSON file; problems go to
    ``answers``.
    """
    for file in _json_files(folder):
        try:
            line = Line(file, 1, read_bytes(file))
        except InputError as error:
            message = str(error).removeprefix(f"{file}: ")
            answers.problems.append(RowProblem(str(file), "unreadable", message))
            continue
        data = _parse(line, str(file), answers)
        if data is not None:
            yield file, file.relative_to(folder).with_suffix("").as_posix(), data


def _read_folder(
    folder: Path,
    cases: Mapping[str, AnnotatedCase],
    answers: Answers,
) -> Iterator[None]:
    index = _CaseIndex(cases)
    for file, place, data in read_json_folder(folder, answers):
        yield
        if "chain" not in data:
            answers.problems.append(
                RowProblem(str(file), "other-file", 'not a published prediction (no "chain")'),
            )
            continue
        id = index.find(place)
        if id is None:
            answers.problems.append(
                RowProblem(
                    str(file),
                    "unknown-id",
                    "no case of the corpus, or more than one, goes by this path",
                ),
            )
        elif id in answers.accounts:
            answers.problems.append(
                RowProblem(
                    str(file),
                    "duplicate-id",
                    f"the case {id!r} was answered by another file",
                    id,
                ),
            )
        else:
            _take_published(file, id, data, cases[id], answers)


def _take_published(
    file: Path,
    id: str,
    data: Mapping[str, Any],
    case: AnnotatedCase,
    answers: Answers,
) -> None:
    try:
        account = published_account(id, data, case.case)
    except InputError as error:
        answers.broken[id] = "bad-shape"
        answers.problems.append(RowProblem(str(file), "bad-shape", str(error), id))
        return
    answers.accounts[id] = account
    if account.faults:
        answers.problems.append(RowProblem(str(file), "form", "; ".join(account.faults), id))


class _CaseIndex:
    """Finds the case that a file of the published layout answers: by whole path, by its end, by
    file name if unique.
    """

    def __init__(self, cases: Mapping[str, AnnotatedCase]) -> None:
        self._ids = set(cases)
        self._by_tail: dict[str, list[str]] = defaultdict(list)
        for id in cases:
            parts = id.removesuffix(".json").split("/")
            for start in range(len(parts)):
                self._by_tail["/".join(parts[start:])].append(id)

    def find(self, place: str) -> str | None:
        """Return the id of the one case that goes by the path, or None."""
        if place in self._ids:
            return place
        parts = place.split("/")
        for start in range(len(parts)):
            found = self._by_tail.get("/".join(parts[start:]), [])
            if len(found) == 1:
                return found[0]
        return None
