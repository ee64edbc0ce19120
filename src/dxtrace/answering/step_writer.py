"""The steps of an answer: for each finding on the path that a piece of the note states, the quote
and why it matters.

Nothing is written that no piece states: there is no least number of steps, and the path ends where
the evidence ends. Of pieces that overlap, the one that says more for the diagnosis is quoted,
decisive findings first. A rationale claims no more than the pattern that its quote meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dxtrace.findings.recogniser import FindingRecogniser, Reading, Statement
from dxtrace.knowledge import Premise
from dxtrace.knowledge.taxonomy import Node
from dxtrace.notes.quotes import Quote

#: Least probability with which a quote states its finding, where no calibration says otherwise.
MIN_PROBABILITY = 0.5

#: At most so many steps; three to six sound ones teach more than ten.
MAX_STEPS = 8

#: At most so many steps on who the patient is (age, sex, work): they read as padding beside what
#: was found.
MAX_DEMOGRAPHICS = 1

#: A finding has to speak at least so much more for the path than for any diagnosis, in nats.
MIN_WEIGHT = 0.2


@dataclass(frozen=True)
class Draft:
    """One step before it is written: the node it supports, the premise, the quote, how probably it
    states the finding.
    """

    supports: str
    premise: Premise
    quote: Quote
    probability: float
    weight: float

    @property
    def rationale(self) -> str:
        """Why the finding matters, in words that claim no more than the finding."""
        return self.premise.plain or self.premise.text


def draft_steps(
    recogniser: FindingRecogniser,
    reading: Reading,
    node: Node,
    threshold: float,
) -> list[Draft]:
    """Return the steps for a diagnosis, in the order of its path.

    Args:
        recogniser: which weighs findings.
        reading: what the note states.
        node: the diagnosis.
        threshold: least probability that a quote states its finding.
    """
    candidates = []
    for statement in reading.statements:
        if statement.probability >= threshold and _on_path(statement, node):
            candidates.append(
                Draft(
                    statement.premise.node,
                    statement.premise,
                    statement.quote,
                    statement.probability,
                    recogniser.weight(statement.premise, node),
                )
            )
    chosen = _select([draft for draft in candidates if draft.weight >= MIN_WEIGHT])
    place = {}
    for number, name in enumerate(node.path):
        place[name] = number
    return sorted(chosen, key=lambda draft: (place[draft.supports], -_merit(draft)))


def _on_path(statement: Statement, node: Node) -> bool:
    premise = statement.premise
    return premise.node in node.path and (not premise.only or _allowed(premise.only, node))


def _allowed(only: Sequence[str], node: Node) -> bool:
    return any(name in node.path for name in only)


def _merit(draft: Draft) -> float:
    """Return how much a step is worth: weight times probability; decisive findings before all
    others.
    """
    if draft.premise.decisive:
        decisive = 3.0
    else:
        decisive = 0.0
    return (draft.weight + decisive) * draft.probability


def _select(candidates: Iterable[Draft]) -> list[Draft]:
    """Return the best drafts: each finding once, no two quotes that overlap, few demographics."""
    chosen: list[Draft] = []
    demographics = 0
    for draft in sorted(candidates, key=lambda item: (-_merit(item), item.quote.start)):
        if len(chosen) == MAX_STEPS:
            break
        if any(_clashes(draft, other) for other in chosen):
            continue
        if draft.premise.kind == "demographics":
            if demographics == MAX_DEMOGRAPHICS:
                continue
            demographics += 1
        chosen.append(draft)
    return chosen


def _clashes(draft: Draft, other: Draft) -> bool:
    overlap = draft.quote.start < other.quote.end and other.quote.start < draft.quote.end
    return overlap or draft.premise.id == other.premise.id
