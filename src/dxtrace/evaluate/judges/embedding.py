"""An approximate judge: sentence embeddings of a small local model, under the same guards as the lexical judge.

Without the guards it is unsafe: it calls "left" and "right", "fever" and "no fever" nearly equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dxtrace.evaluate.judges.base import Pair, Verdict
from dxtrace.evaluate.judges.guards import Reading, differ, read
from dxtrace.evaluate.sentence_encoder import MODEL, SentenceEncoder
from dxtrace.findings.lexicon import Lexicon

#: Cosine from which two statements are called the same; chosen on the labelled pairs (``benchmarks/evaluate.py``).
THRESHOLD = 0.53


class EmbeddingJudge:
    """Compares the embeddings of two statements, with their synonyms resolved first. Approximate: reports say so."""

    def __init__(self, threshold: float = THRESHOLD, threads: int | None = None) -> None:
        self.threshold = threshold
        self._lexicon = Lexicon.default()
        self._encoder = SentenceEncoder("the judge 'embedding'", threads)
        self._known: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Kind, model and threshold; says that it is approximate."""
        return f"embedding (approximate; {MODEL} >= {self.threshold:g}; guards: negation, number, side)"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair; the score is the cosine, 0 where a guard speaks or it is negative."""
        readings = {}
        for pair in pairs:
            for text in (pair.gold.text, pair.predicted.text):
                readings[text] = read(text, self._lexicon)
        resolved = {}
        for text, reading in readings.items():
            resolved[text] = self._resolved(text, reading)
        self._known = self._encoder.encode([*readings, *resolved.values()])
        verdicts = []
        for pair in pairs:
            verdicts.append(self._judge(pair.gold.text, pair.predicted.text, readings, resolved))
        return verdicts

    def _judge(
        self,
        gold: str,
        predicted: str,
        readings: dict[str, Reading],
        resolved: dict[str, str],
    ) -> Verdict:
        if gold.split() == predicted.split():
            return Verdict(True, 1.0)
        if differ(readings[gold], readings[predicted]):
            return Verdict(False, 0.0)
        cosines = (
            self._known[gold] @ self._known[predicted],
            self._known[resolved[gold]] @ self._known[resolved[predicted]],
        )
        score = min(max(float(sum(cosines)) / 2, 0.0), 1.0)
        return Verdict(score >= self.threshold, score)

    def _resolved(self, text: str, reading: Reading) -> str:
        """Return a statement in the words of the lexicon ("pedal edema" as "leg edema"), or as it is if none is
        left."""
        return " ".join(dict.fromkeys(term.name for term in reading.terms if term.name)) or text
