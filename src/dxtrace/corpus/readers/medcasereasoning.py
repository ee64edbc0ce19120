"""MedCaseReasoning (hub ``zou-lab/MedCaseReasoning``, CC-BY 4.0): published cases with numbered
reasoning.

Its reasoning quotes the article, not the prompt, so evidence is found again in the prompt: word for
word, else as the clause that says the same in nearly the same words. What cannot be found is
dropped and counted. Diagnoses outside the taxonomy leave a case without a gold chain, with the tags
``diagnosis`` and ``scope`` = ``out``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dxtrace.corpus.align import (
    RawStep,
    build_gold,
    find_diagnosis,
    find_evidence,
)
from dxtrace.corpus.base import Corpus, Problem, assemble, replace_surrogates
from dxtrace.errors import CaseError, CorpusError, MissingExtra
from dxtrace.files import read_parquet
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.cues import has_cue
from dxtrace.notes.quotes import Quote, find_quotes

#: The data set on the hub.
HUB_ID = "zou-lab/MedCaseReasoning"

#: Share of words (F1 over content words) that a clause must have in common with a quote to stand
#: for it.
THRESHOLD = 0.6

_SPLITS = {"dev": "val", "validation": "val"}
_ITEM = re.compile(r"^[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
_QUOTED = re.compile(r"[\"\u201c]([^\"\u201c\u201d]{3,600})[\"\u201d]")
_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+")
_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at by for from had has he her his in is of on or she that the to was were with",
    ),
)


def read_medcasereasoning(
    path: str | Path = HUB_ID,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
    threshold: float = THRESHOLD,
) -> Corpus:
    """Read a parquet file, a folder of them, or the data set from the hub by its id.

    Args:
        path: a file, a folder, or ``owner/name`` on the hub.
        split: ``train``, ``dev`` (theirs: ``val``) or ``test``; None for all.
        taxonomy: where diagnoses are looked up.
        threshold: how alike a clause must be to stand for a quote, from 0 to 1 (1: only word for
            word).

    Raises:
        CorpusError: it cannot be read or fetched, or has no such split. MissingExtra: pyarrow or
        datasets is missing.
    """
    taxonomy = taxonomy or Taxonomy.default()
    cases: list[AnnotatedCase] = []
    problems: list[Problem] = []
    for place, own_id, own_split, row in _rows(str(path), split):
        try:
            case, found = _to_case(row, place, own_id, taxonomy, threshold)
        except (CaseError, CorpusError) as error:
            problems.append(Problem("bad-shape", place, str(error), own_id))
            continue
        problems += found
        cases.append(
            AnnotatedCase(
                case.case,
                case.gold,
                case.patient,
                {**case.tags, "split": own_split},
            ),
        )
    return assemble(
        cases,
        problems,
        name="MedCaseReasoning",
        id=f"medcasereasoning:{split}" if split else "medcasereasoning",
        licence="CC-BY-4.0",
    )


def read_reasoning(text: str) -> list[RawStep]:
    """Return the quotes of a numbered reasoning, each with the sentence around it as the rationale."""
    steps: list[RawStep] = []
    # What stands before the first number is no item.
    for item in _ITEM.split(text)[1:]:
        rationale = " ".join(_QUOTED.sub(" ", item).split())
        rationale = re.sub(r"\s+([.,;])", r"\1", rationale)
        rationale = re.sub(r"\s*[-:;,][\s.]*\Z", "", rationale)
        if rationale:
            for quote in _QUOTED.findall(item):
                steps.append(RawStep(quote, rationale))
    return steps


class Clauses:
    """The quotable clauses of one note, ready to be compared."""

    def __init__(self, note: str) -> None:
        self._quotes = [(quote, _content(quote.text)) for quote in find_quotes(note)]

    def best(self, text: str, threshold: float) -> Quote | None:
        """Return the clause most like ``text`` (F1 of content words), if it reaches the threshold.

        A clause never stands for a text that has other numbers, or that has a cue of negation or
        doubt where the other has none: likeness of words is blind to both.
        """
        wanted = _content(text)
        best: Quote | None = None
        best_score = threshold
        for quote, words in self._quotes:
            score = _f1(wanted, words)
            if score < best_score or (score == best_score and best is not None):
                continue
            same_numbers = _numbers(wanted) == _numbers(words)
            if same_numbers and has_cue(text) == has_cue(quote.text):
                best = quote
                best_score = score
        return best


def _f1(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    if not shared:
        return 0.0
    return 2 * shared / (len(one) + len(other))


def _numbers(words: Iterable[str]) -> set[str]:
    numbers = set()
    for word in words:
        if word[0].isdigit():
            numbers.add(word)
    return numbers


def _to_case(
    row: Mapping[str, Any],
    place: str,
    id: str,
    taxonomy: Taxonomy,
    threshold: float,
) -> tuple[AnnotatedCase, list[Problem]]:
    fields = []
    for key in ("case_prompt", "diagnostic_reasoning", "final_diagnosis"):
        fields.append(row.get(key))
    if not all(isinstance(value, str) for value in fields):
        raise CorpusError("expected text in case_prompt, diagnostic_reasoning and final_diagnosis")
    prompt, reasoning, name = (replace_surrogates(str(value)) for value in fields)
    case = Case.from_text(prompt, id)
    node, category = find_diagnosis(name, taxonomy)
    tags = {"diagnosis": name.strip()}
    if category:
        tags["expected_category"] = category
    if node is None:
        return AnnotatedCase(case, None, id, {**tags, "scope": "out"}), []
    steps = read_reasoning(reasoning)
    clauses = Clauses(prompt)
    found: list[RawStep] = []
    for step in steps:
        moved = _find(case, clauses, step, threshold)
        if moved is not None:
            found.append(moved)
    chain, problems = build_gold(case, node.path, node.category, found, place)
    if len(found) < len(steps):
        lost = f"{len(steps) - len(found)} of {len(steps)} quotes are not in the prompt"
        problems.append(Problem("unaligned", place, f"{lost}; their steps are left out"))
    return AnnotatedCase(case, chain, id, {**tags, "scope": "in"}), problems


def _find(case: Case, clauses: Clauses, step: RawStep, threshold: float) -> RawStep | None:
    if find_evidence(case, step) is not None:
        return step
    quote = clauses.best(step.evidence, threshold)
    if quote is None:
        return None
    return RawStep(
        case.note[quote.start : quote.end],
        step.rationale,
        span=(quote.start, quote.end),
    )


def _content(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _EMPTY_WORDS


def _rows(path: str, split: str | None) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield (place, id, split, row) of every row asked for."""
    wanted = _SPLITS.get(split or "", split)
    local = Path(path)
    if local.exists():
        tables = _local_tables(local, wanted)
    else:
        tables = _hub_tables(path, wanted)
    number = 0
    for place, own, rows in tables:
        for index, row in enumerate(rows, 1):
            number += 1
            id = _own_id(row) or f"mcr-{own}-{index}"
            if own == "val":
                our_split = "dev"
            else:
                our_split = own
            yield f"{place}, row {index}", id, our_split, row
    if not number:
        if split:
            of_split = f" of the split {split!r}"
        else:
            of_split = ""
        raise CorpusError(f"{path}: no row in a parquet file here{of_split}")


