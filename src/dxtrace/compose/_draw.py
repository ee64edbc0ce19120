"""Drawing one patient: who, what is found, which numbers, what else is said. Words come later."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TypeVar

from dxtrace.compose import _formula
from dxtrace.compose._compile import Compiled, Said, Target, comorbidity_groups, denied_by
from dxtrace.compose._style import Style
from dxtrace.knowledge.background import Comorbidity, Statement, background
from dxtrace.knowledge.schema import Finding, Quantity, Range, When
from dxtrace.knowledge.taxonomy import Node

T = TypeVar("T")

#: Vital signs of a well adult: range and decimals.
NORMAL_VITALS: dict[str, tuple[Range, int]] = {
    "temp_c": ((36.3, 37.3), 1),
    "hr": ((60, 94), 0),
    "sbp": ((106, 138), 0),
    "dbp": ((62, 84), 0),
    "rr": ((12, 18), 0),
    "spo2": ((95, 99), 0),
}

#: Beyond these a vital sign is not normal, and statements that need it to be are not made.
_LIMITS = {
    "temp_c": (36.0, 37.7),
    "hr": (58, 100),
    "sbp": (100, 140),
    "dbp": (55, 90),
    "rr": (10, 20),
    "spo2": (94, 100),
}

#: A symptom that fewer patients have is not what brings one for want of others.
_USUAL = 0.2

_COMORBIDITY_COUNTS = ((0, 8), (1, 18), (2, 26), (3, 22), (4, 16), (5, 10))
#: People round how long they have been ill: above so many units, to multiples of so many.
_ROUNDED = {
    "minutes": (15, 5),
    "hours": (12, 6),
    "days": (14, 7),
    "weeks": (10, 2),
    "months": (12, 6),
}
_LONGER = {
    "minutes": (60, "hours"),
    "hours": (24, "days"),
    "days": (7, "weeks"),
    "weeks": (52, "years"),
    "months": (12, "years"),
}


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
    findings: list[Said] = field(default_factory=list)
    negatives: list[Said] = field(default_factory=list)
    neutrals: list[Said] = field(default_factory=list)
    comorbidities: list[Comorbidity] = field(default_factory=list)
    surgeries: list[Comorbidity] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    numbers: dict[str, float] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def node(self) -> Node:
        """The diagnosis."""
        return self.target.node

    @cached_property
    def traits(self) -> frozenset[str]:
        """What the framing of the note has to go with: traits of what is found, "acute", "ill" and
        the like.
        """
        found = {trait for said in self.findings for trait in said.traits}
        acute = is_acute(self.compiled, self.node)
        grave = self.numbers["sbp"] < 90 or self.numbers["spo2"] < 86
        own = {
            "acute": acute,
            "ill": bool(self.comorbidities),
            "grave": grave,
            "old": self.age > 64,
        }
        own["clinic"] = bool(
            {self.compiled.category.name, *self.node.path} & set(background().clinic),
        )
        own["sudden"] = _by_node(self.compiled.knowledge.onset, self.node).unit in (
            "minutes",
            "hours",
        )
        return frozenset([*found, *(trait for trait, shown in own.items() if shown)])

    def suits(self, text: str, everywhere: bool = False) -> bool:
        """True if a text of the framing goes with the case; ``everywhere`` asks only the rules for
        all statements.
        """
        return not any(_finds(pattern, text) for pattern in unsaid(self.traits, everywhere))

    def normal(self, vital: str) -> bool:
        """True if a vital sign lies in its normal range."""
        low, high = _LIMITS[vital]
        return low <= self.numbers[vital] <= high

    def permits(self, item: Statement) -> bool:
        """True if a background statement can stand in this patient's note."""
        if item.id in self.hidden or not item.age[0] <= self.age <= item.age[1]:
            return False
        if self.traits & {"silent", "grave", "sudden", "well", "clinic"} and not all(
            self.suits(text, everywhere=True) for text in item.says.all
        ):
            return False
        return item.sex in (None, "female" if self.female else "male") and all(
            map(self.normal, item.needs),
        )

    def allows(self, when: When) -> bool:
        """True if a statement with this condition can be true of the patient."""
        if when.sex and (when.sex == "female") != self.female:
            return False
        return when.age is None or when.age[0] <= self.age <= when.age[1]


