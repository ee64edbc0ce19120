"""Drawing one patient: who, what is found, which numbers, what else is said. Words come later."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from dxtrace.compose import _formula
from dxtrace.compose._compile import (
    CaseStatement,
    Compiled,
    Target,
    comorbidity_groups,
    denied_by,
)
from dxtrace.compose._draft import Draft, by_node, finding_of
from dxtrace.compose._style import Style
from dxtrace.knowledge.background import Comorbidity, background
from dxtrace.knowledge.schema import Quantity, Range

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


#: A symptom that fewer patients have is not what brings one for want of others.
_USUAL = 0.2


#: Diastolic pressure lies at least so far below systolic, in mmHg.
_LEAST_PULSE_PRESSURE = 18

#: A range is drawn on a logarithmic scale where its high end is so many times its low end.
_WIDE = 8

#: A mild case shows each finding so much less often than its frequency says.
_MILDEST = 0.55

#: A case has at least so many findings where its diagnosis has them.
_FEWEST_FINDINGS = 3

#: A finding and how often patients have it.
Candidate = tuple[CaseStatement, float]

#: Words for a man and for a woman.
_PRONOUNS: dict[bool, dict[str, str]] = {
    False: {
        "He": "He",
        "he": "he",
        "His": "His",
        "his": "his",
        "him": "him",
        "man": "man",
    },
    True: {
        "He": "She",
        "he": "she",
        "His": "Her",
        "his": "her",
        "him": "her",
        "man": "woman",
    },
}

#: How many illnesses patients have besides, with weights.
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


def draw(
    rng: random.Random,
    compiled: Compiled,
    target: Target,
    style: Style,
    side: int,
) -> Draft:
    """Draw one patient with the target diagnosis for a note of the given style and side."""
    patients = by_node(compiled.knowledge.patients, target.node)
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
    for statement in draft.statements:
        draft.hidden |= statement.excludes
    draft.comorbidities = _draw_comorbidities(draft)
    for item in draft.comorbidities:
        draft.hidden |= denied_by(item.id)
    eligible = []
    for item in background().surgeries:
        if _is_eligible(draft, item):
            eligible.append(item)
    count = min(len(eligible), rng.choice((0, 0, 1, 1, 2)))
    draft.surgeries = rng.sample(eligible, count)
    return draft


def _draw_findings(draft: Draft) -> list[CaseStatement]:
    """Draw what is found: what the path to the diagnosis rests on first, then by frequency.

    Each node of the path gets a finding, a decisive one if it has any; what every patient has is
    always found; somebody who comes has a symptom; the rest fill the note up to what its style
    holds, each as often as it is seen, in a sicker or a milder patient.
    """
    rng = draft.rng
    candidates: list[Candidate] = []
    for statement, share in draft.target.findings:
        finding = finding_of(statement)
        held = draft.style.holds(finding, statement.section)
        if held and share > 0 and draft.meets_condition(finding.when):
            candidates.append((statement, share))
    chosen: list[CaseStatement] = []
    for name in draft.node.path:
        _choose_one(rng, _at_node(candidates, name), chosen)
    for statement, share in candidates:
        if share >= 1:
            _add(statement, chosen)
    if not any(finding_of(statement).kind == "symptom" for statement in chosen):
        symptoms: list[Candidate] = []
        for statement, share in candidates:
            if share >= _USUAL and finding_of(statement).kind == "symptom":
                symptoms.append((statement, share))
        _choose_one(rng, symptoms, chosen)
    limit = rng.randint(*draft.style.findings)
    severity = rng.uniform(_MILDEST, 1.0)
    rng.shuffle(candidates)
    for statement, share in candidates:
        if len(chosen) >= limit:
            break
        if rng.random() < share * severity:
            _add(statement, chosen)
    for statement, _ in candidates:
        if len(chosen) >= _FEWEST_FINDINGS:
            break
        _add(statement, chosen)
    return chosen


def _at_node(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    """Return the findings for a node: the decisive ones, or all if none is decisive."""
    at_node = []
    for pair in candidates:
        if finding_of(pair[0]).node == name:
            at_node.append(pair)
    decisive = []
    for pair in at_node:
        if finding_of(pair[0]).decisive:
            decisive.append(pair)
    return decisive or at_node


def _choose_one(
    rng: random.Random,
    candidates: Sequence[Candidate],
    chosen: list[CaseStatement],
) -> None:
    """Add one of the candidates that go with what is chosen, by frequency."""
    free: list[CaseStatement] = []
    shares: list[float] = []
    for statement, share in candidates:
        if _compatible(statement, chosen):
            free.append(statement)
            shares.append(share)
    if free:
        chosen += rng.choices(free, shares)


def _add(statement: CaseStatement, chosen: list[CaseStatement]) -> None:
    if statement not in chosen and _compatible(statement, chosen):
        chosen.append(statement)


def _compatible(statement: CaseStatement, chosen: Iterable[CaseStatement]) -> bool:
    """False if another finding of its group, or one that sets the same quantity, is there already."""
    new = finding_of(statement)
    for other in chosen:
        old = finding_of(other)
        if new.group and new.group == old.group:
            return False
        if new.vital and new.vital == old.vital:
            return False
        if new.sets.keys() & old.sets.keys():
            return False
    return True


def _draw_numbers(draft: Draft) -> None:
    numbers = draft.numbers
    quantities = draft.compiled.knowledge.quantities
    ranges, decimals = _ranges(draft)
    for name, low_high in ranges.items():
        numbers[name] = _number(draft.rng, low_high, decimals[name])
    numbers["dbp"] = min(numbers["dbp"], numbers["sbp"] - _LEAST_PULSE_PRESSURE)
    numbers["age"] = draft.age
    formulas: dict[str, Quantity] = {}
    for name, quantity in quantities.items():
        if quantity.formula and name not in ranges:
            formulas[name] = quantity
            decimals[name] = quantity.decimals
    _apply_formulas(numbers, formulas)
    decimals["age"] = 0
    for name, number in numbers.items():
        draft.values[name] = f"{number:.{decimals[name]}f}"


def _ranges(draft: Draft) -> tuple[dict[str, Range], dict[str, int]]:
    """Return the range and the decimals of each quantity: normal, then of the illness, then of what
    is found.
    """
    quantities = draft.compiled.knowledge.quantities
    ranges: dict[str, Range] = {}
    decimals: dict[str, int] = {}
    for name, (low_high, places) in NORMAL_VITALS.items():
        ranges[name] = low_high
        decimals[name] = places
    for name, quantity in quantities.items():
        if quantity.ranges:
            ranges[name] = by_node(quantity.ranges, draft.node)
            decimals[name] = quantity.decimals
            if name == "temp_c":
                decimals[name] = quantity.decimals or 1
    for statement in draft.findings:
        for name, low_high in finding_of(statement).sets.items():
            if name not in ranges:
                decimals[name] = quantities[name].decimals
            ranges[name] = low_high
    return ranges, decimals


def _number(rng: random.Random, low_high: Range, decimals: int) -> float:
    """Draw from a range, on a logarithmic scale where it spans an order of magnitude, rounded as it
    will be printed.
    """
    low, high = low_high
    if low > 0 and high / low >= _WIDE:
        number = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        number = rng.uniform(low, high)
    if decimals == 0 and high >= 2000 and number > 1000:
        number = round(number / 10) * 10
    return min(max(round(number, decimals), low), high)


def _apply_formulas(numbers: dict[str, float], formulas: Mapping[str, Quantity]) -> None:
    texts = {}
    for name, quantity in formulas.items():
        texts[name] = quantity.formula or ""
    for name in _order(tuple(texts.items())):
        value = _formula.evaluate(texts[name], numbers)
        numbers[name] = round(value, formulas[name].decimals)


@cache
def _order(formulas: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the names so that each comes after those that its formula uses."""
    waiting = dict(formulas)
    ordered: list[str] = []
    while waiting:
        ready: list[str] = []
        for name, formula in waiting.items():
            if _formula.names(formula).isdisjoint(waiting):
                ready.append(name)
        # In a circle nothing is ready: evaluating it names the quantity that is missing.
        for name in ready or list(waiting):
            ordered.append(name)
            del waiting[name]
    return tuple(ordered)


