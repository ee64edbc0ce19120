"""Cases that none of the known illnesses fits: are they told from the others, and are they answered?"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

from dxtrace.evaluate.content import ScopeData
from dxtrace.evaluate.metrics.statistics import RESAMPLES, Interval, resample, wilson

#: Shares of in-scope cases that are kept, at which out-of-scope cases still answered are counted.
KEPT = (0.95, 0.90)


@dataclass(frozen=True)
class Doubt:
    """One case: is it of a known illness, how far does the system doubt it (0 to 1), and does it
    name a diagnosis or an illness whose type is open?
    """

    inside: bool
    doubt: float
    answered: bool
    patient: str


@dataclass(frozen=True)
class FalseAnswers:
    """Share of out-of-scope cases still answered where ``kept`` of the in-scope ones are."""

    kept: float
    share: float
    interval: Interval


@dataclass(frozen=True)
class Scope:
    """How well a system knows what it does not know.

    ``auroc``: probability that an out-of-scope case is doubted more than one in scope, ties half.
    ``answered_inside`` and ``answered_outside``: as the system decides. ``curve``: (share of
    in-scope cases kept, share of out-of-scope ones answered) at every threshold.
    """

    inside: int
    outside: int
    auroc: float
    auroc_interval: Interval
    answered_inside: float
    answered_inside_interval: Interval
    answered_outside: float
    answered_outside_interval: Interval
    false_answers: tuple[FalseAnswers, ...]
    curve: tuple[tuple[float, float], ...]

    def to_json(self) -> ScopeData:
        """Return a JSON object."""
        return cast(ScopeData, asdict(self))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the probability that a positive scores above a negative, ties half.

    Source: Mann and Whitney 1947; Hanley and McNeil 1982 (area under the ROC curve).
    """
    ranked = sorted(negative)
    wins = 0.0
    for score in positive:
        below = bisect.bisect_left(ranked, score)
        wins += (below + bisect.bisect_right(ranked, score)) / 2
    return wins / (len(positive) * len(negative))


def false_answers(inside: Sequence[float], outside: Sequence[float], kept: float) -> float:
    """Return the share of out-of-scope cases answered at the lowest threshold of doubt that keeps a
    share of in-scope cases.

    For ``kept`` 0.95 this is FPR95 (Hendrycks and Gimpel 2017, arXiv 1610.02136; Liang et al. 2018,
    arXiv 1706.02690).
    """
    needed = max(1, math.ceil(kept * len(inside) - 1e-9))
    threshold = sorted(inside)[needed - 1]
    return sum(doubt <= threshold for doubt in outside) / len(outside)


def measure_scope(
    cases: Sequence[Doubt],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Scope | None:
    """Return the measures; None without cases on either side."""
    inside: list[Doubt] = []
    outside: list[Doubt] = []
    patients = []
    for case in cases:
        patients.append(case.patient)
        if case.inside:
            inside.append(case)
        else:
            outside.append(case)
    if not inside or not outside:
        return None

    def area(drawn: Sequence[Doubt]) -> float | None:
        ours, others = _doubts(drawn)
        if ours and others:
            return auroc(others, ours)
        return None

    counts = []
    for kept in KEPT:

        def share(drawn: Sequence[Doubt], kept: float = kept) -> float | None:
            ours, others = _doubts(drawn)
            if ours and others:
                return false_answers(ours, others, kept)
            return None

        interval = resample(cases, patients, share, seed, resamples)
        counts.append(FalseAnswers(kept, share(cases) or 0.0, interval))
    said_inside = sum(case.answered for case in inside)
    said_outside = sum(case.answered for case in outside)
    return Scope(
        inside=len(inside),
        outside=len(outside),
        auroc=area(cases) or 0.0,
        auroc_interval=resample(cases, patients, area, seed, resamples),
        answered_inside=said_inside / len(inside),
        answered_inside_interval=wilson(said_inside, len(inside)),
        answered_outside=said_outside / len(outside),
        answered_outside_interval=wilson(said_outside, len(outside)),
        false_answers=tuple(counts),
        curve=_curve(cases),
    )


def _doubts(cases: Sequence[Doubt]) -> tuple[list[float], list[float]]:
    """Return the doubts in scope, and those out of it."""
    inside: list[float] = []
    outside: list[float] = []
    for case in cases:
        if case.inside:
            inside.append(case.doubt)
        else:
            outside.append(case.doubt)
    return inside, outside


def _curve(cases: Sequence[Doubt]) -> tuple[tuple[float, float], ...]:
    inside, outside = _doubts(cases)
    inside.sort()
    outside.sort()
    points = [(0.0, 0.0)]
    for threshold in sorted({*inside, *outside}):
        kept = bisect.bisect_right(inside, threshold) / len(inside)
        answered = bisect.bisect_right(outside, threshold) / len(outside)
        points.append((kept, answered))
    return tuple(points)
