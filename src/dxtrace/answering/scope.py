"""Whether any of the known illnesses fits a note: the probability that none does.

Logistic regression on what the recogniser and the model say of a note; its coefficients are fitted
by ``dxtrace calibrate`` and stored with the adapter's calibration. Without them nothing is called
out of scope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dxtrace.answering.step_writer import MIN_PROBABILITY, draft_steps
from dxtrace.chain import Differential
from dxtrace.findings.recogniser import FindingRecogniser, Reading
from dxtrace.knowledge.taxonomy import Node, Taxonomy

#: A note with fewer clauses is taken to have as many: one finding in two clauses is no high share.
_FEW_CLAUSES = 6


@dataclass(frozen=True)
class ScopeModel:
    """Coefficients by feature, an intercept under ``intercept``; at ``threshold`` a note is called
    out of scope.
    """

    coefficients: Mapping[str, float]
    threshold: float

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the probability that none of the known illnesses fits, from 0 to 1."""
        score = self.coefficients.get("intercept", 0.0)
        score += sum(self.coefficients.get(name, 0.0) * value for name, value in features.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def scope_features(
    recogniser: FindingRecogniser, reading: Reading, differential: Differential
) -> dict[str, float]:
    """Return what tells a note that fits from one that does not.

    ``share``: of the pieces that state any finding, those that speak for the top category.
    ``coverage``: of the clauses that affirm anything, those that state a finding of the top
    diagnosis: what is left needs another explanation. ``density``: what the note says for the top
    diagnosis, in nats an affirmed clause. ``agree``: the probability that model and findings, each
    asked alone, name the same category.

    Args:
        recogniser: which weighs findings.
        reading: what the note states.
        differential: the ranking.
    """
    node = Taxonomy.default().find(differential.top.diagnosis)
    drafts = draft_steps(recogniser, reading, node, MIN_PROBABILITY)
    weights = sorted(_best_weights(recogniser, reading, node), reverse=True)
    stated = set()
    for statement in reading.statements:
        stated.add(statement.quote.start)
    of_model = _by_category(differential, "model")
    of_findings = _by_category(differential, "findings")
    own = []
    for draft in drafts:
        own.append(draft.premise)
    affirmed = max(_FEW_CLAUSES, len(reading.affirmed))
    return {
        "coverage": _explained(reading, node) / affirmed,
        "density": reading.scores[node.name] / affirmed,
        "share": len(weights) / max(3, len(stated)),
        "agree": sum(of_model[name] * of_findings[name] for name in of_model),
        "category": max(differential.category_probabilities().values()),
        "strongest": sum(weights[:3]),
        "decisive": float(any(premise.decisive for premise in own)),
        "type": float(any(draft.supports == node.name for draft in drafts)),
        "proof": float(any(premise.kind == "proof" for premise in own)),
        "model_entropy": _entropy([entry.model or 0.0 for entry in differential.entries]),
        "steps": float(len(drafts)),
    }


def _explained(reading: Reading, node: Node) -> int:
    """Return how many of the affirmed clauses state a finding of a diagnosis or of what leads to it."""
    spans = []
    for statement in reading.statements:
        if statement.premise.node in node.path:
            spans.append((statement.quote.start, statement.quote.end))
    count = 0
    for clause in reading.affirmed:
        if any(start < clause.end and clause.start < end for start, end in spans):
            count += 1
    return count


def _best_weights(recogniser: FindingRecogniser, reading: Reading, node: Node) -> list[float]:
    """Return what each piece of the note says for the node, in nats: of each, the finding that says most."""
    best: dict[int, float] = {}
    for statement in reading.statements:
        premise = statement.premise
        if premise.node in node.path:
            weight = recogniser.weight(premise, node) * statement.probability
            start = statement.quote.start
            best[start] = max(weight, best.get(start, 0.0))
    return [weight for weight in best.values() if weight > 0]


def _by_category(differential: Differential, opinion: str) -> dict[str, float]:
    """Return the probability of each category after one of the two opinions."""
    totals: dict[str, float] = {}
    for entry in differential.entries:
        probability = getattr(entry, opinion) or 0.0
        totals[entry.category] = totals.get(entry.category, 0.0) + probability
    return totals


def _entropy(probabilities: Sequence[float]) -> float:
    """Return the entropy in nats."""
    return -sum(p * math.log(p) for p in probabilities if p > 0)