def _draw_words(draft: Draft) -> None:
    rng = draft.rng
    for name, options in draft.compiled.knowledge.choices.items():
        draft.values[name] = rng.choice(options)
    draft.values |= _PRONOUNS[draft.female]
    draft.values["onset"] = _onset(draft)


def _onset(draft: Draft) -> str:
    """Draw how long the illness has lasted, as people say it: "2 weeks", not "14 days"."""
    onset = by_node(draft.compiled.knowledge.onset, draft.node)
    number = max(1, round(_number(draft.rng, onset.range, 0)))
    unit = str(onset.unit)
    above, step = _ROUNDED.get(unit, (number, 1))
    if number > above:
        number = max(step, round(number / step) * step)
    while unit in _LONGER:
        size, longer = _LONGER[unit]
        if number < size or number % size:
            break
        number //= size
        unit = longer
    if number == 1:
        unit = unit.removesuffix("s")
    return f"{number} {unit}"


def _draw_other(draft: Draft) -> None:
    """Draw what is absent and what means nothing, looking like another illness or not."""
    present = set()
    for statement in draft.findings:
        present.add(statement.id)
    negatives: list[CaseStatement] = []
    without = draft.style.without
    for statement in draft.compiled.negatives:
        if statement.section in without:
            continue
        if statement.negative and present.isdisjoint(statement.negative.absent):
            negatives.append(statement)
    lookalikes: list[CaseStatement] = []
    plain: list[CaseStatement] = []
    for statement in draft.compiled.neutrals:
        neutral = statement.neutral
        if (
            neutral is None
            or statement.section in without
            or not present.isdisjoint(neutral.absent)
        ):
            continue
        if draft.meets_condition(neutral.when):
            (lookalikes if neutral.points_to else plain).append(statement)
    draft.negatives = _sample(draft.rng, negatives, draft.style.negatives)
    draft.neutrals = _sample(draft.rng, lookalikes, draft.style.lookalikes)
    draft.neutrals += _sample(draft.rng, plain, draft.style.neutral)


