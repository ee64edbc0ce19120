"""Knowledge made ready for drawing: ways divided in two sides, what suppresses what, candidates by
diagnosis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dxtrace.compose._ways import Ways, sides
from dxtrace.knowledge import CategoryKnowledge, frequency, load, occurs, slug
from dxtrace.knowledge.background import Background, Statement, WordIndex, background
from dxtrace.knowledge.schema import CASE_PLACEHOLDERS, Finding, Negative, Neutral
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy
from dxtrace.knowledge.wordings import apart, divide, stable_hash

#: Comorbidities fall into so many groups: two of one group meet only in the hard test, others only
#: elsewhere.
GROUPS = 10


@dataclass(frozen=True)
class Said:
    """A finding, negative or neutral statement of a category with its ways for both sides.

    ``openings`` are ways that present the patient ("A {age}-year-old {man} ..."): they begin a
    note, nothing else does.
    ``hides`` are the background items that cannot stand beside it; ``topic`` ("social", "family",
    "allergies" or none),
    ``system`` and ``modality`` say where in its section it is printed. ``traits`` are those of the
    background that its wording has; a ``compound`` result is of more tests than its row can show.
    """

    id: str
    section: str
    topic: str
    ways: tuple[Ways, Ways]
    openings: tuple[tuple[str, ...], tuple[str, ...]]
    hides: frozenset[str]
    system: str
    modality: str
    finding: Finding | None = None
    negative: Negative | None = None
    neutral: Neutral | None = None
    chief: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    by_age: bool = False
    traits: frozenset[str] = frozenset()
    compound: bool = False


@dataclass(frozen=True)
class Target:
    """A diagnosis to compose for: its path and the findings that may be shown, with their
    frequencies.
    """

    node: Node
    findings: tuple[tuple[Said, float], ...]


@dataclass(frozen=True)
class Compiled:
    """One category, ready for drawing.

    ``barred`` are background items that never stand in its notes.
    """

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
    openings, says = apart(finding) if finding else ((), item.says)
    chief = divide(finding.chief) if finding else ((), ())
    return Said(
        id=item.id,
        section=item.section,
        topic=_topic(item.says.all) if item.section == "past_medical_history" else "",
        ways=sides(says),
        openings=divide(openings),
        hides=_words().found("\n".join(texts)),
        system=_system(texts, finding) if item.section == "physical_exam" else "",
        modality=_first_match(background().modalities, texts, "other")
        if item.section == "pertinent_results"
        else "",
        finding=finding,
        negative=negative,
        neutral=neutral,
        chief=chief,
        traits=_traits(item.section, item.says.all) if finding or neutral else frozenset(),
        compound=finding is not None and _is_compound(finding),
        by_age=finding is not None and finding.kind == "demographics" and _is_age(item.says.all),
    )


def _first_match(patterns: Mapping[str, str], texts: Iterable[str], default: str) -> str:
    """Return the key whose pattern matches the most texts, the earlier on a tie; ``default`` below
    a third of them.
    """
    texts = list(texts)
    counts = {
        key: sum(bool(pattern.search(text)) for text in texts)
        for key, pattern in _compiled(patterns).items()
    }
    best = max(counts, key=lambda key: counts[key])
    return best if counts[best] * 3 >= len(texts) else default


def _traits(section: str, texts: Sequence[str]) -> frozenset[str]:
    """Return the traits that a third of the ways show; how long things last counts in the story
    only.
    """
    story = section in ("history_of_present_illness", "chief_complaint")
    return frozenset(
        name
        for name, pattern in _compiled(background().traits).items()
        if (story or name in ("silent", "grave"))
        and 3 * sum(bool(pattern.search(text)) for text in texts) >= len(texts)
    )


def _is_compound(finding: Finding) -> bool:
    """True if most ways give a number that the row of the laboratory table lacks."""
    if finding.lab is None:
        return False
    shown = set(re.findall(r"\{(\w+)\}", finding.lab.name + finding.lab.value)) | {
        *CASE_PLACEHOLDERS,
    }
    more = [bool(set(re.findall(r"\{(\w+)\}", text)) - shown) for text in finding.says.all]
    return 2 * sum(more) >= len(more)


def _is_age(texts: Sequence[str]) -> bool:
    """True if the finding is the patient's age and sex, and nothing that an opening does not say."""
    plain = [
        set(re.findall(r"\{(\w+)\}", text)) <= {"age", "man", "he", "He", "his", "His"}
        for text in texts
    ]
    return all(plain) and 3 * sum("{age}" in text for text in texts) >= len(texts)


def _system(texts: Iterable[str], finding: Finding | None) -> str:
    return (
        "vital"
        if finding and finding.vital
        else _first_match(background().exam_words, texts, "other")
    )


def _topic(texts: Sequence[str]) -> str:
    """Return what a statement on the past is mostly about: habits and home, relatives, allergies,
    or illness ("").
    """
    data = background()
    patterns = {
        "social": data.social_words,
        "family": data.family_words,
        "allergies": data.allergy_words,
    }
    counts = {
        topic: sum(bool(re.search(words, text)) for text in texts)
        for topic, words in patterns.items()
    }
    best = max(counts, key=lambda topic: counts[topic])
    return best if 5 * counts[best] > 2 * len(texts) else ""


def _compiled(patterns: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {key: re.compile(pattern, re.IGNORECASE) for key, pattern in patterns.items()}


def statements(data: Background) -> Iterable[Statement]:
    """Yield every statement of the background."""
    yield from (*data.allergies, *data.social, *data.family, *data.studies, *data.course)
    for items in data.exam.values():
        yield from items
    for report in data.reports.values():
        yield from report.normal


@cache
def _words() -> WordIndex:
    data = background()
    return WordIndex(
        [*statements(data), *data.comorbidities, *data.surgeries, *data.ros, *data.tests],
    )


def _barred(category: Category, findings: Iterable[Said]) -> frozenset[str]:
    """Return what never stands in a note of the category: illnesses, habits, relatives that a
    finding is about.
    """
    data = background()
    lasting = [*data.comorbidities, *data.surgeries, *data.social, *data.family, *data.allergies]
    barred = {
        item.id
        for item in (*data.comorbidities, *data.surgeries)
        if category.name in item.never_with
    }
    barred |= {item.id for item in statements(data) if category.name in item.never_with}
    hidden: set[str] = set()
    for said in findings:
        hidden |= said.hides
    barred |= set(data.not_normal.get(category.name, ()))
    return frozenset(barred | (hidden & {item.id for item in lasting}))


@cache
def comorbidity_groups() -> dict[str, int]:
    """Return the group of each comorbidity: see :data:`GROUPS`."""
    ranked = sorted((item.id for item in background().comorbidities), key=stable_hash)
    return {id: rank % GROUPS for rank, id in enumerate(ranked)}


@cache
def denied_by(illness: str) -> frozenset[str]:
    """Return the denials and normal statements that do not go with an illness: insomnia, and
    "sleeps well".
    """
    item = next(item for item in background().comorbidities if item.id == illness)
    return _words().found("\n".join((*item.names.all, *item.medications))) - set(item.shifts)


@cache
def says_of() -> dict[str, tuple[Ways, Ways]]:
    """Return the ways of every background statement and of the names of every illness, by id and
    side.
    """
    data = background()
    found = {item.id: sides(item.says) for item in statements(data)}
    return found | {item.id: sides(item.names) for item in (*data.comorbidities, *data.surgeries)}


@cache
def parted(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a list of texts by side; a side that would be empty gets them all."""
    train, hard = divide(texts)
    return train, hard or train
