"""What there is to know about a corpus before a model is made from it: counts, lengths, and all
that could mislead.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from dxtrace.annotated import AnnotatedCase
from dxtrace.corpus.base import Corpus
from dxtrace.corpus.duplicates import NEAR, find_duplicates
from dxtrace.corpus.split_manifest import diagnosis_of
from dxtrace.knowledge import leaked_names
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.sections import SECTIONS
from dxtrace.provenance import CREDENTIALED_RULE, CorpusInfo

#: Counts the tokens of each note.
Tokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Spread:
    """How a number varies over the cases."""

    count: int
    minimum: float
    median: float
    mean: float
    p95: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values; all zero for none.

        ``p95`` is the nearest-rank percentile.
        """
        found = sorted(values)
        if not found:
            return cls(0, 0, 0, 0, 0, 0)
        p95 = found[math.ceil(0.95 * len(found)) - 1]
        return cls(
            len(found),
            found[0],
            statistics.median(found),
            statistics.fmean(found),
            p95,
            found[-1],
        )


@dataclass(frozen=True)
class Conflict:
    """Labels that contradict each other: of the same or nearly the same note, or of a file and its
    folder.
    """

    what: str
    cases: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Thresholds:
    """The most that is accepted of each; None accepts all. Shares lie between 0 and 1."""

    problems: int | None = None
    unaligned: float | None = None
    conflicts: int | None = None
    duplicates: int | None = None
    leaks: float | None = None
    crossing: int | None = None
    majority: float | None = None


@dataclass(frozen=True)
class Audit:
    """The result of :func:`audit_corpus`.

    ``leaks`` maps a case to the names of its own diagnosis that stand in its note,
    ``category_leaks`` to those of its category and of any node of that. ``crossing`` maps a patient
    to splits, if there are several;
    ``crossing_duplicates`` are (near-)duplicates in different splits. ``amended`` is None where
    nothing is known.
    """

    corpus: CorpusInfo
    cases: int
    annotated: int
    patients: int
    amended: int | None
    splits: Mapping[str, int]
    categories: Mapping[str, int]
    diagnoses: Mapping[str, int]
    words: Spread
    tokens: Spread | None
    tokens_of: str | None
    observations: Spread
    sections: Mapping[str, int]
    unaligned: int
    problems: Mapping[str, int]
    problem_list: tuple[str, ...]
    conflicts: tuple[Conflict, ...]
    duplicates: tuple[tuple[str, ...], ...]
    near_duplicates: tuple[tuple[str, str, float], ...]
    leaks: Mapping[str, tuple[str, ...]]
    category_leaks: Mapping[str, tuple[str, ...]]
    crossing: Mapping[str, tuple[str, ...]]
    crossing_duplicates: tuple[tuple[str, ...], ...]

    @property
    def unaligned_share(self) -> float:
        """Observations that do not stand in their note, of all observations."""
        total = sum(self.sections.values()) + self.unaligned
        return self.unaligned / total if total else 0.0

    @property
    def leak_share(self) -> float:
        """Cases whose note holds the name of their diagnosis, of all annotated ones."""
        return len(self.leaks) / self.annotated if self.annotated else 0.0

    @property
    def majority(self) -> tuple[str, float]:
        """The most frequent diagnosis, and how often guessing it is right."""
        name, count = max(self.diagnoses.items(), key=lambda item: item[1], default=("", 0))
        return name, count / max(1, sum(self.diagnoses.values()))

    def broken(self, limits: Thresholds) -> list[str]:
        """Return one line for each threshold that is passed."""
        found: dict[str, float] = {
            "problems": sum(self.problems.values()),
            "unaligned": self.unaligned_share,
            "conflicts": len(self.conflicts),
            "duplicates": sum(len(group) - 1 for group in self.duplicates)
            + len(self.near_duplicates),
            "leaks": self.leak_share,
            "crossing": len(self.crossing) + len(self.crossing_duplicates),
            "majority": self.majority[1],
        }
        lines = []
        for field in fields(limits):
            limit = getattr(limits, field.name)
            if limit is not None and found[field.name] > limit:
                lines.append(f"{field.name}: {found[field.name]:.4g}, at most {limit:g} accepted")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object; it holds ids and labels, no text of a note."""
        data = asdict(self) | {
            "unaligned_share": round(self.unaligned_share, 6),
            "leak_share": round(self.leak_share, 6),
            "majority": dict(zip(("diagnosis", "share"), self.majority, strict=True)),
        }
        return data | ({"rule": CREDENTIALED_RULE} if self.corpus.credentialed else {})


def audit_corpus(
    corpus: Corpus,
    *,
    taxonomy: Taxonomy | None = None,
    tokens: Tokens | None = None,
    tokens_of: str | None = None,
    near: float = NEAR,
) -> Audit:
    """Look a corpus over.

    Args:
        corpus: what :func:`dxtrace.corpus.open_corpus` returned.
        taxonomy: whose names are looked for in the notes.
        tokens: counts tokens; ``tokens_of`` names the model that it counts for.
        tokens_of: see ``tokens``.
        near: 5-gram Jaccard similarity from which notes count as near-duplicates, 0.6 to 1.
    """
    taxonomy = taxonomy or Taxonomy.default()
    cases = corpus.cases
    notes = [case.case.note for case in cases]
    groups, pairs = find_duplicates(notes, near)
    counts = tokens(notes) if tokens else None
    leaks = {case.id: names for case in corpus.annotated if (names := _leaked(case, taxonomy))}
    amended = [case.tags["amended"] == "true" for case in cases if "amended" in case.tags]
    problems = corpus.count_problems()
    same = [tuple(cases[index].id for index in group) for group in groups]
    near_pairs = [(cases[a].id, cases[b].id, round(score, 3)) for a, b, score in pairs]
    by_id = {case.id: case for case in cases}
    return Audit(
        corpus=corpus.info,
        cases=len(cases),
        annotated=len(corpus.annotated),
        patients=len({case.patient for case in cases}),
        amended=sum(amended) if amended else None,
        splits=_count(case.tags["split"] for case in cases if "split" in case.tags),
        categories=_count(category for case in cases if (category := _category(case))),
        diagnoses=_count(diagnosis for case in cases if (diagnosis := diagnosis_of(case))),
        words=Spread.of(len(note.split()) for note in notes),
        tokens=Spread.of(counts) if counts is not None else None,
        tokens_of=tokens_of if counts is not None else None,
        observations=Spread.of(len(case.gold.steps) for case in cases if case.gold),
        sections=_sections(cases),
        unaligned=problems.get("unaligned", 0),
        problems=problems,
        problem_list=tuple(map(str, corpus.problems)),
        conflicts=tuple(_conflicts(by_id, same, near_pairs, taxonomy)),
        duplicates=tuple(same),
        near_duplicates=tuple(near_pairs),
        leaks={id: own for id, (own, _) in leaks.items() if own},
        category_leaks={id: names for id, (_, names) in leaks.items()},
        crossing=_crossing(cases),
        crossing_duplicates=tuple(
            _crossing_duplicates(by_id, [*same, *(pair[:2] for pair in near_pairs)]),
        ),
    )


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _category(case: AnnotatedCase) -> str:
    return case.gold.category if case.gold else case.tags.get("expected_category", "")


def _sections(cases: Iterable[AnnotatedCase]) -> dict[str, int]:
    found = Counter(
        step.evidence.section for case in cases if case.gold for step in case.gold.steps
    )
    return {name: found[name] for name in SECTIONS}


def _leaked(
    case: AnnotatedCase,
    taxonomy: Taxonomy,
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the names of the diagnosis, and all names of the category, that stand in a note; None
    for none.
    """
    if case.gold is None:
        return None
    node = taxonomy.get(case.gold.diagnosis)
    if node is None:
        return None
    note = case.case.note
    # An abbreviation in other letters is another word: "ua" is no unstable angina.
    found = [
        name
        for name in leaked_names(note, taxonomy.category_of(node))
        if not _short(name) or _stands(name, note)
    ]
    own = [name for name in found if name in (node.name, *node.aliases)]
    return (tuple(own), tuple(found)) if found else None


