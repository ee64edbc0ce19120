"""The default judge of observations: how much of the same text of the note both quote. Exact and deterministic."""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.errors import InputError
from dxtrace.evaluate.judges.base import Judge, Pair, Verdict


class SpansJudge:
    """Calls two observations the same if the overlap of their spans (Dice, in code points) reaches a threshold.

    Where one side has no span, ``otherwise`` decides.
    """

    def __init__(self, otherwise: Judge, threshold: float = 0.5) -> None:
        if not 0 < threshold <= 1:
            raise InputError("the overlap that makes spans the same lies above 0 and at most at 1")
        self.otherwise = otherwise
        self.threshold = threshold

    @property
    def name(self) -> str:
        """Kind, threshold, and the judge for text without a place in the note."""
        return f"spans (Dice >= {self.threshold:g}; without a span: {self.otherwise.name})"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair; the score is the overlap."""
        verdicts: list[Verdict | None] = []
        for pair in pairs:
            verdicts.append(self._overlap(pair))
        open_places = []
        for place, verdict in enumerate(verdicts):
            if verdict is None:
                open_places.append(place)
        if open_places:
            asked = self.otherwise.judge([pairs[place] for place in open_places])
        else:
            asked = []
        answered = dict(zip(open_places, asked, strict=True))
        settled = []
        for place, verdict in enumerate(verdicts):
            settled.append(verdict or answered[place])
        return settled

    def _overlap(self, pair: Pair) -> Verdict | None:
        if pair.gold.span is None or pair.predicted.span is None:
            return None
        share = dice(pair.gold.span, pair.predicted.span)
        return Verdict(share >= self.threshold, share)


def dice(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return twice the shared length of two half-open ranges over the sum of their lengths, 0 to 1."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    total = (one[1] - one[0]) + (other[1] - other[0])
    if total > 0:
        return 2 * max(shared, 0) / total
    return 0.0
