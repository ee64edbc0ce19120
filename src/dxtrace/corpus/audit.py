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

from dxtrace.corpus.base import Corpus
from dxtrace.corpus.duplicates import NEAR, find_duplicates
from dxtrace.corpus.split_manifest import diagnosis_of
from dxtrace.knowledge import leaked_names
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.sections import ALL_SECTIONS
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
    moved: int
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
        if not total:
            return 0.0
        return self.unaligned / total

    @property
    def leak_share(self) -> float:
        """Cases whose note holds the name of their diagnosis, of all annotated ones."""
        if not self.annotated:
            return 0.0
        return len(self.leaks) / self.annotated

    @property
    def majority(self) -> tuple[str, float]:
        """The most frequent diagnosis, and how often guessing it is right."""
        name, count = max(self.diagnoses.items(), key=lambda item: item[1], default=("", 0))
        return name, count / max(1, sum(self.diagnoses.values()))

    def broken(self, limits: Thresholds) -> list[str]:
        """Return one line for each threshold that is passed."""
        same = sum(len(group) - 1 for group in self.duplicates)
        _, majority = self.majority
        found: dict[str, float] = {
            "problems": sum(self.problems.values()),
            "unaligned": self.unaligned_share,
            "conflicts": len(self.conflicts),
            "duplicates": same + len(self.near_duplicates),
            "leaks": self.leak_share,
            "crossing": len(self.crossing) + len(self.crossing_duplicates),
            "majority": majority,
        }
        lines: list[str] = []
        for field in fields(limits):
            limit = getattr(limits, field.name)
            if limit is not None and found[field.name] > limit:
                lines.append(f"{field.name}: {found[field.name]:.4g}, at most {limit:g} accepted")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return all of it as a JSON object; it holds ids and labels, no text of a note."""
        diagnosis, share = self.majority
        data = asdict(self)
        data["unaligned_share"] = round(self.unaligned_share, 6)
        data["leak_share"] = round(self.leak_share, 6)
        data["majority"] = {"diagnosis": diagnosis, "share": share}
        if self.corpus.credentialed:
            data["rule"] = CREDENTIALED_RULE
        return data


def audit_corpus(
    corpus: Corpus,
    *,
    taxonomy: Taxonomy | None = None,
    tokens: Tokens | None = None,
    tokens_of: str | None = None,
    near: float = NEAR,
) -> Audit:
    """Audit a corpus: counts, lengths, problems, conflicts, duplicates, leaked labels, splits.

    Args:
        corpus: what :func:`dxtrace.corpus.open_corpus` returned.
        taxonomy: whose names are looked for in the notes.
        tokens: counts tokens; ``tokens_of`` names the model that it counts for.
        tokens_of: see ``tokens``.
        near: 5-gram Jaccard similarity from which notes count as near-duplicates, 0.6 to 1.
    """
    taxonomy = taxonomy or Taxonomy.default()
    cases = corpus.cases
    notes = []
    for case in cases:
        notes.append(case.case.note)
    groups, pairs = find_duplicates(notes, near)
    same = []
    for group in groups:
        same.append(tuple(cases[index].id for index in group))
    near_pairs = []
    for a, b, score in pairs:
        near_pairs.append((cases[a].id, cases[b].id, round(score, 3)))
    token_spread = None
    if tokens:
        token_spread = Spread.of(tokens(notes))
    leaks, category_leaks = _leaks(corpus.annotated, taxonomy)
    problems = corpus.count_problems()
    by_id = {}
    for case in cases:
        by_id[case.id] = case
    return Audit(
        corpus=corpus.info,
        cases=len(cases),
        annotated=len(corpus.annotated),
        patients=len({case.patient for case in cases}),
        amended=_amended(cases),
        splits=_count(case.tags["split"] for case in cases if "split" in case.tags),
        categories=_count(filter(None, map(_category, cases))),
        diagnoses=_count(filter(None, map(diagnosis_of, cases))),
        words=Spread.of(len(note.split()) for note in notes),
        tokens=token_spread,
        tokens_of=tokens_of if token_spread else None,
        observations=Spread.of(len(case.gold.steps) for case in cases if case.gold),
        sections=_sections(cases),
        unaligned=problems.get("unaligned", 0),
        moved=problems.get("moved", 0),
        problems=problems,
        problem_list=tuple(map(str, corpus.problems)),
        conflicts=tuple(_conflicts(by_id, same, near_pairs, taxonomy)),
        duplicates=tuple(same),
        near_duplicates=tuple(near_pairs),
        leaks=leaks,
        category_leaks=category_leaks,
        crossing=_crossing(cases),
        crossing_duplicates=tuple(
            _crossing_duplicates(by_id, [*same, *(pair[:2] for pair in near_pairs)]),
        ),
    )


def _leaks(
    annotated: Iterable[AnnotatedCase], taxonomy: Taxonomy
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return, by case id, names of its own path and of its category that stand in its note."""
    leaks: dict[str, tuple[str, ...]] = {}
    category_leaks: dict[str, tuple[str, ...]] = {}
    for case in annotated:
        own, all_names = _leaked(case, taxonomy)
        if own:
            leaks[case.id] = own
        if all_names:
            category_leaks[case.id] = all_names
    return leaks, category_leaks