def _short(name: str) -> bool:
    return len(name) <= 4 and name.isupper()


def _stands(name: str, note: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", note) is not None


def _conflicts(
    cases: Mapping[str, AnnotatedCase],
    same: Iterable[Sequence[str]],
    near: Iterable[tuple[str, str, float]],
    taxonomy: Taxonomy,
) -> Iterable[Conflict]:
    for what, ids in [
        *(("same note", group) for group in same),
        *(("nearly the same note", p[:2]) for p in near),
    ]:
        labels = {id: label for id in ids if (label := diagnosis_of(cases[id]))}
        if len(set(labels.values())) > 1:
            yield Conflict(what, tuple(labels), tuple(labels.values()))
    for case in cases.values():
        folders = case.tags.get("folder", "").split("/")
        if case.gold is None or not folders[0]:
            continue
        gold, folder = case.gold.diagnosis, folders[-1]
        if len(folders) > 1 and _differ(folder, gold, taxonomy):
            yield Conflict("folder and file", (case.id,), (folder, gold))
        elif (
            category := taxonomy.get_category(folders[0])
        ) and category.name != case.gold.category:
            yield Conflict(
                "folder and file",
                (case.id,),
                (category.name, case.gold.category),
            )


def _differ(folder: str, gold: str, taxonomy: Taxonomy) -> bool:
    one, other = taxonomy.get(folder), taxonomy.get(gold)
    return one.name != other.name if one and other else folder.lower() != gold.lower()


def _crossing(cases: Iterable[AnnotatedCase]) -> dict[str, tuple[str, ...]]:
    splits: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if "split" in case.tags:
            splits[case.patient].add(case.tags["split"])
    return {
        patient: tuple(sorted(found)) for patient, found in sorted(splits.items()) if len(found) > 1
    }


def _crossing_duplicates(
    cases: Mapping[str, AnnotatedCase],
    groups: Iterable[Sequence[str]],
) -> Iterable[tuple[str, ...]]:
    for group in groups:
        if len({cases[id].tags["split"] for id in group if "split" in cases[id].tags}) > 1:
            yield tuple(group)
