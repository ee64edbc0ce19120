"""The baseline that knows the knowledge files alone: it ranks and explains by the findings that a note states."""

from __future__ import annotations

from dxtrace.answering.calibration import softmax
from dxtrace.answering.step_writer import MIN_PROBABILITY, draft_steps
from dxtrace.chain import Chain, PremiseRef, Step
from dxtrace.corpus.policy import fair_recogniser
from dxtrace.evaluate.baselines.chains import answer_chain
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.quotes import span_of


def answer(case: AnnotatedCase) -> Chain:
    """Return the chain for a case."""
    known = fair_recogniser(case)
    reading = known.read(case.case)
    names = list(reading.scores)
    probabilities = softmax([reading.scores[name] for name in names])
    shares = dict(zip(names, probabilities, strict=True))
    node = Taxonomy.default().find(max(shares, key=lambda name: shares[name]))
    steps = []
    for draft in draft_steps(known, reading, node, MIN_PROBABILITY):
        steps.append(
            Step(
                draft.supports,
                draft.rationale,
                span_of(case.case, draft.quote),
                PremiseRef(draft.premise.id, draft.premise.source),
                draft.probability,
            )
        )
    return answer_chain(case, shares, steps, "findings")
