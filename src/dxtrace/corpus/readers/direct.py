"""DiReCT, the PhysioNet release: 511 notes of MIMIC-IV with diagnostic reasoning (arXiv
2408.01933).

A folder in any layout that has been seen (``samples/<Category>[/<Diagnosis>]/x.json``,
``Finished/...``), or one file.

The release has no patient ids. A patient is, in this order: the data list's column ``subject_id``
or ``patient``, such a field of the file, the eight-digit MIMIC subject in the file's name, else the
note; equal notes share a patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dxtrace.chain import Chain
from dxtrace.corpus.align import RawStep, build_gold, find_node, unknown_name
from dxtrace.corpus.base import (
    CREDENTIALED,
    Corpus,
    Problem,
    assemble,
    replace_surrogates,
)
from dxtrace.corpus.readers.direct_data_list import DataList, find_data_list
from dxtrace.corpus.readers.direct_tree import (
    DirectFile,
    keep_duplicates,
    read_file,
)
from dxtrace.errors import CaseError, CorpusError
from dxtrace.files import UnusableError, decode_json
from dxtrace.knowledge.taxonomy import Node, Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.reading import decode

LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"

#: Largest file that is read, in bytes; the release's are below 100 kB.
MAX_BYTES = 8_000_000

_TOPS = {"samples", "finished", "mimic-iv-ext-direct", "direct"}
_KNOWLEDGE = {"diagnostic_kg", "diagnosis_flowchart", "__macosx"}
_SUBJECT = re.compile(r"(?<!\d)(1\d{7})(?!\d)")


def read_direct(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
    data_list: str | Path | None = None,
) -> Corpus:
    """Read the release from its folder, or one of its files.

    Args:
        path: the folder, or a file.
        split: not possible: the release has none.
        taxonomy: where nodes are looked up.
        data_list: the release's csv, which says what notes are amended; by default searched for
            beside the notes.

    Raises:
        CorpusError: there is no file to read, or a split is asked for.
    """
    path = Path(path)
    if split is not None:
        raise CorpusError(
            f"{path}: DiReCT has no split {split!r}; make one with dxtrace corpus split direct:{path} --out DIR, "
            f"then use DIR:{split}",
        )
    files = list(find_files(path))
    if not files:
        raise CorpusError(f"{path}: no .json file here")
    taxonomy = taxonomy or Taxonomy.default()
    problems: list[Problem] = []
    listed = find_data_list(path, data_list, problems)
    cases = list(_read_all(path, files, listed, taxonomy, problems))
    return assemble(
        cases,
        problems,
        name="MIMIC-IV-Ext-DiReCT",
        id="mimic-iv-ext-direct",
        licence=LICENCE,
        credentialed=True,
    )


def find_files(path: Path) -> Iterator[Path]:
    """Yield the notes of a release in a steady order; its knowledge files and hidden files are
    passed over.

    Raises:
        CorpusError: there is nothing at ``path``.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise CorpusError(f"{path}: no such file or folder")
    for file in sorted(path.rglob("*.json"), key=_natural):
        *folders, name = (part.lower() for part in file.relative_to(path).parts)
        if _KNOWLEDGE.intersection(folders) or name.startswith("."):
            continue
        if file.is_file():
            yield file


def _read_all(
    path: Path,
    files: list[Path],
    listed: DataList,
    taxonomy: Taxonomy,
    problems: list[Problem],
) -> Iterator[AnnotatedCase]:
    owner: dict[str, str] = {}
    for file in files:
        try:
            place = replace_surrogates(str(file))
            parsed = _parse(file, place)
            if parsed is None:
                continue
            problems += parsed.problems
            case = _to_case(
                parsed,
                _folders(path, file),
                file.stem,
                listed,
                taxonomy,
                problems,
            )
        except _UnusableError as unusable:
            name = "/".join((*_folders(path, file), file.stem))
            problems.append(replace(unusable.problem, lost=replace_surrogates(name)))
            continue
        patient = owner.setdefault(case.case.note, case.patient)
        yield AnnotatedCase(case.case, case.gold, patient, case.tags)