def _sample(rng: random.Random, items: Sequence[T], low_high: tuple[int, int]) -> list[T]:
    count = min(len(items), rng.randint(*low_high))
    return rng.sample(items, count)


def _is_eligible(draft: Draft, item: Comorbidity) -> bool:
    youngest, oldest = item.age
    if item.id in draft.hidden or not youngest <= draft.age <= oldest:
        return False
    return item.sex in (None, draft.sex)


def _draw_comorbidities(draft: Draft) -> list[Comorbidity]:
    """Draw illnesses: from different groups in training, all from one group in the hard test (see
    ``GROUPS``).
    """
    rng = draft.rng
    groups = comorbidity_groups()
    counts, weights = zip(*_COMORBIDITY_COUNTS, strict=True)
    wanted = rng.choices(counts, weights)[0]
    wanted += draft.style.long * rng.randint(0, 3)
    wanted = min(wanted, draft.style.most_comorbidities)
    pool = []
    for item in background().comorbidities:
        if _is_eligible(draft, item):
            pool.append(item)
    rng.shuffle(pool)
    if draft.side:
        members: dict[int, list[Comorbidity]] = {}
        for group in sorted({*groups.values()}):
            members[group] = []
        for item in pool:
            members[groups[item.id]].append(item)
        # A group that has enough of them, at random among those; else the largest.
        fullest = max(
            members.values(),
            key=lambda own: (min(len(own), wanted), rng.random()),
        )
        return fullest[:wanted]
    chosen: dict[int, Comorbidity] = {}
    for item in pool:
        if len(chosen) < wanted:
            chosen.setdefault(groups[item.id], item)
    return list(chosen.values())