def _own_id(row: Mapping[str, Any]) -> str | None:
    for key in ("pmcid", "id"):
        if isinstance(row.get(key), (str, int)):
            return str(row[key])
    return None


def _local_tables(
    path: Path,
    split: str | None,
) -> Iterator[tuple[str, str, Iterable[Mapping[str, Any]]]]:
    if path.is_dir():
        files = sorted(path.rglob("*.parquet"))
    else:
        files = [path]
    for file in files:
        own = re.split(r"[-_.]", file.name)[0].lower()
        own = _SPLITS.get(own, own)
        if split is not None and own != split:
            continue
        yield str(file), own, read_parquet(file, CorpusError)


def _hub_tables(
    name: str,
    split: str | None,
) -> Iterator[tuple[str, str, Iterable[Mapping[str, Any]]]]:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise CorpusError(
            f"{name}: no such file or folder, and not the id of a data set on the hub (owner/name)",
        )
    try:
        import datasets
    except ImportError:
        raise MissingExtra("reading a data set from the hub", "train") from None
    try:
        loaded = datasets.load_dataset(name)
    except Exception as error:  # the library raises many kinds: network, missing data set, its own
        raise CorpusError(
            f"{name}: cannot be fetched from the hub ({type(error).__name__})",
        ) from None
    for own in loaded:
        if split is None or _SPLITS.get(own, own) == split:
            yield f"{name}:{own}", _SPLITS.get(own, own), loaded[own]
