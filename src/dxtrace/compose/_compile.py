"""Knowledge made ready for drawing: ways divided in two sides, what suppresses what, candidates by
diagnosis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from dxtrace.compose._ways import Wordings, sides
from dxtrace.knowledge import CategoryKnowledge, frequency, load, occurs, slug
from dxtrace.knowledge.background import (
    Background,
    Statement,
    WordIndex,
    background,
)
from dxtrace.knowledge.schema import (
    CASE_PLACEHOLDERS,
    Finding,
    Negative,
    Neutral,
)
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy
from dxtrace.knowledge.wordings import apart, divide, stable_hash

#: Comorbidities fall into so many groups: two of one group meet only in the hard test, others only
#: elsewhere.
GROUPS = 10


#: Placeholders that every opening fills.
_OF_OPENINGS = {"age", "man", "he", "He", "his", "His"}


@dataclass(frozen=True)
class CaseStatement:
    """A finding, negative or neutral statement of a category with its ways for both sides.

    ``openings`` are ways that present the patient ("A {age}-year-old {man} ..."): they begin a
    note, nothing else does.
    ``excludes`` are the background items that cannot stand beside it; ``topic`` ("social", "family",
    "allergies" or none),
    ``system`` and ``modality`` say where in its section it is printed. ``traits`` are those of the
    background that its wording has; a ``compound`` result is of more tests than its row can show.
    """

    id: str
    section: str
    topic: str
    ways: tuple[Wordings, Wordings]
    openings: tuple[tuple[str, ...], tuple[str, ...]]
    excludes: frozenset[str]
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
    findings: tuple[tuple[CaseStatement, float], ...]


@dataclass(frozen=True)
class Compiled:
    """One category, ready for drawing.

    ``barred`` are background items that never stand in its notes.
    """

    category: Category
    knowledge: CategoryKnowledge
    targets: Mapping[str, Target]
    negatives: tuple[CaseStatement, ...]
    neutrals: tuple[CaseStatement, ...]
    barred: frozenset[str]


@cache
def compiled(name: str) -> Compiled:
    """Compile one category's knowledge.

    Raises:
        KnowledgeError: its file is missing or breaks the schema.
    """
    category = Taxonomy.default().category(name)
    knowledge = load(name)
    findings: list[CaseStatement] = []
    for finding in knowledge.findings:
        findings.append(_case_statement(finding, _findings_texts(finding), finding=finding))
    negatives: list[CaseStatement] = []
    for negative in knowledge.negatives:
        negatives.append(_case_statement(negative, negative.says.all, negative=negative))
    neutrals: list[CaseStatement] = []
    for neutral in knowledge.neutral:
        neutrals.append(_case_statement(neutral, neutral.says.all, neutral=neutral))
    return Compiled(
        category=category,
        knowledge=knowledge,
        targets={node.name: _target(node, findings) for node in category.diagnoses},
        negatives=tuple(negatives),
        neutrals=tuple(neutrals),
        barred=_barred(category, findings),
    )


def premise_id(category: str, finding: Finding) -> str:
    """Return the id of the finding's premise."""
    return f"{slug(category)}/{finding.id}"


def _findings_texts(finding: Finding) -> tuple[str, ...]:
    texts = [finding.id.replace("-", " "), *finding.says.all, *finding.chief]
    if finding.lab:
        texts.append(finding.lab.name)
    return tuple(texts)


def _target(node: Node, findings: Iterable[CaseStatement]) -> Target:
    shown: list[tuple[CaseStatement, float]] = []
    for statement in findings:
        if statement.finding and occurs(statement.finding, node):
            shown.append((statement, frequency(statement.finding, node)))
    return Target(node, tuple(shown))


def _case_statement(
    item: Finding | Negative | Neutral,
    texts: tuple[str, ...],
    finding: Finding | None = None,
    negative: Negative | None = None,
    neutral: Neutral | None = None,
) -> CaseStatement:
    statement = CaseStatement(
        id=item.id,
        section=item.section,
        topic="",
        ways=sides(item.says),
        openings=((), ()),
        excludes=_words().found("\n".join(texts)),
        system="",
        modality="",
        finding=finding,
        negative=negative,
        neutral=neutral,
    )
    if item.section == "past_medical_history":
        statement = replace(statement, topic=_topic(item.says.all))
    elif item.section == "physical_exam":
        statement = replace(statement, system=_system(texts, finding))
    elif item.section == "pertinent_results":
        modality = _first_match(background().modalities, texts, "other")
        statement = replace(statement, modality=modality)
    if finding or neutral:
        statement = replace(statement, traits=_traits(item.section, item.says.all))
    if finding is None:
        return statement
    openings, says = apart(finding)
    return replace(
        statement,
        ways=sides(says),
        openings=divide(openings),
        chief=divide(finding.chief),
        compound=_is_compound(finding),
        by_age=finding.kind == "demographics" and _is_age(item.says.all),
    )


