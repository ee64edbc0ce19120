"""How far each quote drives the diagnosis: what its probability loses when the quote is taken out
of the note.

Sufficiency and comprehensiveness as in ERASER (DeYoung et al. 2020, doi
10.18653/v1/2020.acl-main.408): what is lost when only the quotes are left, and when all of them are
gone. A small sufficiency and a large comprehensiveness mean that the quotes are what the answer
rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dxtrace.answering.reasoner import Reasoner
from dxtrace.chain import Chain
from dxtrace.errors import CaseError
from dxtrace.notes.case import Case


@dataclass(frozen=True)
class Influence:
    """What the probability of the top diagnosis loses, from -1 to 1.

    ``steps``: without the quote of each step, in their order. ``comprehensiveness``: without all of
        them.
    ``sufficiency``: with nothing but them.
    """

    diagnosis: str
    probability: float
    steps: tuple[float, ...]
    comprehensiveness: float
    sufficiency: float


def measure_influence(reasoner: Reasoner, case: Case, chain: Chain) -> Influence:
    """Rank the diagnoses again on the note without its quotes.

    Args:
        reasoner: gave the chain.
        case: the case.
        chain: the answer on it, with at least one step.

    Raises:
        CaseError: the chain has no step.
        EngineError: the model failed.
    """
    if not chain.steps:
        raise CaseError("the answer has no step whose influence could be measured")
    top = chain.differential.top
    spans = []
    for step in chain.steps:
        spans.append((step.evidence.start, step.evidence.end))

    def loss(note: str) -> float:
        return top.probability - _probability(reasoner, note, top.diagnosis)

    # From the last quote to the first: an engine that keeps its cache reads the shared beginning of
    # two notes once.
    order = sorted(range(len(spans)), key=lambda index: -spans[index][0])
    losses = {index: loss(_without(case.note, [spans[index]])) for index in order}
    quotes = ". ".join(step.evidence.text for step in chain.steps)
    return Influence(
        top.diagnosis,
        top.probability,
        tuple(losses[index] for index in range(len(spans))),
        loss(_without(case.note, spans)),
        loss(f"{quotes}."),
    )


def _without(note: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a note with pieces of it taken out."""
    parts = []
    begin = 0
    for start, end in sorted(spans):
        parts.append(note[begin:start])
        begin = end
    parts.append(note[begin:])
    return "".join(parts)


def _probability(reasoner: Reasoner, note: str, diagnosis: str) -> float:
    """Return the probability of a diagnosis on a note; that of a blind guess where nothing is left
    to read.
    """
    try:
        differential = reasoner.differential(Case.from_text(note))
    except CaseError:
        return 1 / len(reasoner.taxonomy.diagnoses)
    entries = differential.entries
    return next(entry.probability for entry in entries if entry.diagnosis == diagnosis)
