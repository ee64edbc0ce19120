"""The baseline that knows the knowledge files alone: it adds up the findings that it recognises by their words."""

from __future__ import annotations

import math

from dxtrace.annotated import AnnotatedCase
from dxtrace.chain import Chain, PremiseRef, Step
from dxtrace.evaluate.baselines.chains import STEPS, answer_chain
from dxtrace.findings.recogniser import Evidence, support
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.quotes import find_quotes, span_of


def answer(case: AnnotatedCase) -> Chain:
    """Return the chain for a case."""
    known, quotes = support(case.wordings), find_quotes(case.case.note)
    scores = known.scores(quotes)
    top = max(scores.values())
    weights = {name: math.exp(score - top) for name, score in scores.items()}
    total = sum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    chain = answer_chain(case, shares, (), "keywords")
    evidence = known.evidence(Taxonomy.default().find(chain.diagnosis), quotes, STEPS)
    return answer_chain(case, shares, _steps(case, evidence), "keywords")


def _steps(case: AnnotatedCase, evidence: Evidence) -> list[Step]:
    """Return a step for each piece of evidence, with the first premise that it may be given for and none has said."""
    steps: list[Step] = []
    quoted: set[int] = set()
    for premise in evidence.premises:
        for quote in evidence.chosen[premise.id]:
            if quote.start not in quoted:
                quoted.add(quote.start)
                source = PremiseRef(premise.id, premise.source)
                steps.append(
                    Step(premise.node, premise.rationales[0], span_of(case.case, quote), source),
                )
                break
    return steps
