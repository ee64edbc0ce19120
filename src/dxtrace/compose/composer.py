"""Composing annotated cases of the open teaching corpus from ``knowledge/``.

A case depends only on the seed, its number and the side (training, or the hard test): a bigger
corpus has the same first cases. The sides differ in their wording, their styles and the
comorbidities that meet: see ``_ways``, ``_style`` and ``_compile``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from functools import cached_property

from dxtrace.annotated import AnnotatedCase
from dxtrace.chain import Chain, PremiseRef, Span, Step
from dxtrace.compose._compile import Compiled, Said, compiled, premise_id
from dxtrace.compose._draw import Draft, draw, finding_of, is_acute
from dxtrace.compose._note import write_note
from dxtrace.compose._style import STYLES, Style
from dxtrace.errors import DxtraceError
from dxtrace.knowledge import leaked_names, written
from dxtrace.knowledge.rationales import fitting
from dxtrace.notes.case import Case

#: Share of cases whose diagnosis is an inner node ("Asthma"): the findings do not tell which kind.
INCOMPLETE = 0.1

#: Cases are dealt in rounds of this many, each with every diagnosis in its due number.
ROUND = 1000

_ATTEMPTS = 40


class Composer:
    """Composes cases; knowledge is compiled once, at the first case."""

    def __init__(self, seed: int = 0, categories: Iterable[str] | None = None) -> None:
        self.seed = seed
        self.categories = tuple(categories) if categories is not None else tuple(written())
        self._decks: dict[tuple[int, int], list[tuple[str, str]]] = {}

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
        category, diagnosis = self._dealt(number, side)
        entry = self.compiled[category]
        target = entry.targets[diagnosis]
        name = f"{'hard' if hard else 'case'}-{self.seed}-{number:06d}"
        for attempt in range(_ATTEMPTS):
            rng = random.Random(f"{self.seed}/{side}/{number}/{attempt}")
            style = _style(rng, side, is_acute(entry, target.node))
            draft = draw(rng, entry, target, style, side)
            note, marks = write_note(draft)
            if not leaked_names(note, draft.compiled.category):
                return _annotated(draft, note, marks, name, hard)
        raise DxtraceError(
            f"{category}: every note for {diagnosis} holds the label; check its knowledge file",
        )

    def _dealt(self, number: int, side: int) -> tuple[str, str]:
        turn, place = divmod(number, ROUND)
        if (turn, side) not in self._decks:
            self._decks[turn, side] = self._deck(random.Random(f"{self.seed}/{side}/deck/{turn}"))
        return self._decks[turn, side][place]

    def _deck(self, rng: random.Random) -> list[tuple[str, str]]:
        """Deal one round: categories by the root of how many diagnoses they have, diagnoses alike
        within one.
        """
        weights: dict[tuple[str, str], float] = {}
        inner = [
            (name, node)
            for name, c in self.compiled.items()
            for node in c.category.diagnoses
            if not node.is_leaf
        ]
        total = sum(_weight(c) for c in self.compiled.values())
        for name, c in self.compiled.items():
            leaves = [node for node in c.category.diagnoses if node.is_leaf]
            for node in leaves:
                weights[name, node.name] = (
                    (1 - INCOMPLETE * bool(inner)) * _weight(c) / total / len(leaves)
                )
        for name, node in inner:
            weights[name, node.name] = INCOMPLETE / len(inner)
        whole = {key: int(weight * ROUND) for key, weight in weights.items()}
        rest = ROUND - sum(whole.values())
        extra = sorted(
            weights,
            key=lambda key: (rng.random() ** (1 / max(weights[key] * ROUND % 1, 1e-9)), key),
        )[-rest:]
        deck = [key for key, count in whole.items() for _ in range(count)] + (extra if rest else [])
        rng.shuffle(deck)
        return deck


def _weight(entry: Compiled) -> float:
    return math.sqrt(sum(node.is_leaf for node in entry.category.diagnoses))


def _style(rng: random.Random, side: int, acute: bool) -> Style:
    styles = [
        style for style in STYLES if style.hard == bool(side) and not (acute and style.planned)
    ]
    return rng.choices(styles, [style.weight for style in styles])[0]


def _annotated(
    draft: Draft,
    note: str,
    marks: dict[str, tuple[int, int]],
    name: str,
    hard: bool,
) -> AnnotatedCase:
    case = Case.from_text(note, name)
    chain = Chain(
        id=name,
        note=note,
        diagnosis=draft.node.name,
        category=draft.compiled.category.name,
        path=draft.node.path,
        steps=tuple(_step(draft, case, said, marks[said.id]) for said in _in_order(draft, marks)),
    )
    chain.verify()
    tags = {
        "style": draft.style.name,
        "split": "hard" if hard else "",
        "complete": str(draft.node.is_leaf).lower(),
    }
    if not hard:
        del tags["split"]
    return AnnotatedCase(case, chain, f"patient-{name}", tags)


def _in_order(draft: Draft, marks: dict[str, tuple[int, int]]) -> list[Said]:
    """Findings as a chain of reasoning goes: along the path, what decides last, else as they stand
    in the note.
    """
    place = {node: number for number, node in enumerate(draft.node.path)}
    return sorted(
        (said for said in draft.findings if said.id in marks),
        key=lambda said: (
            place[finding_of(said).node],
            finding_of(said).decisive,
            marks[said.id][0],
        ),
    )


def _step(draft: Draft, case: Case, said: Said, span: tuple[int, int]) -> Step:
    finding, (start, end) = finding_of(said), span
    quote = case.note[start:end]
    ways = (*finding.says.all, *finding.chief)
    return Step(
        supports=finding.node,
        rationale=draft.rng.choice(fitting(finding.rationales, quote, ways, finding.id, draft.age)),
        evidence=Span(quote, start, end, case.section_at(start)),
        premise=PremiseRef(premise_id(draft.compiled.category.name, finding), finding.source),
    )
