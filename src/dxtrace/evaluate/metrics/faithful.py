"""What withholding buys: of the steps that are shown, how many are faithful, as doubtful answers
are held back.

The picture is that of ClinTrace (arXiv 2601.16397), where withholding the least grounded fifth
lifted faithfulness from 61.7 to 72.6 %. Here the order is the answer's own confidence, and a step is
faithful if it is matched with a gold one, with the same reason and node (m of the published
metrics).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

from dxtrace.evaluate.content import FaithfulData
from dxtrace.evaluate.metrics.statistics import RESAMPLES, Interval, resample

#: Shares of answers withheld at which the curve is drawn.
WITHHELD = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ShownSteps:
    """One answer: its confidence, its steps, and how many of them are faithful."""

    confidence: float
    steps: int
    faithful: int
    patient: str


@dataclass(frozen=True)
class FaithfulPoint:
    """Where a share of the answers is withheld, the least confident first: answers left, and the
    share of their steps that are faithful.
    """

    withheld: float
    answers: int
    faithful: float | None
    interval: Interval

    def to_json(self) -> FaithfulData:
        """Return a JSON object."""
        return cast(FaithfulData, asdict(self))


def faithful_share(answers: Sequence[ShownSteps], withheld: float = 0.0) -> float | None:
    """Return the share of faithful steps once the least confident answers are withheld; None where
    no step is left.

    Args:
        answers: all of them.
        withheld: share of the answers, rounded down to whole ones. Of equally confident answers the
            later ones go first.
    """
    order = sorted(answers, key=lambda answer: -answer.confidence)
    shown = order[: len(order) - int(withheld * len(order) + 1e-9)]
    steps = 0
    faithful = 0
    for answer in shown:
        steps += answer.steps
        faithful += answer.faithful
    if not steps:
        return None
    return faithful / steps


def faithful_curve(
    answers: Sequence[ShownSteps],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[FaithfulPoint, ...]:
    """Return the curve, with a 95 % interval at each point."""
    points = []
    patients = []
    for answer in answers:
        patients.append(answer.patient)
    for withheld in WITHHELD:

        def share(drawn: Sequence[ShownSteps], withheld: float = withheld) -> float | None:
            return faithful_share(drawn, withheld)

        left = len(answers) - int(withheld * len(answers) + 1e-9)
        interval = resample(answers, patients, share, seed, resamples)
        points.append(FaithfulPoint(withheld, left, share(answers), interval))
    return tuple(points)
