"""Macro-F1: what a system reaches if every label counts the same, however rare it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def macro_f1(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """Return the mean over the gold labels that occur of 2 TP / (2 TP + FP + FN); 0 without cases.

    Source: Sokolova and Lapalme 2009, Information Processing & Management 45(4). A predicted label
    that no case has counts as a miss of the gold one and has no F1 of its own.
    """
    right = Counter(one for one, other in zip(gold, predicted, strict=True) if one == other)
    wanted, said = Counter(gold), Counter(predicted)
    scores = []
    for label, count in wanted.items():
        scores.append(2 * right[label] / (count + said[label]))
    if scores:
        return sum(scores) / len(scores)
    return 0.0
