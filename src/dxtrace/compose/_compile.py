"""Knowledge made ready for drawing: ways divided in two sides, what suppresses what, candidates by diagnosis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from dxtrace.compose._ways import Ways, divide, sides, stable_hash
from dxtrace.knowledge import CategoryKnowledge, load, slug
from dxtrace.knowledge.background import Background, Statement, WordIndex, background
from dxtrace.knowledge.schema import Finding, Negative, Neutral
from dxtrace.taxonomy import Category, Node, Taxonomy

#: Comorbidities fall into this many groups. Two of one group meet only in the hard test, two of different groups elsewhere.
GROUPS = 8


@dataclass(frozen=True)
class Said:
    """A finding, negative or neutral statement of a category with its ways for both sides.

    ``hides`` are the background items that cannot stand beside it; ``system`` and ``modality`` say where it is printed.
    """

    id: str
    section: str
    ways: tuple[Ways, Ways]
    hides: frozenset[str]
    system: str
    modality: str
    finding: Finding | None = None
    negative: Negative | None = None
    neutral: Neutral | None = None
    chief: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A diagnosis to compose for: its path and the findings that may be shown, with their frequencies."""

    node: Node
    findings: tuple[tuple[Said, float], ...]


@dataclass(frozen=True)
class Compiled:
    """One category, ready for drawing. ``barred`` are background items that never stand in its notes."""

    category: Category
    knowledge: CategoryKnowledge
    targets: Mapping[str, Target]
    negatives: tuple[Said, ...]
    neutrals: tuple[Said, ...]
    barred: frozenset[str]


@cache
def compiled(name: str) -> Compiled:
    """Compile one category's knowledge.

    Raises:
        KnowledgeError: its file is missing or breaks the schema.
    """
    category = Taxonomy.default().category(name)
    knowledge = load(name)
    findings = [_said(item, _findings_texts(item), finding=item) for item in knowledge.findings]
    return Compiled(
        category=category,
        knowledge=knowledge,
        targets={node.name: _target(node, findings) for node in category.diagnoses},
        negatives=tuple(_said(item, item.says.all, negative=item) for item in knowledge.negatives),
        neutrals=tuple(_said(item, item.says.all, neutral=item) for item in knowledge.neutral),
        barred=_barred(category, findings),
    )


def frequency(finding: Finding, node: Node) -> float:
    """Return the share of patients with diagnosis ``node`` in whom the finding is present."""
    if isinstance(finding.frequency, float):
        return finding.frequency
    for name in (*reversed(node.path), "default"):
        if name in finding.frequency:
            return finding.frequency[name]
    return 0.0


def occurs(finding: Finding, node: Node) -> bool:
    """True if the finding may be shown for diagnosis ``node``: it supports the path, and ``only`` allows it."""
    return finding.node in node.path and (not finding.only or bool(set(finding.only) & set(node.path)))


def premise_id(category: str, finding: Finding) -> str:
    """Return the id of the finding's premise."""
    return f"{slug(category)}/{finding.id}"


def _findings_texts(finding: Finding) -> tuple[str, ...]:
    lab = (finding.lab.name,) if finding.lab else ()
    return (finding.id.replace("-", " "), *finding.says.all, *finding.chief, *lab)


def _target(node: Node, findings: Iterable[Said]) -> Target:
    usable = [(said, said.finding) for said in findings if said.finding]
    return Target(node, tuple((said, frequency(f, node)) for said, f in usable if occurs(f, node)))


def _said(
    item: Finding | Negative | Neutral,
    texts: tuple[str, ...],
    finding: Finding | None = None,
    negative: Negative | None = None,
    neutral: Neutral | None = None,
) -> Said:
    whole = "\n".join(texts)
    chief = divide(finding.chief) if finding else ((), ())
    return Said(
        id=item.id,
        section=item.section,
        ways=sides(item.says),
        hides=_words().found(whole),
        system=_first_match(background().exam_words, texts, "other") if item.section == "physical_exam" else "",
        modality=_first_match(background().modalities, texts, "other") if item.section == "pertinent_results" else "",
        finding=finding,
        negative=negative,
        neutral=neutral,
        chief=chief,
        texts=texts,
    )


def _first_match(patterns: Mapping[str, str], texts: Iterable[str], default: str) -> str:
    """Return the key whose pattern matches the most texts; the earlier one on a tie."""
    texts = list(texts)
    counts = {key: sum(bool(pattern.search(text)) for text in texts) for key, pattern in _compiled(patterns).items()}
    best = max(counts, key=lambda key: counts[key])
    return best if counts[best] else default


def _compiled(patterns: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {key: re.compile(pattern, re.IGNORECASE) for key, pattern in patterns.items()}


def statements(data: Background) -> Iterable[Statement]:
    """Yield every statement of the background."""
    yield from (*data.allergies, *data.social, *data.family, *data.studies, *data.course)
    for items in data.exam.values():
        yield from items


@cache
def _words() -> WordIndex:
    data = background()
    return WordIndex([*statements(data), *data.comorbidities, *data.surgeries, *data.ros, *data.tests])


def _barred(category: Category, findings: Iterable[Said]) -> frozenset[str]:
    """What may never stand in a note of the category: an illness, habit or relative that one of its findings is about."""
    data = background()
    lasting = [*data.comorbidities, *data.surgeries, *data.social, *data.family, *data.allergies]
    every = [*lasting, *statements(data)]
    barred = {item.id for item in every if category.name in item.never_with}
    hidden: set[str] = set()
    for said in findings:
        hidden |= said.hides
    return frozenset(barred | (hidden & {item.id for item in lasting}))


@cache
def comorbidity_groups() -> dict[str, int]:
    """Return the group of each comorbidity: see :data:`GROUPS`."""
    ranked = sorted((item.id for item in background().comorbidities), key=stable_hash)
    return {id: rank % GROUPS for rank, id in enumerate(ranked)}


@cache
def says_of() -> dict[str, tuple[Ways, Ways]]:
    """Return the ways of every background statement and of the names of every illness, by id and side."""
    data = background()
    found = {item.id: sides(item.says) for item in statements(data)}
    return found | {item.id: sides(item.names) for item in (*data.comorbidities, *data.surgeries)}


@cache
def parted(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a list of texts by side; a side that would be empty gets them all."""
    train, hard = divide(texts)
    return train, hard or train
