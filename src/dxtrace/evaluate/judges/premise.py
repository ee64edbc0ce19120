"""A judge of rationales that carry a premise: two rationales that say the same piece of knowledge are the same
reason."""

from __future__ import annotations

from collections.abc import Sequence

from dxtrace.evaluate.judges.base import Judge, Pair, Verdict


class PremiseJudge:
    """Calls rationales the same if their premises have the same id; where either has none, ``otherwise`` decides.

    Of use where gold and prediction both cite premises, as on the teaching corpus: there wording says little, since one
    premise is said in several ways.
    """

    def __init__(self, otherwise: Judge) -> None:
        self.otherwise = otherwise

    @property
    def name(self) -> str:
        """Kind, and the judge for rationales without a premise."""
        return f"premise (same id; without one: {self.otherwise.name})"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair."""
        unknown = []
        for pair in pairs:
            if not (pair.gold.premise and pair.predicted.premise):
                unknown.append(pair)
        rest = iter(self.otherwise.judge(unknown) if unknown else [])
        verdicts = []
        for pair in pairs:
            verdicts.append(
                _by_id(pair.gold.premise == pair.predicted.premise)
                if pair.gold.premise and pair.predicted.premise
                else next(rest)
            )
        return verdicts


def _by_id(same: bool) -> Verdict:
    return Verdict(same, float(same))