def draw(rng: random.Random, compiled: Compiled, target: Target, style: Style, side: int) -> Draft:
    """Draw one patient with the target diagnosis for a note of the given style and side."""
    patients = _by_node(compiled.knowledge.patients, target.node)
    draft = Draft(
        rng,
        compiled,
        target,
        style,
        side,
        age=rng.randint(round(patients.age[0]), round(patients.age[1])),
        female=rng.random() < patients.women,
    )
    draft.findings = _draw_findings(draft)
    _draw_numbers(draft)
    _draw_words(draft)
    _draw_other(draft)
    draft.hidden = set(compiled.barred)
    for said in (*draft.findings, *draft.negatives, *draft.neutrals):
        draft.hidden |= said.hides
    draft.comorbidities = _draw_comorbidities(draft)
    for item in draft.comorbidities:
        draft.hidden |= denied_by(item.id)
    eligible = [item for item in background().surgeries if _fits(draft, item)]
    draft.surgeries = rng.sample(eligible, min(len(eligible), rng.choice((0, 0, 1, 1, 2))))
    return draft


def is_acute(compiled: Compiled, node: Node) -> bool:
    """True if the illness has lasted for hours or days."""
    return _by_node(compiled.knowledge.onset, node).unit in ("minutes", "hours", "days")


def _by_node(mapping: Mapping[str, T], node: Node) -> T:
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


def _draw_findings(draft: Draft) -> list[Said]:
    rng, candidates = draft.rng, []
    for said, share in draft.target.findings:
        assert said.finding is not None
        if share > 0 and draft.allows(said.finding.when):
            candidates.append((said, share))
    chosen: list[Said] = []
    for name in draft.node.path:
        decisive = [
            (s, p)
            for s, p in candidates
            if s.finding and s.finding.node == name and s.finding.decisive
        ]
        at_node = decisive or [
            (s, p) for s, p in candidates if s.finding and s.finding.node == name
        ]
        free = [(s, p) for s, p in at_node if _compatible(s, chosen)]
        if free:
            chosen.append(rng.choices([s for s, _ in free], [p for _, p in free])[0])
    for said, share in candidates:
        if share >= 1 and said not in chosen and _compatible(said, chosen):
            chosen.append(said)
    told = [
        (s, p)
        for s, p in candidates
        if p >= _USUAL and finding_of(s).kind == "symptom" and _compatible(s, chosen)
    ]
    if told and not any(finding_of(s).kind == "symptom" for s in chosen):
        chosen.append(rng.choices([s for s, _ in told], [p for _, p in told])[0])
    limit = rng.randint(*draft.style.findings)
    thin = rng.uniform(0.55, 1.0)
    rng.shuffle(candidates)
    for said, share in candidates:
        if len(chosen) >= limit:
            break
        if rng.random() < share * thin and said not in chosen and _compatible(said, chosen):
            chosen.append(said)
    for said, _ in candidates:
        if len(chosen) >= 3:
            break
        if said not in chosen and _compatible(said, chosen):
            chosen.append(said)
    return chosen


def _compatible(said: Said, chosen: Iterable[Said]) -> bool:
    """False if another finding of its group, or one that sets the same quantity, is there already."""
    new = said.finding
    assert new is not None
    for other in chosen:
        old = other.finding
        assert old is not None
        if (new.group and new.group == old.group) or (new.sets.keys() & old.sets.keys()):
            return False
        if new.vital and new.vital == old.vital:
            return False
    return True


def _draw_numbers(draft: Draft) -> None:
    ranges = {name: (low_high, decimals) for name, (low_high, decimals) in NORMAL_VITALS.items()}
    quantities = draft.compiled.knowledge.quantities
    for name, quantity in quantities.items():
        if quantity.ranges:
            decimals = quantity.decimals or (1 if name == "temp_c" else 0)
            ranges[name] = (_by_node(quantity.ranges, draft.node), decimals)
    for said in draft.findings:
        for name, low_high in said.finding.sets.items() if said.finding else ():
            ranges[name] = (
                low_high,
                ranges[name][1] if name in ranges else quantities[name].decimals,
            )
    for name, (low_high, decimals) in ranges.items():
        draft.numbers[name] = _number(draft.rng, low_high, decimals)
    draft.numbers["dbp"] = min(draft.numbers["dbp"], draft.numbers["sbp"] - 18)
    draft.numbers["age"] = draft.age
    _apply_formulas(
        draft.numbers,
        {n: q for n, q in quantities.items() if q.formula and n not in ranges},
    )
    decimals_of = {name: decimals for name, (_, decimals) in ranges.items()} | {"age": 0}
    for name, number in draft.numbers.items():
        decimals = decimals_of.get(name, quantities[name].decimals if name in quantities else 0)
        draft.values[name] = f"{number:.{decimals}f}"


def _number(rng: random.Random, low_high: Range, decimals: int) -> float:
    """Draw from a range, on a logarithmic scale where it spans an order of magnitude, rounded as it
    will be printed.
    """
    low, high = low_high
    wide = low > 0 and high / low >= 8
    number = (
        math.exp(rng.uniform(math.log(low), math.log(high))) if wide else rng.uniform(low, high)
    )
    if decimals == 0 and high >= 2000 and number > 1000:
        number = round(number / 10) * 10
    return min(max(round(number, decimals), low), high)


