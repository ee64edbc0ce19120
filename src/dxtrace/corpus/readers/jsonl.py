"""Corpora as JSON lines: our own rows, and anybody's.

Our own rows are what :meth:`AnnotatedCase.to_json` writes. Anybody's need a note and little else::

    {"id": "a1", "patient": "p7", "note": "45M with ...", "diagnosis": "NSTEMI",
     "steps": [{"evidence": "troponin 2.1", "rationale": "Necrosis ...", "supports": "Suspected
               ACS"}, {"evidence": {"text": "ST depression", "start": 120, "end": 133}, "rationale":
               "..."}]}

- ``note`` (or ``text``), or ``sections`` (an object from section to text), or the sections as
fields of the row;
- ``diagnosis``: any name that the taxonomy knows; other diagnoses come with their own ``category``
and ``path``;
- ``steps`` (may be missing): evidence without offsets, or with wrong ones, is searched for in the
  note. A step without ``supports`` supports the diagnosis;
- ``id`` (else file name and line number), ``patient`` (else the id), ``tags``, ``split``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dxtrace.chain import Chain
from dxtrace.corpus.align import RawStep, build_gold, find_node, unknown_name
from dxtrace.corpus.base import (
    CREDENTIALED,
    Corpus,
    Problem,
    assemble,
    replace_surrogates,
    row_bytes,
)
from dxtrace.errors import CorpusError, DxtraceError, RowError
from dxtrace.files import atomic_write
from dxtrace.files import read_jsonl as read_jsonl_lines
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.reading import case_from_json, own_id
from dxtrace.provenance import NO_LICENCE


def read_jsonl(
    path: str | Path,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> Corpus:
    """Read a ``.jsonl`` file, or all of a folder (its files are splits: ``train.jsonl`` is the
    split ``train``).

    With ``split``, only that file of a folder, or only the rows of a file whose ``split`` (or tag)
    says so, are read.

    Raises:
        CorpusError: nothing there, it cannot be read, or it has no such split.
    """
    path = Path(path)
    taxonomy = taxonomy or Taxonomy.default()
    if path.is_dir():
        files = sorted(path.glob("*.jsonl"))
    else:
        files = [path]
    if not files:
        raise CorpusError(f"{path}: no .jsonl file in this folder")
    if split is not None and path.is_dir() and path / f"{split}.jsonl" in files:
        files = [path / f"{split}.jsonl"]
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    for file in files:
        if path.is_dir():
            own = file.stem
        else:
            own = ""
        for case in _read_file(file, own, taxonomy, problems):
            if split is None or case.tags.get("split") == split:
                cases.append(case)
    if split is not None and not cases:
        raise CorpusError(
            f"{path}: no case of the split {split!r} (a file {split}.jsonl, or rows with that 'split')",
        )
    return assemble(
        cases,
        problems,
        name=path.stem,
        id=path.stem + (f":{split}" if split else ""),
        licence=NO_LICENCE,
        credentialed=any(case.tags.get(CREDENTIALED) == "true" for case in cases),
    )


def write_jsonl(path: str | Path, cases: Iterable[AnnotatedCase]) -> int:
    """Write our own rows; the file appears whole or not at all. Returns how many.

    Raises:
        CorpusError: it cannot be written.
    """
    count = 0

    def rows() -> Iterator[bytes]:
        nonlocal count
        for case in cases:
            count += 1
            yield row_bytes(case)

    atomic_write(Path(path), rows(), CorpusError)
    return count


def row_to_case(
    row: Any,
    place: str,
    id: str,
    taxonomy: Taxonomy,
    split: str = "",
) -> tuple[AnnotatedCase, list[Problem]]:
    """Turn one parsed row, ours or anybody's, into a case and what was wrong with it.

    Raises:
        DxtraceError: the row holds no usable case or chain; the message names the field.
    """
    if not isinstance(row, dict):
        raise CorpusError(f"expected an object, got {type(row).__name__}")
    own = _own_row(row)
    if own is None:
        case = case_from_json(row, place, id)
        tags = {**_tags(row)}
        gold, problems = _gold(row, case, place, taxonomy, tags)
        patient = row.get("patient", row.get("patient_id"))
        own = AnnotatedCase(
            case,
            gold,
            str(patient) if isinstance(patient, (str, int)) else case.id,
            tags,
        )
    else:
        problems = []
    if isinstance(row.get("split"), str):
        said = row.get("split")
    else:
        said = own.tags.get("split", split)
    tags = {**own.tags, **({"split": said} if said else {})}
    return AnnotatedCase(own.case, own.gold, own.patient, tags), problems


def _read_file(
    file: Path,
    split: str,
    taxonomy: Taxonomy,
    problems: list[Problem],
) -> Iterable[AnnotatedCase]:
    for line in read_jsonl_lines(file, CorpusError):
        place = line.place
        id = f"{file.stem}-{line.number}"
        try:
            row = line.parse()
            id = own_id(row) or id
            case, found = row_to_case(row, place, id, taxonomy, split)
            row_bytes(case)
        except RowError as error:
            problems.append(Problem("bad-json", place, error.reason, id))
        except UnicodeEncodeError:
            problems.append(Problem("bad-json", place, "half a character (a surrogate)", id))
        except DxtraceError as error:
            message = str(error).removeprefix(f"{place}: ")
            problems.append(Problem("bad-shape", place, message, id))
        else:
            problems += found
            yield case


def _own_row(row: Mapping[str, Any]) -> AnnotatedCase | None:
    """Read a row that we wrote; None if it is somebody else's, or its offsets no longer fit its
    note.
    """
    if not isinstance(row.get("sections"), list) or not isinstance(row.get("note"), str):
        return None
    try:
        case = AnnotatedCase.from_json(row)
        if case.gold:
            case.gold.verify()
        if not all(isinstance(text, str) for pair in case.tags.items() for text in pair):
            return None
    except (KeyError, TypeError, ValueError, AttributeError, DxtraceError):
        return None
    return case


def _gold(
    row: Mapping[str, Any],
    case: Any,
    place: str,
    taxonomy: Taxonomy,
    tags: dict[str, str],
) -> tuple[Chain | None, list[Problem]]:
    name = row.get("diagnosis")
    if name is None:
        return None, []
    if not isinstance(name, str) or not name.strip():
        raise CorpusError("'diagnosis' is not text")
    name = replace_surrogates(name.strip())
    node = find_node(name, taxonomy)
    given = row.get("path")
    if node is not None:
        path, category = node.path, node.category
    elif (
        isinstance(given, list)
        and given
        and all(isinstance(n, str) for n in given)
        and given[-1] == name
    ):
        path, category = tuple(map(replace_surrogates, given)), str(row.get("category") or given[0])
    else:
        tags["diagnosis"] = name
        message = (
            unknown_name("diagnosis", name, case.note, taxonomy)
            + ", and the row gives no 'path' of its own"
        )
        return None, [Problem("unknown-diagnosis", place, message)]
    steps = row.get("steps") or []
    if not isinstance(steps, list):
        raise CorpusError("'steps' is not a list")
    raw = []
    for number, step in enumerate(steps, 1):
        raw.append(_raw_step(step, number, taxonomy, path))
    return build_gold(case, path, category, raw, place)


def _raw_step(step: Any, number: int, taxonomy: Taxonomy, path: tuple[str, ...]) -> RawStep:
    if not isinstance(step, dict):
        raise CorpusError(f"step {number} is {type(step).__name__}, expected an object")
    evidence = step.get("evidence", step.get("observation"))
    if isinstance(evidence, dict):
        inner = evidence
    else:
        inner = step
    if isinstance(evidence, dict):
        text = evidence.get("text")
    else:
        text = evidence
    rationale = step.get("rationale", "")
    supports = step.get("supports")
    if (
        not isinstance(text, str)
        or not isinstance(rationale, str)
        or not isinstance(supports, (str, type(None)))
    ):
        raise CorpusError(f"step {number}: 'evidence', 'rationale' or 'supports' is not text")
    if supports is not None and supports not in path:
        node = find_node(supports, taxonomy)
        if node:
            supports = node.name
        else:
            supports = supports
    start, end = inner.get("start"), inner.get("end")
    section = inner.get("section")
    span = (start, end) if type(start) is int and type(end) is int else None
    return RawStep(text, rationale, supports, section if isinstance(section, str) else None, span)


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    tags = row.get("tags")
    if not isinstance(tags, dict):
        return {}
    plain = {}
    for key, value in tags.items():
        if isinstance(value, (str, int, float, bool)):
            plain[key] = value
    return {
        replace_surrogates(str(key)): replace_surrogates(str(value)) for key, value in plain.items()
    }