def _amended(cases: Iterable[AnnotatedCase]) -> int | None:
    known = []
    for case in cases:
        if "amended" in case.tags:
            known.append(case.tags["amended"])
    if not known:
        return None
    return known.count("true")


def _count(names: Iterable[str]) -> dict[str, int]:
    """Count names, the most frequent first."""
    counts = Counter(names)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _category(case: AnnotatedCase) -> str:
    if case.gold:
        return case.gold.category
    return case.tags.get("expected_category", "")


def _sections(cases: Iterable[AnnotatedCase]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for case in cases:
        if case.gold:
            found.update(step.evidence.section for step in case.gold.steps)
    sections = {}
    for name in ALL_SECTIONS:
        sections[name] = found[name]
    return sections


def _leaked(case: AnnotatedCase, taxonomy: Taxonomy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the diagnosis, and all names of the category, that stand in a note."""
    node = taxonomy.get(case.gold.diagnosis) if case.gold else None
    if node is None:
        return (), ()
    note = case.case.note
    found: list[str] = []
    for name in leaked_names(note, taxonomy.category_of(node)):
        # An abbreviation in other letters is another word: "ua" is no unstable angina.
        if not _short(name) or _stands(name, note):
            found.append(name)
    own = []
    for name in found:
        if name in (node.name, *node.aliases):
            own.append(name)
    return tuple(own), tuple(found)


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
    groups = []
    for group in same:
        groups.append(("same note", group))
    groups += [("nearly the same note", (one, other)) for one, other, _ in near]
    for what, ids in groups:
        labels: dict[str, str] = {}
        for id in ids:
            if label := diagnosis_of(cases[id]):
                labels[id] = label
        if len(set(labels.values())) > 1:
            yield Conflict(what, tuple(labels), tuple(labels.values()))
    for case in cases.values():
        if labels_of_both := _folder_conflict(case, taxonomy):
            yield Conflict("folder and file", (case.id,), labels_of_both)


def _folder_conflict(case: AnnotatedCase, taxonomy: Taxonomy) -> tuple[str, str] | None:
    """Return what the folder of a case says and what its file says, where they differ."""
    folders = case.tags.get("folder", "").split("/")
    if case.gold is None or not folders[0]:
        return None
    folder = folders[-1]
    if len(folders) > 1 and _differ(folder, case.gold.diagnosis, taxonomy):
        return folder, case.gold.diagnosis
    category = taxonomy.get_category(folders[0])
    if category and category.name != case.gold.category:
        return category.name, case.gold.category
    return None


def _differ(folder: str, gold: str, taxonomy: Taxonomy) -> bool:
    one = taxonomy.get(folder)
    other = taxonomy.get(gold)
    if one is None or other is None:
        return folder.lower() != gold.lower()
    return one.name != other.name


def _crossing(cases: Iterable[AnnotatedCase]) -> dict[str, tuple[str, ...]]:
    splits: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if "split" in case.tags:
            splits[case.patient].add(case.tags["split"])
    crossing: dict[str, tuple[str, ...]] = {}
    for patient, found in sorted(splits.items()):
        if len(found) > 1:
            crossing[patient] = tuple(sorted(found))
    return crossing


def _crossing_duplicates(
    cases: Mapping[str, AnnotatedCase],
    groups: Iterable[Sequence[str]],
) -> Iterable[tuple[str, ...]]:
    for group in groups:
        splits = {cases[id].tags.get("split") for id in group} - {None}
        if len(splits) > 1:
            yield tuple(group)
