"""Whether any of the known illnesses fits a note: the probability that none does.

Logistic regression on what the recogniser and the model say of a note; its coefficients are fitted
by ``dxtrace calibrate`` and stored with the adapter's calibration. Without them nothing is called
out of scope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dxtrace.chain import Differential
from dxtrace.findings.recogniser import FindingRecogniser, Reading
from dxtrace.knowledge.taxonomy import Node, Taxonomy


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
    recogniser: FindingRecogniser,
    reading: Reading,
    differential: Differential,
) -> dict[str, float]:
    """Return what tells a note that fits from one that does not.

    Args:
        recogniser: which weighs findings.
        reading: what the note states.
        differential: the ranking.
    """
    node = Taxonomy.default().find(differential.top.diagnosis)
    weights = _best_weights(recogniser, reading, node)
    of_model = [entry.model or 0.0 for entry in differential.entries]
    categories = list(differential.category_probabilities().values())
    stated = {statement.quote.start for statement in reading.statements}
    return {
        "weight": min(sum(weights), 20.0),
        "best": max(weights, default=0.0),
        "findings": min(len(weights), 10),
        "decisive": float(_has_decisive(reading, node)),
        "share": len(weights) / max(3, len(stated)),
        "category": categories[0],
        "margin": categories[0] - categories[1],
        "model_entropy": _entropy(of_model),
        "score": max(-5.0, min(25.0, max(reading.scores.values()))),
        "silence": float(not stated),
    }


def _best_weights(recogniser: FindingRecogniser, reading: Reading, node: Node) -> list[float]:
    """Return the weight of each finding of the top category that the note states, each piece of the
    note once.
    """
    best: dict[int, float] = {}
    seen: set[str] = set()
    for statement in reading.statements:
        premise = statement.premise
        if premise.node not in node.path or premise.id in seen:
            continue
        seen.add(premise.id)
        weight = recogniser.weight(premise, node) * statement.probability
        start = statement.quote.start
        if weight > best.get(start, 0.0):
            best[start] = weight
    return list(best.values())


def _has_decisive(reading: Reading, node: Node) -> bool:
    return any(
        statement.premise.decisive and statement.premise.node in node.path
        for statement in reading.statements
    )


def _entropy(probabilities: Sequence[float]) -> float:
    """Return the entropy in nats."""
    return -sum(p * math.log(p) for p in probabilities if p > 0)