class _UnusableError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _parse(file: Path, place: str) -> DirectFile | None:
    """Return what a file holds; None for one of the authors' knowledge files."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise _UnusableError(
                Problem(
                    "unreadable",
                    place,
                    f"{size:,} bytes; a note has at most {MAX_BYTES:,}",
                ),
            )
        data = decode_json(decode(file.read_bytes(), place), keep_duplicates)
    except OSError as error:
        raise _UnusableError(
            Problem("unreadable", place, f"cannot be read ({error.strerror})"),
        ) from None
    except CaseError as error:
        raise _UnusableError(
            Problem("unreadable", place, str(error).removeprefix(f"{place}: ")),
        ) from None
    except UnusableError as error:
        raise _UnusableError(Problem("bad-json", place, str(error))) from None
    if not isinstance(data, dict):
        raise _UnusableError(
            Problem(
                "bad-shape",
                place,
                f"holds {type(data).__name__}, expected an object",
            ),
        )
    if {"diagnostic", "knowledge"} <= data.keys():
        return None
    return read_file(data, place)


def _to_case(
    file: DirectFile,
    folders: tuple[str, ...],
    stem: str,
    listed: DataList,
    taxonomy: Taxonomy,
    problems: list[Problem],
) -> AnnotatedCase:
    name = replace_surrogates("/".join((*folders, stem)))
    try:
        case = Case.from_sections(file.sections, name)
    except CaseError as error:
        raise _UnusableError(Problem("bad-note", file.place, str(error))) from None
    tags = {CREDENTIALED: "true"}
    if folders:
        tags["folder"] = replace_surrogates("/".join(folders))
    tags |= listed.tags(name)
    gold, found = _gold(file, case, folders, taxonomy)
    problems += found
    patient = listed.patient(name) or file.patient
    if not patient:
        # MIMIC puts the subject's number into the file name; else each note is its own patient.
        subject = _SUBJECT.search(stem)
        if subject:
            patient = subject[1]
        else:
            patient = name
    return AnnotatedCase(case, gold, patient, tags)


def _gold(
    file: DirectFile,
    case: Case,
    folders: tuple[str, ...],
    taxonomy: Taxonomy,
) -> tuple[Chain | None, list[Problem]]:
    """Make the gold chain; None without a diagnosis.

    One that no tree has keeps the file's own path.
    """
    if not file.nodes:
        return None, [
            Problem(
                "no-diagnosis",
                file.place,
                "no diagnosis node: the note is read without a gold chain",
            ),
        ]
    problems: list[Problem] = []
    known: dict[str, Node | None] = {}
    for depth, name in enumerate(file.nodes, 1):
        known[name] = find_node(name, taxonomy)
        if known[name] is None:
            if depth == 1:
                kind = "diagnosis"
            else:
                kind = f"node at depth {depth}"
            message = unknown_name(kind, name, case.note, taxonomy)
            problems.append(
                Problem(
                    "unknown-diagnosis" if depth == 1 else "unknown-node",
                    file.place,
                    message,
                ),
            )
    root = known[file.nodes[0]]
    if root is not None and not root.final:
        message = f"ends at {root.name!r}, which is not a final diagnosis: the note is read without a gold chain"
        return None, [*problems, Problem("no-diagnosis", file.place, message)]
    if root is not None:
        path, category = root.path, root.category
    else:
        names = []
        for name in reversed(file.nodes):
            names.append(_our_name(name, known))
        path = tuple(dict.fromkeys(names))
        category = _category(known, folders, taxonomy) or path[0].removeprefix("Suspected ")
    steps: list[RawStep] = []
    for observation in file.observations:
        supports = _supported(observation.nodes, path, known, taxonomy)
        steps.append(
            RawStep(
                observation.text,
                observation.rationale,
                supports,
                observation.section,
            ),
        )
    chain, found = build_gold(case, path, category, steps, file.place)
    return chain, problems + found


def _supported(
    nodes: tuple[str, ...],
    path: tuple[str, ...],
    known: dict[str, Node | None],
    taxonomy: Taxonomy,
) -> str:
    """Return the innermost node around an observation that is on the path; else the innermost, to
    be reported.
    """
    for name in reversed(nodes):
        if name not in known:
            known[name] = find_node(name, taxonomy)
        our_name = _our_name(name, known)
        if our_name in path:
            return our_name
    return nodes[-1]


def _our_name(name: str, known: dict[str, Node | None]) -> str:
    """Return a node's name in our taxonomy; its own where ours lacks it."""
    node = known[name]
    if node:
        return node.name
    return name


def _category(
    known: dict[str, Node | None],
    folders: tuple[str, ...],
    taxonomy: Taxonomy,
) -> str | None:
    for node in known.values():
        if node is not None:
            return node.category
    if not folders:
        return None
    folder = find_node(folders[0], taxonomy)
    if folder is not None:
        return folder.category
    names = {}
    for category in taxonomy.categories:
        names[category.name.lower()] = category.name
    return names.get(folders[0].lower())


def _folders(path: Path, file: Path) -> tuple[str, ...]:
    """Return the folders that say category and diagnosis: those below ``samples``, ``Finished`` or
    ``path``.
    """
    whole = file.absolute().parts[:-1]
    tops = []
    for index, part in enumerate(whole):
        if part.lower() in _TOPS:
            tops.append(index)
    if tops and len(whole) - tops[-1] <= 4:
        return whole[tops[-1] + 1 :]
    if path.is_dir():
        return file.relative_to(path).parts[:-1]
    return ()


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort ``sample_9`` before ``sample_10``."""
    pieces = re.findall(r"\d{1,18}|\D+|\d", str(path))
    key = []
    for piece in pieces:
        key.append((int(piece), "") if piece.isascii() and piece.isdigit() else (-1, piece))
    return key
