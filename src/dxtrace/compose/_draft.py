"""One patient, not yet in words: what is found, which numbers, and what can be said of it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TypeVar

from dxtrace.compose._compile import CaseStatement, Compiled, Target
from dxtrace.compose._style import Style
from dxtrace.knowledge.background import Comorbidity, Statement, background
from dxtrace.knowledge.schema import Finding, When
from dxtrace.knowledge.taxonomy import Node

T = TypeVar("T")


#: Beyond these a vital sign is not normal, and statements that need it to be are not made.
_LIMITS = {
    "temp_c": (36.0, 37.7),
    "hr": (58, 100),
    "sbp": (100, 140),
    "dbp": (55, 90),
    "rr": (10, 20),
    "spo2": (94, 100),
}


#: Systolic pressure and oxygen saturation below which the patient is gravely ill.
_SHOCK_SBP = 90


_GRAVE_SPO2 = 86


#: From this age on wordings for the old are used.
_OLD = 65


@dataclass
class Draft:
    """One patient: what the note will say, not yet in words.

    ``side`` is 0 in training, 1 in the hard test.
    """

    rng: random.Random
    compiled: Compiled
    target: Target
    style: Style
    side: int
    age: int
    female: bool
    findings: list[CaseStatement] = field(default_factory=list)
    negatives: list[CaseStatement] = field(default_factory=list)
    neutrals: list[CaseStatement] = field(default_factory=list)
    comorbidities: list[Comorbidity] = field(default_factory=list)
    surgeries: list[Comorbidity] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    numbers: dict[str, float] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def node(self) -> Node:
        """The diagnosis."""
        return self.target.node

    @property
    def statements(self) -> list[CaseStatement]:
        """Everything that the note says of the case itself."""
        return [*self.findings, *self.negatives, *self.neutrals]

    @property
    def sex(self) -> str:
        """The patient's sex, as the knowledge names it."""
        if self.female:
            return "female"
        return "male"

    @cached_property
    def traits(self) -> frozenset[str]:
        """What the framing of the note has to go with: traits of what is found, "acute", "ill" and
        the like.
        """
        traits: set[str] = set()
        for statement in self.findings:
            traits |= statement.traits
        if is_acute(self.compiled, self.node):
            traits.add("acute")
        if self.comorbidities:
            traits.add("ill")
        if self.numbers["sbp"] < _SHOCK_SBP or self.numbers["spo2"] < _GRAVE_SPO2:
            traits.add("grave")
        if self.age >= _OLD:
            traits.add("old")
        if not {self.compiled.category.name, *self.node.path}.isdisjoint(background().clinic):
            traits.add("clinic")
        if _onset_unit(self.compiled, self.node) in ("minutes", "hours"):
            traits.add("sudden")
        return frozenset(traits)

    def allows_text(self, text: str, everywhere: bool = False) -> bool:
        """True if a text of the framing goes with the case; ``everywhere`` asks only the rules for
        all statements.
        """
        return not any(
            _finds(pattern, text) for pattern in forbidden_phrases(self.traits, everywhere)
        )

    def normal(self, vital: str) -> bool:
        """True if a vital sign lies in its normal range."""
        low, high = _LIMITS[vital]
        return low <= self.numbers[vital] <= high

    def allows_statement(self, item: Statement) -> bool:
        """True if a background statement can stand in this patient's note."""
        youngest, oldest = item.age
        if item.id in self.hidden or not youngest <= self.age <= oldest:
            return False
        if self.traits & {"silent", "grave", "sudden", "well", "clinic"}:
            for text in item.says.all:
                if not self.allows_text(text, everywhere=True):
                    return False
        if item.sex not in (None, self.sex):
            return False
        return all(map(self.normal, item.needs))

    def meets_condition(self, when: When) -> bool:
        """True if a statement with this condition can be true of the patient."""
        if when.sex and when.sex != self.sex:
            return False
        if when.age is None:
            return True
        youngest, oldest = when.age
        return youngest <= self.age <= oldest


def is_acute(compiled: Compiled, node: Node) -> bool:
    """True if the illness has lasted for hours or days."""
    return _onset_unit(compiled, node) in ("minutes", "hours", "days")


def _onset_unit(compiled: Compiled, node: Node) -> str:
    return str(by_node(compiled.knowledge.onset, node).unit)


def by_node(mapping: Mapping[str, T], node: Node) -> T:
    """Return what is given for a node, for the nearest node above it, or for all."""
    for name in (*reversed(node.path), "default"):
        if name in mapping:
            return mapping[name]
    return mapping[_some_leaf(node, tuple(mapping))]


@cache
def _some_leaf(node: Node, names: tuple[str, ...]) -> str:
    """Return the first diagnosis below ``node`` that is named: an inner node takes the numbers of
    one of its kinds.
    """
    return next(inner.name for inner in node.walk() if inner.name in names)


@cache
def forbidden_phrases(traits: frozenset[str], everywhere: bool) -> tuple[str, ...]:
    """Return what is not said of a case with such traits: see
    :class:`dxtrace.knowledge.background.Unsaid`.
    """
    patterns: list[str] = []
    for rule in background().unsaid:
        applies = rule.everywhere or not everywhere
        if applies and not traits.isdisjoint(rule.beside):
            patterns.append(rule.says)
    return tuple(patterns)


@cache
def _finds(pattern: str, text: str) -> bool:
    """True if the pattern finds something; the texts are those of the knowledge, so there are not
    too many.
    """
    return re.search(pattern, text, re.IGNORECASE) is not None


def finding_of(statement: CaseStatement) -> Finding:
    """Return the finding behind a statement that has one."""
    assert statement.finding is not None
    return statement.finding