def _first_match(patterns: Mapping[str, str], texts: Iterable[str], default: str) -> str:
    """Return the key whose pattern matches the most texts, the earlier on a tie; ``default`` below
    a third of them.
    """
    texts = list(texts)
    counts: dict[str, int] = {}
    for key, pattern in _compiled(patterns).items():
        counts[key] = _matches(pattern, texts)
    best = max(counts, key=lambda key: counts[key])
    if counts[best] * 3 < len(texts):
        return default
    return best


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> int:
    return sum(bool(pattern.search(text)) for text in texts)


def _traits(section: str, texts: Sequence[str]) -> frozenset[str]:
    """Return the traits that a third of the ways show; how long things last counts in the story
    only.
    """
    story = section in ("history_of_present_illness", "chief_complaint")
    shown: set[str] = set()
    for name, pattern in _compiled(background().traits).items():
        counts = story or name in ("silent", "grave")
        if counts and 3 * _matches(pattern, texts) >= len(texts):
            shown.add(name)
    return frozenset(shown)


def _is_compound(finding: Finding) -> bool:
    """True if most ways give a number that the row of the laboratory table lacks."""
    if finding.lab is None:
        return False
    shown = _placeholders(finding.lab.name + finding.lab.value)
    shown |= {*CASE_PLACEHOLDERS}
    texts = finding.says.all
    more = []
    for text in texts:
        if not _placeholders(text) <= shown:
            more.append(text)
    return 2 * len(more) >= len(texts)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def _is_age(texts: Sequence[str]) -> bool:
    """True if the finding is the patient's age and sex, and nothing that an opening does not say."""
    for text in texts:
        if not _placeholders(text) <= _OF_OPENINGS:
            return False
    with_age = []
    for text in texts:
        if "{age}" in text:
            with_age.append(text)
    return 3 * len(with_age) >= len(texts)


def _system(texts: Iterable[str], finding: Finding | None) -> str:
    if finding and finding.vital:
        return "vital"
    return _first_match(background().exam_words, texts, "other")


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
    counts: dict[str, int] = {}
    for topic, words in patterns.items():
        counts[topic] = _matches(re.compile(words), texts)
    best = max(counts, key=lambda topic: counts[topic])
    # More than two fifths of the ways.
    if 5 * counts[best] <= 2 * len(texts):
        return ""
    return best


def _compiled(patterns: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    statements = {}
    for key, pattern in patterns.items():
        statements[key] = re.compile(pattern, re.IGNORECASE)
    return statements


def statements(data: Background) -> Iterable[Statement]:
    """Yield every statement of the background."""
    yield from (
        *data.allergies,
        *data.social,
        *data.family,
        *data.studies,
        *data.course,
    )
    for items in data.exam.values():
        yield from items
    for report in data.reports.values():
        yield from report.normal


@cache
def _words() -> WordIndex:
    data = background()
    return WordIndex(
        [
            *statements(data),
            *data.comorbidities,
            *data.surgeries,
            *data.ros,
            *data.tests,
        ],
    )


def _barred(category: Category, findings: Iterable[CaseStatement]) -> frozenset[str]:
    """Return what never stands in a note of the category: illnesses, habits, relatives that a
    finding is about.
    """
    data = background()
    barred = set(data.not_normal.get(category.name, ()))
    for illness in (*data.comorbidities, *data.surgeries):
        if category.name in illness.never_with:
            barred.add(illness.id)
    for normal in statements(data):
        if category.name in normal.never_with:
            barred.add(normal.id)
    # What lasts is not there one day and gone the next: no finding of the category may be about it.
    lasting = set()
    for item in (*data.comorbidities, *data.surgeries):
        lasting.add(item.id)
    lasting |= {item.id for item in (*data.social, *data.family, *data.allergies)}
    for statement in findings:
        barred |= statement.excludes & lasting
    return frozenset(barred)


@cache
def comorbidity_groups() -> dict[str, int]:
    """Return the group of each comorbidity: see :data:`GROUPS`."""
    ranked = sorted((item.id for item in background().comorbidities), key=stable_hash)
    comorbidity_groups = {}
    for rank, id in enumerate(ranked):
        comorbidity_groups[id] = rank % GROUPS
    return comorbidity_groups


@cache
def denied_by(illness: str) -> frozenset[str]:
    """Return the denials and normal statements that do not go with an illness: insomnia, and
    "sleeps well".
    """
    item = next(item for item in background().comorbidities if item.id == illness)
    texts = (*item.names.all, *item.medications)
    return _words().found("\n".join(texts)) - set(item.shifts)


@cache
def says_of() -> dict[str, tuple[Wordings, Wordings]]:
    """Return the ways of every background statement and of the names of every illness, by id and
    side.
    """
    data = background()
    says: dict[str, tuple[Wordings, Wordings]] = {}
    for normal in statements(data):
        says[normal.id] = sides(normal.says)
    for illness in (*data.comorbidities, *data.surgeries):
        says[illness.id] = sides(illness.names)
    return says


@cache
def by_side(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a list of texts by side; a side that would be empty gets them all."""
    train, hard = divide(texts)
    return train, hard or train
