"""The default judge of rationales: shared clinical wording, guarded by negation, number and side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from dxtrace.evaluate.judges.base import Pair, Verdict
from dxtrace.evaluate.judges.guards import Reading, differ, read
from dxtrace.findings.lexicon import Lexicon

#: Shared wording from which two statements are called the same; chosen on the labelled pairs
#: (``benchmarks/evaluate.py``).
THRESHOLD = 0.28

#: What is left of the score of two statements that each say something of their own.
_CLASH = 0.6

#: How alike two words must be (Dice over letter trigrams) to count as spellings of one.
_ALIKE = 0.6


class LexicalJudge:
    """Compares the clinical terms of two statements, synonyms resolved. Needs no model, and explains itself."""

    def __init__(self, threshold: float = THRESHOLD, lexicon: Lexicon | None = None) -> None:
        self.threshold = threshold
        self._lexicon = lexicon or Lexicon.default()
        self._read = lru_cache(maxsize=4096)(lambda text: read(text, self._lexicon))

    @property
    def name(self) -> str:
        """Kind and threshold."""
        return f"lexical (>= {self.threshold:g}; guards: negation, number, side)"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair; the score is the shared wording, 0 where a guard speaks."""
        verdicts = []
        for pair in pairs:
            verdicts.append(self._judge(pair.gold.text, pair.predicted.text))
        return verdicts

    def _judge(self, gold: str, predicted: str) -> Verdict:
        if gold.split() == predicted.split():
            return Verdict(True, 1.0)
        one, other = self._read(gold), self._read(predicted)
        if differ(one, other):
            return Verdict(False, 0.0)
        score = self.similarity(one, other)
        return Verdict(score >= self.threshold, score)

    def similarity(self, one: Reading, other: Reading) -> float:
        """Return the shared weight of the terms of two readings, 0 to 1: the mean of the two directions' shares."""
        ours, theirs = self._weights(one), self._weights(other)
        if not ours or not theirs:
            return 0.0
        score = (_covered(ours, theirs) + _covered(theirs, ours)) / 2
        if self._clash(ours, theirs):
            return score * _CLASH
        return score

    def _clash(self, ours: Mapping[str, float], theirs: Mapping[str, float]) -> bool:
        """Return True if each side says something of its own that the lexicon knows and the other side lacks."""
        return all(
            any(self._lexicon.tells_apart(name) and name not in there for name in here)
            for here, there in ((ours, theirs), (theirs, ours))
        )

    def _weights(self, reading: Reading) -> dict[str, float]:
        weights: dict[str, float] = {}
        for term in reading.terms:
            if term.name:
                weights[term.name] = term.weight
                for part in self._lexicon.parts(term.name):
                    weights.setdefault(part, 0.5 * self._lexicon.weight(part))
        return weights


def _covered(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """Return the share of our weight that the other side says too."""
    total = sum(ours.values())
    return sum(weight * _best(name, theirs) for name, weight in ours.items()) / total


def _best(name: str, names: Mapping[str, float]) -> float:
    if name in names:
        return 1.0
    best = max((_alike(name, other) for other in names), default=0.0)
    if best >= _ALIKE:
        return best
    return 0.0


@lru_cache(maxsize=65536)
def _alike(one: str, other: str) -> float:
    """Return Dice over letter trigrams of two words."""
    a, b = ({word[i : i + 3] for i in range(len(word) - 2)} for word in (one, other))
    if a and b:
        return 2 * len(a & b) / (len(a) + len(b))
    return 0.0
