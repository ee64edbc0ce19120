"""How much a finding tells for its illness: how much oftener it is met there than over all diagnoses.

The ratios are those of the naive Bayes in :mod:`dxtrace.findings.recogniser`. Their classes follow
the habit of reading likelihood ratios (McGee, J Gen Intern Med 2002;17:646): they are told apart
more coarsely, since the frequencies of the knowledge files are estimates.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from dxtrace import knowledge
from dxtrace.chain.result import Weight
from dxtrace.knowledge.taxonomy import Node, Taxonomy

#: A finding is strong from the first ratio on, supportive from the second.
STRONG, SUPPORTIVE = 15.0, 5.0

#: Least background rate: findings are met, and misread, in patients without the illness.
_CHANCE = 0.01

#: How often a note on a patient with a diagnosis names it as a result or as established.
_PROOF_FREQUENCY = 0.5

#: Kinds of findings that say who is ill, and not that somebody is: never more than weak or supportive.
_AT_MOST: dict[str, Weight] = {"demographics": "weak", "risk_factor": "supportive"}

_Row = NDArray[np.float64]


@cache
def ratios_of(category: str) -> dict[str, _Row]:
    """Return, by premise id, how much oftener each finding of a category is met in each diagnosis
    than over all of them.

    Every diagnosis has a finding at its background rate as well.

    Args:
        category: the name of one whose knowledge is written.
    """
    known = knowledge.load(category)
    prefix = knowledge.slug(category)
    rows: dict[str, _Row] = {}
    for finding in known.findings:
        shares = []
        for node in Taxonomy.default().diagnoses:
            shares.append(_frequency(finding, node, category))
        id = f"{prefix}/{finding.id}"
        rows[id] = _ratios(id, shares)
    for proof in known.proofs:
        shares = []
        for node in Taxonomy.default().diagnoses:
            shares.append(_proof_frequency(proof.node, node, category))
        id = f"{prefix}/{proof.id}"
        rows[id] = _ratios(id, shares)
    return rows


@cache
def weight_of(premise: str) -> Weight | None:
    """Return how much the finding of a premise tells for the node that it supports.

    A criterion is strong whatever its ratio.

    Args:
        premise: id, as ``heart-failure/orthopnea``; None is returned for one that is not known.
    """
    category = _category_of(premise.partition("/")[0])
    if category is None:
        return None
    for known in knowledge.premises(category):
        if known.id == premise:
            break
    else:
        return None
    if known.decisive:
        return "strong"
    nodes = Taxonomy.default().diagnoses
    below = []
    for number, node in enumerate(nodes):
        if node.category == category and known.node in node.path:
            below.append(number)
    ratio = float(ratios_of(category)[premise][below].mean())
    if ratio >= STRONG and known.kind not in _AT_MOST:
        return "strong"
    if ratio >= SUPPORTIVE and _AT_MOST.get(known.kind) != "weak":
        return "supportive"
    return "weak"


def _category_of(prefix: str) -> str | None:
    for category in knowledge.written():
        if knowledge.slug(category) == prefix:
            return category
    return None


def _ratios(premise: str, frequencies: list[float]) -> _Row:
    shares = np.array(frequencies)
    chance = max(_CHANCE, _background_rates().get(premise, 0.0))
    ratios: _Row = (shares + chance) / (shares.mean() + chance)
    return ratios


@cache
def _background_rates() -> dict[str, float]:
    """Return how often findings are stated in notes on other illnesses, by premise id.

    Fitted on composed cases (:mod:`dxtrace.train.background_rates`).
    """
    file = resources.files("dxtrace.findings").joinpath("background_rates.json")
    rates: dict[str, float] = json.loads(file.read_text("utf-8"))
    return rates


def _frequency(finding: knowledge.Finding, node: Node, category: str) -> float:
    if node.category == category and knowledge.occurs(finding, node):
        return knowledge.frequency(finding, node)
    return 0.0


def _proof_frequency(proven: str, node: Node, category: str) -> float:
    if node.category == category and proven in node.path:
        return _PROOF_FREQUENCY
    return 0.0
