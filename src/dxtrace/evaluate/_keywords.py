"""The baseline that knows the knowledge files alone: it adds up the findings that it recognises by their words."""

from __future__ import annotations

import math

from dxtrace.annotated import AnnotatedCase
from dxtrace.chain import Chain, PremiseRef, Step
from dxtrace.evaluate.baselines import STEPS, answer_chain
from dxtrace.grounding import find_quotes, span_of
from dxtrace.support import Found, support

#: Certainty from which a finding is said to be there.
_SURE = 0.6


def answer(case: AnnotatedCase) -> Chain:
    """Return the chain for a case."""
    known, quotes = support(case.wordings), find_quotes(case.case.note)
    scores = known.scores(quotes)
    top = max(scores.values())
    weights = {name: math.exp(score - top) for name, score in scores.items()}
    total = sum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    chain = answer_chain(case, shares, (), "keywords")
    return answer_chain(case, shares, _steps(case, chain, known.find(quotes)), "keywords")


def _steps(case: AnnotatedCase, chain: Chain, found: list[Found]) -> list[Step]:
    steps: list[Step] = []
    quoted: set[int] = set()
    for each in sorted(found, key=lambda each: -each.certainty):
        premise = each.premise
        fits = premise.node in chain.path and (not premise.only or chain.diagnosis in premise.only)
        if each.certainty < _SURE or not fits or each.quote.start in quoted:
            continue
        quoted.add(each.quote.start)
        source = PremiseRef(premise.id, premise.source)
        steps.append(Step(premise.node, premise.rationales[0], span_of(case.case, each.quote), source))
    return steps[:STEPS]
