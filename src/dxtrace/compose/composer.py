"""Composing annotated cases of the open teaching corpus from ``knowledge/``.

A case depends only on the seed, its number and the side (training, or the hard test): a bigger
corpus has the same first cases. The sides differ in their wording, their styles and the
comorbidities that meet: see ``_ways``, ``_hard_styles`` and ``_compile``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from dxtrace.chain import Chain, PremiseRef, Span, Step
from dxtrace.compose._compile import (
    CaseStatement,
    Compiled,
    Target,
    compiled,
    premise_id,
)
from dxtrace.compose._draft import Draft, finding_of, is_acute
from dxtrace.compose._draw import draw
from dxtrace.compose._note import write_note
from dxtrace.compose._style import Style
from dxtrace.compose._styles import STYLES
from dxtrace.errors import DxtraceError
from dxtrace.knowledge import leaked_names, written
from dxtrace.knowledge.rationales import fitting
from dxtrace.knowledge.taxonomy import Node
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case

#: Share of cases whose diagnosis is an inner node ("Asthma"): the findings do not tell which kind.
INCOMPLETE = 0.1

#: Cases are dealt in rounds of this many, each with every diagnosis in its due number.
ROUND = 1000

#: Notes written of a case, each from a new draw, before the knowledge is said to leak.
_ATTEMPTS = 40

#: Stands for a fraction of zero in the weighted sample: such a key comes last, but can come.
_LEAST_WEIGHT = 1e-9

#: A category and one of its diagnoses.
Key = tuple[str, str]


class Composer:
    """Composes cases; knowledge is compiled once, at the first case."""

    def __init__(self, seed: int = 0, categories: Iterable[str] | None = None) -> None:
        self.seed = seed
        self.categories = tuple(written() if categories is None else categories)
        self._decks: dict[tuple[int, int], list[Key]] = {}

    @cached_property
    def compiled(self) -> dict[str, Compiled]:
        """The knowledge of each category."""
        return {name: compiled(name) for name in self.categories}

    def case(self, number: int, hard: bool = False) -> AnnotatedCase:
        """Return case ``number`` of the training side, or of the hard test.

        Raises:
            KnowledgeError: a knowledge file is missing or breaks the schema.
            DxtraceError: no note without a label could be written (the knowledge leaks it).
        """
        side = int(hard)
        styles = []
        for style in STYLES:
            if style.hard == hard:
                styles.append(style)
        if hard:
            styles = [style for style in styles if not style.is_story]
        name = self.name(number, hard)
        seed = f"{self.seed}/{side}/{number}"
        split = "hard" if hard else None
        return self._composed(self._dealt(number, side), styles, name, seed, split)

    def story(self, number: int) -> AnnotatedCase:
        """Return story ``number`` of the test of stories: short presentations without tests, in
        wordings and styles that training does not use.

        The categories take turns, and within a category its diagnoses.

        Raises:
            As :meth:`case`.
        """
        round_number, index = divmod(number, len(self.categories))
        category = self.categories[index]
        diagnoses = list(self.compiled[category].targets)
        first = random.Random(f"{self.seed}/stories/{category}").randrange(len(diagnoses))
        diagnosis = diagnoses[(first + round_number) % len(diagnoses)]
        styles = []
        for style in STYLES:
            if style.hard and style.is_story:
                styles.append(style)
        name = f"story-{self.seed}-{number:06d}"
        seed = f"{self.seed}/stories/{number}"
        return self._composed((category, diagnosis), styles, name, seed, "stories")

    def _composed(
        self,
        key: Key,
        styles: Sequence[Style],
        name: str,
        seed: str,
        split: str | None,
    ) -> AnnotatedCase:
        category, diagnosis = key
        entry = self.compiled[category]
        side = int(split is not None)
        for attempt in range(_ATTEMPTS):
            rng = random.Random(f"{seed}/{attempt}")
            target = entry.targets[diagnosis]
            style = _choose_style(rng, styles, is_acute(entry, target.node))
            if style.is_story:
                target = _as_told(entry, target, style)
            draft = draw(rng, entry, target, style, side)
            note, marks = write_note(draft)
            if not leaked_names(note, draft.compiled.category):
                return _annotated(draft, note, marks, name, split)
        raise DxtraceError(
            f"{category}: every note for {diagnosis} holds the label; check its knowledge file",
        )

    def name(self, number: int, hard: bool = False) -> str:
        """Return the id of a case."""
        if hard:
            prefix = "hard"
        else:
            prefix = "case"
        return f"{prefix}-{self.seed}-{number:06d}"

    def diagnosis(self, number: int, hard: bool = False) -> str:
        """Return the diagnosis of a case, which is known before the case is composed."""
        _, diagnosis = self._dealt(number, int(hard))
        return diagnosis

    def _dealt(self, number: int, side: int) -> Key:
        round_number, index = divmod(number, ROUND)
        if (round_number, side) not in self._decks:
            rng = random.Random(f"{self.seed}/{side}/deck/{round_number}")
            self._decks[round_number, side] = self._deck(rng)
        return self._decks[round_number, side][index]

    def _deck(self, rng: random.Random) -> list[Key]:
        """Return the diagnoses of one round, shuffled, each as often as its weight says.

        The whole part of each due number is dealt for sure; the places that are left go to a
        weighted sample by the fractions, so that the numbers are right on average over rounds.
        """
        due: dict[Key, float] = {}
        for key, weight in self._weights().items():
            due[key] = weight * ROUND
        deck: list[Key] = []
        for key, number in due.items():
            deck += [key] * int(number)
        fractions = {}
        for key, number in due.items():
            fractions[key] = number % 1
        deck += _weighted_sample(rng, fractions, ROUND - len(deck))
        rng.shuffle(deck)
        return deck

    def _weights(self) -> dict[Key, float]:
        """Return the share of each diagnosis in a round; the shares sum to 1.

        A category weighs the root of how many diagnoses it has, so that neither big nor small ones
        rule; its leaves share that equally. All inner nodes together have :data:`INCOMPLETE`.
        """
        inner: list[Key] = []
        for name, entry in self.compiled.items():
            for node in entry.category.diagnoses:
                if not node.is_leaf:
                    inner.append((name, node.name))
        total = sum(_root_of_leaves(entry) for entry in self.compiled.values())
        to_leaves = 1 - INCOMPLETE * bool(inner)
        weights: dict[Key, float] = {}
        for name, entry in self.compiled.items():
            share = to_leaves * _root_of_leaves(entry) / total
            leaves = _leaves(entry)
            for node in leaves:
                weights[name, node.name] = share / len(leaves)
        for key in inner:
            weights[key] = INCOMPLETE / len(inner)
        return weights


def _leaves(entry: Compiled) -> list[Node]:
    leaves = []
    for node in entry.category.diagnoses:
        if node.is_leaf:
            leaves.append(node)
    return leaves


def _root_of_leaves(entry: Compiled) -> float:
    return math.sqrt(len(_leaves(entry)))


def _weighted_sample(rng: random.Random, weights: Mapping[Key, float], count: int) -> list[Key]:
    """Return ``count`` keys, drawn without replacement with probability by weight.

    Efraimidis and Spirakis (2006), "Weighted random sampling with a reservoir": give each key the
    priority u ** (1 / weight), u uniform in (0, 1), and keep the highest.
    """
    priority: dict[Key, float] = {}
    for key, weight in weights.items():
        priority[key] = rng.random() ** (1 / max(weight, _LEAST_WEIGHT))
    ascending = sorted(weights, key=lambda key: (priority[key], key))
    return ascending[len(ascending) - count :]


def _choose_style(rng: random.Random, styles: Sequence[Style], acute: bool) -> Style:
    fitting_styles: list[Style] = []
    for style in styles:
        if not (acute and style.planned):
            fitting_styles.append(style)
    weights = []
    for style in fitting_styles:
        weights.append(style.weight)
    return rng.choices(fitting_styles, weights)[0]


def _as_told(entry: Compiled, target: Target, style: Style) -> Target:
    """Return the target itself, or the diagnosis above it where nothing that a story may hold tells
    its own.
    """
    for statement, share in target.findings:
        finding = finding_of(statement)
        own = finding.node == target.node.name and share > 0
        if own and style.holds(finding, statement.section):
            return target
    above = target.node.path[-2:-1]
    if above and above[0] in entry.targets:
        return _as_told(entry, entry.targets[above[0]], style)
    return target


def _annotated(
    draft: Draft,
    note: str,
    marks: dict[str, tuple[int, int]],
    name: str,
    split: str | None,
) -> AnnotatedCase:
    case = Case.from_text(note, name)
    steps: list[Step] = []
    for statement in _in_order(draft, marks):
        steps.append(_step(draft, case, statement, marks[statement.id]))
    chain = Chain(
        id=name,
        note=note,
        diagnosis=draft.node.name,
        category=draft.compiled.category.name,
        path=draft.node.path,
        steps=tuple(steps),
    )
    chain.verify()
    tags = {"style": draft.style.name}
    if split:
        tags["split"] = split
    tags["complete"] = str(draft.node.is_leaf).lower()
    return AnnotatedCase(case, chain, f"patient-{name}", tags)


def _in_order(draft: Draft, marks: dict[str, tuple[int, int]]) -> list[CaseStatement]:
    """Findings as a chain of reasoning goes: along the path, what decides last, else as they stand
    in the note.
    """
    depth = {}
    for number, node in enumerate(draft.node.path):
        depth[node] = number

    def position(statement: CaseStatement) -> tuple[int, bool, int]:
        finding = finding_of(statement)
        start, _ = marks[statement.id]
        return depth[finding.node], finding.decisive, start

    shown = [statement for statement in draft.findings if statement.id in marks]
    return sorted(shown, key=position)


def _step(draft: Draft, case: Case, statement: CaseStatement, span: tuple[int, int]) -> Step:
    finding = finding_of(statement)
    start, end = span
    quote = case.note[start:end]
    ways = (*finding.says.all, *finding.chief)
    rationales = fitting(finding.rationales, quote, ways, finding.id, draft.age)
    premise = premise_id(draft.compiled.category.name, finding)
    return Step(
        supports=finding.node,
        rationale=draft.rng.choice(rationales),
        evidence=Span(quote, start, end, case.section_at(start)),
        premise=PremiseRef(premise, finding.source),
    )
