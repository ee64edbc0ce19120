"""The score of BRIDGE on DiReCT, so that a result stands beside those published for other models.

Source: BRIDGE (YLab-Open/BRIDGE, ``evaluate_BRIDGE.py`` and what it calls): accuracy over a closed
list of 25 categories ("Dis") and one of 55 diagnoses ("PDD"); an answer that is none of the list is
replaced by a random label that occurs; the figure is the mean over 1,000 bootstraps of cases.
20 notes are kept for examples in prompts and not scored: which ones is not published, here they are
drawn. Their interval is that of the mean over bootstraps, which shrinks with their number; ours is
the percentile interval over cases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, cast

from dxtrace.evaluate._extras import library
from dxtrace.evaluate.content import BridgeData
from dxtrace.evaluate.metrics.labels import macro_f1
from dxtrace.evaluate.metrics.statistics import CONFIDENCE, Interval
from dxtrace.files import packaged_yaml
from dxtrace.knowledge.taxonomy import Category, Node, Taxonomy

Kind = Literal["categories", "diagnoses"]

#: As published.
BOOTSTRAPS = 1000
SEED = 42

#: Notes kept for examples. Of fewer cases than ten times as many, none is kept.
EXAMPLES = 20


@dataclass(frozen=True)
class BridgeScore:
    """One score: mean accuracy and macro-F1 over bootstraps, each from 0 to 1.

    ``n``: cases scored. ``invalid``: answers that are none of the labels. ``left_out``: cases whose
    gold diagnosis has no label.
    """

    n: int
    accuracy: float
    interval: Interval
    macro_f1: float
    invalid: int
    left_out: int = 0

    def to_json(self) -> BridgeData:
        """Return a JSON object."""
        return cast(BridgeData, asdict(self))


@cache
def tables() -> Mapping[str, Any]:
    """Return the labels, and the figures published for other models, each with source and date."""
    return cast(Mapping[str, Any], packaged_yaml("dxtrace.evaluate.metrics", "bridge.yaml"))


def label_of(name: str, kind: Kind) -> str | None:
    """Return the label that a name stands for: by the taxonomy, else the longest label in it.

    None for a name that is none of the list, an inner node ("Pneumonia") among them.
    """
    taxonomy = Taxonomy.default()
    labels = tables()[kind]
    known: Category | Node | None = taxonomy.get(name)
    if kind == "categories":
        known = taxonomy.get_category(name)
    for label, ours in labels.items():
        if known is not None and known.name in ours:
            return cast(str, label)
    for label in sorted(labels, key=len, reverse=True):
        if re.search(rf"\b{re.escape(label)}\b", name, re.IGNORECASE):
            return cast(str, label)
    return None


def split_examples(ids: Sequence[str]) -> set[str]:
    """Return the ids of the cases that are kept for examples: always the same of the same ids."""
    if len(ids) < 10 * EXAMPLES:
        return set()
    np = library("numpy", "the score of BRIDGE")
    rng = np.random.RandomState(SEED)
    return set(rng.choice(sorted(ids), EXAMPLES, replace=False).tolist())


def bridge_score(
    gold: Sequence[str],
    said: Sequence[str | None],
    seed: int = SEED,
    bootstraps: int = BOOTSTRAPS,
) -> BridgeScore:
    """Return the score.

    Args:
        gold: the label of each case.
        said: the label answered; None for an answer that is none of the list.
        seed: of the random labels, then of the bootstraps, drawn from one stream.
        bootstraps: how many.
    """
    np = library("numpy", "the score of BRIDGE")
    rng = np.random.RandomState(seed)
    valid = sorted(set(gold))
    filled = []
    for label in said:
        filled.append(rng.choice(valid) if label is None else label)
    accuracies, scores = [], []
    for _ in range(bootstraps):
        drawn = rng.choice(len(gold), len(gold), replace=True)
        ones, others = [gold[i] for i in drawn], [filled[i] for i in drawn]
        hits = sum(one == other for one, other in zip(ones, others, strict=True))
        accuracies.append(hits / len(drawn))
        scores.append(macro_f1(ones, others))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(accuracies, [tail, 1 - tail])
    return BridgeScore(
        n=len(gold),
        accuracy=float(np.mean(accuracies)),
        interval=Interval(float(low), float(high)),
        macro_f1=float(np.mean(scores)),
        invalid=sum(label is None for label in said),
    )