def _apply_formulas(numbers: dict[str, float], formulas: Mapping[str, Quantity]) -> None:
    for name in _order(
        tuple((name, quantity.formula or "") for name, quantity in formulas.items()),
    ):
        quantity = formulas[name]
        numbers[name] = round(_formula.evaluate(quantity.formula or "", numbers), quantity.decimals)


@cache
def _order(formulas: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the names so that each comes after those that its formula uses."""
    waiting = dict(formulas)
    ordered: list[str] = []
    while waiting:
        ready = [
            name
            for name, formula in waiting.items()
            if not (_formula.names(formula) & waiting.keys())
        ]
        for name in ready or list(waiting):
            ordered.append(name)
            del waiting[name]
    return tuple(ordered)


def _draw_words(draft: Draft) -> None:
    rng = draft.rng
    for name, options in draft.compiled.knowledge.choices.items():
        draft.values[name] = rng.choice(options)
    she = draft.female
    draft.values |= {
        "He": "She" if she else "He",
        "he": "she" if she else "he",
        "His": "Her" if she else "His",
        "his": "her" if she else "his",
        "him": "her" if she else "him",
        "man": "woman" if she else "man",
    }
    onset = _by_node(draft.compiled.knowledge.onset, draft.node)
    number, unit = max(1, round(_number(rng, onset.range, 0))), str(onset.unit)
    above, step = _ROUNDED.get(unit, (number, 1))
    number = max(step, round(number / step) * step) if number > above else number
    while unit in _LONGER and number >= _LONGER[unit][0] and number % _LONGER[unit][0] == 0:
        number, unit = number // _LONGER[unit][0], _LONGER[unit][1]
    draft.values["onset"] = f"{number} {unit if number > 1 else unit.removesuffix('s')}"


def _draw_other(draft: Draft) -> None:
    rng, present = draft.rng, {said.id for said in draft.findings}
    negatives = [
        s for s in draft.compiled.negatives if s.negative and not present & set(s.negative.absent)
    ]
    neutrals = [
        s
        for s in draft.compiled.neutrals
        if s.neutral and not present & set(s.neutral.absent) and draft.allows(s.neutral.when)
    ]
    draft.negatives = _sample(rng, negatives, draft.style.negatives)
    alike = [s for s in neutrals if s.neutral and s.neutral.points_to]
    plain = [s for s in neutrals if s.neutral and not s.neutral.points_to]
    draft.neutrals = _sample(rng, alike, draft.style.alike) + _sample(
        rng,
        plain,
        draft.style.neutral,
    )


def _sample(rng: random.Random, items: Sequence[T], low_high: tuple[int, int]) -> list[T]:
    return rng.sample(items, min(len(items), rng.randint(*low_high)))


@cache
def unsaid(traits: frozenset[str], everywhere: bool) -> tuple[str, ...]:
    """Return what is not said of a case with such traits: see
    :class:`dxtrace.knowledge.background.Unsaid`.
    """
    rules = [
        rule
        for rule in background().unsaid
        if traits & set(rule.beside) and (rule.everywhere or not everywhere)
    ]
    return tuple(rule.says for rule in rules)


@cache
def _finds(pattern: str, text: str) -> bool:
    """True if the pattern finds something; the texts are those of the knowledge, so there are not
    too many.
    """
    return re.search(pattern, text, re.IGNORECASE) is not None


def _fits(draft: Draft, item: Comorbidity) -> bool:
    if item.id in draft.hidden or not item.age[0] <= draft.age <= item.age[1]:
        return False
    return item.sex is None or (item.sex == "female") == draft.female


def _draw_comorbidities(draft: Draft) -> list[Comorbidity]:
    """Draw illnesses: from different groups in training, all from one group in the hard test (see
    ``GROUPS``).
    """
    rng, groups = draft.rng, comorbidity_groups()
    counts, weights = zip(*_COMORBIDITY_COUNTS, strict=True)
    wanted = min(
        rng.choices(counts, weights)[0] + draft.style.long * rng.randint(0, 3),
        draft.style.most_comorbidities,
    )
    pool = [item for item in background().comorbidities if _fits(draft, item)]
    rng.shuffle(pool)
    if draft.side:
        sizes = [
            sum(groups[item.id] == group for item in pool)
            for group in range(max(groups.values()) + 1)
        ]
        group = max(
            range(len(sizes)),
            key=lambda number: (min(sizes[number], wanted), rng.random()),
        )
        return [item for item in pool if groups[item.id] == group][:wanted]
    chosen: dict[int, Comorbidity] = {}
    for item in pool:
        if len(chosen) < wanted:
            chosen.setdefault(groups[item.id], item)
    return list(chosen.values())


def finding_of(said: Said) -> Finding:
    """Return the finding behind a statement that has one."""
    assert said.finding is not None
    return said.finding
